/* The one state mkfds cannot put itself into: a program without a dynamic loader, so that LD_PRELOAD has
 * no effect. Same protocol as mkfds: PID, READY, then wait until standard input is closed. With an
 * argument it watches that directory. */
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	printf("PID %ld\n", (long)getpid());
	if (argc > 1) {
		int fd = inotify_init1(IN_CLOEXEC);

		if (fd < 0 || inotify_add_watch(fd, argv[1], 0x3ee) < 0) {
			perror("static: the directory cannot be watched");
			return 1;
		}
		printf("fd=%d\n", fd);
	}
	puts("READY");
	fflush(stdout);
	char c;
	while (read(0, &c, 1) > 0)
		;
	return 0;
}
