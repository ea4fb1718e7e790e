/* Commits to a database in rollback mode, in its working directory, for each event it reads there.
 *
 *   journal NAME FLAGS    FLAGS of inotify_init1 in hexadecimal
 *
 * Prints READY, and "rest" whenever nothing is left to be read. Ends when its standard input does. */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

/* As SQLite does it: the journal is made, the database written, the journal removed. */
static void commit(int database, const char *name)
{
	char journal[4096], page[512] = "";
	snprintf(journal, sizeof journal, "%s-journal", name);
	int fd = open(journal, O_RDWR | O_CREAT, 0644);
	if (fd < 0 || write(fd, page, sizeof page) < 0 || close(fd))
		err(1, "%s", journal);
	/* The change counter of the header. */
	int read = pread(database, page, 4, 24);
	page[3]++;
	if (read < 0 || pwrite(database, page, 4, 24) < 0)
		err(1, "%s", name);
	if (unlink(journal))
		err(1, "%s", journal);
}

int main(int argc, char **argv)
{
	static char buffer[1 << 16] __attribute__((aligned(8)));
	if (argc != 3)
		errx(2, "journal NAME FLAGS");
	int database = open(argv[1], O_RDWR);
	int fd = inotify_init1(strtol(argv[2], NULL, 16));
	int wd = inotify_add_watch(fd, ".", 0x3ce);
	if (database < 0 || wd < 0)
		err(1, "%s", argv[1]);
	commit(database, argv[1]);
	puts("READY");
	for (;;) {
		fflush(stdout);
		struct pollfd all[] = { { .fd = fd, .events = POLLIN }, { .fd = 0, .events = POLLIN } };
		poll(all, 2, -1);
		if (all[1].revents)
			return 0;
		ssize_t n = read(fd, buffer, sizeof buffer);
		for (ssize_t at = 0; at < n;) {
			struct inotify_event *e = (void *)(buffer + at);
			/* What was taken away may leave a record of no watch. */
			if (e->wd == wd)
				commit(database, argv[1]);
			at += sizeof *e + e->len;
		}
		if (poll(all, 1, 0) == 0)
			puts("rest");
	}
}
