/* unwind.h - call chains of stopped threads, by libdw (elfutils). */
#ifndef FORKSCOPE_UNWIND_H
#define FORKSCOPE_UNWIND_H

#include "source.h"

/* What is known of a thread for its call chain. */
struct stand {
    pid_t tid;                  /* stopped */
    const struct trace *trace;  /* its files; frames in others have file -1 */
    uint64_t restorer;          /* where signal handlers return to: sa_restorer of sigaction(2) */
    const char *const *signals; /* those whose handlers run, the innermost first */
    size_t signal_count;
    const char *call; /* "accept": a library function of that name is left out; or NULL */
};

/*
 * Where a thread stands. A run of library functions is one frame, named as the program
 * called it. Empty when no function of the program is on the stack, as in an exec'ed
 * program without debug information. chain: filled; free its frames.
 * Returns the number of signal frames found.
 */
size_t unwind(struct source *source, const struct stand *stand, struct chain *chain);

#endif
