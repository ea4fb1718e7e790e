/* What scripts/soak starts a command with, to learn the peak of its memory.
 *
 * peak COMMAND ARGUMENT...: prints its RSS at most, in KiB (getrusage(2)), and ends as it did. Linux counts what a process had before
 * execve(2) as well (exec_mmap of fs/exec.c), so the command has to be a child of something small. */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
    if (argc < 2)
        return 2;
    pid_t pid = fork();
    if (pid == 0) {
        execv(argv[1], argv + 1);
        _exit(127);
    }
    int status;
    struct rusage used;
    if (pid < 0 || wait4(pid, &status, 0, &used) < 0)
        return 126;
    printf("%ld\n", used.ru_maxrss);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
