/* Ways to wait for records and to read them. */
#include "said.h"

#include <linux/io_uring.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/time.h>
#include <sys/uio.h>

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

static void waits(void)
{
	struct epoll_event ask = { .events = EPOLLIN | EPOLLONESHOT }, got;
	struct timespec none = { 0 };
	struct timeval no_time = { 0 };
	int fd = instance(IN_NONBLOCK), ep = epoll_create1(0), around = epoll_create1(0);
	must(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ask) == 0, "epoll");
	ask.events = EPOLLIN;
	must(epoll_ctl(around, EPOLL_CTL_ADD, ep, &ask) == 0, "epoll");
	add(fd, ".", IN_CREATE);
	for (int round = 0; round < 4; round++) {
		fd_set in;
		struct pollfd p = { fd, POLLIN | POLLOUT | POLLPRI | POLLRDNORM, 0 };
		FD_ZERO(&in);
		FD_SET(fd, &in);
		say("select", select(fd + 1, &in, 0, 0, &no_time));
		FD_SET(fd, &in);
		say("pselect", pselect(fd + 1, &in, 0, 0, &none, 0));
		say("ppoll", ppoll(&p, 1, &none, 0));
		printf("  revents %x\n", p.revents);
		say("epoll around", epoll_wait(around, &got, 1, 0));
		say("epoll once", epoll_pwait(ep, &got, 1, 0, 0));
		if (round == 0)
			put("f", "");
		if (round == 1)
			get(fd, 4096);
		ask.events = EPOLLIN | EPOLLONESHOT;
		if (round == 2)
			must(epoll_ctl(ep, EPOLL_CTL_MOD, fd, &ask) == 0, "epoll");
		if (round == 2)
			put("g", "");
	}
}

/* A signal for each time there is something to read (fcntl(2), F_SETSIG). */
static void signalled(void)
{
	sigset_t ours;
	siginfo_t info;
	struct timespec none = { 0 };
	int fd = instance(IN_NONBLOCK);
	sigemptyset(&ours);
	sigaddset(&ours, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &ours, 0);
	must(fcntl(fd, F_SETOWN, getpid()) == 0 && fcntl(fd, F_SETSIG, SIGRTMIN) == 0, "signal");
	must(fcntl(fd, F_SETFL, O_NONBLOCK | O_ASYNC) == 0, "flags");
	add(fd, ".", IN_CREATE | IN_DELETE);
	put("f", "");
	put("g", "");
	drain(fd);
	gone("g");
	while (sigtimedwait(&ours, &info, &none) > 0)
		printf("  signal for it: %d, band %lx\n", info.si_fd == fd, info.si_band);
	printf("flags %x owner %d\n", fcntl(fd, F_GETFL), fcntl(fd, F_GETOWN) == getpid());
	drain(fd);
}

/* Whether reads wait is the descriptor's, and can be changed. */
static void may_wait(void)
{
	int on = 1, off = 0, fd = instance(0);
	add(fd, ".", IN_CREATE);
	must(fcntl(fd, F_SETFL, O_NONBLOCK) == 0, "fcntl");
	drain(fd);
	must(ioctl(fd, FIONBIO, &off) == 0, "FIONBIO");
	put("f", "");
	get(fd, 4096);
	must(ioctl(fd, FIONBIO, &on) == 0, "FIONBIO");
	drain(fd);
}

static volatile pid_t main_thread;

/* Makes its edit when the main thread waits in a read. */
static void *late_writer(void *arg)
{
	until_in(main_thread, SYS_read);
	/* Now also for whoever plays this. */
	moment();
	put_at_once("late", "x");
	return 0;
}

static void blocking(void)
{
	pthread_t t;
	int fd = instance(0);
	main_thread = getpid();
	add(fd, ".", IN_CREATE);
	must(pthread_create(&t, 0, late_writer, 0) == 0, "thread");
	get(fd, 4096);
	pthread_join(t, 0);
	printf("flags %x\n", fcntl(fd, F_GETFL));
}

static volatile sig_atomic_t alarms;

static void on_alarm(int s) { alarms++; }

/* A signal every millisecond, whose handler returns to the call it met or ends it. */
static void alarms_on(int flags)
{
	struct sigaction act = { .sa_handler = on_alarm, .sa_flags = flags };
	struct itimerval often = { { 0, 1000 }, { 0, 1000 } };
	sigaction(SIGALRM, &act, 0);
	setitimer(ITIMER_REAL, &often, 0);
}

static void alarms_off(void)
{
	struct itimerval never = { 0 };
	setitimer(ITIMER_REAL, &never, 0);
}

static void interrupted(void)
{
	char buf[64];
	int fd = instance(0);
	add(fd, ".", IN_CREATE);
	alarms_on(0);
	long r = read(fd, buf, sizeof buf);
	int e = errno;
	alarms_off();
	errno = e;
	say("read", r);
}

static void *after_alarms(void *arg)
{
	sigset_t alarm;
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &alarm, 0);
	until_in(main_thread, SYS_read);
	while (alarms < 5)
		sched_yield();
	alarms_off();
	moment();
	put_at_once("late", "x");
	return 0;
}

static void restarted(void)
{
	pthread_t t;
	int fd = instance(0);
	main_thread = getpid();
	add(fd, ".", IN_CREATE);
	must(pthread_create(&t, 0, after_alarms, 0) == 0, "thread");
	alarms_on(SA_RESTART);
	get(fd, 4096);
	pthread_join(t, 0);
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
	while ((r = say("readv", readv(fd, v, 3))) > 0)
		for (int i = 0; i < 3 && r > 0; i++) {
			long n = r < (long)v[i].iov_len ? r : (long)v[i].iov_len;
			records(v[i].iov_base, n);
			r -= n;
		}
	put("four", "");
	say("preadv2", r = preadv2(fd, v + 2, 1, -1, RWF_NOWAIT));
	records(c, r);
	say("pread", r = pread(fd, c, sizeof c, 0));
	records(c, r);
	say("lseek", lseek(fd, 0, SEEK_SET));
	say("syscall read", r = syscall(SYS_read, fd, c, sizeof c));
	records(c, r);
}

/* A buffer that cannot be written to, all of it or its second page. */
static void bad_buffer(void)
{
	long page = sysconf(_SC_PAGESIZE), r;
	char *pages = mmap(0, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(pages != MAP_FAILED && mprotect(pages + page, page, PROT_NONE) == 0, "mmap");
	int fd = instance(IN_NONBLOCK);
	add(fd, ".", IN_CREATE);
	put("a", "");
	say("read", syscall(SYS_read, fd, pages + page, page));
	drain(fd);
	put("b", "");
	put("c", "");
	/* There is room for one record before it. */
	char *most = pages + page - 32;
	say("read", r = syscall(SYS_read, fd, most, page));
	records(most, r);
	drain(fd);
}

/* By a stream of stdio(3), which reads as much as its buffer holds. */
static void stream(void)
{
	char buf[64];
	int fd = instance(IN_NONBLOCK);
	add(fd, ".", IN_CREATE);
	put("a", "");
	put("b", "");
	FILE *f = fdopen(dup(fd), "r");
	must(f != 0, "fdopen");
	for (int i = 0; i < 3; i++) {
		size_t n = fread(buf, 1, 32, f);
		printf("fread = %zu, error %d, end %d\n", n, ferror(f) != 0, feof(f) != 0);
		records(buf, n);
		clearerr(f);
	}
	put("c", "");
	drain(fd);
	fclose(f);
}

/* One read by io_uring(7), asked for before there is anything. */
static void ring(void)
{
	char buf[256];
	struct io_uring_params p = { 0 };
	int fd = instance(0);
	add(fd, ".", IN_CREATE);
	int ring = syscall(SYS_io_uring_setup, 1, &p);
	if (ring < 0 || !(p.features & IORING_FEAT_SINGLE_MMAP)) {
		say("io_uring", -1);
		return;
	}
	size_t size = p.sq_off.array + p.sq_entries * sizeof(uint32_t);
	size_t completions = p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe);
	int how = PROT_READ | PROT_WRITE, shared = MAP_SHARED | MAP_POPULATE;
	char *both = mmap(0, size > completions ? size : completions, how, shared, ring,
			  IORING_OFF_SQ_RING);
	struct io_uring_sqe *sqe = mmap(0, p.sq_entries * sizeof *sqe, how, shared, ring, IORING_OFF_SQES);
	must(both != MAP_FAILED && sqe != MAP_FAILED, "mmap");
	*sqe = (struct io_uring_sqe){ .opcode = IORING_OP_READ, .fd = fd, .addr = (uintptr_t)buf,
				      .len = sizeof buf, .off = -1 };
	*(uint32_t *)(both + p.sq_off.array) = 0;
	__atomic_store_n((uint32_t *)(both + p.sq_off.tail), 1, __ATOMIC_RELEASE);
	say("submit", syscall(SYS_io_uring_enter, ring, 1, 0, 0, 0, 0));
	put("f", "");
	say("wait", syscall(SYS_io_uring_enter, ring, 0, 1, IORING_ENTER_GETEVENTS, 0, 0));
	long r = ((struct io_uring_cqe *)(both + p.cq_off.cqes))->res;
	say("io_uring read", r);
	records(buf, r);
}

const struct scenario reads[] = {
	{ "short-buffers", short_buffers },
	{ "fionread", fionread },
	{ "epoll-edges", epoll_edges },
	{ "waits", waits },
	{ "signalled", signalled },
	{ "may-wait", may_wait },
	{ "blocking", blocking },
	{ "interrupted", interrupted },
	{ "restarted", restarted },
	{ "readv", parts },
	{ "bad-buffer", bad_buffer },
	{ "stream", stream },
	{ "io-uring", ring },
	{ 0 },
};
