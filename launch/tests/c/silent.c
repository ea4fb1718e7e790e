/* A file system that never answers.
 *
 *   silent DIR COMMAND ARGS...    mounts it on DIR, for COMMAND and what that starts alone, and becomes COMMAND
 *
 * Prints "server PID", and "asked NAME" when somebody begins to wait for NAME in DIR. That ends with the server: ENOTCONN.
 * Exit status 98, with the reason: no such file system can be had here. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <unistd.h>

static void cannot(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(98);
}

static void map(const char *file, unsigned id)
{
	int fd = open(file, O_WRONLY);
	if (fd < 0 || dprintf(fd, "%u %u 1", id, id) < 0)
		cannot(file);
	close(fd);
}

static void own_mounts(void)
{
	unsigned user = geteuid(), group = getegid();
	if (unshare(CLONE_NEWNS | (user ? CLONE_NEWUSER : 0)))
		cannot("unshare");
	if (user) {
		int fd = open("/proc/self/setgroups", O_WRONLY);
		if (fd < 0 || write(fd, "deny", 4) != 4)
			cannot("/proc/self/setgroups");
		close(fd);
		map("/proc/self/uid_map", user);
		map("/proc/self/gid_map", group);
	}
	if (mount("none", "/", 0, MS_REC | MS_PRIVATE, 0))
		cannot("mounts of its own");
}

static void serve(int fuse)
{
	static char request[1 << 17] __attribute__((aligned(8)));
	struct fuse_in_header *in = (void *)request;
	while (read(fuse, request, sizeof request) > 0)
		if (in->opcode == FUSE_INIT) {
			struct fuse_init_out init = { .major = FUSE_KERNEL_VERSION,
				.minor = FUSE_KERNEL_MINOR_VERSION, .flags = FUSE_PARALLEL_DIROPS,
				.max_write = 4096, .time_gran = 1 };
			struct fuse_out_header out = { sizeof out + sizeof init, 0, in->unique };
			struct iovec parts[] = { { &out, sizeof out }, { &init, sizeof init } };
			if (writev(fuse, parts, 2) < 0)
				_exit(98);
		} else if (in->opcode == FUSE_LOOKUP) {
			printf("asked %s\n", request + sizeof *in);
			fflush(stdout);
		}
}

int main(int argc, char **argv)
{
	char options[128];
	int fuse;
	if (argc < 3)
		return 2;
	own_mounts();
	if ((fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC)) < 0)
		cannot("/dev/fuse");
	snprintf(options, sizeof options, "fd=%d,rootmode=40755,user_id=%u,group_id=%u", fuse, geteuid(), getegid());
	if (mount("silent", argv[1], "fuse", MS_NOSUID | MS_NODEV, options))
		cannot("mount");
	pid_t parent = getpid(), server = fork();
	if (!server) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() == parent)
			serve(fuse);
		_exit(0);
	}
	printf("server %d\n", server);
	fflush(stdout);
	execvp(argv[2], argv + 2);
	cannot(argv[2]);
}
