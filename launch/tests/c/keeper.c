/* Keeps watches while a test heals them.
 *
 *   keeper serve         does what standard input says, line by line, and answers "= N" or "! ERRNO":
 *                        new | add FD MASK PATH | rm FD WD | close FD | waiting FD (bytes) | undumpable
 *   keeper churn DIR N   watches DIR/0 .. DIR/N-1, and removes and places one after the other until a
 *                        line comes; then "held WD MASK" for each, and "strange N": events and notices
 *                        of a watch it never had
 *   keeper count DIR     watches DIR for everything and reads all the time until a file called "end" is
 *                        made there; then "create N", "moved N", "lost N" (queue overflows), "strange N"
 *
 * Says "READY" first. Ends with its standard input. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

static char had[1 << 24];	/* wds it was given */
static long strange, created, moved, lost;
static int ended;

static void fail(const char *what)
{
	fprintf(stderr, "keeper: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void take(int fd)
{
	static char buf[1 << 16] __attribute__((aligned(8)));
	int waiting = 0;
	if (ioctl(fd, FIONREAD, &waiting) || !waiting)
		return;
	long n = read(fd, buf, sizeof buf);
	for (long at = 0; at < n;) {
		struct inotify_event *e = (struct inotify_event *)(buf + at);
		at += (long)sizeof *e + e->len;
		if (e->mask & IN_Q_OVERFLOW)
			lost++;
		else if (e->wd < 0 || e->wd >= (int)sizeof had || !had[e->wd])
			strange++;
		if (e->mask & IN_CREATE) {
			created++;
			ended |= e->len && !strcmp(e->name, "end");
		}
		moved += (e->mask & IN_MOVED_TO) != 0;
	}
}

static int place(int fd, const char *path, unsigned mask)
{
	int wd = inotify_add_watch(fd, path, mask);
	if (wd < 0)
		fail(path);
	had[wd] = 1;
	return wd;
}

static int line_waits(int ms)
{
	struct pollfd p = { .fd = 0, .events = POLLIN };
	return poll(&p, 1, ms) > 0;
}

static void ready(void)
{
	puts("READY");
	fflush(stdout);
}

static void serve(void)
{
	char line[5000], path[4200];
	unsigned mask;
	int fd, wd, r;
	ready();
	while (fgets(line, sizeof line, stdin)) {
		if (!strcmp(line, "new\n"))
			r = inotify_init1(0);
		else if (sscanf(line, "add %d %x %4199[^\n]", &fd, &mask, path) == 3)
			r = inotify_add_watch(fd, path, mask);
		else if (sscanf(line, "rm %d %d", &fd, &wd) == 2)
			r = inotify_rm_watch(fd, wd);
		else if (sscanf(line, "close %d", &fd) == 1)
			r = close(fd);
		else if (!strcmp(line, "undumpable\n"))
			r = prctl(PR_SET_DUMPABLE, 0);
		else if (sscanf(line, "waiting %d", &fd) == 1 && !ioctl(fd, FIONREAD, &wd))
			r = wd;
		else
			r = -1, errno = EINVAL;
		if (r < 0)
			printf("! %s\n", strerror(errno));
		else
			printf("= %d\n", r);
		fflush(stdout);
	}
}

static void churn(const char *dir, int count)
{
	int fd = inotify_init1(0), *wd = calloc((size_t)count, sizeof *wd);
	char path[4200];
	for (int i = 0; i < count; i++) {
		snprintf(path, sizeof path, "%s/%d", dir, i);
		wd[i] = place(fd, path, 0x3ee);
	}
	ready();
	for (int i = 0; !line_waits(0); i = (i + 1) % count) {
		snprintf(path, sizeof path, "%s/%d", dir, i);
		if (inotify_rm_watch(fd, wd[i]))
			fail("inotify_rm_watch");
		wd[i] = place(fd, path, 0x3ee);
		take(fd);
	}
	while (ioctl(fd, FIONREAD, &errno) == 0 && errno)
		take(fd);
	for (int i = 0; i < count; i++)
		printf("held %d\n", wd[i]);
	printf("strange %ld\n", strange);
	fflush(stdout);
	getchar();
	while (getchar() != EOF)
		;
}

static void count(const char *dir)
{
	int fd = inotify_init1(0);
	place(fd, dir, 0xfff);
	ready();
	while (!ended) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		poll(&p, 1, -1);
		take(fd);
	}
	printf("create %ld\nmoved %ld\nlost %ld\nstrange %ld\n", created, moved, lost, strange);
	fflush(stdout);
	while (getchar() != EOF)
		;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "serve"))
		serve();
	else if (argc == 4 && !strcmp(argv[1], "churn"))
		churn(argv[2], atoi(argv[3]));
	else if (argc == 3 && !strcmp(argv[1], "count"))
		count(argv[2]);
	else
		return 2;
	return 0;
}
