/* One round with every event asked for; prints the names of the events it read. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

/* musl has none: the preload's is found, and must do without a next one. */
ssize_t __read_chk(int, void *, size_t, size_t) __attribute__((weak));

int main(int argc, char **argv)
{
	char path[4096], buf[4096];
	int fd = inotify_init1(IN_NONBLOCK);
	if (argc < 2 || inotify_add_watch(fd, argv[1], IN_CREATE | IN_OPEN | IN_CLOSE_WRITE) != 1)
		return 1;
	snprintf(path, sizeof path, "%s/f", argv[1]);
	unlink(path);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	close(open(path, O_RDONLY));
	long n = __read_chk ? __read_chk(fd, buf, sizeof buf, sizeof buf) : read(fd, buf, sizeof buf);
	const char *space = "";
	for (long at = 0; at < n;) {
		struct inotify_event *e = (void *)(buf + at);
		printf("%s%s", space,
		       e->mask & IN_CREATE ? "create" : e->mask & IN_OPEN ? "open" : "close_write");
		space = " ";
		at += 16 + e->len;
	}
	puts("");
	return 0;
}
