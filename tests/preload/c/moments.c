/* The moments at which a hook may be called first or interrupted. argv[1] names one; exit status 0
 * and "OK" say that everything was as without a preload. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(c) do { if (!(c)) { fprintf(stderr, "line %d: %s (%s)\n", __LINE__, #c, strerror(errno)); _exit(1); } } while (0)

static char dir[] = "/tmp/moments.XXXXXX";

/* A whole round: instance, watch, event, read. Only async-signal-safe calls. */
static void round_trip(void)
{
	char path[64], buf[4096];
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	CHECK(fd >= 0);
	int wd = inotify_add_watch(fd, dir, IN_CREATE | IN_OPEN | IN_ATTRIB);
	CHECK(wd > 0);
	strcpy(path, dir);
	strcat(path, "/f");
	int f = open(path, O_CREAT | O_WRONLY, 0600);
	CHECK(f >= 0);
	close(f);
	CHECK(read(fd, buf, sizeof buf) == 32);
	CHECK(((struct inotify_event *)buf)->mask == IN_CREATE);
	CHECK(unlink(path) == 0);
	CHECK(inotify_rm_watch(fd, wd) == 0 && inotify_rm_watch(fd, wd) == -1);
	close(fd);
}

static volatile sig_atomic_t fired;
static void on_signal(int s)
{
	int kept = errno;
	round_trip();
	errno = kept;
	fired++;
}

static atomic_int stop;
static void *busy(void *arg)
{
	int pair[2];
	char c;
	CHECK(pipe(pair) == 0);
	while (!stop) {
		CHECK(write(pair[1], "x", 1) == 1);
		CHECK(read(pair[0], &c, 1) == 1);
	}
	return 0;
}

static void *blocked(void *arg)
{
	char buf[4096];
	read(*(int *)arg, buf, sizeof buf);
	return 0;
}

/* Files that are touched, beside as many that are written, and how often each was seen so. */
enum { FILES = 500 };
static atomic_int seen[FILES];
static sem_t first_seen;

static void *reader(void *arg)
{
	char buf[512] __attribute__((aligned(8)));
	for (;;) {
		ssize_t n = read(*(int *)arg, buf, sizeof buf);
		CHECK(n > 0);
		for (char *p = buf; p < buf + n;) {
			struct inotify_event *e = (void *)p;
			int i;
			CHECK((e->mask & ~(IN_MODIFY | IN_ATTRIB | IN_IGNORED)) == 0);
			if (e->mask & IN_ATTRIB && sscanf(e->name, "touched%d", &i) == 1 && !seen[i]++)
				sem_post(&first_seen);
			p += sizeof *e + e->len;
		}
	}
}

static void on_alarm(int s) { }

/* A pipe that holds 16 bytes which look like a record of the kernel's. */
static int look_alike(void)
{
	static const uint32_t record[4] = { 1, IN_MODIFY, 0, 0 };
	int pair[2];
	CHECK(pipe(pair) == 0 && write(pair[1], record, 16) == 16);
	return pair[0];
}

/* Reads it, says OK and ends, by calls that every sandbox here allows. */
static void read_look_alike(int fd)
{
	uint32_t record[4];
	if (read(fd, record, sizeof record) == 16 && record[1] == IN_MODIFY)
		write(1, "OK\n", 3);
	syscall(SYS_exit, 0);
}

/* A filter that kills on all a library might do besides: only what is named here is allowed. */
static void allow_little(void)
{
#define ALLOW(n) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, n, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		ALLOW(SYS_read), ALLOW(SYS_write), ALLOW(SYS_exit), ALLOW(SYS_inotify_add_watch),
		ALLOW(SYS_inotify_rm_watch),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog program = { sizeof code / sizeof *code, code };
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0);
}

int main(int argc, char **argv)
{
	const char *moment = argc > 1 ? argv[1] : "";
	CHECK(mkdtemp(dir));
	if (!strcmp(moment, "signal")) {
		/* The very first call of any hook is in a handler. */
		signal(SIGUSR1, on_signal);
		raise(SIGUSR1);
		CHECK(fired == 1);
		round_trip();
	} else if (!strcmp(moment, "signal-storm")) {
		/* Handlers interrupt the hooks they call themselves. */
		struct itimerval often = { { 0, 200 }, { 0, 200 } }, never = { { 0, 0 }, { 0, 0 } };
		struct sigaction act = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
		int pair[2];
		char c;
		sigaction(SIGALRM, &act, 0);
		CHECK(pipe(pair) == 0 && setitimer(ITIMER_REAL, &often, 0) == 0);
		for (int i = 0; i < 20000; i++) {
			CHECK(write(pair[1], "x", 1) == 1);
			CHECK(read(pair[0], &c, 1) == 1);
			if (i % 100 == 0)
				round_trip();
		}
		setitimer(ITIMER_REAL, &never, 0);
	} else if (!strcmp(moment, "vfork")) {
		pid_t child = vfork();
		if (child == 0) {
			round_trip();
			_exit(0);
		}
		int status;
		CHECK(waitpid(child, &status, 0) == child && status == 0);
		round_trip();
	} else if (!strcmp(moment, "fork-threads")) {
		pthread_t t[4];
		for (int i = 0; i < 4; i++)
			pthread_create(&t[i], 0, busy, 0);
		for (int i = 0; i < 200; i++) {
			pid_t child = fork();
			if (child == 0) {
				round_trip();
				_exit(0);
			}
			int status;
			CHECK(waitpid(child, &status, 0) == child && status == 0);
		}
		stop = 1;
		for (int i = 0; i < 4; i++)
			pthread_join(t[i], 0);
	} else if (!strcmp(moment, "read-threads")) {
		/* Four threads read one descriptor: no touch is lost between them. */
		static const char *names[] = { "touched%d", "written%d" };
		pthread_t t[4];
		int fd = inotify_init1(0);
		CHECK(chdir(dir) == 0 && sem_init(&first_seen, 0, 0) == 0);
		for (int pass = 0; pass < 3; pass++) {
			/* Made, then touched or written, then removed. */
			for (int i = 0; i < 2 * FILES; i++) {
				char name[32];
				sprintf(name, names[i % 2], i / 2);
				if (pass == 2) {
					CHECK(unlink(name) == 0);
					continue;
				}
				int f = open(name, O_CREAT | O_WRONLY, 0600);
				CHECK(f >= 0);
				if (pass == 1)
					CHECK(i % 2 ? write(f, "x", 1) == 1 : futimens(f, 0) == 0);
				close(f);
			}
			if (pass == 0) {
				CHECK(inotify_add_watch(fd, dir, IN_MODIFY | IN_ATTRIB) == 1);
				for (int i = 0; i < 4; i++)
					CHECK(pthread_create(&t[i], 0, reader, &fd) == 0);
			} else if (pass == 1) {
				for (int i = 0; i < FILES; i++)
					CHECK(sem_wait(&first_seen) == 0);
			}
		}
		for (int i = 0; i < 4; i++)
			CHECK(pthread_cancel(t[i]) == 0 && pthread_join(t[i], 0) == 0);
	} else if (!strcmp(moment, "cancel")) {
		/* A thread blocked in a hooked read is cancelled there, as in libc's. */
		pthread_t t;
		void *value;
		int fd = inotify_init1(0);
		CHECK(inotify_add_watch(fd, dir, IN_ALL_EVENTS) == 1);
		CHECK(pthread_create(&t, 0, blocked, &fd) == 0);
		CHECK(pthread_cancel(t) == 0);
		CHECK(pthread_join(t, &value) == 0 && value == PTHREAD_CANCELED);
	} else if (!strcmp(moment, "eintr")) {
		/* A handler without SA_RESTART interrupts a blocked read. */
		struct sigaction act = { .sa_handler = on_alarm };
		struct itimerval soon = { { 0, 1000 }, { 0, 1000 } };
		char buf[4096];
		int fd = inotify_init1(0);
		CHECK(inotify_add_watch(fd, dir, IN_ALL_EVENTS) == 1);
		sigaction(SIGALRM, &act, 0);
		setitimer(ITIMER_REAL, &soon, 0);
		errno = 0;
		CHECK(read(fd, buf, sizeof buf) == -1 && errno == EINTR);
	} else if (!strcmp(moment, "small-stack")) {
		/* A handler on the smallest stack the system allows. */
		stack_t small = { .ss_size = 16384 };
		struct sigaction act = { .sa_handler = on_signal, .sa_flags = SA_ONSTACK };
		small.ss_sp = malloc(small.ss_size);
		CHECK(sigaltstack(&small, 0) == 0 && sigaction(SIGUSR1, &act, 0) == 0);
		raise(SIGUSR1);
		CHECK(fired == 1);
	} else if (!strcmp(moment, "strict")) {
		int fd = look_alike();
		rmdir(dir);
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
		read_look_alike(fd);
	} else if (!strcmp(moment, "strict-by-syscall")) {
		int fd = look_alike();
		rmdir(dir);
		syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, 0);
		read_look_alike(fd);
	} else if (!strcmp(moment, "filter")) {
		/* What is not inotify's is not asked about, and what is goes on being filtered by name. */
		char buf[4096], path[64];
		int pipe = look_alike(), fd = inotify_init1(IN_NONBLOCK);
		CHECK(inotify_add_watch(fd, dir, IN_CREATE | IN_ATTRIB) == 1);
		for (const char *const *name = (const char *const[]){ "/a.sqlite", "/f", 0 }; *name; name++) {
			strcat(strcpy(path, dir), *name);
			close(open(path, O_CREAT | O_WRONLY, 0600));
			unlink(path);
		}
		rmdir(dir);
		allow_little();
		ssize_t n = read(fd, buf, sizeof buf);
		struct inotify_event *e = (void *)buf;
		if (n < 32 || strcmp(e->name, "f") || e->mask != IN_CREATE)
			syscall(SYS_exit, 3);
		if (inotify_add_watch(fd, "/tmp", IN_ATTRIB | IN_OPEN) < 0)
			syscall(SYS_exit, 4);
		read_look_alike(pipe);
	} else {
		fprintf(stderr, "no such moment: %s\n", moment);
		return 2;
	}
	rmdir(dir);
	puts("OK");
	return 0;
}
