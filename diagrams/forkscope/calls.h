/*
 * calls.h - system calls as text: "accept(3)", "socket(AF_INET, SOCK_STREAM)", "-1 EINTR".
 *
 * Calls are named as a C program writes them (waitpid, not wait4), and only those
 * arguments are told that matter for processes, descriptors and signals.
 */
#ifndef FORKSCOPE_CALLS_H
#define FORKSCOPE_CALLS_H

#include "events.h"
#include "model.h"

/* When does a call make a step of its own? */
enum call_class {
    CALL_QUIET, /* only when it waited, or a handler interrupted it */
    CALL_DATA,  /* when it moves bytes of a socket or pipe, or fails */
    CALL_FILE,  /* likewise, opens or closes; not shown in programs without debug information */
    CALL_SHOWN, /* always */
};

struct call {
    long number;
    uint64_t args[6];
    enum call_class class;
    char name[24];   /* "accept" */
    char text[128];  /* "accept(3)" */
    int fd;          /* the descriptor it is about, or -1 */
    int64_t timeout; /* nanoseconds after which it returns by itself; 0: at once; -1: never */
    bool partial;    /* interrupted, it may return having done a part: so it never is */
    bool creates;    /* a process or a thread */
    bool waits;      /* for a child */
};

/* What a process is called in a trace; NULL for one that is not in it. */
typedef const char *call_namer(void *data, pid_t pid);

/* What thread `tid`, stopped where it enters a call, is about to do. */
void call_enter(pid_t tid, const struct event *entry, call_namer *namer, void *data,
                struct call *call);

/*
 * What a call returned, as text: "4", "-1 EINTR", "C1"; "3, 4" for a pipe.
 * result: as the kernel gives it, an error as -errno. To be asked at its exit.
 */
void call_result(pid_t tid, const struct call *call, int64_t result, call_namer *namer, void *data,
                 char *text, size_t size);

/* Does it execute another program? */
bool call_executes(const struct call *call);

/* Has a call only found that there is nothing yet: EAGAIN, no ended child, a poll that timed out? */
bool call_found_nothing(const struct call *call, int64_t result);

/* "SIGCHLD"; "EINTR", "0". */
void call_signal_name(int signal, char *text, size_t size);
void call_errno_name(int number, char *text, size_t size);

#endif
