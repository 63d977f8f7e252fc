/* trace.h - run a program step by step and write down each step, see step.h. */
#ifndef FORKSCOPE_TRACE_H
#define FORKSCOPE_TRACE_H

#include "model.h"

#include <stdio.h>

enum trace_order {
    ORDER_PARENT_FIRST, /* the one that runs goes on; then the first in order of birth */
    ORDER_CHILD_FIRST,  /* after a fork the child goes first; then the last born */
    ORDER_RANDOM,       /* anybody, after every step: the same for the same seed */
};

struct trace_options {
    const char *scenario; /* path, or NULL: no clients */
    char *const *argv;    /* the program and its arguments */
    FILE *out;            /* JSON lines, as in step.h */
    FILE *progress;       /* how far it is, for a person; NULL: nobody */
    FILE *findings;       /* what went wrong, see findings.h; NULL: nowhere */
    bool colour;          /* in them */
    enum trace_order order;
    uint64_t seed;
    size_t max_steps;
    double deadline; /* seconds for the whole trace */
    bool shared_network;
};

/*
 * Trace the program from its main to its end, or until everything waits and the scenario is
 * over, or a limit is reached, which the end of the trace says. All its processes are ended.
 * Returns 0, or -1 with err filled; what was written by then is a trace that is cut off.
 */
int trace_program(const struct trace_options *options, struct error *err);

#endif
