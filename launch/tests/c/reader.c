/* Does what the lines of its standard input say, and prints one line for each:
 *
 *   init FLAGS        a new instance; FLAGS of inotify_init1 in hexadecimal. "init N", its number
 *   add PATH MASK     "add WD"
 *   rm WD             "rm 0"
 *   read SIZE         what is there: "read BYTES; MASK NAME; ...", or "read ERRNO"; a filler is "-"
 *   parts A B         the same by readv, into two buffers of these sizes
 *   here SIZE         the same by preadv2 at the current place
 *   ring SIZE         the same by io_uring
 *   all               waits for something to read, and reads until nothing is left
 *   size              "size N" by FIONREAD
 *   exact             a read of just as much
 *   wait              "wait 1" when there is something to read, within ten seconds
 *   edge              the same by an edge-triggered epoll, which is made once
 *   dup               the further lines are about a copy. "dup N"
 *   move N            they are about dup2(it, N)
 *   copy N            they are about fcntl(it, F_DUPFD_CLOEXEC, N)
 *   hand              they are about a copy that went over a socket (SCM_RIGHTS). "hand N"
 *   blocking          its reads wait from now on
 *   fork              the further lines are a child's
 *   exec              they are a new program's, which inherits it
 *   orphan            they are a child's whose parent has ended
 *   race N            N threads read until nothing is left; how many records there were in all: "race N"
 *   flood PATH N      writes N times to a file it holds open, and reads after each: how often there was something, "flood N"
 *   limit N           lowers its limit of descriptors
 *   user UID          becomes that user for ever: "user 0"
 *   zero N            what a read of /dev/zero on number N brings: "zero 4"
 *   close             the instance
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static int fd = -1;
static char buffer[1 << 16] __attribute__((aligned(8)));

static int records(const char *from, long n)
{
	int count = 0;
	for (long at = 0; at < n;) {
		const struct inotify_event *e = (const void *)(from + at);
		at += sizeof *e + e->len;
		count += e->wd != -1;
	}
	return count;
}

static void print(const char *what, long n)
{
	if (n < 0) {
		printf("%s %s\n", what, strerrorname_np(errno));
		return;
	}
	printf("%s %ld", what, n);
	for (long at = 0; at < n;) {
		struct inotify_event *e = (void *)(buffer + at);
		if (e->wd == -1)
			printf("; -");
		else
			printf("; %x %s", e->mask, e->len ? e->name : "");
		at += sizeof *e + e->len;
	}
	printf("\n");
}

static int ready(int timeout)
{
	struct pollfd one = { .fd = fd, .events = POLLIN };
	return poll(&one, 1, timeout);
}

static void all(void)
{
	long n, filled = 0;
	if (ready(10000) == 1)
		while (filled < 32768 && (n = read(fd, buffer + filled, 32768)) > 0)
			filled += n;
	print("all", filled);
}

/* One read by a ring of its own (io_uring_setup(2)). */
static long ring(unsigned size)
{
	struct io_uring_params p = { 0 };
	int own = syscall(SYS_io_uring_setup, 1, &p);
	if (own < 0)
		return -1;
	int access = PROT_READ | PROT_WRITE;
	char *sq = mmap(0, p.sq_off.array + p.sq_entries * 4, access, MAP_SHARED, own, IORING_OFF_SQ_RING);
	char *cq = mmap(0, p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe), access, MAP_SHARED, own,
			IORING_OFF_CQ_RING);
	struct io_uring_sqe *sqe = mmap(0, p.sq_entries * sizeof *sqe, access, MAP_SHARED, own, IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED || sqe == MAP_FAILED)
		return -1;
	*sqe = (struct io_uring_sqe){ .opcode = IORING_OP_READ, .fd = fd, .addr = (unsigned long)buffer, .len = size, .off = -1 };
	((unsigned *)(sq + p.sq_off.array))[0] = 0;
	__atomic_store_n((unsigned *)(sq + p.sq_off.tail), 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, own, 1, 1, IORING_ENTER_GETEVENTS, 0, 0) != 1)
		return -1;
	long n = ((struct io_uring_cqe *)(cq + p.cq_off.cqes))->res;
	close(own);
	errno = n < 0 ? -n : 0;
	return n < 0 ? -1 : n;
}

static void *reader(void *count)
{
	static __thread char own[4096] __attribute__((aligned(8)));
	long n;
	while ((n = read(fd, own, sizeof own)) > 0)
		__atomic_add_fetch((int *)count, records(own, n), __ATOMIC_RELAXED);
	return 0;
}

static void race(int threads)
{
	pthread_t thread[64];
	int count = 0;
	for (int i = 0; i < threads; i++)
		pthread_create(&thread[i], 0, reader, &count);
	for (int i = 0; i < threads; i++)
		pthread_join(thread[i], 0);
	printf("race %d\n", count);
}

static void flood(const char *path, int times)
{
	int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644), count = 0;
	while (times-- > 0) {
		if (pwrite(file, "x", 1, 0) != 1)
			exit(98);
		count += read(fd, buffer, sizeof buffer) > 0;
	}
	printf("flood %d\n", count);
	/* It stays open. */
}

static int edge(void)
{
	static int set = -1;
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	if (set < 0) {
		set = epoll_create1(EPOLL_CLOEXEC);
		epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
	}
	return epoll_wait(set, &event, 1, 10000);
}

static int handed(int file)
{
	int ends[2];
	char byte = 0, control[CMSG_SPACE(sizeof file)] = { 0 };
	struct iovec part = { &byte, 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = sizeof control };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof file);
	memcpy(CMSG_DATA(header), &file, sizeof file);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) || sendmsg(ends[0], &message, 0) != 1 ||
	    recvmsg(ends[1], &message, 0) != 1)
		exit(95);
	memcpy(&file, CMSG_DATA(header), sizeof file);
	return file;
}

static void become(int orphan)
{
	pid_t parent = getpid(), child = fork();
	if (child) {
		if (!orphan)
			waitpid(child, 0, 0);
		_exit(0);
	}
	while (orphan && getppid() == parent)
		usleep(1000);
}

int main(int argc, char **argv)
{
	char line[4096], path[4096];
	unsigned a, b;
	if (argc > 1)
		fd = atoi(argv[1]);
	/* Not stdio's buffer: a child and a new program read on. */
	for (;;) {
		size_t at = 0;
		while (at < sizeof line - 1 && read(0, line + at, 1) == 1 && line[at] != '\n')
			at++;
		line[at] = 0;
		if (!at)
			return 0;
		if (sscanf(line, "init %x", &a) == 1)
			printf("init %d\n", fd = inotify_init1(a));
		else if (sscanf(line, "add %4000s %x", path, &a) == 2)
			printf("add %d\n", inotify_add_watch(fd, path, a));
		else if (sscanf(line, "rm %u", &a) == 1)
			printf("rm %d\n", inotify_rm_watch(fd, a));
		else if (sscanf(line, "read %u", &a) == 1)
			print("read", read(fd, buffer, a));
		else if (sscanf(line, "parts %u %u", &a, &b) == 2) {
			struct iovec parts[2] = { { buffer, a }, { buffer + a, b } };
			print("parts", readv(fd, parts, 2));
		} else if (sscanf(line, "here %u", &a) == 1) {
			struct iovec part = { buffer, a };
			print("here", preadv2(fd, &part, 1, -1, 0));
		} else if (sscanf(line, "ring %u", &a) == 1)
			print("ring", ring(a));
		else if (!strcmp(line, "all"))
			all();
		else if (!strcmp(line, "size") || !strcmp(line, "exact")) {
			int n = 0;
			ioctl(fd, FIONREAD, &n);
			if (*line == 's')
				printf("size %d\n", n);
			else
				print("exact", read(fd, buffer, n));
		} else if (!strcmp(line, "wait"))
			printf("wait %d\n", ready(10000));
		else if (!strcmp(line, "edge"))
			printf("edge %d\n", edge());
		else if (!strcmp(line, "dup"))
			printf("dup %d\n", fd = dup(fd));
		else if (sscanf(line, "move %u", &a) == 1)
			printf("move %d\n", fd = dup2(fd, a));
		else if (sscanf(line, "copy %u", &a) == 1)
			printf("copy %d\n", fd = fcntl(fd, F_DUPFD_CLOEXEC, a));
		else if (!strcmp(line, "hand"))
			printf("hand %d\n", fd = handed(fd));
		else if (!strcmp(line, "blocking"))
			printf("blocking %d\n", fcntl(fd, F_SETFL, 0));
		else if (!strcmp(line, "fork") || !strcmp(line, "orphan")) {
			become(*line == 'o');
			printf("%s\n", line);
		} else if (!strcmp(line, "exec")) {
			char number[16];
			snprintf(number, sizeof number, "%d", fd);
			printf("exec\n");
			fflush(stdout);
			execl("/proc/self/exe", "reader", number, (char *)0);
			return 97;
		} else if (sscanf(line, "race %u", &a) == 1)
			race(a);
		else if (sscanf(line, "flood %4000s %u", path, &a) == 2)
			flood(path, a);
		else if (sscanf(line, "limit %u", &a) == 1) {
			struct rlimit limit = { a, 1024 };
			printf("limit %d\n", setrlimit(RLIMIT_NOFILE, &limit));
		} else if (sscanf(line, "user %u", &a) == 1) {
			printf("user %d\n", setgid(a) | setuid(a));
		} else if (sscanf(line, "zero %u", &a) == 1) {
			dup2(open("/dev/zero", O_RDONLY), a);
			printf("zero %ld\n", (long)read(a, buffer, 4));
		} else if (!strcmp(line, "close"))
			printf("close %d\n", close(fd));
		else
			return 96;
		fflush(stdout);
	}
}
