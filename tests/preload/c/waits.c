/* A library whose constructor waits for a thread, and the thread's first call is one of the hooks: FIRST says which. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static void *thread(void *arg)
{
	char c;
	int pair[2];
	if (pipe(pair) == 0 && write(pair[1], "x", 1) == 1) {
		if (!strcmp(getenv("FIRST"), "read"))
			read(pair[0], &c, 1);
		else
			syscall(SYS_read, pair[0], &c, 1);
	}
	return 0;
}

__attribute__((constructor)) static void constructor(void)
{
	pthread_t t;
	if (pthread_create(&t, 0, thread, 0) == 0)
		pthread_join(t, 0);
}
