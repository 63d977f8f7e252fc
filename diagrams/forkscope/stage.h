/*
 * stage.h - the program that is run, its clients, and the picture of now.
 *
 * run.c decides what happens; here it is waited for, until everything is at rest.
 */
#ifndef FORKSCOPE_STAGE_H
#define FORKSCOPE_STAGE_H

#include "history.h"
#include "run.h"
#include "scenario.h"
#include "tcp.h"

#include <signal.h>

struct run {
    const struct run_options *options;
    struct tcp_channel *tcp;
    struct history *history;
    struct snapshot now; /* the latest measurement, with names that last */
    pid_t program;
    int output;     /* what the program prints */
    bool line_open; /* the story's last line from the program has no newline yet */
    struct peer *peers;
    size_t peer_count;
    char title[128]; /* of the scenario */
};

/* Set when SIGINT, SIGTERM or SIGHUP has come: then the program must be ended before us. */
extern volatile sig_atomic_t stage_interrupted;

/* Have those signals set it (sigaction(2)). */
void stage_catch_signals(void);

/* Seconds on a clock that only goes forward (CLOCK_MONOTONIC). */
double stage_seconds(void);

/*
 * Between two looks at a condition: leave the CPU to those we wait for.
 * deadline: as stage_seconds. Returns 0 to look again, 1 when the deadline has
 * passed, -1 with err filled when we have been told to end.
 */
int stage_wait(double deadline, struct error *err);

/* Take what the program has printed, so that it never blocks on a full pipe, and retell it. */
void stage_drain(struct run *r);

/* End a line that the program has begun, so that it does not swallow what we say next. */
void stage_finish_line(struct run *r);

/*
 * Wait until everything is at rest, seen twice in a row without a difference, and make
 * that r->now. Returns 0, or -1 with err filled when it never comes to rest.
 */
int stage_settle(struct run *r, struct error *err);

#endif
