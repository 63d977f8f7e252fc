# forklab: every command a reader types is one word after make; `make help` lists them.
# Chapters are found by their folders, so adding one needs no edit here.

BUILD ?= build
PORT ?= 9000
CC ?= cc
CFLAGS ?= -g
STANDARD = -std=c11 -Wall -Wextra -Wpedantic -Wshadow -Wconversion $(WARNINGS)

chapters := $(sort $(notdir $(wildcard chapters/[0-9]*)))
numbers := $(foreach c,$(chapters),$(firstword $(subst -, ,$(c))))
programs := $(patsubst %.c,$(BUILD)/%,$(wildcard chapters/*/server.c chapters/*/client.c))
client := $(BUILD)/chapters/00-client/client
forkscope := $(BUILD)/forkscope
forkscope_objects := $(patsubst diagrams/%.c,$(BUILD)/objects/%.o,$(wildcard diagrams/forkscope/*.c))
test_programs := $(patsubst tests/lib/%.c,$(BUILD)/tests/%,$(wildcard tests/lib/*.c))

# From a number to a folder and its program: 03 -> 03-naive-fork.
chapter = $(filter $(1)-%,$(chapters))
server = $(BUILD)/chapters/$(call chapter,$(1))/server

all: $(programs) ## compile every stage; needs a C compiler and make, nothing else

$(BUILD)/chapters/%: chapters/%.c
	@mkdir -p $(@D)
	$(CC) $(STANDARD) $(CFLAGS) -o $@ $<

tour: ## the main job: walk the ladder, each stage run and measured
	@tests/lib/need.sh tour
	@$(MAKE) --no-print-directory --silent $(programs) $(forkscope)
	@FORKLAB_BUILD=$(BUILD) chapters/tour.sh

test: ## everything that is promised, tested; about three minutes
	@tests/lib/need.sh test
	@FORKLAB_BUILD=$(BUILD) tests/run.sh

$(numbers:%=run-%): run-%: ## run-03: start stage 03 on PORT (9000); Ctrl-C ends it
	@test -e chapters/$(call chapter,$*)/server.c || { echo "chapter $* is the client: make client" >&2; exit 1; }
	@$(MAKE) --no-print-directory --silent $(call server,$*)
	@exec $(call server,$*) $(PORT)

client: ## the client of chapter 00, to PORT (9000)
	@$(MAKE) --no-print-directory --silent $(client)
	@exec $(client) $(PORT)

$(numbers:%=watch-%): watch-%: ## watch-03: the live table of stage 03 while it runs
	@tests/lib/need.sh tour
	@$(MAKE) --no-print-directory --silent $(forkscope)
	@test -e chapters/$(call chapter,$*)/server.c || { echo "chapter $* is the client, and has no server to watch" >&2; exit 1; }
	@$(forkscope) watch --program $(call server,$*) :$(PORT) || \
	  { echo "to start it, in another terminal: make run-$*$(if $(filter-out 9000,$(PORT)), PORT=$(PORT))" >&2; exit 1; }

$(numbers:%=diff-%): diff-%: ## diff-04: what changed from stage 03 to stage 04
	@chapters/diff.sh $*

$(numbers:%=trace-%): trace-%: ## trace-03: step through stage 03 in a browser; or PROG=my.c, EXERCISE=1
	@tests/lib/need.sh diagrams
	@$(MAKE) --no-print-directory --silent $(forkscope)
	@test -e chapters/$(call chapter,$*)/server.c || { echo "chapter $* is the client, and has no server to trace" >&2; exit 1; }
	@FORKLAB_BUILD=$(BUILD) CC="$(CC)" diagrams/trace.sh $(call chapter,$*) \
	  "$(or $(PROG),chapters/$(call chapter,$*)/$(if $(EXERCISE),exercise,server).c)"

diagrams: ## measure and draw every diagram anew
	@tests/lib/need.sh diagrams
	@$(MAKE) --no-print-directory --silent $(programs) $(forkscope)
	@FORKLAB_BUILD=$(BUILD) diagrams/measure.sh diagrams

bench: all $(BUILD)/tests/load ## chapter 09 beside the servers people use (installs them)
	@BUILD=$(BUILD) tests/bench/bench.sh

soak: all $(BUILD)/tests/load ## a million clients for chapter 09
	@BUILD=$(BUILD) tests/bench/soak.sh

help: ## this list
	@echo "make, and then:"
	@sed -nE 's/^([a-z]+):.* ## (.*)/  \1|\2/p; s/^.*:.*## ([a-z]+-[0-9]+): (.*)/  \1|\2/p' Makefile | \
	  awk -F'|' '{ printf "%-12s %s\n", $$1, $$2 }'

clean: ## remove everything that was built
	rm -rf $(BUILD)

# A number that no chapter has.
run-% watch-% diff-% trace-%:
	@echo "there is no chapter $*; the chapters are: $(numbers)" >&2; exit 1

$(forkscope): $(forkscope_objects)
	$(CC) $(CFLAGS) -o $@ $^ -lmnl -ljansson -ldw

$(BUILD)/objects/%.o: diagrams/%.c
	@mkdir -p $(@D)
	$(CC) -D_GNU_SOURCE $(STANDARD) -O1 $(CFLAGS) -MMD -c -o $@ $<
-include $(wildcard $(BUILD)/objects/*/*.d)
# The assembler includes these, which the compiler cannot tell.
$(BUILD)/objects/forkscope/embed.o: $(wildcard diagrams/forkscope/page/*)

$(BUILD)/tests/%: tests/lib/%.c
	@mkdir -p $(@D)
	$(CC) $(STANDARD) $(CFLAGS) -o $@ $<

programs: $(programs) $(forkscope) $(test_programs) # what the tests use

.PHONY: all tour test client diagrams bench soak help clean programs
.PHONY: $(foreach word,run watch diff trace,$(numbers:%=$(word)-%))
.DEFAULT_GOAL := all

# A chapter that wants compiler flags of its own says so in a file of its own.
include $(wildcard chapters/*/build.mk)
