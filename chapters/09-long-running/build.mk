# How this chapter's server is compiled; the Makefile reads this file. Linked statically, a
# process has fewer pages that fork must copy. Without a static C library: linked as usual.
# Flags on the command line (make CFLAGS=...) replace these.
$(BUILD)/chapters/09-long-running/server: CFLAGS += -O2 $(shell \
	echo 'int main(void) { return 0; }' | $(CC) -static -x c -o /dev/null - 2>/dev/null && echo -static)
