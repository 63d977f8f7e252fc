# forklab: every command a reader types is one word after make. `make help` lists them.

BUILD ?= build
PORT ?= 9000
CC ?= cc
CFLAGS ?= -g
STANDARD := -std=c11 -Wall -Wextra -Wpedantic -Wshadow -Wconversion

CHAPTERS := $(sort $(notdir $(wildcard chapters/[0-9]*)))
NUMBERS := $(foreach c,$(CHAPTERS),$(firstword $(subst -, ,$(c))))
SERVERS := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard chapters/*/server.c)))
CLIENT := $(BUILD)/chapters/00-client/client
FORKSCOPE := $(BUILD)/forkscope
FORKSCOPE_OBJECTS := $(patsubst diagrams/%.c,$(BUILD)/objects/%.o,$(wildcard diagrams/forkscope/*.c))
TEST_PROGRAMS := $(patsubst tests/lib/%.c,$(BUILD)/tests/%,$(wildcard tests/lib/*.c))

# The chapter, its server and its predecessor's source, found by number: 03 -> 03-naive-fork.
chapter = $(filter $(1)-%,$(CHAPTERS))
server = $(BUILD)/chapters/$(call chapter,$(1))/server
before = $(lastword $(filter-out $(wildcard chapters/00-*),$(foreach c,$(CHAPTERS),$(if $(filter $(c),$(firstword $(sort $(c) $(call chapter,$(1))))),$(filter-out chapters/$(call chapter,$(1)),chapters/$(c))))))

.PHONY: all
all: $(SERVERS) $(CLIENT) ## compile every stage; needs a C compiler and make, nothing else

$(BUILD)/chapters/%: chapters/%.c
	@mkdir -p $(@D)
	$(CC) $(STANDARD) $(CFLAGS) -o $@ $<

# A chapter that wants its own compiler flags says so in a file of its own.
include $(wildcard chapters/*/build.mk)

$(BUILD)/tests/%: tests/lib/%.c
	@mkdir -p $(@D)
	$(CC) $(STANDARD) $(CFLAGS) -o $@ $<

.PHONY: bench soak
bench: all $(BUILD)/tests/load ## chapter 09 beside the servers people use (installs them)
	@BUILD=$(BUILD) tests/bench/bench.sh

soak: all $(BUILD)/tests/load ## a million clients for chapter 09
	@BUILD=$(BUILD) tests/bench/soak.sh
