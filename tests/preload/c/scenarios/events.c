/* Which events come, and in what order. */
#include "said.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>

static void order(void)
{
	int fd = instance(IN_NONBLOCK);
	add(fd, ".", ALL);
	put("f", "one");
	look("f");
	must(chmod("f", 0600) == 0 && truncate("f", 1) == 0, "f");
	must(link("f", "g") == 0 && symlink("f", "s") == 0, "links");
	folder("d");
	must(chmod("d", 0700) == 0, "d");
	move("d", "e");
	put("e/below", "not watched");
	gone("e/below");
	gone("e");
	gone("g");
	gone("s");
	gone("f");
	drain(fd);
}

static void coalescing(void)
{
	int fd = instance(IN_NONBLOCK);
	add(fd, ".", IN_MODIFY | IN_ATTRIB);
	int f = open("f", O_WRONLY | O_CREAT, 0644), g = open("g", O_WRONLY | O_CREAT, 0644);
	for (int i = 0; i < 3; i++)
		must(write(f, "x", 1) == 1, "f");
	must(write(g, "x", 1) == 1 && write(f, "x", 1) == 1 && write(f, "x", 1) == 1, "g");
	for (int i = 0; i < 2; i++)
		must(fchmod(f, 0600) == 0, "f");
	drain(fd);
	must(write(f, "x", 1) == 1, "f");
	drain(fd);
}

static void cookies(void)
{
	int fd = instance(IN_NONBLOCK);
	folder("a");
	folder("b");
	folder("unwatched");
	add(fd, "a", IN_MOVE | IN_MOVE_SELF);
	add(fd, "b", IN_MOVE | IN_MOVE_SELF);
	put("a/f", "");
	put("unwatched/in", "");
	move("a/f", "a/g");
	move("a/g", "b/f");
	move("b/f", "unwatched/out");
	move("unwatched/in", "a/in");
	move("a", "c");
	folder("c/d");
	move("c/d", "b/d");
	put("b/x", "");
	put("b/y", "");
	syscall(SYS_renameat2, AT_FDCWD, "b/x", AT_FDCWD, "b/y", 2 /* RENAME_EXCHANGE */);
	drain(fd);
}

static void overflow(void)
{
	static char buf[1 << 16];
	long limit = 0, count = 0, r;
	struct inotify_event last = { 0 };
	FILE *f = fopen("/proc/sys/fs/inotify/max_queued_events", "re");
	must(f && fscanf(f, "%ld", &limit) == 1, "max_queued_events");
	fclose(f);
	int fd = instance(IN_NONBLOCK);
	add(fd, ".", IN_MODIFY);
	int a = open("a", O_WRONLY | O_CREAT, 0644), b = open("b", O_WRONLY | O_CREAT, 0644);
	for (long i = 0; i < limit + 10; i++)
		must(write(i % 2 ? a : b, "x", 1) == 1, "write");
	while ((r = read(fd, buf, sizeof buf)) > 0)
		for (long at = 0; at < r; count++) {
			memcpy(&last, buf + at, sizeof last);
			at += sizeof last + last.len;
		}
	say("read", r);
	printf("  %ld records more than the limit, the last: wd %d mask %x\n", count - limit, last.wd,
	       last.mask);
	must(write(a, "x", 1) == 1, "a");
	drain(fd);
}

/* Every way to write that has an event, and the store that has none. */
static void writes(void)
{
	struct timespec now[2] = { { 0, UTIME_NOW }, { 0, UTIME_NOW } };
	struct iovec part = { "part", 4 };
	loff_t from = 0;
	int pipes[2], fd = instance(IN_NONBLOCK);
	put("f", "some text");
	put("g", "");
	add(fd, ".", ALL);
	int f = open("f", O_RDWR), g = open("g", O_RDWR);
	must(pwrite(f, "x", 1, 3) == 1 && writev(f, &part, 1) == 4, "write");
	drain(fd);
	must(ftruncate(f, 100) == 0 && posix_fallocate(f, 0, 4096) == 0, "f");
	drain(fd);
	must(sendfile(g, f, &from, 10) == 10, "sendfile");
	drain(fd);
	must(copy_file_range(f, &from, g, 0, 10, 0) == 10, "copy_file_range");
	drain(fd);
	must(pipe(pipes) == 0 && write(pipes[1], "x", 1) == 1, "pipe");
	must(splice(pipes[0], 0, g, 0, 1, 0) == 1, "splice");
	drain(fd);
	char *page = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0);
	must(page != MAP_FAILED, "mmap");
	page[0] = 'y';
	must(msync(page, 4096, MS_SYNC) == 0, "msync");
	drain(fd);
	must(futimens(f, now) == 0, "touch");
	drain(fd);
	close(f);
	close(open("f", O_WRONLY | O_TRUNC));
	close(g);
	drain(fd);
}

/* As editors save: the new file takes the watched one's place. */
static void replaced(void)
{
	int fd = instance(IN_NONBLOCK);
	put("f", "old");
	add(fd, "f", ALL);
	add(fd, ".", ALL);
	int held = open("f", O_RDONLY);
	put("new", "new");
	move("new", "f");
	drain(fd);
	close(held);
	drain(fd);
	add(fd, "f", ALL);
	put("f", "more");
	drain(fd);
	watches(fd);
}

/* A directory that goes with all that is in it, below a watch and watched itself. */
static void tree_gone(void)
{
	int fd = instance(IN_NONBLOCK);
	folder("d");
	folder("d/e");
	put("d/e/f", "x");
	add(fd, ".", ALL);
	add(fd, "d", ALL);
	add(fd, "d/e", ALL);
	add(fd, "d/e/f", ALL);
	gone("d/e/f");
	gone("d/e");
	/* Held, so the inode outlives its name. */
	int held = open("d", O_RDONLY | O_DIRECTORY);
	gone("d");
	drain(fd);
	watches(fd);
	close(held);
	drain(fd);
	watches(fd);
}

static void unmounted(void)
{
	int fd = instance(IN_NONBLOCK);
	folder("m");
	if (say("unshare", unshare(CLONE_NEWNS)) < 0)
		return;
	must(mount("none", "/", 0, MS_REC | MS_PRIVATE, 0) == 0, "/");
	add(fd, "m", ALL);
	for (int lazy = 0; lazy < 2; lazy++) {
		must(mount("none", "m", "tmpfs", 0, "mode=755") == 0, "m");
		folder("m/d");
		put("m/d/f", "x");
		add(fd, "m", ALL);
		add(fd, "m/d", ALL | IN_ONESHOT);
		add(fd, "m/d/f", IN_DELETE_SELF);
		int held = lazy ? open("m/d", O_RDONLY | O_DIRECTORY) : -1;
		must(umount2("m", lazy ? MNT_DETACH : 0) == 0, "m");
		drain(fd);
		watches(fd);
		if (lazy)
			close(held);
		drain(fd);
		watches(fd);
	}
}

const struct scenario events[] = {
	{ "order", order },
	{ "coalescing", coalescing },
	{ "cookies", cookies },
	{ "overflow", overflow },
	{ "writes", writes },
	{ "replaced", replaced },
	{ "tree-gone", tree_gone },
	{ "unmounted", unmounted },
	{ 0 },
};
