/* Preload: every list of a directory takes 20 ms. */
#include <dlfcn.h>
#include <sys/syscall.h>
#include <time.h>

long syscall(long number, long a, long b, long c, long d, long e, long f)
{
	static long (*next)(long, ...);
	if (!next)
		next = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	if (number == SYS_getdents64)
		nanosleep(&(struct timespec){ .tv_nsec = 20 * 1000 * 1000 }, 0);
	return next(number, a, b, c, d, e, f);
}
