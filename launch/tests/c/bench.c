/* Nanoseconds a call takes, the mean of many: "add DIR MASK" a new watch on each of DIR's entries, "other"
 * getppid; "zero" a read of /dev/zero; "kept DIR", "ignored DIR" and "many DIR" a write to a file in the watched DIR and
 * the read of its event, of which a program is told, is not told, and 128 of which it reads at once; "churn DIR" 2,000 tries to watch files of DIR that come and go, in 400 instances, with making and closing these. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static void come_and_go(char names[5][16])
{
	for (;;) {
		for (int i = 0; i < 5; i++)
			close(open(names[i], O_CREAT | O_RDWR, 0600));
		for (int i = 0; i < 5; i++)
			unlink(names[i]);
	}
}

static int churn(const char *dir)
{
	char names[5][16];
	if (chdir(dir))
		return 1;
	for (int i = 0; i < 5; i++)
		snprintf(names[i], sizeof names[i], "f%d", i);
	pid_t other = fork();
	if (other == 0)
		come_and_go(names);
	double start = now();
	int made = 0;
	for (; made < 400; made++) {
		int instance = inotify_init1(IN_NONBLOCK);
		if (instance < 0)
			break;
		for (int i = 0; i < 5; i++)
			inotify_add_watch(instance, names[i], IN_MODIFY);
		close(instance);
	}
	double took = now() - start;
	kill(other, SIGKILL);
	waitpid(other, 0, 0);
	printf("%.1f\n", took / 2000);
	return made < 400;
}

/* Rounds of `each` writes and one read. */
static int events(const char *dir, const char *one, const char *other, int rounds, int each)
{
	static char buffer[1 << 16];
	const char *names[] = { one, other };
	int instance = inotify_init1(IN_NONBLOCK), files[2];
	if (chdir(dir) || inotify_add_watch(instance, ".", IN_MODIFY) < 0)
		return 1;
	for (int i = 0; i < 2; i++) {
		/* It may be another user's. */
		unlink(names[i]);
		files[i] = open(names[i], O_CREAT | O_RDWR, 0600);
	}
	double start = now();
	for (int i = 0; i < rounds; i++) {
		/* In turns: like events one after the other are one. */
		for (int j = 0; j < each; j++)
			if (pwrite(files[j % 2], "x", 1, 0) != 1)
				return 1;
		if (read(instance, buffer, sizeof buffer) <= 0)
			return 1;
	}
	printf("%.1f\n", (now() - start) / rounds);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "kept"))
		return events(argv[2], "a", "b", 2000, 1);
	/* Slowly enough to be no burst. */
	if (argc == 3 && !strcmp(argv[1], "ignored"))
		return events(argv[2], "a.sqlite", "b.sqlite", 150, 1);
	if (argc == 3 && !strcmp(argv[1], "many"))
		return events(argv[2], "a", "b", 200, 128);
	if (argc == 2) {
		int zero = open("/dev/zero", O_RDONLY), is_read = !strcmp(argv[1], "zero");
		char byte;
		double start = now();
		for (int i = 0; i < 1000000; i++)
			if (is_read)
				read(zero, &byte, 1);
			else
				syscall(SYS_getppid);
		printf("%.1f\n", (now() - start) / 1000000);
		return 0;
	}
	if (argc == 3)
		return churn(argv[2]);
	if (argc != 4)
		return 2;
	char *names[8192];
	int count = 0, instance = inotify_init();
	unsigned mask = strtoul(argv[3], 0, 0);
	DIR *dir = opendir(argv[2]);
	for (struct dirent *e; (e = readdir(dir)) && count < 8192;)
		asprintf(&names[count++], "%s/%s", argv[2], e->d_name);
	double start = now();
	for (int i = 0; i < count; i++)
		if (inotify_add_watch(instance, names[i], mask) < 0)
			return 1;
	printf("%.1f\n", (now() - start) / count);
	return 0;
}
