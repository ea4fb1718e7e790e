/* What a program is woken for, seen from outside. "watch DIR" is such a program: it prints READY, and then the name in each
 * event of a file in DIR. The others start CMD, which is to be one under a launcher or bare:
 *
 *   latency DIR N CMD...   N isolated edits: microseconds from a write to CMD's line, the median
 *   flood DIR MS CMD...    so many milliseconds of writes to an ignored file that is held open, as of a program that logs where
 *                          it watches, in four parts, an edit after each: milliseconds of processor time CMD takes, and all
 *                          it starts
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static int watch(const char *dir)
{
	static char buffer[1 << 16] __attribute__((aligned(8)));
	struct pollfd one = { .fd = inotify_init1(IN_NONBLOCK), .events = POLLIN };
	if (inotify_add_watch(one.fd, dir, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
		return 1;
	setlinebuf(stdout);
	puts("READY");
	for (;;) {
		poll(&one, 1, -1);
		long n = read(one.fd, buffer, sizeof buffer);
		for (long at = 0; at < n;) {
			const struct inotify_event *e = (void *)(buffer + at);
			at += sizeof *e + e->len;
			if (e->len)
				puts(e->name);
		}
	}
}

static int lines = -1;

/* Reads lines until one begins with this word, or the time (ms) is up. */
static int hears(const char *word, int time)
{
	static char text[1 << 16];
	static int filled;
	double end = now() + time * 1e3;
	for (;;) {
		char *line_end = memchr(text, '\n', filled);
		if (line_end) {
			int hit = !strncmp(text, word, strlen(word)), length = line_end + 1 - text;
			memmove(text, line_end + 1, filled -= length);
			if (hit)
				return 1;
			continue;
		}
		struct pollfd one = { .fd = lines, .events = POLLIN };
		double left = end - now();
		if (poll(&one, 1, left > 0 ? left / 1e3 + 1 : 0) != 1)
			return 0;
		long n = read(lines, text + filled, sizeof text - filled);
		if (n <= 0)
			return 0;
		filled += n;
	}
}

static pid_t start(char **command)
{
	int ends[2];
	if (pipe(ends))
		exit(3);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	pid_t child = fork();
	if (!child) {
		setpgid(0, 0);
		dup2(ends[1], 1);
		close(ends[0]);
		close(ends[1]);
		execvp(command[0], command);
		_exit(127);
	}
	close(ends[1]);
	lines = ends[0];
	if (!hears("READY", 10000)) {
		fprintf(stderr, "%s is not ready\n", command[0]);
		exit(3);
	}
	return child;
}

static void append(int file)
{
	if (pwrite(file, "x", 1, 0) != 1)
		exit(3);
}

static int file(const char *name)
{
	return open(name, O_WRONLY | O_CREAT, 0666);
}

static int compare(const void *a, const void *b)
{
	double difference = *(const double *)a - *(const double *)b;
	return (difference > 0) - (difference < 0);
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "watch"))
		return watch(argv[2]);
	if (argc < 5 || chdir(argv[2]))
		return 2;
	int edit = file("edit"), log = file("log.sqlite-wal");
	if (!strcmp(argv[1], "latency")) {
		int count = atoi(argv[3]);
		double *took = malloc(count * sizeof *took);
		pid_t child = start(argv + 4);
		for (int i = 0; i < count; i++) {
			/* It has long gone to sleep again. */
			usleep(5000);
			double begin = now();
			append(edit);
			if (!hears("edit", 10000))
				return 3;
			took[i] = now() - begin;
		}
		kill(-child, SIGKILL);
		qsort(took, count, sizeof *took, compare);
		printf("%.1f\n", took[count / 2]);
		return 0;
	}
	pid_t child = start(argv + 4);
	int heard = 0, part = atoi(argv[3]) * 1000 / 4;
	for (int i = 0; i < 4; i++) {
		double begin = now();
		while (now() - begin < part) {
			for (int j = 0; j < 64; j++)
				append(log);
			/* Nobody waits for room in the pipe. */
			hears("-", 0);
		}
		char name[16];
		snprintf(name, sizeof name, "edit%d", i);
		/* Another run may have left it. */
		unlink(name);
		close(file(name));
		heard += hears(name, 10000);
	}
	kill(-child, SIGTERM);
	struct rusage used;
	while (wait(0) > 0)
		;
	getrusage(RUSAGE_CHILDREN, &used);
	printf("%.1f\n", (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e3 +
				 (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e3);
	if (heard != 4)
		fprintf(stderr, "%d of 4 edits were heard\n", heard);
	return heard != 4;
}
