/* A file system that answers until it is told to stop, and then never again.
 *
 *   halting DIR COMMAND ARGS...    mounts it on DIR, for COMMAND and what that starts alone, and becomes COMMAND
 *
 * Prints "server PID". At SIGUSR1 the server goes on to take requests and answers none: "halted" is said on its
 * standard output. Who waits then is free when the server ends. It ends with COMMAND, and by itself after five minutes.
 * Exit status 98, with the reason: no such file system can be had here.
 *
 * Files are kept in memory. Nothing is remembered by the kernel, so that every look is a request. */
#include <dirent.h>
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
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define NODES 64
#define NAME 64

/* A node's number is its place here; 1 is the root (FUSE_ROOT_ID). */
static struct node {
	unsigned parent, mode;
	char name[NAME], *data;
	size_t size;
} nodes[NODES];

static volatile sig_atomic_t halted;
static int fuse;

static void cannot(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(98);
}

static void halt(int number)
{
	(void)number;
	halted = 1;
	if (write(1, "halted\n", 7) < 0)
		_exit(1);
}

static void answer(unsigned long long unique, int error, const void *data, size_t size)
{
	struct fuse_out_header out = { sizeof out + (error ? 0 : size), -error, unique };
	struct iovec parts[] = { { &out, sizeof out }, { (void *)data, size } };
	if (!halted && writev(fuse, parts, error || !size ? 1 : 2) < 0 && errno != ENOENT)
		_exit(1);
}

static unsigned child(unsigned parent, const char *name)
{
	for (unsigned at = 2; at < NODES; at++)
		if (nodes[at].parent == parent && !strcmp(nodes[at].name, name))
			return at;
	return 0;
}

static unsigned make(unsigned parent, const char *name, unsigned mode)
{
	unsigned at = 2;
	while (at < NODES && nodes[at].mode)
		at++;
	if (at == NODES || strlen(name) >= NAME)
		return 0;
	nodes[at].parent = parent;
	nodes[at].mode = mode;
	strcpy(nodes[at].name, name);
	return at;
}

static struct fuse_attr attributes(unsigned at)
{
	struct fuse_attr attr = { .ino = at, .size = nodes[at].size, .blocks = (nodes[at].size + 511) / 512,
		.mode = nodes[at].mode, .nlink = 1, .uid = getuid(), .gid = getgid(), .blksize = 4096 };
	return attr;
}

static void entry(unsigned long long unique, unsigned at)
{
	struct fuse_entry_out out = { .nodeid = at };
	if (!at) {
		answer(unique, ENOENT, 0, 0);
		return;
	}
	out.attr = attributes(at);
	answer(unique, 0, &out, sizeof out);
}

static void resize(struct node *node, size_t size)
{
	if (size > node->size && !(node->data = realloc(node->data, size)))
		_exit(1);
	if (size > node->size)
		memset(node->data + node->size, 0, size - node->size);
	node->size = size;
}

static void list(struct fuse_in_header *in, struct fuse_read_in *read)
{
	static char out[1 << 14];
	size_t used = 0;
	for (unsigned at = read->offset > 2 ? read->offset : 2; at < NODES; at++) {
		struct fuse_dirent *dirent = (void *)(out + used);
		size_t length = strlen(nodes[at].name);
		if (nodes[at].parent != in->nodeid)
			continue;
		if (used + FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + length) > read->size)
			break;
		memset(dirent, 0, FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + length));
		dirent->ino = at;
		dirent->off = at + 1;
		dirent->namelen = length;
		dirent->type = IFTODT(nodes[at].mode);
		memcpy(dirent->name, nodes[at].name, length);
		used += FUSE_DIRENT_SIZE(dirent);
	}
	answer(in->unique, 0, out, used);
}

static void serve_one(struct fuse_in_header *in)
{
	void *body = in + 1;
	struct node *node = in->nodeid < NODES ? &nodes[in->nodeid] : nodes;
	switch (in->opcode) {
	case FUSE_INIT: {
		struct fuse_init_out out = { .major = FUSE_KERNEL_VERSION, .minor = FUSE_KERNEL_MINOR_VERSION,
			.flags = FUSE_PARALLEL_DIROPS, .max_write = 1 << 16, .time_gran = 1 };
		return answer(in->unique, 0, &out, sizeof out);
	}
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		return;
	case FUSE_LOOKUP:
		return entry(in->unique, child(in->nodeid, body));
	case FUSE_MKNOD:
		return entry(in->unique, make(in->nodeid, (char *)body + sizeof(struct fuse_mknod_in),
			((struct fuse_mknod_in *)body)->mode));
	case FUSE_MKDIR:
		return entry(in->unique, make(in->nodeid, (char *)body + sizeof(struct fuse_mkdir_in),
			S_IFDIR | ((struct fuse_mkdir_in *)body)->mode));
	case FUSE_SETATTR: {
		struct fuse_setattr_in *set = body;
		if (set->valid & FATTR_SIZE)
			resize(node, set->size);
		if (set->valid & FATTR_MODE)
			node->mode = set->mode;
	}
	/* fall through */
	case FUSE_GETATTR: {
		struct fuse_attr_out out = { .attr = attributes(in->nodeid) };
		return answer(in->unique, 0, &out, sizeof out);
	}
	case FUSE_OPEN:
	case FUSE_OPENDIR: {
		struct fuse_open_out out = { 0 };
		return answer(in->unique, 0, &out, sizeof out);
	}
	case FUSE_READDIR:
		return list(in, body);
	case FUSE_READ: {
		struct fuse_read_in *read = body;
		size_t size = read->offset < node->size ? node->size - read->offset : 0;
		return answer(in->unique, 0, node->data + read->offset, size < read->size ? size : read->size);
	}
	case FUSE_WRITE: {
		struct fuse_write_in *write = body;
		struct fuse_write_out out = { .size = write->size };
		if (write->offset + write->size > node->size)
			resize(node, write->offset + write->size);
		memcpy(node->data + write->offset, write + 1, write->size);
		return answer(in->unique, 0, &out, sizeof out);
	}
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
	case FUSE_ACCESS:
		return answer(in->unique, 0, 0, 0);
	default:
		/* FUSE_FLUSH too: the kernel asks no more, and a process with files here can end. */
		answer(in->unique, ENOSYS, 0, 0);
	}
}

static void serve(void)
{
	static char request[1 << 18] __attribute__((aligned(8)));
	struct sigaction action = { .sa_handler = halt };
	sigaction(SIGUSR1, &action, 0);
	alarm(300);
	for (;;) {
		ssize_t size = read(fuse, request, sizeof request);
		if (size < 0 && errno != EINTR && errno != ENOENT)
			return;
		if (size > 0)
			serve_one((void *)request);
	}
}

int main(int argc, char **argv)
{
	char options[128];
	if (argc < 3)
		return 2;
	if (unshare(CLONE_NEWNS) || mount("none", "/", 0, MS_REC | MS_PRIVATE, 0))
		cannot("mounts of its own");
	if ((fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC)) < 0)
		cannot("/dev/fuse");
	snprintf(options, sizeof options, "fd=%d,rootmode=40755,user_id=%u,group_id=%u,allow_other", fuse, geteuid(), getegid());
	if (mount("halting", argv[1], "fuse", MS_NOSUID | MS_NODEV, options))
		cannot("mount");
	nodes[1].mode = S_IFDIR | 0755;
	pid_t parent = getpid(), server = fork();
	if (!server) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* In its own mount namespace still: it must hold nothing of the mount itself. */
		if (getppid() == parent)
			serve();
		_exit(0);
	}
	close(fuse);
	printf("server %d\n", server);
	fflush(stdout);
	execvp(argv[2], argv + 2);
	cannot(argv[2]);
}
