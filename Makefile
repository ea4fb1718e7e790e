# Installs what cargo builds: both programs, the library, man pages, completions and the licences.
#
#   make && sudo make install             into /usr/local
#   make install PREFIX=~/.local          anywhere else; both programs find the library beside their own directory
#   make install DESTDIR=/tmp/root        for who makes a package
#   sudo make uninstall
#
# `make install` builds nothing, as root often has no cargo. scripts/package installs from here as well.

PREFIX = /usr/local
DESTDIR =
CARGO = cargo

# Where the programs and the library have been built.
BUILT = $(or $(CARGO_TARGET_DIR),target)/release
# Programs that run here: what they are asked for are their pages and completions.
RUN = $(BUILT)

bin = $(DESTDIR)$(PREFIX)/bin
lib = $(DESTDIR)$(PREFIX)/lib/watchfix
share = $(DESTDIR)$(PREFIX)/share
man = $(share)/man
bash = $(share)/bash-completion/completions
zsh = $(share)/zsh/site-functions
fish = $(share)/fish/vendor_completions.d
doc = $(share)/doc/watchfix

programs = fdscan watchfix
documents = README.md CHANGELOG.md LICENSE-APACHE LICENSE-MIT

.PHONY: all install uninstall

# Apart: the library has no std, and cargo would join its features with the others'.
all:
	$(CARGO) build --locked --release -p libwatchfix
	$(CARGO) build --locked --release -p fdscan -p watchfix --bins

install:
	@for file in fdscan watchfix libwatchfix.so; do \
	    [ -f "$(BUILT)/$$file" ] || { echo "There is no $(BUILT)/$$file: run make first." >&2; exit 1; }; done
	install -d "$(bin)" "$(lib)" "$(man)/man1" "$(man)/man7" "$(bash)" "$(zsh)" "$(fish)" "$(doc)"
	install -m 755 $(programs:%="$(BUILT)/%") "$(bin)"
	install -m 644 "$(BUILT)/libwatchfix.so" "$(lib)"
	for program in $(programs); do \
	    "$(RUN)/$$program" man "$(man)/man1" && \
	    "$(RUN)/$$program" completions bash >"$(bash)/$$program" && \
	    "$(RUN)/$$program" completions zsh >"$(zsh)/_$$program" && \
	    "$(RUN)/$$program" completions fish >"$(fish)/$$program.fish" || exit; done
	mv "$(man)/man1/libwatchfix.7" "$(man)/man7"
	chmod 644 "$(man)"/man1/fdscan*.1 "$(man)"/man1/watchfix*.1 "$(man)/man7/libwatchfix.7" \
	    $(programs:%="$(bash)/%") $(programs:%="$(zsh)/_%") $(programs:%="$(fish)/%.fish")
	install -m 644 $(documents) "$(doc)"

uninstall:
	rm -f $(programs:%="$(bin)/%") "$(lib)/libwatchfix.so"
	rm -f "$(man)"/man1/fdscan.1 "$(man)"/man1/fdscan-*.1 "$(man)"/man1/watchfix.1 "$(man)"/man1/watchfix-*.1 \
	    "$(man)/man7/libwatchfix.7"
	rm -f $(programs:%="$(bash)/%") $(programs:%="$(zsh)/_%") $(programs:%="$(fish)/%.fish")
	rm -f $(documents:%="$(doc)/%")
	-rmdir "$(lib)" "$(doc)"
