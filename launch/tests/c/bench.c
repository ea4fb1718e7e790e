/* Nanoseconds a call takes, the mean of many: "add DIR MASK" a new watch on each of DIR's entries, "other"
 * getppid. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

int main(int argc, char **argv)
{
	if (argc == 2) {
		double start = now();
		for (int i = 0; i < 1000000; i++)
			syscall(SYS_getppid);
		printf("%.1f\n", (now() - start) / 1000000);
		return 0;
	}
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
