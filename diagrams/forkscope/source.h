/*
 * source.h - from addresses to functions and lines of source, by libdw (elfutils).
 *
 * One struct source stands for one executed program: all processes that fork without
 * exec share it, because their code lies at the same addresses.
 */
#ifndef FORKSCOPE_SOURCE_H
#define FORKSCOPE_SOURCE_H

#include "step.h"

struct source;

/*
 * The program that process `pid` executes, which must be stopped by ptrace(2): its code and
 * the libraries mapped so far. Returns NULL with err filled when /proc/PID/maps cannot be read.
 * One without debug information is not an error. Free with source_close.
 */
struct source *source_open(pid_t pid, struct error *err);
void source_close(struct source *source);

/* Look at the libraries again, once the loader has mapped them. Returns 0, or -1 with err filled. */
int source_refresh(struct source *source, pid_t pid, struct error *err);

/* Where the first line of main begins, behind its prologue; 0 without debug information. */
uint64_t source_main(const struct source *source);

/* Was it compiled with optimisation, so that lines and variables cannot be relied on? */
bool source_optimised(const struct source *source);

/* Where function `name` of a library begins, such as "__errno_location"; 0: nowhere. */
uint64_t source_function(const struct source *source, const char *name);

/*
 * Append to files of `trace` every source file of the program that lies in the directory of
 * its main, or below, and can be read. Call it once, for the first program.
 */
void source_files(struct source *source, struct trace *trace);

/* The last line of main, which stands for "main has returned"; an empty chain if not known. */
void source_end_of_main(struct source *source, const struct trace *trace, struct chain *chain);

/* The name of the function at `address`, for a signal handler; or an empty text. */
void source_name(struct source *source, uint64_t address, char *text, size_t size);

/*
 * What is at `pc`: the program's own function and line, or file -1 and the name of a library
 * function, as a program calls it ("puts", not "_IO_puts"). Valid until the next question.
 */
const struct frame *source_frame(struct source *source, const struct trace *trace, uint64_t pc);

/* For unwind.c: libdw's own handle, replaced by source_refresh. */
struct Dwfl *source_dwfl(const struct source *source);

#endif
