/* What a program hears of a chmod, a touch and a write of the file it watches: the fflags of each, or -. Run by
 * scripts/smoke-macos on a Mac; on Linux the tests of tests/dylib do the same. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/event.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

static void heard(int kq)
{
    struct kevent event;
    struct timespec now = {0, 0};
    if (kevent(kq, NULL, 0, &event, 1, &now) == 1)
        printf("%x ", (unsigned)event.fflags);
    else
        printf("- ");
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    int kq = kqueue(), fd = open(argv[1], O_EVTONLY);
    struct kevent change;
    EV_SET(&change, fd, EVFILT_VNODE, EV_ADD | EV_CLEAR,
           NOTE_DELETE | NOTE_WRITE | NOTE_EXTEND | NOTE_ATTRIB | NOTE_RENAME, 0, NULL);
    if (fd < 0 || kevent(kq, &change, 1, NULL, 0, NULL) != 0) {
        perror(argv[1]);
        return 1;
    }
    chmod(argv[1], 0600);
    heard(kq);
    utimes(argv[1], NULL);
    heard(kq);
    int writer = open(argv[1], O_WRONLY | O_APPEND);
    if (write(writer, "x", 1) != 1)
        perror("write");
    heard(kq);
    printf("\n");
    return 0;
}
