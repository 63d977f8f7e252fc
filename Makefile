# forklab: every command a reader types is one word after make; `make help` lists them.
# Chapters are found by their folders, so adding one needs no edit here.

BUILD ?= build
# One name for it, however it was given: what depends on what is noted under this name.
override BUILD := $(patsubst $(CURDIR)/%,%,$(BUILD))
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
test_programs := $(patsubst tests/lib/%.c,$(BUILD)/tests/%,$(wildcard tests/lib/*.c)) $(BUILD)/tests/sandbox

# From a number to a folder and its program: 03 -> 03-naive-fork.
chapter = $(filter $(1)-%,$(chapters))
server = $(BUILD)/chapters/$(call chapter,$(1))/$(program)
# make run-03 EXERCISE=1 and watch-03 EXERCISE=1 take the student's program instead.
program = $(if $(EXERCISE),exercise,server)

all: $(programs) ## compile every stage; needs a C compiler and make, nothing else

$(BUILD)/chapters/%: chapters/%.c
	@mkdir -p $(@D)
	$(CC) $(STANDARD) $(CFLAGS) -o $@ $<

tour: ## the main job: walk the ladder, each stage run and measured
	@tests/lib/need.sh tour
	@$(MAKE) --no-print-directory --silent $(programs) $(forkscope)
	@FORKLAB_BUILD=$(BUILD) chapters/tour.sh

test: ## what is promised, tested in three minutes (ALL=1: more, in ten)
	@tests/lib/need.sh test
	@FORKLAB_BUILD=$(BUILD) tests/run.sh

$(numbers:%=test-%): test-%: ## test-03: what chapter 03 promises, tested; about half a minute
	@tests/lib/need.sh test
	@FORKLAB_BUILD=$(BUILD) tests/run.sh tests/chapters/$(call chapter,$*).bats

arm: ## the pictures measured on aarch64, emulated, and compared (installs qemu)
	@tests/lib/need.sh arm
	@FORKLAB_BUILD=$(BUILD) tests/aarch64/emulate.sh $(FILES)

$(numbers:%=run-%): run-%: ## run-03: start stage 03 on PORT (9000); Ctrl-C ends it
	@test -e chapters/$(call chapter,$*)/$(program).c || { echo "chapter $* is the client: make client" >&2; exit 1; }
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
	  { echo "to start it, in another terminal: make run-$*$(if $(EXERCISE), EXERCISE=1)$(if $(filter-out 9000,$(PORT)), PORT=$(PORT))" >&2; exit 1; }

$(numbers:%=diff-%): diff-%: ## diff-04: what changed from stage 03 to stage 04
	@chapters/diff.sh $*

$(numbers:%=predict-%): predict-%: ## predict-03: the questions of chapter 03; the answers are measured
	@tests/lib/need.sh predict
	@$(MAKE) --no-print-directory --silent $(forkscope) $(if $(wildcard chapters/$(call chapter,$*)/server.c),$(call server,$*))
	@FORKLAB_BUILD=$(BUILD) chapters/predict.sh $*

$(numbers:%=hint-%): hint-%: ## hint-03: a hint for exercise 03, the next one each time
	@FORKLAB_BUILD=$(BUILD) solutions/hint.sh $(if $(AGAIN),--again) $*

$(numbers:%=reset-%): reset-%: ## reset-03: exercise 03 as shipped; your file is kept beside it
	@FORKLAB_BUILD=$(BUILD) solutions/ship.sh --reset $(call chapter,$*)

exercises: ## the exercises anew from solutions, where nobody has changed them
	@FORKLAB_BUILD=$(BUILD) solutions/ship.sh

$(numbers:%=check-%): check-%: ## check-03: grade my exercise 03 (FILE=other.c: another one)
	@tests/lib/need.sh grade
	@$(MAKE) --no-print-directory --silent grader
	@FORKLAB_BUILD=$(BUILD) tests/grading/check $* $(FILE)

progress: ## which of my exercises pass
	@tests/lib/need.sh grade
	@$(MAKE) --no-print-directory --silent grader
	@FORKLAB_BUILD=$(BUILD) tests/grading/progress

grade: ## grade a class: SUBMISSIONS=dir, and OUT=dir JOBS=n HOSTS=file
	@tests/lib/need.sh class
	@$(MAKE) --no-print-directory --silent grader
	@FORKLAB_BUILD=$(BUILD) tests/grading/class

gradescope: ## the autograder that Gradescope takes (CHAPTERS="03": only these)
	@tests/lib/need.sh class
	@FORKLAB_BUILD=$(BUILD) tests/grading/gradescope/make.sh

$(numbers:%=trace-%): trace-%: ## trace-03: step through stage 03 in a browser; or PROG=my.c, EXERCISE=1
	@tests/lib/need.sh diagrams
	@$(MAKE) --no-print-directory --silent $(forkscope)
	@test -e chapters/$(call chapter,$*)/server.c || { echo "chapter $* is the client, and has no server to trace" >&2; exit 1; }
	@FORKLAB_BUILD=$(BUILD) CC="$(CC)" diagrams/trace.sh $(call chapter,$*) \
	  "$(or $(PROG),chapters/$(call chapter,$*)/$(if $(EXERCISE),exercise,server).c)"

diagrams: ## measure and draw every diagram anew
	@tests/lib/need.sh diagrams
	@$(MAKE) --no-print-directory --silent $(traced) $(forkscope)
	@FORKLAB_BUILD=$(BUILD) diagrams/measure.sh diagrams

bench: all $(BUILD)/tests/load ## chapter 09 beside the servers people use (installs them)
	@BUILD=$(BUILD) tests/bench/bench.sh
	@tests/lib/need.sh tour
	@$(MAKE) --no-print-directory --silent grader
	@BUILD=$(BUILD) tests/bench/trace.sh
	@FORKLAB_BUILD=$(BUILD) tests/bench/grading.sh

soak: all $(BUILD)/tests/load ## a million clients for chapter 09
	@BUILD=$(BUILD) tests/bench/soak.sh

help: ## this list
	@echo "make, and then:"
	@sed -nE 's/^([a-z]+):.* ## (.*)/  \1|\2/p; s/^.*:.*## ([a-z]+-[0-9]+): (.*)/  \1|\2/p' Makefile | \
	  awk -F'|' '{ printf "%-12s %s\n", $$1, $$2 }'

clean: ## remove everything that was built
	rm -rf $(BUILD)

# A number that no chapter has.
run-% test-% watch-% diff-% trace-% check-% predict-% hint-% reset-%:
	@echo "there is no chapter $*; the chapters are: $(numbers)" >&2; exit 1

# No number at all.
run watch diff trace check predict hint reset:
	@echo "of which chapter? For example: make $@-03" >&2; exit 1

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

# Linked statically, since it has to start quickly and inside a sandbox; a sanitizer does not let it.
$(BUILD)/tests/sandbox: $(wildcard tests/grading/sandbox/*.[ch])
	@mkdir -p $(@D)
	$(CC) $(STANDARD) -O1 $(CFLAGS) $(if $(findstring fsanitize,$(CFLAGS)),,-static) -o $@ $(filter %.c,$^)

grader: $(forkscope) $(BUILD)/tests/sandbox $(BUILD)/tests/clients # what the grading scripts use

# The servers as the tracer needs them: with lines, and not optimised. build/traced/03-naive-fork/server
traced := $(patsubst chapters/%.c,$(BUILD)/traced/%,$(wildcard chapters/*/server.c))

$(BUILD)/traced/%: chapters/%.c
	@mkdir -p $(@D)
	$(CC) $(STANDARD) -g -O0 -o $@ $<

traced: $(traced)

programs: $(programs) $(traced) $(forkscope) $(test_programs) # what the tests use

.PHONY: all tour test arm client progress grade gradescope exercises diagrams bench soak help clean grader programs traced
.PHONY: run watch diff trace check predict hint reset
.PHONY: $(foreach word,run test watch diff trace check predict hint reset,$(numbers:%=$(word)-%))
.DEFAULT_GOAL := all

# A chapter that wants compiler flags of its own says so in a file of its own.
include $(wildcard chapters/*/build.mk)
