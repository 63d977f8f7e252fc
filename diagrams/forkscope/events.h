/*
 * events.h - what a traced thread has done last: ptrace(2) and waitid(2), classified.
 *
 * Nothing here decides anything; schedule.c and act.c do.
 */
#ifndef FORKSCOPE_EVENTS_H
#define FORKSCOPE_EVENTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum event_kind {
    EVENT_NONE,    /* it has not stopped */
    EVENT_ENTRY,   /* stopped where it enters a system call: number, args */
    EVENT_EXIT,    /* stopped where a call returns: result. Also where it was interrupted: */
                   /* then result is -ERESTARTSYS or the like, and the kernel calls again */
    EVENT_FORK,    /* stopped in fork or clone; child is there, and traced */
    EVENT_VFORK,   /* the same, and it would now wait until the child executes or ends */
    EVENT_EXEC,    /* stopped in the new program; former: the thread it was before */
    EVENT_ENDING,  /* stopped in exit, with its descriptors still open */
    EVENT_ENDED,   /* a zombie; status as of waitpid(2). It is still to be reaped */
    EVENT_SIGNAL,  /* stopped where a signal would be delivered; it is, when resumed with it */
    EVENT_STOPPED, /* group-stop: a signal such as SIGSTOP has stopped its process */
    EVENT_TRAP,    /* stopped by PTRACE_INTERRUPT, as a new child, or by the end of a group-stop */
    EVENT_BREAK,   /* has hit a breakpoint or done a single step */
    EVENT_GONE,    /* there is no such thread any more */
};

struct event {
    enum event_kind kind;
    long number; /* of the call */
    uint64_t args[6];
    int64_t result;
    int signal;
    int code; /* si_code of sigaction(2), of EVENT_SIGNAL */
    pid_t child;
    pid_t former;
    int status;
};

/*
 * Begin to trace `tid`, which keeps running: PTRACE_SEIZE, with its forks traced too, and
 * everything killed when we end. Returns 0, or -1 with errno set (EPERM: not permitted, or
 * somebody else traces it).
 */
int event_seize(pid_t tid);

/*
 * What has `tid` done? wait: until it does something. But not for ever: see event_deadline; of a thread
 * that is waited for in vain EVENT_GONE is said.
 */
struct event event_of(pid_t tid, bool wait);

/* Until when, as of stage_seconds, event_of waits for anything. Told to end, it waits for a moment only. */
void event_deadline(double when);

/* Between two looks at what a thread has done: give way at first, then sleep. */
void event_breathe(unsigned long round);

/* Let it run until its next event. single: only one instruction; free: without stopping at calls. */
enum event_resume { RESUME_TO_CALL, RESUME_FREE, RESUME_SINGLE };
void event_resume(pid_t tid, enum event_resume how, int signal);

/* Read memory of process `pid`. Returns false when it cannot be read whole. */
bool event_read(pid_t pid, uint64_t address, void *to, size_t size);

/* Write memory of stopped process `pid`. Returns false when it cannot be written whole. */
bool event_write(pid_t pid, uint64_t address, const void *from, size_t size);

/* Read a text that ends with NUL, cut to fit and made printable. Returns false when it cannot be read. */
bool event_read_text(pid_t pid, uint64_t address, char *text, size_t size);

/*
 * Run stopped thread `tid` freely to `address`, where it stays, stopped, with its code as it was.
 * Signals on the way are delivered; what it forks on the way is let go untraced, and *forked set.
 * Returns 0, or -1 when it ended or executed something else.
 */
int event_run_to(pid_t tid, uint64_t address, bool *forked);

/*
 * Have stopped thread `tid` run a function without arguments that makes no system call, and
 * put its registers back. Returns what the function returned, 0 when that failed.
 */
uint64_t event_call(pid_t tid, uint64_t function);

#endif
