/* Watches each directory given with every event there is (mask fff) and prints the records as they
 * are read. One line per event: KIND<TAB>PATH. */
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

static const struct {
    unsigned bit;
    const char *name;
} names[] = {
    {IN_ACCESS, "ACCESS"},           {IN_MODIFY, "MODIFY"},
    {IN_ATTRIB, "ATTRIB"},           {IN_CLOSE_WRITE, "CLOSE_WRITE"},
    {IN_CLOSE_NOWRITE, "CLOSE_NOWRITE"}, {IN_OPEN, "OPEN"},
    {IN_MOVED_FROM, "MOVED_FROM"},   {IN_MOVED_TO, "MOVED_TO"},
    {IN_CREATE, "CREATE"},           {IN_DELETE, "DELETE"},
    {IN_DELETE_SELF, "DELETE_SELF"}, {IN_MOVE_SELF, "MOVE_SELF"},
    {IN_UNMOUNT, "UNMOUNT"},         {IN_Q_OVERFLOW, "Q_OVERFLOW"},
    {IN_IGNORED, "IGNORED"},         {IN_ISDIR, "ISDIR"},
};

int main(int argc, char **argv)
{
    /* From wd to directory; the kernel counts from 1, and a preload may use a few up. */
    const char *dirs[64] = {0};
    int fd = inotify_init1(IN_CLOEXEC);

    if (fd < 0)
        return perror("inotify_init1"), 1;
    for (int i = 1; i < argc; i++) {
        int wd = inotify_add_watch(fd, argv[i], IN_ALL_EVENTS);
        if (wd < 0 || wd >= 64)
            return perror(argv[i]), 1;
        dirs[wd] = argv[i];
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    puts("READY");
    for (;;) {
        char buf[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
        ssize_t n = read(fd, buf, sizeof buf);

        if (n <= 0)
            return perror("read"), 1;
        for (char *p = buf; p < buf + n;) {
            const struct inotify_event *e = (const void *)p;
            char kind[256] = "";

            for (size_t i = 0; i < sizeof names / sizeof *names; i++)
                if (e->mask & names[i].bit)
                    sprintf(kind + strlen(kind), "%s%s", *kind ? "," : "", names[i].name);
            /* A record of no watch of ours is what a filtered read returns: nobody's news. */
            if (e->wd >= 0 && e->wd < 64 && dirs[e->wd])
                printf("%s\t%s/%s\n", kind, dirs[e->wd], e->len ? e->name : "");
            else if (e->wd != -1 || e->mask & IN_ALL_EVENTS)
                printf("UNKNOWN WD %d %s\n", e->wd, kind);
            p += sizeof *e + e->len;
        }
    }
}
