/* Does what its arguments say, one after the other:
 *
 *   add PATH MASK     inotify_add_watch; prints "PATH: wd N mask 0x..." as the kernel has it, or "PATH: ERRNO"
 *   rm WD             inotify_rm_watch; prints "rm: 0" or "rm: ERRNO"
 *   again PATH MASK   inotify_add_watch until a line comes in, then "failed N"
 *   children N PATH MASK   N children, four at a time, place such a watch and see which mask it has;
 *                     prints "N children: N have mask 0x..." for the first one's mask
 *   wait              prints "ready PID", goes on after a line
 *   open PATH         and keeps it open, made if need be
 *   chdir, rmdir, chroot PATH; user UID; nodump
 *   thread, fork, daemon   the rest in a thread with a current directory of its own, a child, an orphan
 *   exec              the rest is a program of its own
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int instance = -1;

static void die(const char *what)
{
	perror(what);
	exit(99);
}

static unsigned mask_of(int wanted)
{
	char path[64], line[512];
	unsigned wd, mask = 0;
	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", instance);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof line, f)) {
		char *m = strstr(line, "mask:");
		if (m && sscanf(line, "inotify wd:%x", &wd) == 1 && (int)wd == wanted)
			sscanf(m, "mask:%x", &mask);
	}
	if (f)
		fclose(f);
	return mask;
}

static void add(const char *path, const char *mask)
{
	int wd = inotify_add_watch(instance, path, strtoul(mask, 0, 0));
	if (wd < 0)
		printf("%s: %s\n", path, strerror(errno));
	else
		printf("%s: wd %d mask 0x%x\n", path, wd, mask_of(wd));
}

static void again(const char *path, const char *mask)
{
	long failed = 0;
	struct pollfd in = { 0, POLLIN, 0 };
	printf("ready %d\n", getpid());
	fflush(stdout);
	do
		for (int i = 0; i < 16; i++)
			if (inotify_add_watch(instance, path, strtoul(mask, 0, 0)) < 0)
				failed++;
	while (poll(&in, 1, 0) == 0);
	while (getchar() != '\n')
		;
	printf("failed %ld\n", failed);
}

static void children(int count, const char *path, const char *mask)
{
	unsigned first = 0;
	int same = 0, ends[2], running = 0;
	if (pipe(ends))
		die("pipe");
	for (int made = 0; made < count; made++) {
		if (!fork()) {
			int wd = inotify_add_watch(instance, path, strtoul(mask, 0, 0));
			unsigned has = wd < 0 ? 0 : mask_of(wd);
			_exit(write(ends[1], &has, sizeof has) != sizeof has);
		}
		if (++running == 4 || made == count - 1)
			for (; running; running--) {
				unsigned has;
				if (read(ends[0], &has, sizeof has) != sizeof has)
					die("read");
				first = first ? first : has;
				same += has == first;
				wait(0);
			}
	}
	printf("%d children: %d have mask 0x%x\n", count, same, first);
}

static void orphan(void)
{
	if (fork())
		_exit(0);
	setsid();
	if (fork())
		_exit(0);
}

static void run(char **v);

static void *thread(void *v)
{
	if (unshare(CLONE_FS))
		die("unshare");
	run(v);
	exit(0);
}

static void run(char **v)
{
	for (; *v; fflush(stdout)) {
		char *what = *v++;
		if (!strcmp(what, "add")) {
			add(v[0], v[1]);
			v += 2;
		} else if (!strcmp(what, "rm")) {
			printf("rm: %s\n", inotify_rm_watch(instance, atoi(*v++)) ? strerror(errno) : "0");
		} else if (!strcmp(what, "again")) {
			again(v[0], v[1]);
			v += 2;
		} else if (!strcmp(what, "children")) {
			children(atoi(v[0]), v[1], v[2]);
			v += 3;
		} else if (!strcmp(what, "wait")) {
			printf("ready %d\n", getpid());
			fflush(stdout);
			int c;
			while ((c = getchar()) != '\n' && c != EOF)
				;
		} else if (!strcmp(what, "open")) {
			if (open(*v++, O_RDWR | O_CREAT, 0644) < 0)
				die("open");
		} else if (!strcmp(what, "chdir")) {
			if (chdir(*v++))
				die("chdir");
		} else if (!strcmp(what, "rmdir")) {
			if (rmdir(*v++))
				die("rmdir");
		} else if (!strcmp(what, "chroot")) {
			if (chroot(*v++))
				die("chroot");
		} else if (!strcmp(what, "user")) {
			int id = atoi(*v++);
			if (setgroups(0, 0) || setresgid(id, id, id) || setresuid(id, id, id))
				die("setresuid");
		} else if (!strcmp(what, "nodump")) {
			prctl(PR_SET_DUMPABLE, 0);
		} else if (!strcmp(what, "thread")) {
			pthread_t other;
			pthread_create(&other, 0, thread, v);
			pthread_join(other, 0);
		} else if (!strcmp(what, "fork")) {
			int status;
			pid_t child = fork();
			if (child) {
				waitpid(child, &status, 0);
				exit(WEXITSTATUS(status));
			}
		} else if (!strcmp(what, "daemon")) {
			orphan();
		} else if (!strcmp(what, "exec")) {
			execv(v[0], v);
			die("exec");
		} else {
			fprintf(stderr, "probe: %s?\n", what);
			exit(98);
		}
	}
}

int main(int argc, char **argv)
{
	(void)argc;
	instance = inotify_init1(IN_CLOEXEC);
	if (instance < 0)
		die("inotify_init1");
	run(argv + 1);
	return 0;
}
