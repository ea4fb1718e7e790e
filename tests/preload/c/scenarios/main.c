/* What inotify does, in the kinds of cases the Linux Test Project has: "scenarios NAME DIR" plays one in an
 * empty directory and prints what came of every call, record by record; "scenarios list" names them all.
 *
 * The output is the same on every run. Edits are made by this program itself, one thread at a time, so their
 * events have one order. */
#include "said.h"

static const struct scenario *const groups[] = { events, watches_and_flags, reads, processes };

int main(int argc, char **argv)
{
	int list = argc == 2 && !strcmp(argv[1], "list");
	if (!list && (argc < 3 || chdir(argv[2])))
		return 2;
	if (argc == 4 && !strcmp(argv[1], "after-exec")) {
		after_exec(atoi(argv[3]));
		return 0;
	}
	for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
		for (const struct scenario *one = groups[i]; one->name; one++)
			if (list)
				puts(one->name);
			else if (!strcmp(argv[1], one->name)) {
				one->play();
				return 0;
			}
	return list ? 0 : 2;
}
