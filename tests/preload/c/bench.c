/* Nanoseconds per call, the best of several rounds: "add DIR" places a watch again and again with a
 * mask that is stripped, "attrib DIR" with one that has ATTRIB too,
 * "tree DIR" new watches with ATTRIB on so many directories, "pipe" reads 16 bytes from a pipe. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
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
	static char buf[65536], paths[4096][256];
	enum { ROUNDS = 40, CALLS = 4096 };
	double best = 1e18;
	int pair[2], fd = inotify_init1(0);
	uint32_t mask = IN_OPEN | IN_MODIFY | IN_CREATE;
	if (argc < 2 || fd < 0 || pipe(pair))
		return 1;
	int tree = !strcmp(argv[1], "tree"), again = !strcmp(argv[1], "add") || !strcmp(argv[1], "attrib");
	if (strcmp(argv[1], "add"))
		mask |= IN_ATTRIB;
	for (int i = 0; tree && i < CALLS; i++) {
		snprintf(paths[i], sizeof paths[i], "%s/%d", argv[2], i);
		mkdir(paths[i], 0700);
	}
	for (int round = 0; round < ROUNDS; round++) {
		double start, took;
		if (tree) {
			close(fd);
			fd = inotify_init1(0);
			start = now();
			for (int i = 0; i < CALLS; i++)
				if (inotify_add_watch(fd, paths[i], mask) != i + 1)
					return 1;
			took = now() - start;
		} else if (again) {
			start = now();
			for (int i = 0; i < CALLS; i++)
				if (inotify_add_watch(fd, argv[2], mask) != 1)
					return 1;
			took = now() - start;
		} else {
			/* Not zero: records are told from it by their second word. */
			memset(buf, 0x55, sizeof buf);
			if (write(pair[1], buf, CALLS * 16) != CALLS * 16)
				return 1;
			start = now();
			for (int i = 0; i < CALLS; i++)
				if (read(pair[0], buf, 16) != 16)
					return 1;
			took = now() - start;
		}
		if (took / CALLS < best)
			best = took / CALLS;
	}
	printf("%.1f\n", best);
	return 0;
}
