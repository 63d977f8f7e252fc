/* judge_handlers.c - what a signal handler may not do. */
#include "judge.h"

#include <stdlib.h>
#include <string.h>

/* The functions that signal-safety(7) lists, sorted; those of <string.h> and the like make no call. */
static const char *const safe[] = {
    "_Exit", "_exit", "abort", "accept", "accept4", "access", "aio_error", "aio_return",
    "aio_suspend", "alarm", "bind", "cfgetispeed", "cfgetospeed", "cfsetispeed", "cfsetospeed",
    "chdir", "chmod", "chown", "clock_gettime", "close", "connect", "creat", "dup", "dup2", "dup3",
    "execl", "execle", "execv", "execve", "faccessat", "fchdir", "fchmod", "fchmodat", "fchown",
    "fchownat", "fcntl", "fcntl64", "fdatasync", "fexecve", "fork", "fstat", "fstat64", "fstatat",
    "fstatat64", "fsync", "ftruncate", "ftruncate64", "futimens", "getegid", "geteuid", "getgid",
    "getgroups", "getpeername", "getpgrp", "getpid", "getppid", "getsockname", "getsockopt",
    "getuid", "kill", "link", "linkat", "listen", "longjmp", "lseek", "lseek64", "lstat", "lstat64",
    "mkdir", "mkdirat", "mkfifo", "mkfifoat", "mknod", "mknodat", "open", "open64", "openat",
    "openat64", "pause", "pipe", "pipe2", "poll", "posix_trace_event", "pselect", "pthread_kill",
    "pthread_self", "pthread_sigmask", "raise", "read", "readlink", "readlinkat", "recv",
    "recvfrom", "recvmsg", "rename", "renameat", "rmdir", "select", "sem_post", "send", "sendmsg",
    "sendto", "setgid", "setpgid", "setsid", "setsockopt", "setuid", "shutdown", "sigaction",
    "sigaddset", "sigdelset", "sigemptyset", "sigfillset", "sigismember", "siglongjmp", "signal",
    "sigpause", "sigpending", "sigprocmask", "sigqueue", "sigset", "sigsuspend", "sleep",
    "sockatmark", "socket", "socketpair", "stat", "stat64", "symlink", "symlinkat", "tcdrain",
    "tcflow", "tcflush", "tcgetattr", "tcgetpgrp", "tcsendbreak", "tcsetattr", "tcsetpgrp", "time",
    "timer_getoverrun", "timer_gettime", "timer_settime", "times", "umask", "uname", "unlink",
    "unlinkat", "utime", "utimensat", "utimes", "vfork", "wait", "wait3", "wait4", "waitid",
    "waitpid", "write", "writev",
    /* Not of POSIX: bare system calls of Linux, which touch nothing that could be half changed. */
    "eventfd_read", "eventfd_write", "gettid", "getpgid", "getsid", "pidfd_send_signal", "ppoll",
    "syscall", "tgkill"};

/* The name without the library's own prefixes: __write, __GI___libc_write and write are one. */
static const char *plain(const char *name)
{
    static const char *const prefixes[] = {"__GI_", "__libc_", "_IO_", "__new_", "__"};

    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        size_t length = strlen(prefixes[i]);
        if (strncmp(name, prefixes[i], length) == 0 && name[length] != '\0')
            return plain(name + length);
    }
    return name;
}

static bool is_safe(const char *name)
{
    for (size_t i = 0; i < sizeof safe / sizeof safe[0]; i++)
        if (strcmp(name, safe[i]) == 0 || strcmp(plain(name), safe[i]) == 0)
            return true;
    return false;
}

/* The step that delivered the signal in whose handler `who` is at step `at`; or NEVER. */
static long delivery(const struct trace *trace, long at)
{
    const char *who = trace->steps[at].who;
    size_t returned = trace->steps[at].kind == STEP_RETURN ? 0 : 1;

    for (at--; at >= 0; at--) {
        const struct step *step = &trace->steps[at];
        if (strcmp(step->who, who) != 0)
            continue;
        if (step->kind == STEP_RETURN)
            returned++;
        else if (step->kind == STEP_SIGNAL && returned-- <= 1)
            return at;
    }
    return NEVER;
}

/*
 * A handler that only ever runs while sigsuspend and its like wait interrupts no other function,
 * and may call what it likes: these calls let a signal in at no other moment.
 */
static bool interrupts_a_wait(const struct trace *trace, long at)
{
    static const char *const waits[] = {"sigsuspend",  "ppoll",        "pselect",
                                        "epoll_pwait", "epoll_pwait2", NULL};
    const struct chain *chain = &trace->steps[at].chain;
    int signal = signal_frame(chain);
    long delivered = delivery(trace, at);

    for (const char *const *wait = waits; *wait != NULL; wait++)
        if (signal >= 0 && (size_t)signal + 1 < chain->count &&
            strcmp(plain(chain->frames[signal + 1].function), *wait) == 0)
            return true;
    /* The call that it waited in is no frame: the picture before the signal names it. */
    if (delivered <= 0)
        return false;
    const struct snapshot *before = &trace->steps[delivered - 1].now;
    int process = process_at(before, trace->steps[at].who);
    return process >= 0 && before->processes[process].state == PROCESS_BLOCKED &&
           strcmp(called(before->processes[process].doing).name, "sigsuspend") == 0;
}

/* The library's function that the handler's own code called: index into the chain, or -1. */
static int called_by_handler(const struct chain *chain, int signal)
{
    for (int i = 1; i < signal; i++) {
        const struct frame *caller = &chain->frames[i], *function = &chain->frames[i - 1];
        if (caller->file >= 0)
            return function->file < 0 && function->function[0] != '\0' ? i - 1 : -1;
    }
    return -1;
}

/* "printf ← on_sigchld:101 ← SIGCHLD" */
static void say_chain(struct finding *f, const struct chain *chain, int from, int to)
{
    for (int i = from; i <= to; i++) {
        const struct frame *frame = &chain->frames[i];
        finding_say(f, "%s%s", i > from ? " ← " : "",
                    i == from ? plain(frame->function) : frame->function);
        if (frame->file >= 0 && !frame->signal)
            finding_say(f, ":%d", frame->line);
    }
}

enum { EVIDENCE = 8 }; /* steps named for one finding */

static void judge_unsafe(struct trace *trace, long at)
{
    const struct step *step = &trace->steps[at];
    const struct chain *chain = &step->chain;
    int signal = signal_frame(chain);
    int function = signal > 0 ? called_by_handler(chain, signal) : -1;

    if (function == -1 || is_safe(chain->frames[function].function) || interrupts_a_wait(trace, at))
        return;
    const struct frame *where = &chain->frames[function + 1];
    struct finding *f = finding_known(trace, "unsafe-in-handler", where);
    if (f == NULL) {
        f = finding_add(trace, "unsafe-in-handler", step->who, where);
        finding_say(f, "%s is called in a signal handler, which signal-safety(7) does not allow: ",
                    plain(chain->frames[function].function));
        say_chain(f, chain, function, signal);
    }
    if (f->step_count < EVIDENCE)
        finding_step(f, trace, at);
}

/*
 * The function of a handler that returns in step `at`: where its last call stands, because its own
 * frame has gone by now. NULL when it made no call that is a step.
 */
static const struct frame *handler_of(const struct trace *trace, long at)
{
    long from = delivery(trace, at);
    const char *who = trace->steps[at].who;

    while (from != NEVER && --at > from) {
        const struct chain *chain = &trace->steps[at].chain;
        int signal = signal_frame(chain);
        if (strcmp(trace->steps[at].who, who) != 0 || signal <= 0)
            continue;
        return chain->frames[signal - 1].file >= 0 ? &chain->frames[signal - 1] : NULL;
    }
    return NULL;
}

static void judge_errno(struct trace *trace, long at)
{
    const struct step *step = &trace->steps[at];

    if (step->kind != STEP_RETURN || step->errno_to[0] == '\0' || interrupts_a_wait(trace, at))
        return;
    const struct frame *where = handler_of(trace, at);
    if (where == NULL)
        return;
    struct finding *f = finding_known(trace, "errno-changed", where);
    if (f == NULL) {
        f = finding_add(trace, "errno-changed", step->who, where);
        finding_say(f, "the handler %s leaves errno changed: it was %s and is %s", where->function,
                    step->errno_from, step->errno_to);
    }
    if (f->step_count < EVIDENCE)
        finding_step(f, trace, at);
}

void judge_handlers(struct trace *trace, const struct evidence *e)
{
    (void)e;
    for (size_t i = 0; i < trace->step_count; i++) {
        judge_unsafe(trace, (long)i);
        judge_errno(trace, (long)i);
    }
}
