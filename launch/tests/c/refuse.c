/* refuse CALL... -- CMD: CMD and all it starts get EPERM for these system calls, as under a container's seccomp profile. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct { const char *name; int number; } calls[] = {
	{ "pidfd_getfd", SYS_pidfd_getfd },	{ "kcmp", SYS_kcmp },
	{ "process_vm_readv", SYS_process_vm_readv }, { "process_vm_writev", SYS_process_vm_writev },
	{ "ptrace", SYS_ptrace },		{ "openat2", SYS_openat2 },
	{ "open_by_handle_at", SYS_open_by_handle_at },
};

int main(int argc, char **argv)
{
	struct sock_filter code[64] = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)) };
	int length = 1, at = 1;
	for (; at < argc && strcmp(argv[at], "--"); at++)
		for (unsigned i = 0; i < sizeof calls / sizeof *calls; i++)
			if (!strcmp(argv[at], calls[i].name)) {
				code[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i].number, 0, 1);
				code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
			}
	code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = { length, code };
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) {
		perror("refuse");
		return 95;
	}
	execvp(argv[at + 1], argv + at + 1);
	perror(argv[at + 1]);
	return 96;
}
