/* Makes the calls a test asks for, one per line of standard input, and prints what came of each:
 * records as ": wd mask cookie name", then "= result" or "! ERRNO". A result line says "errno changed"
 * if a successful call touched errno. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

ssize_t __read_chk(int fd, void *buf, size_t n, size_t size);
#ifdef __GLIBC__
ssize_t __read(int fd, void *buf, size_t n);
#else
#define __read read
#endif

/* Since glibc 2.32. scripts/smoke runs on older ones as well, and takes any error for one. */
#if defined(__GLIBC__) && !__GLIBC_PREREQ(2, 32)
#define strerrorname_np strerror
#endif

#define UNTOUCHED 4242

static void result(long r)
{
	int now = errno;
	if (r >= 0)
		printf("= %ld%s\n", r, now == UNTOUCHED ? "" : " errno changed");
	else
		printf("! %s\n", strerrorname_np(now));
	fflush(stdout);
}

static void records(const char *buf, long n)
{
	long at = 0;
	while (at + 16 <= n) {
		struct inotify_event e;
		memcpy(&e, buf + at, 16);
		if (at + 16 + (long)e.len > n)
			break;
		printf(": %d 0x%x %u %s\n", e.wd, e.mask, e.cookie, e.len ? buf + at + 16 : "");
		at += 16 + e.len;
	}
	if (n > 0 && at != n)
		printf(": %ld bytes that are not a record\n", n - at);
}

/* A canary behind the buffer: nothing may be written past its end. */
static long read_how(const char *how, int fd, size_t n)
{
	size_t room = n + 64;
	char *buf = malloc(room);
	memset(buf, 0x5a, room);
	long r;
	errno = UNTOUCHED;
	if (!strcmp(how, "read"))
		r = read(fd, buf, n);
	else if (!strcmp(how, "__read"))
		r = __read(fd, buf, n);
	else if (!strcmp(how, "__read_chk"))
		r = __read_chk(fd, buf, n, n);
	else if (!strcmp(how, "syscall"))
		r = syscall(SYS_read, fd, buf, n);
	else if (!strcmp(how, "syscall-readv")) {
		struct iovec v = { buf, n };
		r = syscall(SYS_readv, fd, &v, 1);
	} else { /* readvN: parts of N bytes */
		size_t part = strtoul(how + 5, 0, 10), count = 0;
		struct iovec v[1024];
		for (size_t at = 0; at < n && count < 1024; at += part, count++)
			v[count] = (struct iovec){ buf + at, n - at < part ? n - at : part };
		r = readv(fd, v, count);
	}
	int kept = errno;
	records(buf, r);
	for (size_t i = n; i < room; i++)
		if (buf[i] != 0x5a)
			printf(": byte %zu past the buffer was written\n", i - n);
	free(buf);
	errno = kept;
	return r;
}

static long passed(int fd)
{
	int pair[2], got;
	char byte = 'x', control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec v = { &byte, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof control };
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		return -1;
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(c), &fd, sizeof fd);
	if (sendmsg(pair[0], &m, 0) != 1 || recvmsg(pair[1], &m, 0) != 1 || close(fd))
		return -1;
	memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof got);
	close(pair[0]);
	close(pair[1]);
	return got;
}

static long watches(int fd)
{
	char path[64], line[512];
	unsigned wd, mask;
	long count = 0;
	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof line, f)) {
		char *m = strstr(line, "mask:");
		if (sscanf(line, "inotify wd:%x", &wd) == 1 && m && sscanf(m, "mask:%x", &mask) == 1) {
			printf(": %u 0x%x\n", wd, mask);
			count++;
		}
	}
	if (f)
		fclose(f);
	errno = UNTOUCHED;
	return count;
}

int main(int argc, char **argv)
{
	char line[8192], word[32], text[8000];
	/* Unbuffered: what an exec'd or forked successor reads is not lost in this process. */
	setvbuf(stdin, 0, _IONBF, 0);
	puts("READY");
	fflush(stdout);
	while (fgets(line, sizeof line, stdin)) {
		long a = 0, b = 0, n = 0;
		text[0] = 0;
		line[strcspn(line, "\n")] = 0;
		if (sscanf(line, "%31s", word) != 1)
			continue;
		errno = UNTOUCHED;
		if (!strcmp(word, "init"))
			sscanf(line, "%*s %li", &a), result(inotify_init1(a));
		else if (!strcmp(word, "init0"))
			result(inotify_init());
		else if (!strcmp(word, "syscall-init"))
			result(syscall(SYS_inotify_init1, IN_NONBLOCK));
		else if (!strcmp(word, "add")) {
			sscanf(line, "%*s %li %li %7999[^\n]", &a, &b, text);
			result(inotify_add_watch(a, text, b));
		} else if (!strcmp(word, "add-null"))
			sscanf(line, "%*s %li", &a), result(inotify_add_watch(a, 0, IN_MODIFY));
		else if (!strcmp(word, "add-bad")) {
			/* Pointers that are not a path: a number, or one that runs into a page nobody may read. */
			sscanf(line, "%*s %li %li %li", &a, &b, &n);
			char *page = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			memset(page, 'a', 4096);
			mprotect(page + 4096, 4096, PROT_NONE);
			errno = UNTOUCHED;
			long wd = inotify_add_watch(a, n ? (char *)n : page + 4000, b);
			int kept = errno;
			munmap(page, 8192);
			errno = kept;
			result(wd);
		} else if (!strcmp(word, "syscall-add")) {
			sscanf(line, "%*s %li %li %7999[^\n]", &a, &b, text);
			result(syscall(SYS_inotify_add_watch, a, text, b));
		} else if (!strcmp(word, "syscall-six")) {
			/* Six words that must all arrive: mmap of a file's second page. */
			int fd = open(argv[0], O_RDONLY);
			errno = UNTOUCHED;
			long at = syscall(SYS_mmap, 0, 4096, 1 /* PROT_READ */, 2 /* MAP_PRIVATE */, fd, 4096);
			char want[64];
			int same = at != -1 && pread(fd, want, 64, 4096) == 64 && !memcmp((char *)at, want, 64);
			close(fd);
			errno = UNTOUCHED;
			result(same ? 0 : -1);
		} else if (!strcmp(word, "syscall-none"))
			result(syscall(100000));
		else if (!strcmp(word, "rm"))
			sscanf(line, "%*s %li %li", &a, &b), result(inotify_rm_watch(a, b));
		else if (!strcmp(word, "syscall-rm")) {
			sscanf(line, "%*s %li %li", &a, &b);
			result(syscall(SYS_inotify_rm_watch, a, b));
		} else if (!strcmp(word, "masks"))
			sscanf(line, "%*s %li", &a), result(watches(a));
		else if (!strcmp(word, "read")) {
			sscanf(line, "%*s %li %li %31s", &a, &b, text);
			result(read_how(text[0] ? text : "read", a, b));
		} else if (!strcmp(word, "ready")) {
			sscanf(line, "%*s %li", &a);
			struct pollfd p = { a, POLLIN, 0 };
			result(poll(&p, 1, 0));
		} else if (!strcmp(word, "open"))
			sscanf(line, "%*s %7999[^\n]", text), result(open(text, O_RDONLY));
		else if (!strcmp(word, "dup"))
			sscanf(line, "%*s %li", &a), result(dup(a));
		else if (!strcmp(word, "close"))
			sscanf(line, "%*s %li", &a), result(close(a));
		else if (!strcmp(word, "pass"))
			sscanf(line, "%*s %li", &a), result(passed(a));
		else if (!strcmp(word, "fork")) {
			fflush(stdout);
			if (fork()) {
				int status;
				wait(&status);
				return WEXITSTATUS(status);
			}
			errno = UNTOUCHED;
			result(0);
		} else if (!strcmp(word, "exec")) {
			fflush(stdout);
			execv(argv[0], argv);
			result(-1);
		} else if (!strcmp(word, "chdir"))
			sscanf(line, "%*s %7999[^\n]", text), result(chdir(text));
		else if (!strcmp(word, "chroot"))
			sscanf(line, "%*s %7999[^\n]", text), result(chroot(text));
		else if (!strcmp(word, "cloexec-off"))
			sscanf(line, "%*s %li", &a), result(fcntl(a, F_SETFD, 0));
		else if (!strcmp(word, "fill")) {
			/* Every descriptor there may be, then one free again if the number says so. */
			sscanf(line, "%*s %li", &a);
			int last = -1, fd;
			while ((fd = open("/dev/null", O_RDONLY)) >= 0)
				last = fd;
			while (a-- > 0)
				close(last--);
			errno = UNTOUCHED;
			result(0);
		} else
			puts("! UNKNOWN"), fflush(stdout);
	}
	return 0;
}
