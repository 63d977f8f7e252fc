/* where.h - a step and a place in the source, in words: for pictures and pages. */
#ifndef FORKSCOPE_WHERE_H
#define FORKSCOPE_WHERE_H

#include "step.h"

enum { WHERE_SIZE = TEXT_SIZE + 16, HEADLINE_SIZE = 256, CHAIN_SIZE = 512 };

/* The innermost frame in the program's own source, or NULL. */
const struct frame *where_frame(const struct chain *chain);

/* The name of the signal whose handler the chain stands in, or NULL. */
const char *where_signal(const struct chain *chain);

/* "server.c:57": of where_frame; empty where there is none. */
void where_place(const struct trace *trace, const struct chain *chain, char *text, size_t size);

/* The source text of a frame's line without the blanks at its ends, cut to fit. Empty: none. */
void where_source(const struct trace *trace, const struct frame *frame, char *text, size_t size);

/* "on_sigchld:15 ← SIGCHLD ← main:54", innermost first, cut to fit. */
void where_chain(const struct chain *chain, char *text, size_t size);

/* "P: fork() = C2", "P: accept(3), waits", "client A: send hello": what happened in a step. */
void where_headline(const struct step *step, char *text, size_t size);

/* "running at server.c:57", "blocked in accept(3), server.c:91": what a process does, and where. */
void where_process(const struct trace *trace, const struct process *p, char *text, size_t size);

#endif
