/* arguments.h - the arguments of system calls as text. Part of calls.c. */
#ifndef FORKSCOPE_ARGUMENTS_H
#define FORKSCOPE_ARGUMENTS_H

#include "calls.h"

/*
 * Argument number `i` of `call`, which thread `tid` is about to make, as letter spec[i] of the
 * table in calls.c says; empty when it is not told. May change the call's name and class.
 */
void argument_text(pid_t tid, struct call *call, const char *spec, int i, call_namer *namer,
                   void *data, char *text, size_t size);

/* A process id by its name; -pid means a process group. */
void argument_process(int64_t pid, call_namer *namer, void *data, char *text, size_t size);

#endif
