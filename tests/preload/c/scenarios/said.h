/* What the scenarios are made of: steps that say what came of them, and edits.
 *
 * After every step there is a moment: a line "== PID", and whoever plays the scenario may then do something to the
 * process, until it writes a byte to standard input. Where that is at its end nobody is waited for. */
#ifndef SAID_H
#define SAID_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ALL IN_ALL_EVENTS

struct scenario {
	const char *name;
	void (*play)(void);
};

/* Each ends with one that has no name. */
extern const struct scenario events[], watches_and_flags[], reads[], processes[];

void moment(void);

/* What execve of this program with "after-exec DIR FD" goes on with. */
void after_exec(int fd);

/* Prints a call and its result, or the name of its errno. */
long say(const char *what, long result);

/* Prints the records in a buffer. Cookies are numbered in the order they are seen. */
void records(const char *buf, long n);

int instance(int flags);
int add(int fd, const char *path, uint32_t mask);
void rm(int fd, int wd);
/* One read of n bytes, which cannot be more than a MiB. */
long get(int fd, size_t n);
/* Reads until nothing comes. */
void drain(int fd);
/* FIONREAD */
int waiting(int fd);
/* What the kernel shows of every watch. */
void watches(int fd);

/* Ends the scenario where something fails that is not its subject. */
void must(int ok, const char *what);

/* Appends to a file, which it makes where there is none. */
void put(const char *path, const char *text);
/* The same, with no moment after it. */
void put_at_once(const char *path, const char *text);
void look(const char *path);
void move(const char *from, const char *to);
void gone(const char *path);
void folder(const char *path);

/* Waits until a thread sleeps in a system call. */
void until_in(pid_t thread, long call);

#endif
