/* Watches its argument with 0x3ee by 32-bit system calls and prints the fdinfo of its instance. No C library: none for 32
 * bits need be installed. */
static int call(int number, int a, int b, int c)
{
	int result;
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory");
	return result;
}

__attribute__((used)) static int start(int *stack)
{
	char text[1024], path[] = "/proc/self/fdinfo/0000";
	int instance = call(291, 0, 0, 0); /* inotify_init */
	if (call(292, instance, stack[2], 0x3ee) < 0) /* inotify_add_watch */
		return 1;
	/* The number without zeros in front: that is its name. */
	int digits = 1;
	for (int rest = instance; rest > 9; rest /= 10)
		digits++;
	for (int at = digits; at-- > 0; instance /= 10)
		path[18 + at] = '0' + instance % 10;
	path[18 + digits] = 0;
	int info = call(5, (int)path, 0, 0); /* open */
	int length = call(3, info, (int)text, sizeof text); /* read */
	return call(4, 1, (int)text, length) < 0; /* write */
}

__asm__(".globl _start\n_start: mov %esp, %eax\npush %eax\ncall start\nmov %eax, %ebx\nmov $1, %eax\nint $0x80\n");
