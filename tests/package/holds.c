/* Watches the directory argv[1] for everything, and waits. */
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int fd = inotify_init1(IN_NONBLOCK);
	if (argc < 2 || inotify_add_watch(fd, argv[1], IN_ALL_EVENTS) < 0)
		return 2;
	puts("READY");
	fflush(stdout);
	pause();
}
