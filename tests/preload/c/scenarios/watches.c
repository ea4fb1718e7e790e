/* Watches: how they are placed, what their flags do, how they go. */
#include "said.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

static void oneshot(void)
{
	int fd = instance(IN_NONBLOCK);
	folder("d");
	int wd = add(fd, "d", IN_CREATE | IN_MODIFY | IN_ONESHOT);
	watches(fd);
	put("d/f", "x");
	drain(fd);
	rm(fd, wd);
	put("d/g", "x");
	drain(fd);
	add(fd, "d", IN_CREATE | IN_ONESHOT);
	add(fd, "d", IN_DELETE);
	watches(fd);
	put("d/h", "x");
	gone("d/h");
	gone("d/g");
	drain(fd);
}

static void excl_unlink(void)
{
	for (int excl = 0; excl < 2; excl++) {
		int fd = instance(IN_NONBLOCK);
		int f = open("f", O_RDWR | O_CREAT, 0644);
		add(fd, ".", ALL | (excl ? IN_EXCL_UNLINK : 0));
		watches(fd);
		must(write(f, "x", 1) == 1, "f");
		gone("f");
		must(write(f, "x", 1) == 1, "f");
		close(f);
		drain(fd);
		close(fd);
	}
}

static void mask_add(void)
{
	int fd = instance(IN_NONBLOCK);
	add(fd, ".", IN_CREATE);
	add(fd, ".", IN_DELETE | IN_MASK_ADD);
	watches(fd);
	put("f", "x");
	gone("f");
	drain(fd);
	add(fd, ".", IN_DELETE);
	add(fd, ".", IN_ATTRIB | IN_CLOSE_WRITE | IN_MASK_ADD);
	watches(fd);
	put("f", "x");
	must(chmod("f", 0600) == 0, "f");
	gone("f");
	drain(fd);
	add(fd, ".", IN_MODIFY | IN_MASK_ADD | IN_MASK_CREATE);
}

static void mask_create(void)
{
	int fd = instance(IN_NONBLOCK);
	int wd = add(fd, ".", IN_CREATE | IN_MASK_CREATE);
	add(fd, ".", IN_DELETE | IN_MASK_CREATE);
	watches(fd);
	rm(fd, wd);
	add(fd, ".", IN_DELETE | IN_MASK_CREATE);
	watches(fd);
	drain(fd);
}

static void rm_watch(void)
{
	int fd = instance(IN_NONBLOCK), other = instance(IN_NONBLOCK);
	folder("d");
	int wd = add(fd, "d", ALL), two = add(fd, ".", IN_CREATE);
	put("d/f", "x");
	rm(other, wd);
	rm(fd, wd);
	rm(fd, wd);
	rm(fd, -1);
	rm(fd, 0);
	rm(fd, 0x40000000);
	rm(99, wd);
	rm(0, wd);
	put("d/g", "x");
	drain(fd);
	add(fd, "d", IN_CREATE);
	rm(fd, two);
	say("syscall rm", syscall(SYS_inotify_rm_watch, fd, two));
	drain(fd);
	watches(fd);
}

static void self_events(void)
{
	int fd = instance(IN_NONBLOCK);
	folder("d");
	put("f", "x");
	add(fd, "d", ALL);
	add(fd, "f", ALL);
	move("d", "e");
	move("f", "g");
	int open_file = open("g", O_RDONLY);
	gone("g");
	gone("e");
	close(open_file);
	drain(fd);
	watches(fd);
	folder("d");
	add(fd, "d", IN_DELETE_SELF | IN_ONLYDIR);
	gone("d");
	drain(fd);
}

static void masks(void)
{
	char name[16];
	int fd = instance(IN_NONBLOCK);
	for (int bit = 0; bit < 12; bit++) {
		snprintf(name, sizeof name, "%d", bit);
		folder(name);
		add(fd, name, 1u << bit | (bit % 2 ? IN_ONLYDIR | IN_EXCL_UNLINK : 0));
	}
	watches(fd);
	for (int bit = 0; bit < 12; bit++) {
		snprintf(name, sizeof name, "%d/f", bit);
		put(name, "x");
		look(name);
		must(chmod(name, 0600) == 0, name);
		gone(name);
		name[strlen(name) - 2] = 0;
		gone(name);
	}
	drain(fd);
}

static void names_of_one_file(void)
{
	int fd = instance(IN_NONBLOCK);
	folder("d");
	put("f.sqlite", "x");
	must(link("f.sqlite", "d/f") == 0, "link");
	int wd = add(fd, "f.sqlite", IN_MODIFY | IN_CLOSE_WRITE);
	printf("one inode, one watch: %d\n", add(fd, "d/f", IN_MODIFY | IN_ATTRIB) == wd);
	add(fd, "d", ALL);
	put("d/f", "x");
	put("f.sqlite", "x");
	gone("f.sqlite");
	gone("d/f");
	drain(fd);
}

static void errors(void)
{
	char path[5000], *volatile null = 0;
	int fd = instance(IN_NONBLOCK);
	put("f", "x");
	must(symlink("f", "s") == 0 && symlink("loop", "loop") == 0, "links");
	add(fd, "none", ALL);
	add(fd, "f/none", ALL);
	add(fd, "loop", ALL);
	add(fd, "", ALL);
	add(fd, "f", ALL | IN_ONLYDIR);
	add(fd, "s", IN_ATTRIB | IN_DONT_FOLLOW);
	add(fd, "s", IN_ATTRIB);
	add(fd, ".", 0);
	add(fd, ".", 0x00100000);
	add(fd, ".", IN_ISDIR);
	add(fd, ".", IN_UNMOUNT);
	add(fd, ".", IN_IGNORED | IN_Q_OVERFLOW);
	add(-1, ".", ALL);
	add(99, ".", ALL);
	add(0, ".", ALL);
	say("add null", inotify_add_watch(fd, null, ALL));
	memset(path, 'x', sizeof path);
	path[sizeof path - 1] = 0;
	add(fd, path, ALL);
	path[300] = 0;
	add(fd, path, ALL);
	/* The last byte before a page that is not there. */
	char *page = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(page + 4096, 4096);
	memcpy(page + 4096 - 2, "f", 2);
	add(fd, page + 4096 - 2, IN_MODIFY);
	say("read of nothing", read(99, path, sizeof path));
	say("read to null", read(fd, null, 4096));
	put("f", "x");
	say("read to null", read(fd, null, 4096));
	drain(fd);
	watches(fd);
}

/* Where a link is the last component of a path. */
static void links(void)
{
	int fd = instance(IN_NONBLOCK);
	folder("d");
	put("f", "x");
	must(symlink("d", "to-d") == 0 && symlink("f", "to-f") == 0, "links");
	add(fd, "to-d", ALL | IN_ONLYDIR);
	add(fd, "d", ALL | IN_MASK_ADD);
	add(fd, "to-d", ALL | IN_ONLYDIR | IN_DONT_FOLLOW);
	add(fd, "to-d/", IN_CREATE | IN_ONLYDIR | IN_DONT_FOLLOW | IN_MASK_ADD);
	add(fd, "to-f", ALL);
	add(fd, "to-f", ALL | IN_DONT_FOLLOW);
	watches(fd);
	put("d/x", "x");
	put("to-f", "x");
	must(lchown("to-f", getuid(), -1) == 0, "to-f");
	drain(fd);
	move("to-f", "still");
	gone("still");
	gone("to-d");
	drain(fd);
	watches(fd);
}

/* One inode in several instances: each has its own mask, queue and wds. */
static void instances(void)
{
	int fd[4];
	static const uint32_t mask[4] = { ALL, IN_CREATE | IN_EXCL_UNLINK, IN_DELETE,
					  IN_CREATE | IN_ONESHOT };
	folder("d");
	for (int i = 0; i < 4; i++) {
		fd[i] = instance(IN_NONBLOCK);
		if (i % 2)
			add(fd[i], ".", IN_MOVE_SELF);
		add(fd[i], "d", mask[i]);
	}
	put("d/f", "x");
	gone("d/f");
	rm(fd[0], 1);
	close(fd[1]);
	put("d/g", "x");
	gone("d/g");
	for (int i = 0; i < 4; i++) {
		watches(fd[i]);
		drain(fd[i]);
	}
	/* What was in its queue went with it, and wds begin anew. */
	int again = instance(IN_NONBLOCK);
	printf("the same number: %d\n", again == fd[1]);
	add(again, "d", IN_CREATE);
	drain(again);
}

/* A watch that is taken away and placed anew with its events still unread. */
static void unread(void)
{
	int fd = instance(IN_NONBLOCK);
	folder("d");
	folder("e");
	int d = add(fd, "d", ALL), e = add(fd, "e", ALL);
	put("d/f", "x");
	put("e/f", "x");
	rm(fd, d);
	put("d/f", "x");
	add(fd, "d", IN_MODIFY);
	add(fd, "e", IN_MODIFY);
	put("d/f", "x");
	put("e/f", "x");
	rm(fd, e);
	waiting(fd);
	drain(fd);
	watches(fd);
}

/* No more watches or instances: in a user namespace of its own, which has limits of its own. */
static void limits(void)
{
	static const struct {
		const char *path;
		const char *most;
	} limit[] = { { "/proc/sys/user/max_inotify_watches", "2" },
		      { "/proc/sys/user/max_inotify_instances", "1" } };
	struct rlimit few;
	char name[2] = "a";
	for (; name[0] < 'e'; name[0]++)
		folder(name);
	must(getrlimit(RLIMIT_NOFILE, &few) == 0, "limit");
	if (say("unshare", unshare(CLONE_NEWUSER)) < 0)
		return;
	for (int i = 0; i < 2; i++) {
		int file = open(limit[i].path, O_WRONLY);
		must(file >= 0 && write(file, limit[i].most, 1) == 1, limit[i].path);
		close(file);
	}
	int fd = instance(IN_NONBLOCK);
	instance(IN_NONBLOCK);
	int a = add(fd, "a", ALL);
	add(fd, "b", ALL);
	add(fd, "c", ALL);
	add(fd, "a", IN_CREATE);
	add(fd, "d", IN_CREATE | IN_MASK_ADD);
	rm(fd, a);
	add(fd, "c", ALL);
	watches(fd);
	drain(fd);
	few.rlim_cur = fd + 1;
	must(setrlimit(RLIMIT_NOFILE, &few) == 0, "limit");
	instance(IN_NONBLOCK);
	add(fd, "c", IN_DELETE);
	watches(fd);
}

const struct scenario watches_and_flags[] = {
	{ "oneshot", oneshot },
	{ "excl-unlink", excl_unlink },
	{ "mask-add", mask_add },
	{ "mask-create", mask_create },
	{ "rm-watch", rm_watch },
	{ "self-events", self_events },
	{ "masks", masks },
	{ "names-of-one-file", names_of_one_file },
	{ "errors", errors },
	{ "links", links },
	{ "instances", instances },
	{ "unread", unread },
	{ "limits", limits },
	{ 0 },
};
