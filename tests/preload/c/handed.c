/* A preload behind libwatchfix.so: says which mask it is handed. */
#include <stdint.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>

int inotify_add_watch(int fd, const char *path, uint32_t mask)
{
	printf(": 0x%x\n", mask);
	return syscall(SYS_inotify_add_watch, fd, path, mask);
}
