/* What inotify does, in the kinds of cases the Linux Test Project has: "scenarios NAME DIR" plays one in an
 * empty directory and prints what came of every call, record by record; "scenarios list" names them all.
 *
 * The output is the same on every run: cookies are numbered in the order they are seen. Edits are made by
 * this program itself, one thread at a time, so their events have one order. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define ALL IN_ALL_EVENTS

static const char *self;

/* --- saying what happened --------------------------------------------------------------------- */

static long say(const char *what, long r)
{
	int e = errno;
	if (r >= 0)
		printf("%s = %ld\n", what, r);
	else
		printf("%s = %s\n", what, strerrorname_np(e));
	errno = 0;
	return r;
}

static int cookie_number(uint32_t cookie)
{
	static uint32_t seen[64];
	static int count;
	if (!cookie)
		return 0;
	for (int i = 0; i < count; i++)
		if (seen[i] == cookie)
			return i + 1;
	if (count < 64)
		seen[count++] = cookie;
	return count;
}

static void records(const char *buf, long n)
{
	long at = 0;
	while (at + (long)sizeof(struct inotify_event) <= n) {
		struct inotify_event e;
		memcpy(&e, buf + at, sizeof e);
		printf("  wd %d mask %x cookie %d len %u %s\n", e.wd, e.mask, cookie_number(e.cookie),
		       e.len, e.len ? buf + at + sizeof e : "");
		at += sizeof e + e.len;
	}
	if (n > 0 && at != n)
		printf("  %ld bytes that are no record\n", n - at);
}

/* One read of n bytes. */
static long get(int fd, size_t n)
{
	static char buf[1 << 20];
	memset(buf, 0x5a, sizeof buf);
	long r = read(fd, buf, n);
	say("read", r);
	records(buf, r);
	return r;
}

static void drain(int fd)
{
	while (get(fd, 65536) > 0)
		;
}

static int instance(int flags) { return say("init1", inotify_init1(flags)); }

static int add(int fd, const char *path, uint32_t mask)
{
	return say("add", inotify_add_watch(fd, path, mask));
}

static void rm(int fd, int wd) { say("rm", inotify_rm_watch(fd, wd)); }

static int waiting(int fd)
{
	int bytes = -1;
	say("FIONREAD", ioctl(fd, FIONREAD, &bytes));
	printf("  %d bytes\n", bytes);
	return bytes;
}

/* What the kernel shows of every watch. */
static void watches(int fd)
{
	char path[64], line[512];
	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof line, f)) {
		unsigned wd;
		char *m = strstr(line, "mask:");
		if (m && sscanf(line, "inotify wd:%x", &wd) == 1)
			printf("  watch %u %.*s\n", wd, (int)strcspn(m, " "), m);
	}
	if (f)
		fclose(f);
}

/* --- edits ------------------------------------------------------------------------------------- */

static void must(int ok, const char *what)
{
	if (!ok) {
		printf("the scenario itself fails: %s: %s\n", what, strerror(errno));
		exit(1);
	}
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0644);
	must(fd >= 0 && write(fd, text, strlen(text)) == (long)strlen(text), path);
	close(fd);
}

static void look(const char *path)
{
	char byte;
	int fd = open(path, O_RDONLY);
	must(fd >= 0 && read(fd, &byte, 1) >= 0, path);
	close(fd);
}

static void move(const char *from, const char *to) { must(rename(from, to) == 0, from); }
static void gone(const char *path) { must(remove(path) == 0, path); }
static void folder(const char *path) { must(mkdir(path, 0755) == 0, path); }

/* --- the scenarios ----------------------------------------------------------------------------- */

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

static void short_buffers(void)
{
	char name[256];
	int fd = instance(IN_NONBLOCK);
	add(fd, ".", IN_CREATE);
	get(fd, 0);
	get(fd, 16);
	static const int lengths[] = { 1, 15, 16, 31, 255 };
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		memset(name, 'a' + i, sizeof name);
		name[lengths[i]] = 0;
		put(name, "");
	}
	static const size_t sizes[] = { 0, 1, 15, 16, 31, 32, 33, 48, 47, 64, 271, 272, 300, 16 };
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		get(fd, sizes[i]);
}

static void fionread(void)
{
	int fd = instance(IN_NONBLOCK);
	add(fd, ".", IN_CREATE | IN_DELETE | IN_MODIFY);
	waiting(fd);
	put("f", "x");
	get(fd, waiting(fd));
	waiting(fd);
	put("a name of more than sixteen characters", "x");
	put("f", "y");
	gone("f");
	get(fd, 96);
	get(fd, waiting(fd));
	waiting(fd);
}

static void epoll_edges(void)
{
	struct epoll_event ask = { .events = EPOLLIN | EPOLLET }, got[4];
	int fd = instance(IN_NONBLOCK), ep = epoll_create1(0);
	must(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ask) == 0, "epoll");
	add(fd, ".", IN_CREATE);
	say("epoll", epoll_wait(ep, got, 4, 0));
	put("f", "x");
	say("epoll", epoll_wait(ep, got, 4, 0));
	say("epoll again", epoll_wait(ep, got, 4, 0));
	put("g", "x");
	say("epoll", epoll_wait(ep, got, 4, 0));
	get(fd, 32);
	say("epoll with one left", epoll_wait(ep, got, 4, 0));
	drain(fd);
	put("h", "x");
	say("epoll", epoll_wait(ep, got, 4, 0));
	struct pollfd p = { fd, POLLIN, 0 };
	say("poll", poll(&p, 1, 0));
	drain(fd);
	say("poll", poll(&p, 1, 0));
}

static void forked(void)
{
	int fd = instance(IN_NONBLOCK), status;
	add(fd, ".", IN_CREATE);
	put("a", "");
	put("b", "");
	fflush(stdout);
	pid_t child = fork();
	if (!child) {
		get(fd, 32);
		folder("d");
		add(fd, "d", IN_CREATE);
		put("d/f", "");
		watches(fd);
		exit(0);
	}
	must(waitpid(child, &status, 0) == child && status == 0, "fork");
	drain(fd);
	watches(fd);
	put("d/g", "");
	drain(fd);
}

static void execed(void)
{
	char number[16];
	int fd = instance(IN_NONBLOCK), cloexec = instance(IN_CLOEXEC);
	add(fd, ".", IN_CREATE);
	put("before", "");
	snprintf(number, sizeof number, "%d", fd);
	printf("cloexec %d %d\n", fcntl(fd, F_GETFD), fcntl(cloexec, F_GETFD));
	fflush(stdout);
	execl(self, self, "after-exec", ".", number, (char *)0);
	must(0, "exec");
}

static void after_exec(int fd)
{
	put("after", "");
	drain(fd);
	add(fd, ".", IN_DELETE);
	watches(fd);
	gone("after");
	drain(fd);
	rm(fd, 1);
	drain(fd);
}

/* Four threads share an instance; together they get every event once. */
enum { THREADS = 4, FILES = 200 };
static int shared, got_name[FILES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *reader(void *arg)
{
	/* Room for one record, so that nobody gets another's end. */
	char buf[48];
	long r;
	struct pollfd p = { shared, POLLIN, 0 };
	while (poll(&p, 1, -1) == 1 && ((r = read(shared, buf, sizeof buf)) > 0 || errno == EAGAIN))
		for (long at = 0; at < r;) {
			struct inotify_event e;
			memcpy(&e, buf + at, sizeof e);
			int i = e.len ? atoi(buf + at + sizeof e) : -1;
			if (i < 0 || i >= FILES)
				return 0;
			pthread_mutex_lock(&lock);
			got_name[i]++;
			pthread_mutex_unlock(&lock);
			at += sizeof e + e.len;
		}
	return 0;
}

static void threads(void)
{
	pthread_t t[THREADS];
	char name[16];
	shared = instance(IN_NONBLOCK);
	int wd = add(shared, ".", IN_CREATE);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&t[i], 0, reader, 0);
	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof name, "%d", i);
		put(name, "");
	}
	/* One end for each: a name that is no number of theirs. */
	for (int i = 0; i < THREADS; i++) {
		snprintf(name, sizeof name, "%d", FILES + i);
		put(name, "");
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], 0);
	int once = 0;
	for (int i = 0; i < FILES; i++)
		once += got_name[i] == 1;
	printf("%d of %d once\n", once, FILES);
	rm(shared, wd);
}

static void *late_writer(void *arg)
{
	put("late", "x");
	return 0;
}

static void blocking(void)
{
	pthread_t t;
	int fd = instance(0);
	add(fd, ".", IN_CREATE);
	pthread_create(&t, 0, late_writer, 0);
	get(fd, 4096);
	pthread_join(t, 0);
	printf("flags %x\n", fcntl(fd, F_GETFL));
}

static void on_alarm(int s) { }

static void interrupted(void)
{
	struct sigaction act = { .sa_handler = on_alarm };
	struct itimerval often = { { 0, 1000 }, { 0, 1000 } };
	int fd = instance(0);
	add(fd, ".", IN_CREATE);
	sigaction(SIGALRM, &act, 0);
	setitimer(ITIMER_REAL, &often, 0);
	get(fd, 4096);
}

static void parts(void)
{
	char a[48], b[64], c[256];
	struct iovec v[3] = { { a, sizeof a }, { b, sizeof b }, { c, sizeof c } };
	int fd = instance(IN_NONBLOCK);
	add(fd, ".", IN_CREATE | IN_CLOSE_WRITE);
	put("one", "");
	put("two", "");
	put("a name of more than sixteen characters", "");
	long r;
	/* inotify goes on to the next part only when one is full. */
	while (say("readv", r = readv(fd, v, 3)) > 0)
		for (int i = 0; i < 3 && r > 0; i++) {
			long n = r < (long)v[i].iov_len ? r : (long)v[i].iov_len;
			records(v[i].iov_base, n);
			r -= n;
		}
	say("syscall read", syscall(SYS_read, fd, c, sizeof c));
}

static void descriptors(void)
{
	int fd = instance(IN_NONBLOCK | IN_CLOEXEC), old = say("init", inotify_init());
	printf("fd flags %x %x, status flags %x %x\n", fcntl(fd, F_GETFD), fcntl(old, F_GETFD),
	       fcntl(fd, F_GETFL), fcntl(old, F_GETFL));
	say("syscall init1", syscall(SYS_inotify_init1, IN_NONBLOCK));
	instance(7);
	int copy = say("dup", dup(fd));
	add(copy, ".", IN_CREATE);
	put("f", "");
	get(copy, 16);
	get(fd, 4096);
	close(fd);
	put("g", "");
	drain(copy);
	close(copy);
	say("add", inotify_add_watch(copy, ".", IN_CREATE));
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

static const struct {
	const char *name;
	void (*play)(void);
} scenarios[] = {
	{ "order", order },
	{ "coalescing", coalescing },
	{ "cookies", cookies },
	{ "overflow", overflow },
	{ "oneshot", oneshot },
	{ "excl-unlink", excl_unlink },
	{ "mask-add", mask_add },
	{ "mask-create", mask_create },
	{ "rm-watch", rm_watch },
	{ "self-events", self_events },
	{ "short-buffers", short_buffers },
	{ "fionread", fionread },
	{ "epoll-edges", epoll_edges },
	{ "fork", forked },
	{ "exec", execed },
	{ "threads", threads },
	{ "blocking", blocking },
	{ "interrupted", interrupted },
	{ "readv", parts },
	{ "descriptors", descriptors },
	{ "errors", errors },
	{ "masks", masks },
	{ "names-of-one-file", names_of_one_file },
};

int main(int argc, char **argv)
{
	size_t count = sizeof scenarios / sizeof *scenarios;
	self = "/proc/self/exe";
	if (argc == 2 && !strcmp(argv[1], "list")) {
		for (size_t i = 0; i < count; i++)
			puts(scenarios[i].name);
		return 0;
	}
	if (argc < 3 || chdir(argv[2]))
		return 2;
	if (argc == 4 && !strcmp(argv[1], "after-exec")) {
		after_exec(atoi(argv[3]));
		return 0;
	}
	for (size_t i = 0; i < count; i++)
		if (!strcmp(argv[1], scenarios[i].name)) {
			scenarios[i].play();
			return 0;
		}
	return 2;
}
