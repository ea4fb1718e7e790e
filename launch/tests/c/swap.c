/* swap DIR SECRET UID COUNT, as root: a user who must not read SECRET tries to have it watched by a supervisor.
 *
 * As user UID it watches COUNT directories in DIR, opens a database in each, and from then on changes each for a link
 * to SECRET and back, until some of them report no write any more: the supervisor has been there. Then it lets them be
 * until all of them do. Prints "COUNT settled, N strange": the second number counts events of watches it has not placed. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static int count;
static atomic_int done;

static void die(const char *what)
{
	perror(what);
	exit(99);
}

static char *name(char kind, int n)
{
	static _Thread_local char names[2][32];
	static _Thread_local int turn;
	char *text = names[turn ^= 1];
	snprintf(text, 32, "%c%d", kind, n);
	return text;
}

static void *change(void *unused)
{
	for (int turn = 0; turn % 2 || !done; turn++)
		for (int n = 0; n < count; n++)
			if (renameat2(AT_FDCWD, name('d', n), AT_FDCWD, name('l', n), RENAME_EXCHANGE))
				die("renameat2");
	return unused;
}

/* Watches without MODIFY. */
static int settled(int instance)
{
	char path[64], line[512];
	unsigned mask;
	int found = 0;
	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", instance);
	FILE *f = fopen(path, "re");
	if (!f)
		die(path);
	while (fgets(line, sizeof line, f)) {
		char *m = strstr(line, "mask:");
		found += m && sscanf(m, "mask:%x", &mask) == 1 && !(mask & IN_MODIFY);
	}
	fclose(f);
	return found;
}

int main(int argc, char **argv)
{
	pthread_t other;
	int strange = 0;
	if (argc != 5 || chdir(argv[1]))
		return 98;
	uid_t user = atoi(argv[3]);
	count = atoi(argv[4]);
	if (setgroups(0, 0) || setresgid(user, user, user) || setresuid(user, user, user))
		die("setresuid");
	prctl(PR_SET_DUMPABLE, 1);
	if (open(argv[2], O_RDONLY | O_DIRECTORY) >= 0 || errno != EACCES)
		die(argv[2]);
	/* Its reads wait while watches are placed: its masks are judged, and what it reads is not. */
	int instance = inotify_init1(IN_CLOEXEC);
	if (instance < 0)
		die("inotify_init1");
	for (int n = 0; n < count; n++) {
		if (mkdir(name('d', n), 0755) || symlink(argv[2], name('l', n)))
			die("mkdir");
		if (inotify_add_watch(instance, name('d', n), IN_MODIFY | IN_DELETE) != n + 1)
			die("inotify_add_watch");
	}
	for (int n = 0; n < count; n++) {
		char log[64];
		snprintf(log, sizeof log, "%s/x.db-wal", name('d', n));
		if (open(log, O_RDWR | O_CREAT | O_CLOEXEC, 0644) < 0)
			die(log);
	}
	pthread_create(&other, 0, change, 0);
	while (settled(instance) <= count / 8)
		usleep(1000);
	done = 1;
	pthread_join(other, 0);
	while (settled(instance) < count)
		usleep(1000);
	if (fcntl(instance, F_SETFL, O_NONBLOCK))
		die("fcntl");
	_Alignas(struct inotify_event) char events[65536];
	for (ssize_t length; (length = read(instance, events, sizeof events)) > 0;)
		for (char *at = events; at < events + length;) {
			struct inotify_event *event = (void *)at;
			strange += event->wd < 1 || event->wd > count;
			at += sizeof *event + event->len;
		}
	printf("%d settled, %d strange\n", settled(instance), strange);
	return 0;
}
