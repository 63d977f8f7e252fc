/*
 * tracer.h - one trace while it is made: its processes, its clients, its steps.
 *
 * Repeatable by construction: of all threads only one is ever let run, until it waits in a
 * call; then it is stopped there. So everything has one order, and a picture is taken of
 * things at rest.
 *
 *   trace.c     begins, goes on until nothing can happen any more, ends
 *   schedule.c  who runs next; run until it waits
 *   act.c       what an event of a thread means: steps
 *   family.c    the same, for fork, exec and the end
 *   signals.c   the same, for signals and their handlers
 *   look.c      the snapshot of a step, and writing it
 *   play.c      what the scenario does when everything is at rest
 */
#ifndef FORKSCOPE_TRACER_H
#define FORKSCOPE_TRACER_H

#include "calls.h"
#include "history.h"
#include "scenario.h"
#include "snapshot.h"
#include "step.h"
#include "tcp.h"
#include "trace.h"
#include "unwind.h"

#include <sys/select.h>

/* A program that was executed; threads that run it share it. */
struct image {
    struct source *source;
    char name[TEXT_SIZE];
    bool has_lines;
    uint64_t restorer; /* where its signal handlers return to, once one was installed */
    uint64_t errno_at; /* address of errno, relative to the thread pointer; */
    bool errno_known;  /* if that could be found */
    unsigned users;
};

enum task_state {
    TASK_HELD,    /* stopped, and can go on: new, taken off the processor, or its call is done */
    TASK_BLOCKED, /* waits in a call, and is stopped there: let run, it goes on waiting */
    TASK_LIVE,    /* waits in a call that would do only a part if it were stopped: it is not */
    TASK_VFORK,   /* stopped in vfork until its child has executed or ended */
    TASK_STOPPED, /* stopped by SIGSTOP or the like */
    TASK_ENDED,   /* a zombie, or reaped */
};

/* A signal handler that runs in a thread, and what it interrupted. */
struct handler {
    char signal[16];
    char name[48];
    bool in_call;
    struct call call;
    int errno_before;
};

struct task {
    pid_t tid;
    pid_t pid;
    char name[NAME_SIZE]; /* of its process */
    enum task_state state;
    bool idle;      /* it was let run, and nothing has happened since that could matter to it */
    bool born;      /* it has run; before that, its first step is still to come */
    bool computing; /* it ran long without a call */
    bool reaped;
    unsigned polls;       /* calls in a row that found nothing */
    struct event pending; /* what it did that is not acted on yet; EVENT_NONE */
    int signal;           /* to be delivered when it is resumed */
    bool in_call;
    bool told;            /* that it waits in this call has been a step */
    bool changes_nothing; /* its call sets what is set already */
    int64_t result;       /* of a call that we interrupted: -EINTR, -ERESTARTSYS, ... */
    char nothing[128];    /* the last call that found nothing, not to be told again */
    struct call call;
    int64_t deadline;                      /* of the call, in the time of the trace; -1: none */
    unsigned char sets[3][FD_SETSIZE / 8]; /* what select was given, which it changes */
    int64_t alarm;                         /* when a timer of its process goes off; -1: none */
    int64_t alarm_interval;                /* and after that again and again; 0: once */
    bool alarm_due;                        /* it goes off now: SIGALRM is on its way */
    bool alarm_early;                      /* the kernel's went off before, and was held back */
    pid_t vfork_child;
    struct handler *handlers; /* the innermost last */
    size_t handler_count;
    struct image *image;
    struct chain at;
    char ending[128];    /* the call that ends it: "exit(3)" */
    char how[TEXT_SIZE]; /* it has ended: "exit 3", "signal 11" */
};

struct tracer {
    const struct trace_options *options;
    struct trace trace; /* the header, the steps written so far, findings and end */
    struct tcp_channel *tcp;
    struct socket_memory sockets;
    struct history *history;
    struct scenario scenario;
    size_t next_action;
    char title[128];
    struct task **tasks; /* in order of birth */
    size_t task_count;
    struct task *current;
    struct task *next; /* whose turn it is before all others, or NULL */
    pid_t program;
    bool orphans; /* a process has ended, so that its children may have become ours */
    int output;
    char *printed; /* since the last step */
    size_t printed_size;
    struct step last; /* not written yet: the scenario may name it */
    bool last_set;
    size_t step_count;
    struct known_file *files; /* as of the last step, see files.c */
    size_t file_count;
    unsigned long long file_ids; /* given so far */
    struct peer *peers;
    size_t peer_count;
    int64_t now; /* nanoseconds that have been waited through: time stands still otherwise */
    bool time_passes;
    uint64_t random;
    double started;
    struct moment *moments; /* that the scenario waits for, see play.c */
    size_t moment_count;
    int errno_from; /* of the step that is being made; -1: not known */
    int errno_to;
    bool over; /* a limit is reached, or we are to end */
};

/* A moment between calls, named by `at`. */
struct moment {
    const struct action *action;
    size_t left; /* how often it is still to come */
};

/* ---- trace.c ---- */

/* The thread with this id, ended ones too, or NULL. */
struct task *tracer_task(const struct tracer *t, pid_t tid);
/* A thread from now on: of process `pid`, whose name in the trace is `name`. */
struct task *tracer_add(struct tracer *t, pid_t tid, pid_t pid, const char *name);
/* A thread that has not ended and is the one to show for process `pid`, or NULL. */
struct task *tracer_process(const struct tracer *t, pid_t pid);
/* Has the thread's process other threads that go on? */
bool tracer_others_live(const struct tracer *t, const struct task *task);
/* A call_namer. */
const char *tracer_name(void *data, pid_t pid);
/* Something has happened that may matter to those who wait. */
void tracer_stir(struct tracer *t);
struct image *image_open(struct tracer *t, pid_t pid, struct error *err);
void image_release(struct image *image);
/* Run a new program, stopped after execve(2), to its main, or to its first instruction. */
int image_enter(struct tracer *t, struct task *task, struct error *err);
/* Add a sentence to the end of the trace, unless it is there already. */
void tracer_note(struct tracer *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- schedule.c ---- */

/* Let one thread run until it waits or another one's turn comes. Returns 1; 0 when all wait; -1. */
int schedule(struct tracer *t, struct error *err);
/* Nobody can run: let time pass for whoever waits the shortest. Returns as schedule. */
int schedule_time(struct tracer *t, struct error *err);

/* ---- act.c ---- */

/* Deal with what a thread has done; it stays stopped. Returns 0, or -1 with err filled. */
int act(struct tracer *t, struct task *task, const struct event *event, struct error *err);
/* It waits now. */
int act_blocked(struct tracer *t, struct task *task, struct error *err);
/*
 * Has its call returned because its time is over by the clock, while no time has passed in the trace:
 * on a busy machine, before we saw it wait? Then it is made to wait on, and true is returned.
 */
bool act_ran_out(const struct tracer *t, struct task *task, const struct event *event);
/* Unwind: where does the thread stand? */
void act_stand(struct tracer *t, struct task *task);
/* Its call has returned this: a step. */
int act_told(struct tracer *t, struct task *task, int64_t result, struct error *err);
/* Has a caught signal come that interrupts the call of a stopped thread? */
bool act_interrupted(const struct tracer *t, const struct task *task);
/*
 * A timer of the thread's process whose time in the trace has not come: if the kernel's goes off now, it
 * is early, because it runs while everybody is held. Returns the thread that has set it, or NULL.
 */
struct task *act_early_alarm(const struct tracer *t, const struct task *task);

/* ---- family.c: as act, for these kinds of event ---- */

/* The thread has made a new process or thread; what is made is held at its first stop. */
int act_fork(struct tracer *t, struct task *task, const struct event *e, struct error *err);
/* Another program runs in this process from now on (execve(2)). */
int act_exec(struct tracer *t, struct task *task, const struct event *e, struct error *err);
/* A thread is about to end: it has, or its whole process has, when this returns. */
int act_ending(struct tracer *t, struct task *task, struct error *err);
int act_end(struct tracer *t, struct task *task, int status, struct error *err);
/* A thread has ended that had not been seen to be about to. */
int act_ended(struct tracer *t, struct task *task, int status, struct error *err);
/* A thread is there no more, and nothing has been told of its end. */
int act_gone(struct tracer *t, struct task *task);
/* It runs for the first time. */
int act_born(struct tracer *t, struct task *task, struct error *err);

/* ---- signals.c: as act, for these kinds of event ---- */

/* A signal is about to be delivered: handled, ignored, or the end. */
int act_signal(struct tracer *t, struct task *task, const struct event *e, struct error *err);
/* The process has been stopped by a signal, or goes on (group-stop of ptrace(2)). */
int act_stopped(struct tracer *t, struct task *task, const struct event *e, struct error *err);
/* A handler has returned: rt_sigreturn is done. */
int act_return(struct tracer *t, struct task *task, struct error *err);

/* ---- look.c ---- */

/* Add what the program has printed to what the next step will show. Returns whether it was anything. */
bool look_drain(struct tracer *t);
/* How long is a text where the numbers of processes are replaced by their names, as look_step does? */
size_t look_shown_size(struct tracer *t, const char *text, size_t size);
/*
 * Measure and make the next step: the one before is written. task: whose, or NULL for a client.
 * note: a sentence, or NULL. Returns 0, or -1 with err filled.
 */
int look_step(struct tracer *t, enum step_kind kind, const char *who, const struct task *task,
              const char *call, const char *result, const char *note, struct error *err);
/* Move the last step, once it is written, to those that the findings are made of. */
void look_keep(struct tracer *t);
/* Write the step that is held back. */
int look_flush(struct tracer *t, struct error *err);

/* ---- files.c ---- */

/*
 * Give each file of a fresh snapshot the number it had in the step before, in place of an inode,
 * so that history.c knows it again. task, kind, result: as for look_step.
 */
void files_identify(struct tracer *t, struct snapshot *s, const struct task *task,
                    enum step_kind kind, const char *result);

/* ---- play.c ---- */

/* Everything is at rest: the next action. Returns 1; 0 at the scenario's end; 2: not yet; -1. */
int play(struct tracer *t, struct error *err);
/* Does the scenario name this step? */
void play_moment(struct tracer *t, struct step *step);

#endif
