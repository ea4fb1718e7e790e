/* Uses inotify once, and says what the kernel was asked for and what was read: argv[1] is a directory. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char line[512], buf[4096] __attribute__((aligned(8)));
	static const char *const names[] = { "a.sqlite", "f" };
	int fd = inotify_init1(IN_NONBLOCK);
	if (argc < 2 || inotify_add_watch(fd, argv[1], IN_ALL_EVENTS) < 0)
		return 2;
	for (int i = 0; i < 2; i++) {
		snprintf(line, sizeof line, "%s/%s", argv[1], names[i]);
		int f = open(line, O_CREAT | O_WRONLY, 0600);
		fchmod(f, 0640);
		close(f);
	}
	ssize_t n = read(fd, buf, sizeof buf);
	snprintf(line, sizeof line, "/proc/self/fdinfo/%d", fd);
	FILE *info = fopen(line, "r");
	while (info && fgets(line, sizeof line, info)) {
		char *mask = strstr(line, "mask:");
		if (mask)
			printf("%.*s", (int)strcspn(mask, " "), mask);
	}
	for (char *p = buf; n > 0 && p < buf + n;) {
		struct inotify_event *e = (void *)p;
		printf(" %s:%x", e->len ? e->name : "", e->mask);
		p += sizeof *e + e->len;
	}
	puts("");
	return 0;
}
