/* Opens the library argv[1] while it runs. */
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	void *library = dlopen(argv[1], RTLD_NOW);
	puts(library ? "OK" : dlerror());
	return !library;
}
