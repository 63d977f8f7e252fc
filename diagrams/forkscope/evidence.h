/*
 * evidence.h - the steps of a trace put in order: who held which descriptor from when to
 * when and used it, who was forked where, and when everything was at rest.
 *
 * The findings ask here; nothing here judges. Steps are told by their index in
 * trace.steps, not by their number.
 */
#ifndef FORKSCOPE_EVIDENCE_H
#define FORKSCOPE_EVIDENCE_H

#include "step.h"

enum { NEVER = -1 };

/* One process's descriptor, from the step that brought it to the one that took it. */
struct holding {
    int process; /* index into evidence.lives */
    int fd;
    char object[NAME_SIZE];
    enum object_kind kind;
    bool inherited; /* came with the fork; otherwise the process opened it itself */
    long from;      /* the step after which it is there */
    long to;        /* the step after which it is gone, or NEVER */
    bool closed;    /* gone by a call of its own, not with its process */
    long first_use; /* the first step that reads, writes or accepts by it, or NEVER */
    long last_use;
};

/* One process. */
struct life {
    char name[NAME_SIZE];
    int parent;           /* index into evidence.lives, or -1 */
    long born;            /* the step after which it is there */
    long forked;          /* the parent's call that made it, or NEVER when that is not a step */
    long ended;           /* the step after which it is a zombie or gone, or NEVER */
    long reaped;          /* the step after which it is gone, or NEVER */
    size_t waits;         /* how often it asked for an ended child, with or without one */
    long last_wait;       /* the last such step, or NEVER */
    bool wait_in_handler; /* one of them in a signal handler */
    bool polls;           /* it waits for several descriptors at once: which ones is not known */
    size_t threads;       /* the most it ever had */
    size_t accepts;       /* how often it took, or tried to take, a connection */
    long last_accept;
};

struct evidence {
    const struct trace *trace;
    struct holding *holdings; /* in the order of `from` */
    size_t holding_count;
    struct life *lives; /* in the order of birth */
    size_t life_count;
    long *rests; /* steps after which everything was at rest, ascending */
    size_t rest_count;
};

/* Read the whole trace once. Free with evidence_free. */
void evidence_make(struct evidence *evidence, const struct trace *trace);
void evidence_free(struct evidence *evidence);

/* The function of a call, "accept" of "accept(3, NULL)", and its first argument as a number. */
struct called {
    char name[32];
    int fd; /* -1 when the first argument is no plain number */
};
struct called called(const char *text);

/* Is it, by any of its names, accept, a wait for children, a fork, a wait for several descriptors? */
bool is_accept(const char *name);
bool is_wait(const char *name);
bool is_fork(const char *name);
bool is_poll(const char *name);
/* Does it take or give bytes by the descriptor that is its first argument? */
bool is_transfer(const char *name);

/* Did the call of this step fail: is its result -1 and an error's name? */
bool has_failed(const struct step *step);

/* The index of a process or an object in this snapshot, or -1. */
int process_at(const struct snapshot *now, const char *name);
int object_at(const struct snapshot *now, const char *name);

/* The index into evidence.lives of a process's name, or -1: it is a client's. */
int life_of(const struct evidence *evidence, const char *name);

/* What `process` holds as `fd` after step `at`, or NULL. */
const struct holding *holding_at(const struct evidence *evidence, int process, int fd, long at);

/* Is the process there, neither zombie nor gone, after step `at`? */
bool lives_at(const struct life *life, long at);

/* The innermost frame in the program's own source, or NULL. */
const struct frame *user_frame(const struct chain *chain);

/* The chain's innermost signal frame as an index into its frames, or -1: not in a handler. */
int signal_frame(const struct chain *chain);

#endif
