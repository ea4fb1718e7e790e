/* An instance in several hands: processes, threads, descriptors. */
#include "said.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>

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
	execl("/proc/self/exe", "scenarios", "after-exec", ".", number, (char *)0);
	must(0, "exec");
}

void after_exec(int fd)
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
		put_at_once(name, "");
	}
	/* One end for each: a name that is not a number of theirs. */
	for (int i = 0; i < THREADS; i++) {
		snprintf(name, sizeof name, "%d", FILES + i);
		put_at_once(name, "");
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], 0);
	int once = 0;
	for (int i = 0; i < FILES; i++)
		once += got_name[i] == 1;
	printf("%d of %d once\n", once, FILES);
	rm(shared, wd);
}

static pid_t sleeper_thread;

static void *sleeper(void *arg)
{
	char buf[64];
	__atomic_store_n(&sleeper_thread, gettid(), __ATOMIC_RELEASE);
	return (void *)read(shared, buf, sizeof buf);
}

/* A read is a cancellation point, and takes nothing with it. */
static void cancelled(void)
{
	pthread_t t;
	pid_t thread;
	void *result;
	shared = instance(0);
	add(shared, ".", IN_CREATE);
	must(pthread_create(&t, 0, sleeper, 0) == 0, "thread");
	while (!(thread = __atomic_load_n(&sleeper_thread, __ATOMIC_ACQUIRE)))
		sched_yield();
	until_in(thread, SYS_read);
	moment();
	pthread_cancel(t);
	pthread_join(t, &result);
	printf("cancelled: %d\n", result == PTHREAD_CANCELED);
	put("f", "");
	get(shared, 4096);
}

/* The union gives the buffer the alignment of a header: cmsg(3). */
union passing {
	char buf[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

static void pass(int socket, int fd)
{
	char byte = 0;
	union passing words = { 0 };
	struct iovec part = { &byte, 1 };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = words.buf,
			    .msg_controllen = sizeof words.buf };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(c), &fd, sizeof fd);
	must(sendmsg(socket, &m, 0) == 1, "sendmsg");
}

static int passed_one(int socket)
{
	char byte;
	int fd;
	union passing words = { 0 };
	struct iovec part = { &byte, 1 };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = words.buf,
			    .msg_controllen = sizeof words.buf };
	must(recvmsg(socket, &m, 0) == 1 && CMSG_FIRSTHDR(&m), "recvmsg");
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof fd);
	return fd;
}

/* The instance of one process is read, and watches more, in another one that never had it. */
static void passed(void)
{
	int pair[2], status;
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "sockets");
	fflush(stdout);
	pid_t child = fork();
	if (!child) {
		int fd = passed_one(pair[1]);
		get(fd, 32);
		folder("d");
		add(fd, "d", IN_CREATE);
		add(fd, ".", IN_DELETE);
		put("d/f", "");
		watches(fd);
		exit(0);
	}
	int fd = instance(IN_NONBLOCK);
	add(fd, ".", IN_CREATE);
	put("a", "");
	put("b", "");
	fflush(stdout);
	pass(pair[0], fd);
	must(waitpid(child, &status, 0) == child && status == 0, "child");
	gone("a");
	drain(fd);
	watches(fd);
}

/* What is unread when its last descriptor closes is gone; an instance is not closed while another process has it. */
static void outlived(void)
{
	int ready[2], go[2], status;
	char byte;
	must(pipe(ready) == 0 && pipe(go) == 0, "pipes");
	int fd = instance(IN_NONBLOCK);
	add(fd, ".", IN_CREATE);
	put("a", "");
	fflush(stdout);
	pid_t child = fork();
	if (!child) {
		must(write(ready[1], "", 1) == 1 && read(go[0], &byte, 1) == 1, "pipe");
		drain(fd);
		exit(0);
	}
	must(read(ready[0], &byte, 1) == 1, "pipe");
	close(fd);
	put("b", "");
	fd = instance(IN_NONBLOCK);
	add(fd, ".", IN_DELETE);
	gone("b");
	fflush(stdout);
	must(write(go[1], "", 1) == 1, "pipe");
	must(waitpid(child, &status, 0) == child && status == 0, "child");
	drain(fd);
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

/* A child that borrows its parent's memory reads what the parent is to read, and leaves the rest. */
static void vforked(void)
{
	static char buf[32];
	static long r;
	int fd = instance(IN_NONBLOCK), status;
	add(fd, ".", IN_CREATE);
	put("a", "");
	put("b", "");
	fflush(stdout);
	pid_t child = vfork();
	if (!child) {
		r = read(fd, buf, sizeof buf);
		_exit(0);
	}
	must(waitpid(child, &status, 0) == child && status == 0, "vfork");
	printf("read = %ld\n", r);
	records(buf, r);
	drain(fd);
}

/* A program that is spawned with the instance at another number. */
static void spawned(void)
{
	char number[] = "7", *argv[] = { "scenarios", "after-exec", ".", number, 0 };
	posix_spawn_file_actions_t actions;
	pid_t child;
	int fd = instance(IN_NONBLOCK | IN_CLOEXEC), status;
	add(fd, ".", IN_CREATE);
	put("before", "");
	fflush(stdout);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fd, 7);
	must(posix_spawn(&child, "/proc/self/exe", &actions, 0, argv, environ) == 0, "posix_spawn");
	must(waitpid(child, &status, 0) == child && status == 0, "spawned");
	drain(fd);
	watches(fd);
}

/* All descriptors from one on are closed at once; the number is then another instance's. */
static void closed(void)
{
	int fd = instance(IN_NONBLOCK);
	add(fd, ".", IN_CREATE);
	put("a", "");
	printf("close_range = %d\n", close_range(3, ~0U, 0));
	say("read", read(fd, (char[64]){ 0 }, 64));
	fd = instance(IN_NONBLOCK);
	add(fd, ".", IN_DELETE);
	gone("a");
	drain(fd);
	watches(fd);
}

const struct scenario processes[] = {
	{ "fork", forked },
	{ "vfork", vforked },
	{ "exec", execed },
	{ "spawned", spawned },
	{ "close-range", closed },
	{ "threads", threads },
	{ "cancelled", cancelled },
	{ "passed", passed },
	{ "outlived", outlived },
	{ "descriptors", descriptors },
	{ 0 },
};
