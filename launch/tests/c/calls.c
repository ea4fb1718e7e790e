/* Makes every kind of inotify_add_watch there is and prints what came of each: "name: wd" or "name: ERRNO"; at the end
 * every watch the kernel has. Started in an empty directory. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define M 0x3ee /* with OPEN: changed where it is stripped */

static int in;

static void call(const char *name, int fd, const char *path, uint32_t mask)
{
	errno = 4242;
	long r = syscall(SYS_inotify_add_watch, fd, path, mask);
	if (r < 0)
		printf("%s: %s\n", name, strerror(errno));
	else
		printf("%s: wd %ld\n", name, r);
	fflush(stdout);
}

static void make(void)
{
	mkdir("d", 0755);
	mkdir("d/sub", 0755);
	mkdir("closed", 0);
	mkdir("unreadable", 0311);
	close(open("f", O_CREAT | O_WRONLY, 0644));
	close(open("secret", O_CREAT | O_WRONLY, 0));
	if (symlink("d", "l") || symlink("f", "lf") || symlink("nowhere", "dangling") ||
	    symlink("loop", "loop") || symlink("/proc/self/cwd/d", "magic") || symlink("/proc/self", "me"))
		exit(97);
}

static void flags(void)
{
	static const uint32_t flag[] = { IN_ONLYDIR, IN_DONT_FOLLOW, IN_EXCL_UNLINK, IN_MASK_ADD, IN_ONESHOT,
		IN_ONLYDIR | IN_DONT_FOLLOW, IN_MASK_ADD | IN_MASK_CREATE, IN_ISDIR, IN_UNMOUNT,
		IN_Q_OVERFLOW, IN_IGNORED, 0x00010000, 0x00800000, 0 };
	static const char *path[] = { "magic", "me", "d", "d/", "f", "f/", "l", "l/", "lf", "lf/", "dangling", "loop" };
	char name[64];
	for (unsigned i = 0; i < sizeof flag / sizeof *flag; i++)
		for (unsigned j = 0; j < sizeof path / sizeof *path; j++) {
			snprintf(name, sizeof name, "%s with %x", path[j], flag[i]);
			call(name, in, path[j], M | flag[i]);
			snprintf(name, sizeof name, "%s with %x alone", path[j], flag[i]);
			call(name, in, path[j], flag[i]);
		}
	call("new only", in, "d/sub", M | IN_MASK_CREATE);
	call("new only, again", in, "d/sub", M | IN_MASK_CREATE);
	call("added to", in, "d/sub", IN_OPEN | IN_ATTRIB | IN_MASK_ADD);
	call("only what is stripped", in, "/", IN_OPEN);
	call("replaced", in, "/", M);
	for (int bit = 0; bit < 12; bit++) {
		snprintf(name, sizeof name, "event %x", 1u << bit);
		call(name, in, "/", 1u << bit);
	}
}

static void descriptors(void)
{
	int file = open("f", O_RDONLY), path = open("d", O_PATH), pipes[2];
	if (pipe(pipes))
		exit(97);
	call("fd -1", -1, "d", M);
	call("fd not open", 999, "d", M);
	call("fd of a file", file, "d", M);
	call("fd of a path", path, "d", M);
	call("fd of a pipe", pipes[0], "d", M);
	call("no fd and no path", -1, "nowhere", M);
	call("no fd and no memory", 999, NULL, M);
	int copy = dup(in);
	call("fd copied", copy, "d", M);
	close(copy);
}

static void memory(void)
{
	long page = sysconf(_SC_PAGESIZE);
	char *two = mmap(0, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(two + page, page);
	call("null", in, NULL, M);
	call("address 1", in, (char *)1, M);
	call("not mapped", in, two + page, M);
	call("kernel's", in, (char *)-4096, M);
	strcpy(two + page - 2, "d");
	call("ends with the page", in, two + page - 2, M);
	two[page - 1] = 'd';
	call("goes on behind the page", in, two + page - 2, M);
	mprotect(two, page, PROT_NONE);
	call("unreadable memory", in, two, M);
	char *across = mmap(0, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	strcpy(across + page - 3, "d/sub");
	call("across pages", in, across + page - 3, M);

	static char text[8192];
	for (int length = 4094; length <= 4097; length++) {
		char name[32];
		for (int i = 0; i < length; i += 2)
			memcpy(text + i, "./", 2);
		text[length - 1] = 'd';
		text[length] = 0;
		snprintf(name, sizeof name, "%d bytes", length);
		call(name, in, text, M);
	}
	memset(text, 'x', 256);
	text[256] = 0;
	call("long name", in, text, M);
	memset(text, 'x', 8191);
	call("far too long", in, text, M);
	call("empty", in, "", M);
}

static void paths(void)
{
	static const char *path[] = { ".", "..", "/", "//", "d/../d", "./d/./sub", "nowhere", "nowhere/x", "f/x", "closed",
		"closed/x", "unreadable", "secret", "/proc", "/proc/self", "/proc/thread-self", "/proc/self/cwd",
		"/proc/self/cwd/d", "/proc/self/root", "/proc/self/fd", "/dev/fd", "/dev/null", "me/cwd", "magic/sub",
		"/proc/self/root/proc/self" };
	char own[64];
	for (unsigned i = 0; i < sizeof path / sizeof *path; i++)
		call(path[i], in, path[i], M);
	int dir = open("d/sub", O_RDONLY);
	snprintf(own, sizeof own, "/proc/self/fd/%d", dir);
	call("/proc/self/fd/N", in, own, M);
	call("/proc/self/fd/N, not followed", in, own, M | IN_DONT_FOLLOW);
	snprintf(own, sizeof own, "/dev/fd/%d", dir);
	call("/dev/fd/N", in, own, M);
	snprintf(own, sizeof own, "/proc/thread-self/fd/%d", dir);
	call("/proc/thread-self/fd/N", in, own, M);
}

static void *own_directory(void *none)
{
	if (unshare(CLONE_FS) || chdir("d"))
		exit(97);
	call("thread's own directory", in, "sub", M);
	return none;
}

static void *own_descriptors(void *none)
{
	if (unshare(CLONE_FILES))
		exit(97);
	int other = inotify_init();
	close(in);
	call("thread without the descriptor", in, "d", M);
	call("thread's own descriptor", other, "d", M);
	return none;
}

static void threads(void)
{
	pthread_t t;
	pthread_create(&t, 0, own_directory, 0);
	pthread_join(t, 0);
	call("not the thread's directory", in, "sub", M);
	pthread_create(&t, 0, own_descriptors, 0);
	pthread_join(t, 0);
	call("descriptor still there", in, "d", M);
	for (int i = 0; i < 2; i++) {
		pid_t child = i ? vfork() : fork();
		if (!child) {
			call(i ? "vfork's child" : "child", in, "d", M | IN_MASK_ADD);
			_exit(0);
		}
		waitpid(child, 0, 0);
	}
	mkdir("gone", 0755);
	if (chdir("gone") || rmdir("../gone"))
		exit(97);
	call("deleted directory", in, ".", M);
	call("above a deleted directory", in, "..", M);
	call("in a deleted directory", in, "x", M);
}

int main(void)
{
	char path[64], line[512];
	in = inotify_init1(0);
	make();
	paths();
	descriptors();
	memory();
	threads();
	if (chdir(getenv("START")))
		return 97;
	flags();
	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", in);
	FILE *f = fopen(path, "r");
	while (f && fgets(line, sizeof line, f)) {
		unsigned wd, mask;
		char *m = strstr(line, "mask:");
		if (m && sscanf(line, "inotify wd:%x", &wd) == 1 && sscanf(m, "mask:%x", &mask) == 1)
			printf("watch %u mask %x\n", wd, mask);
	}
	return 0;
}
