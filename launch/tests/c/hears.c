// Watches, and says what it hears when it is asked.
//
// hears MASK PATH...: an inotify instance for each pair. Commands on standard input, one a line:
//   sync              what has come: lines "INSTANCE EVENT[,ISDIR] WD NAME", then "SYNC"
//   add I MASK PATH   another watch of instance I (of a new one where there is none): "wd N", or "PATH: ERROR"
//   again I MASK PATH the same after instance I was closed and made anew
//   child             leaves its instances to a child and ends
//   dumpable 0|1      whether its user may look into it and change it (PR_SET_DUMPABLE): "SET"
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { MOST = 256 };
static int instances[MOST], count;

static int add(int at, const char *mask, const char *path) {
  if (at >= count) instances[at = count++] = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  int wd = inotify_add_watch(instances[at], path, strtoul(mask, 0, 0));
  if (wd < 0)
    printf("%s: %s\n", path, strerror(errno));
  else
    printf("wd %d\n", wd);
  return wd;
}

static void name(uint32_t mask) {
  static const struct { uint32_t bit; const char *name; } all[] = {
      {IN_ACCESS, "ACCESS"}, {IN_MODIFY, "MODIFY"}, {IN_ATTRIB, "ATTRIB"}, {IN_CLOSE_WRITE, "CLOSE_WRITE"},
      {IN_CLOSE_NOWRITE, "CLOSE_NOWRITE"}, {IN_OPEN, "OPEN"}, {IN_MOVED_FROM, "MOVED_FROM"}, {IN_MOVED_TO, "MOVED_TO"},
      {IN_CREATE, "CREATE"}, {IN_DELETE, "DELETE"}, {IN_DELETE_SELF, "DELETE_SELF"}, {IN_MOVE_SELF, "MOVE_SELF"},
      {IN_IGNORED, "IGNORED"}, {IN_UNMOUNT, "UNMOUNT"}, {IN_Q_OVERFLOW, "Q_OVERFLOW"}, {IN_ISDIR, "ISDIR"}};
  const char *between = "";
  for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
    if (mask & all[i].bit) printf("%s%s", between, all[i].name), between = ",";
}

static void sync_all(void) {
  static char buffer[1 << 20] __attribute__((aligned(8)));
  for (int i = 0; i < count; i++) {
    ssize_t got;
    while ((got = read(instances[i], buffer, sizeof buffer)) > 0)
      for (char *at = buffer; at < buffer + got;) {
        struct inotify_event *event = (struct inotify_event *)at;
        printf("%d ", i);
        name(event->mask);
        printf(" %d %s\n", event->wd, event->len ? event->name : "");
        at += sizeof *event + event->len;
      }
  }
  puts("SYNC");
}

int main(int argc, char **argv) {
  setvbuf(stdout, 0, _IOLBF, 0);
  for (int i = 1; i + 1 < argc; i += 2)
    if (add(MOST, argv[i], argv[i + 1]) < 0) return 1;
  puts("READY");
  char line[8192];
  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = 0;
    char mask[64], path[4096];
    int at;
    if (!strcmp(line, "sync")) sync_all();
    else if (sscanf(line, "add %d %63s %4095[^\n]", &at, mask, path) == 3) add(at, mask, path);
    else if (sscanf(line, "again %d %63s %4095[^\n]", &at, mask, path) == 3) {
      close(instances[at]);
      instances[at] = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
      add(at, mask, path);
    } else if (!strcmp(line, "child") && fork()) _exit(0);
    else if (!strcmp(line, "child")) puts("CHILD");
    else if (!strncmp(line, "dumpable ", 9) && !prctl(PR_SET_DUMPABLE, atoi(line + 9))) puts("SET");
  }
}
