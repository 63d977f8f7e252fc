/* calls.c - one table of system calls. */
#include "arguments.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

/*
 * spec: one letter an argument. d a descriptor, i a number, u an unsigned number, s a text,
 * A an address and its length, F a family, T a socket type, f flags of open, p a process,
 * S a signal, W options of waitpid, H how to shut down, C a command of fcntl, a sigaction,
 * t milliseconds, c flags of clone, x flags of unshare, - not told.
 */
static const struct known_call {
    long number;
    const char *name;
    const char *spec;
    enum call_class class;
} known_calls[] = {
    {SYS_socket, "socket", "FT", CALL_SHOWN},
    {SYS_bind, "bind", "dA", CALL_SHOWN},
    {SYS_listen, "listen", "di", CALL_SHOWN},
    {SYS_accept, "accept", "d", CALL_SHOWN},
    {SYS_accept4, "accept4", "d--T", CALL_SHOWN},
    {SYS_connect, "connect", "dA", CALL_SHOWN},
    {SYS_socketpair, "socketpair", "FT", CALL_SHOWN},
    {SYS_shutdown, "shutdown", "dH", CALL_SHOWN},
    {SYS_pipe2, "pipe", "-f", CALL_SHOWN},
    {SYS_dup, "dup", "d", CALL_SHOWN},
    {SYS_dup3, "dup2", "ddf", CALL_SHOWN},
    {SYS_fcntl, "fcntl", "dC", CALL_QUIET},
    {SYS_openat, "open", "-sf", CALL_FILE},
    {SYS_close, "close", "d", CALL_FILE},
    {SYS_close_range, "close_range", "uu", CALL_SHOWN},
    {SYS_epoll_create1, "epoll_create", "-", CALL_SHOWN},
    {SYS_eventfd2, "eventfd", "u", CALL_SHOWN},
    {SYS_signalfd4, "signalfd", "i", CALL_SHOWN},
    {SYS_timerfd_create, "timerfd_create", "-", CALL_SHOWN},
    {SYS_pidfd_open, "pidfd_open", "p", CALL_SHOWN},
    {SYS_inotify_init1, "inotify_init", "-", CALL_SHOWN},
    {SYS_memfd_create, "memfd_create", "s", CALL_SHOWN},
    {SYS_clone, "fork", "c", CALL_SHOWN},
    {SYS_clone3, "fork", "c", CALL_SHOWN},
    {SYS_execve, "execve", "s", CALL_SHOWN},
    {SYS_execveat, "execve", "-s", CALL_SHOWN},
    {SYS_exit, "pthread_exit", "", CALL_SHOWN},
    {SYS_exit_group, "exit", "i", CALL_SHOWN},
    {SYS_wait4, "waitpid", "p-W", CALL_SHOWN},
    {SYS_waitid, "waitid", "", CALL_SHOWN},
    {SYS_kill, "kill", "pS", CALL_SHOWN},
    {SYS_tkill, "tkill", "pS", CALL_SHOWN},
    {SYS_tgkill, "kill", "p-S", CALL_SHOWN},
    {SYS_rt_sigaction, "sigaction", "a", CALL_FILE},
    {SYS_setsid, "setsid", "", CALL_SHOWN},
    {SYS_setpgid, "setpgid", "pp", CALL_SHOWN},
    {SYS_unshare, "unshare", "x", CALL_SHOWN},
    {SYS_read, "read", "d", CALL_DATA},
    {SYS_readv, "readv", "d", CALL_DATA},
    {SYS_recvfrom, "recv", "d", CALL_DATA},
    {SYS_recvmsg, "recvmsg", "d", CALL_DATA},
    {SYS_write, "write", "d-n", CALL_DATA},
    {SYS_writev, "writev", "d", CALL_DATA},
    {SYS_sendto, "send", "d-n", CALL_DATA},
    {SYS_sendmsg, "sendmsg", "d", CALL_DATA},
    {SYS_sendfile, "sendfile", "dd", CALL_DATA},
    {SYS_splice, "splice", "d-d", CALL_DATA},
    {SYS_nanosleep, "sleep", "", CALL_QUIET},
    {SYS_clock_nanosleep, "sleep", "", CALL_QUIET},
    {SYS_ppoll, "poll", "", CALL_QUIET},
    {SYS_pselect6, "select", "i", CALL_QUIET},
    {SYS_epoll_pwait, "epoll_wait", "d", CALL_QUIET},
    {SYS_futex, "futex", "", CALL_QUIET},
    {SYS_rt_sigsuspend, "sigsuspend", "", CALL_QUIET},
    {SYS_rt_sigtimedwait, "sigwait", "", CALL_QUIET},
    {SYS_flock, "flock", "d", CALL_QUIET},
#ifdef SYS_fork /* aarch64 has only the newer call of each pair */
    {SYS_fork, "fork", "", CALL_SHOWN},
    {SYS_vfork, "vfork", "", CALL_SHOWN},
    {SYS_pipe, "pipe", "", CALL_SHOWN},
    {SYS_dup2, "dup2", "dd", CALL_SHOWN},
    {SYS_open, "open", "sf", CALL_FILE},
    {SYS_creat, "creat", "s", CALL_FILE},
    {SYS_epoll_create, "epoll_create", "", CALL_SHOWN},
    {SYS_eventfd, "eventfd", "u", CALL_SHOWN},
    {SYS_signalfd, "signalfd", "i", CALL_SHOWN},
    {SYS_inotify_init, "inotify_init", "", CALL_SHOWN},
    {SYS_poll, "poll", "", CALL_QUIET},
    {SYS_select, "select", "i", CALL_QUIET},
    {SYS_epoll_wait, "epoll_wait", "d", CALL_QUIET},
    {SYS_pause, "pause", "", CALL_QUIET},
#endif
};

static const struct known_call *find_call(long number)
{
    for (size_t i = 0; i < sizeof known_calls / sizeof known_calls[0]; i++)
        if (known_calls[i].number == number)
            return &known_calls[i];
    return NULL;
}

/* ---- how long ---- */

static int64_t timespec_ns(pid_t tid, uint64_t at)
{
    struct timespec ts;

    if (at == 0 || !event_read(tid, at, &ts, sizeof ts))
        return -1;
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

#ifdef SYS_select
static int64_t timeval_ns(pid_t tid, uint64_t at)
{
    struct timeval tv;

    if (at == 0 || !event_read(tid, at, &tv, sizeof tv))
        return -1;
    return (int64_t)tv.tv_sec * 1000000000 + (int64_t)tv.tv_usec * 1000;
}
#endif

static int64_t timeout_of(pid_t tid, const struct call *call)
{
    const uint64_t *a = call->args;
    int64_t ns;

    switch (call->number) {
    case SYS_nanosleep:
        return timespec_ns(tid, a[0]);
    case SYS_clock_nanosleep:
        ns = timespec_ns(tid, a[2]);
        if (ns >= 0 && a[1] == TIMER_ABSTIME) {
            struct timespec now;
            clock_gettime((clockid_t)a[0], &now);
            ns -= (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
        }
        return ns < 0 ? 0 : ns;
    case SYS_ppoll:
        return timespec_ns(tid, a[2]);
    case SYS_pselect6:
        return timespec_ns(tid, a[4]);
    case SYS_rt_sigtimedwait:
        return timespec_ns(tid, a[2]);
    case SYS_futex:
        return (a[1] & 127) == 0 ? timespec_ns(tid, a[3]) : -1; /* FUTEX_WAIT */
    case SYS_epoll_pwait:
        return (int)a[3] < 0 ? -1 : (int64_t)(int)a[3] * 1000000;
#ifdef SYS_poll
    case SYS_poll:
        return (int)a[2] < 0 ? -1 : (int64_t)(int)a[2] * 1000000;
    case SYS_epoll_wait:
        return (int)a[3] < 0 ? -1 : (int64_t)(int)a[3] * 1000000;
    case SYS_select:
        return timeval_ns(tid, a[4]);
#endif
    }
    return -1;
}

/* ---- a call ---- */

void call_enter(pid_t tid, const struct event *entry, call_namer *namer, void *data,
                struct call *call)
{
    const struct known_call *known = find_call(entry->number);
    char arguments[200] = "";
    size_t length = 0;

    memset(call, 0, sizeof *call);
    call->number = entry->number;
    memcpy(call->args, entry->args, sizeof call->args);
    call->fd = -1;
    call->timeout = timeout_of(tid, call);
    if (known == NULL) {
        snprintf(call->name, sizeof call->name, "call %ld", call->number);
        snprintf(call->text, sizeof call->text, "system call %ld", call->number);
        return;
    }
    snprintf(call->name, sizeof call->name, "%s", known->name);
    call->class = known->class;
    call->partial = known->class == CALL_DATA && known->number != SYS_read &&
                    known->number != SYS_readv && known->number != SYS_recvfrom &&
                    known->number != SYS_recvmsg;
    call->waits = known->number == SYS_wait4 || known->number == SYS_waitid;
    if (known->spec[0] == 'd')
        call->fd = (int)call->args[0];
    for (int i = 0; known->spec[i] != '\0'; i++) {
        char text[120];
        argument_text(tid, call, known->spec, i, namer, data, text, sizeof text);
        /* Flags that are not there, and what is not told, leave no gap. */
        if (text[0] == '\0' ||
            (strchr("fWT", known->spec[i]) != NULL && i > 0 && strcmp(text, "0") == 0))
            continue;
        length += (size_t)snprintf(arguments + length, sizeof arguments - length, "%s%s",
                                   length > 0 ? ", " : "", text);
        if (length >= sizeof arguments)
            length = sizeof arguments - 1;
    }
    call->creates = strcmp(call->name, "fork") == 0 || strcmp(call->name, "vfork") == 0 ||
                    strcmp(call->name, "clone") == 0 || strcmp(call->name, "pthread_create") == 0;
    /* How long exactly may hang on the clock, and would differ from run to run. */
    if (call->class == CALL_QUIET && call->timeout > 0)
        snprintf(arguments + length, sizeof arguments - length, "%sfor a time",
                 length > 0 ? ", " : "");
    char whole[256];
    snprintf(whole, sizeof whole, "%s(%s)", call->name, arguments);
    text_copy(call->text, sizeof call->text, whole);
}

/* waitid(2) returns 0, and says in *args[2] for whom; nobody, with WNOHANG. */
static void waited_text(pid_t tid, const struct call *call, call_namer *namer, void *data,
                        char *text, size_t size)
{
    siginfo_t info;
    char name[40];

    snprintf(text, size, "0");
    if (call->args[2] == 0 || !event_read(tid, call->args[2], &info, sizeof info) ||
        info.si_pid == 0)
        return;
    argument_process(info.si_pid, namer, data, name, sizeof name);
    snprintf(text, size, "%s%s", name,
             info.si_code == CLD_STOPPED     ? ", stopped"
             : info.si_code == CLD_CONTINUED ? ", continued"
             : call->args[3] & WNOWAIT       ? ", not reaped"
                                             : "");
}

/* "C1", and for a wait also that the child is only stopped. */
static void child_text(pid_t tid, const struct call *call, int64_t result, call_namer *namer,
                       void *data, char *text, size_t size)
{
    int status = 0;
    char name[40];

    if (call->number == SYS_waitid) {
        waited_text(tid, call, namer, data, text, size);
        return;
    }
    argument_process(result, namer, data, name, sizeof name);
    if (call->number == SYS_wait4 && call->args[1] != 0)
        (void)event_read(tid, call->args[1], &status, sizeof status);
    snprintf(text, size, "%s%s", name,
             WIFSTOPPED(status)                                  ? ", stopped"
             : call->number == SYS_wait4 && WIFCONTINUED(status) ? ", continued"
                                                                 : "");
}

void call_result(pid_t tid, const struct call *call, int64_t result, call_namer *namer, void *data,
                 char *text, size_t size)
{
    int pair[2];
    char name[32];
    uint64_t at = call->number == SYS_socketpair ? call->args[3] : call->args[0];

    if (result < 0) {
        call_errno_name((int)-result, name, sizeof name);
        snprintf(text, size, "-1 %s", name);
    } else if ((strcmp(call->name, "pipe") == 0 || call->number == SYS_socketpair) &&
               event_read(tid, at, pair, sizeof pair)) {
        snprintf(text, size, "%d, %d", pair[0], pair[1]);
    } else if (strcmp(call->name, "pthread_create") == 0) {
        snprintf(text, size, "0");
    } else if (call->number == SYS_waitid ||
               (result > 0 &&
                (call->creates || call->number == SYS_wait4 || call->number == SYS_setsid))) {
        child_text(tid, call, result, namer, data, text, size);
    } else {
        snprintf(text, size, "%lld", (long long)result);
    }
}

bool call_executes(const struct call *call)
{
    return call->number == SYS_execve || call->number == SYS_execveat;
}

bool call_found_nothing(const struct call *call, int64_t result)
{
    if (result == -EAGAIN)
        return true;
    return result == 0 &&
           (call->number == SYS_wait4 || (call->timeout == 0 && call->class == CALL_QUIET));
}
