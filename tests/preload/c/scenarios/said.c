#include "said.h"

#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

void moment(void)
{
	char byte;
	int e = errno;
	printf("== %d\n", getpid());
	fflush(stdout);
	while (read(0, &byte, 1) < 0 && errno == EINTR)
		;
	errno = e;
}

static void result(const char *what, long r)
{
	if (r >= 0)
		printf("%s = %ld\n", what, r);
	else
		printf("%s = %s\n", what, strerrorname_np(errno));
}

long say(const char *what, long r)
{
	result(what, r);
	moment();
	return r;
}

static int cookie_number(uint32_t cookie)
{
	static uint32_t seen[64];
	static int count;
	if (!cookie)
		return 0;
	for (int i = 0; i < count; i++)
		if (seen[i] == cookie)
			return i + 1;
	if (count < 64)
		seen[count++] = cookie;
	return count;
}

void records(const char *buf, long n)
{
	long at = 0;
	while (at + (long)sizeof(struct inotify_event) <= n) {
		struct inotify_event e;
		memcpy(&e, buf + at, sizeof e);
		printf("  wd %d mask %x cookie %d len %u %s\n", e.wd, e.mask, cookie_number(e.cookie),
		       e.len, e.len ? buf + at + sizeof e : "");
		at += sizeof e + e.len;
	}
	if (n > 0 && at != n)
		printf("  %ld bytes that are not a record\n", n - at);
}

int instance(int flags) { return say("init1", inotify_init1(flags)); }

int add(int fd, const char *path, uint32_t mask)
{
	return say("add", inotify_add_watch(fd, path, mask));
}

void rm(int fd, int wd) { say("rm", inotify_rm_watch(fd, wd)); }

long get(int fd, size_t n)
{
	static char buf[1 << 20];
	memset(buf, 0x5a, sizeof buf);
	long r = read(fd, buf, n);
	result("read", r);
	records(buf, r);
	moment();
	return r;
}

void drain(int fd)
{
	while (get(fd, 65536) > 0)
		;
}

int waiting(int fd)
{
	int bytes = -1;
	result("FIONREAD", ioctl(fd, FIONREAD, &bytes));
	printf("  %d bytes\n", bytes);
	moment();
	return bytes;
}

void watches(int fd)
{
	char path[64], line[512];
	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof line, f)) {
		unsigned wd;
		char *m = strstr(line, "mask:");
		if (m && sscanf(line, "inotify wd:%x", &wd) == 1)
			printf("  watch %u %.*s\n", wd, (int)strcspn(m, " "), m);
	}
	if (f)
		fclose(f);
}

void must(int ok, const char *what)
{
	if (!ok) {
		printf("the scenario itself fails: %s: %s\n", what, strerror(errno));
		exit(1);
	}
}

void put_at_once(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	must(fd >= 0 && write(fd, text, strlen(text)) == (long)strlen(text), path);
	close(fd);
}

void put(const char *path, const char *text)
{
	put_at_once(path, text);
	moment();
}

void look(const char *path)
{
	char byte;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	must(fd >= 0 && read(fd, &byte, 1) >= 0, path);
	close(fd);
	moment();
}

void move(const char *from, const char *to)
{
	must(rename(from, to) == 0, from);
	moment();
}

void gone(const char *path)
{
	must(remove(path) == 0, path);
	moment();
}

void folder(const char *path)
{
	must(mkdir(path, 0755) == 0, path);
	moment();
}

void until_in(pid_t thread, long call)
{
	char path[64];
	long number = -1;
	snprintf(path, sizeof path, "/proc/self/task/%d/syscall", thread);
	while (number != call) {
		FILE *f = fopen(path, "re");
		must(f != 0, path);
		/* "running", or the number and its arguments. */
		if (fscanf(f, "%ld", &number) != 1)
			number = -1;
		fclose(f);
		sched_yield();
	}
}
