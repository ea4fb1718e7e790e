/* What scripts/soak lets the programs work on: it places and removes watches, makes and removes directories, opens and
 * closes files and instances, and starts children, round after round.
 *
 * churn DIR: SIGUSR1 has it end its round and say "QUIET N MET", the number of its watches first; SIGUSR2 lets it go on. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Every event but those about the watched directory itself: with opens and reads, which watchfix takes out. */
enum { MASK = 0x3ee, LASTING = 8, PASSING = 24 };

static volatile sig_atomic_t asked;
static int met;

static void ask(int signal) { asked = signal == SIGUSR1; }

static void must(int holds, const char *what) {
    if (!holds) {
        printf("FAILED %s: %s\n", what, strerror(errno));
        exit(1);
    }
}

/* Whether a call is to be made again: it failed because a pause tells of a new directory, whose name is for some
 * microseconds a symbolic link to it (docs/pause.md). How often that was stands behind the number of watches. */
static int again(void) {
    static int tries;
    if (errno != ENOTDIR && errno != ELOOP) {
        tries = 0;
        return 0;
    }
    met++;
    nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    return tries++ < 10000;
}

static int watch(int instance, const char *path) {
    int wd;
    while ((wd = inotify_add_watch(instance, path, MASK)) < 0)
        must(again(), path);
    return wd;
}

static int opened(const char *path, int flags) {
    int fd;
    while ((fd = open(path, flags, 0644)) < 0)
        must(again(), path);
    return fd;
}

static void removed(const char *path) {
    while (unlink(path) != 0)
        must(again(), path);
}

/* A directory whose only file has been removed. If that was aside just then, it has come back. */
static void removed_dir(const char *path, const char *file) {
    for (int tries = 0; rmdir(path) != 0; tries++) {
        if (errno != ENOTEMPTY) {
            must(again(), path);
            continue;
        }
        must(tries < 10000, path);
        met++;
        unlink(file);
    }
}

static void drain(int instance) {
    static char buffer[1 << 16];
    while (read(instance, buffer, sizeof buffer) > 0)
        ;
}

/* A process that has an instance of its own for a moment. */
static void child(const char *dir) {
    pid_t pid = fork();
    must(pid >= 0, "fork");
    if (pid == 0) {
        int own = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        if (own >= 0) {
            watch(own, dir);
            drain(own);
        }
        _exit(own < 0);
    }
    int status;
    while (waitpid(pid, &status, 0) < 0)
        must(errno == EINTR, "waitpid");
    must(status == 0, "the child");
}

static void churn(int instance, const char *dir, int round) {
    char path[4096], file[4200];
    int wds[PASSING], files[PASSING];
    for (int i = 0; i < PASSING; i++) {
        snprintf(path, sizeof path, "%s/passing-%d-%d", dir, round % 1000, i);
        must(mkdir(path, 0755) == 0, path);
        wds[i] = watch(instance, path);
        snprintf(file, sizeof file, "%s/file", path);
        int fd = opened(file, O_CREAT | O_RDWR);
        must(write(fd, "x", 1) == 1, file);
        close(fd);
        files[i] = opened(file, O_RDONLY);
    }
    int other = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    must(other >= 0, "inotify_init1");
    watch(other, dir);
    drain(instance);
    drain(other);
    close(other);
    for (int i = 0; i < PASSING; i++) {
        snprintf(path, sizeof path, "%s/passing-%d-%d", dir, round % 1000, i);
        snprintf(file, sizeof file, "%s/file", path);
        close(files[i]);
        removed(file);
        /* Every other watch goes with its directory. */
        if (i % 2)
            must(inotify_rm_watch(instance, wds[i]) == 0, "inotify_rm_watch");
        removed_dir(path, file);
    }
    drain(instance);
    if (round % 20 == 0)
        child(dir);
}

int main(int argc, char **argv) {
    must(argc == 2, "usage: churn DIR");
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct sigaction act = {.sa_handler = ask, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &act, NULL);
    sigaction(SIGUSR2, &act, NULL);

    int instance = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    must(instance >= 0, "inotify_init1");
    watch(instance, argv[1]);
    for (int i = 0; i < LASTING; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/lasting-%d", argv[1], i);
        must(mkdir(path, 0755) == 0, path);
        watch(instance, path);
    }
    printf("READY %d\n", (int)getpid());
    sigset_t both, before;
    sigemptyset(&both);
    sigaddset(&both, SIGUSR1);
    sigaddset(&both, SIGUSR2);
    for (int round = 0;; round++) {
        churn(instance, argv[1], round);
        sigprocmask(SIG_BLOCK, &both, &before);
        if (asked) {
            printf("QUIET %d %d\n", LASTING + 1, met);
            while (asked) {
                sigsuspend(&before);
                drain(instance);
            }
        }
        sigprocmask(SIG_SETMASK, &before, NULL);
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
}
