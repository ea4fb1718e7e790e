/* The classic shim: the one-liner people preload. The reference for size and speed. */
#include <dlfcn.h>
#include <stdint.h>
#include <sys/inotify.h>

int inotify_add_watch(int fd, const char *path, uint32_t mask)
{
	static int (*next)(int, const char *, uint32_t);
	if (!next)
		next = (int (*)(int, const char *, uint32_t))dlsym(RTLD_NEXT, "inotify_add_watch");
	return next(fd, path, mask & ~(uint32_t)(IN_OPEN | IN_ATTRIB));
}
