/* calls.c - one table of system calls, and how each kind of argument is written. */
#include "calls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
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

void call_signal_name(int signal, char *text, size_t size)
{
    const char *name = sigabbrev_np(signal);

    if (name != NULL)
        snprintf(text, size, "SIG%s", name);
    else
        snprintf(text, size, "signal %d", signal);
}

void call_errno_name(int number, char *text, size_t size)
{
    const char *name = number == 0 ? "0" : strerrorname_np(number);

    if (name != NULL)
        snprintf(text, size, "%s", name);
    else
        snprintf(text, size, "%d", number);
}

/* ---- flags ---- */

struct flag {
    unsigned long value;
    const char *name;
};

static const struct flag open_flags[] = {{O_WRONLY, "O_WRONLY"},  {O_RDWR, "O_RDWR"},
                                         {O_CREAT, "O_CREAT"},    {O_TRUNC, "O_TRUNC"},
                                         {O_APPEND, "O_APPEND"},  {O_NONBLOCK, "O_NONBLOCK"},
                                         {O_CLOEXEC, "O_CLOEXEC"}};
static const struct flag wait_flags[] = {
    {WNOHANG, "WNOHANG"}, {WUNTRACED, "WUNTRACED"}, {WCONTINUED, "WCONTINUED"}};
static const struct flag type_flags[] = {{SOCK_NONBLOCK, "SOCK_NONBLOCK"},
                                         {SOCK_CLOEXEC, "SOCK_CLOEXEC"}};
static const struct flag action_flags[] = {
    {SA_RESTART, "SA_RESTART"}, {SA_NOCLDSTOP, "SA_NOCLDSTOP"}, {SA_NOCLDWAIT, "SA_NOCLDWAIT"},
    {SA_SIGINFO, "SA_SIGINFO"}, {SA_NODEFER, "SA_NODEFER"},     {SA_RESETHAND, "SA_RESETHAND"}};
static const struct flag share_flags[] = {
    {CLONE_FILES, "CLONE_FILES"}, {CLONE_VM, "CLONE_VM"}, {CLONE_NEWPID, "CLONE_NEWPID"}};

#define FLAGS(list) list, sizeof list / sizeof list[0]

/* The names of all flags set in `value`, with | between; "0" when there are none. */
static void flags_text(unsigned long value, const struct flag *flags, size_t count, char *text,
                       size_t size)
{
    size_t length = 0;

    snprintf(text, size, "0");
    for (size_t i = 0; i < count; i++)
        if ((value & flags[i].value) == flags[i].value && length + 1 < size)
            length += (size_t)snprintf(text + length, size - length, "%s%s", length > 0 ? "|" : "",
                                       flags[i].name);
}

/* ---- arguments ---- */

static void address_text(pid_t tid, uint64_t at, uint64_t length, char *text, size_t size)
{
    union {
        struct sockaddr any;
        struct sockaddr_in in4;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    } a;
    char host[INET6_ADDRSTRLEN];

    memset(&a, 0, sizeof a);
    if (length > sizeof a || !event_read(tid, at, &a, length))
        snprintf(text, size, "?");
    else if (a.any.sa_family == AF_INET)
        snprintf(text, size, "%s:%u", inet_ntop(AF_INET, &a.in4.sin_addr, host, sizeof host),
                 (unsigned)ntohs(a.in4.sin_port));
    else if (a.any.sa_family == AF_INET6)
        snprintf(text, size, "[%s]:%u", inet_ntop(AF_INET6, &a.in6.sin6_addr, host, sizeof host),
                 (unsigned)ntohs(a.in6.sin6_port));
    else if (a.any.sa_family == AF_UNIX && a.un.sun_path[0] != '\0')
        text_copy(text, size, a.un.sun_path);
    else
        snprintf(text, size, "?");
}

static void process_text(int64_t pid, call_namer *namer, void *data, char *text, size_t size)
{
    /* A negative number means a process group, led by that process. */
    pid_t of = (pid_t)(pid < -1 ? -pid : pid);
    const char *name = of > 0 ? namer(data, of) : NULL;

    if (name != NULL)
        snprintf(text, size, "%s%s", pid < -1 ? "-" : "", name);
    else if (of > 1)
        snprintf(text, size, "another process");
    else
        snprintf(text, size, "%d", (int)pid);
}

static void family_text(uint64_t family, char *text, size_t size)
{
    if (family == AF_INET || family == AF_INET6 || family == AF_UNIX)
        snprintf(text, size, "%s",
                 family == AF_INET    ? "AF_INET"
                 : family == AF_INET6 ? "AF_INET6"
                                      : "AF_UNIX");
    else
        snprintf(text, size, "%d", (int)family);
}

static void type_text(uint64_t value, bool flags_only, char *text, size_t size)
{
    char flags[64];
    unsigned long type = value & 15;

    flags_text(value, FLAGS(type_flags), flags, sizeof flags);
    if (flags_only)
        snprintf(text, size, "%s", flags);
    else
        snprintf(text, size, "%s%s%s",
                 type == SOCK_STREAM  ? "SOCK_STREAM"
                 : type == SOCK_DGRAM ? "SOCK_DGRAM"
                                      : "another type",
                 flags[0] != '0' ? "|" : "", flags[0] != '0' ? flags : "");
}

/* "F_SETFD, FD_CLOEXEC"; the others change nothing that a picture shows. */
static void fcntl_text(struct call *call, char *text, size_t size)
{
    int value = (int)call->args[2];

    call->class = CALL_SHOWN;
    switch (call->args[1]) {
    case F_DUPFD:
        snprintf(text, size, "F_DUPFD, %d", value);
        return;
    case F_DUPFD_CLOEXEC:
        snprintf(text, size, "F_DUPFD_CLOEXEC, %d", value);
        return;
    case F_SETFD:
        snprintf(text, size, "F_SETFD, %s", value & FD_CLOEXEC ? "FD_CLOEXEC" : "0");
        return;
    case F_SETFL:
        snprintf(text, size, "F_SETFL, %s", value & O_NONBLOCK ? "O_NONBLOCK" : "0");
        return;
    }
    call->class = CALL_QUIET;
    snprintf(text, size, "...");
}

/* The signal, and what is to be done: the name of a handler is put in by act.c, which knows it. */
static void action_text(pid_t tid, struct call *call, char *text, size_t size)
{
    struct {
        uint64_t handler;
        uint64_t flags;
    } act;
    char name[32], flags[96];

    call_signal_name((int)call->args[0], name, sizeof name);
    if (call->args[1] == 0) {
        call->class = CALL_QUIET; /* it only asks */
        snprintf(text, size, "%s", name);
        return;
    }
    if (!event_read(tid, call->args[1], &act, sizeof act))
        memset(&act, 0, sizeof act);
    flags_text(act.flags, FLAGS(action_flags), flags, sizeof flags);
    snprintf(text, size, "%s, %s, %s", name,
             act.handler == 0   ? "SIG_DFL"
             : act.handler == 1 ? "SIG_IGN"
                                : "%",
             flags);
}

/* fork, vfork or a thread: what the flags say. */
static void clone_text(pid_t tid, struct call *call, char *text, size_t size)
{
    uint64_t flags = call->args[0];

    if (call->number == SYS_clone3 && !event_read(tid, call->args[0], &flags, sizeof flags))
        flags = 0;
    if (flags & CLONE_THREAD)
        strcpy(call->name, "pthread_create");
    else if (flags & CLONE_VFORK)
        strcpy(call->name, "vfork");
    else if (flags & (CLONE_VM | CLONE_FILES))
        strcpy(call->name, "clone");
    text[0] = '\0';
    if (strcmp(call->name, "clone") == 0)
        flags_text(flags, FLAGS(share_flags), text, size);
}

static void argument_text(pid_t tid, struct call *call, const char *spec, int i, call_namer *namer,
                          void *data, char *text, size_t size)
{
    uint64_t value = call->args[i];
    const char *how[] = {"SHUT_RD", "SHUT_WR", "SHUT_RDWR"};

    text[0] = '\0';
    switch (spec[i]) {
    case 'd':
    case 'i':
        snprintf(text, size, "%d", (int)value);
        return;
    case 'u':
        if ((unsigned)value == ~0U)
            snprintf(text, size, "~0");
        else
            snprintf(text, size, "%u", (unsigned)value);
        return;
    case 'n':
        snprintf(text, size, "%llu bytes", (unsigned long long)value);
        return;
    case 's':
        if (!event_read_text(tid, value, text, size))
            snprintf(text, size, "?");
        return;
    case 'A':
        address_text(tid, value, call->args[i + 1], text, size);
        return;
    case 'F':
        family_text(value, text, size);
        return;
    case 'T':
        type_text(value, i == 3, text, size);
        return;
    case 'f':
        flags_text(value & ~(uint64_t)(value & O_RDWR ? O_WRONLY : 0), FLAGS(open_flags), text,
                   size);
        if (strcmp(text, "0") == 0)
            snprintf(text, size, "%s", call->class == CALL_FILE ? "O_RDONLY" : "");
        return;
    case 'p':
        process_text((int)value, namer, data, text, size);
        return;
    case 'S':
        call_signal_name((int)value, text, size);
        return;
    case 'W':
        flags_text(value, FLAGS(wait_flags), text, size);
        return;
    case 'H':
        snprintf(text, size, "%s", value < 3 ? how[value] : "?");
        return;
    case 'C':
        fcntl_text(call, text, size);
        return;
    case 'a':
        action_text(tid, call, text, size);
        return;
    case 'c':
        clone_text(tid, call, text, size);
        return;
    case 'x':
        flags_text(value, FLAGS(share_flags), text, size);
        return;
    }
}

/* ---- how long ---- */

static int64_t timespec_ns(pid_t tid, uint64_t at)
{
    struct timespec ts;

    if (at == 0 || !event_read(tid, at, &ts, sizeof ts))
        return -1;
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

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
        return timespec_ns(tid, a[4]) >= 0 ? timespec_ns(tid, a[4]) : -1;
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
    char whole[256];
    snprintf(whole, sizeof whole, "%s(%s)", call->name, arguments);
    text_copy(call->text, sizeof call->text, whole);
}

/* "C1", and for a wait also that the child is only stopped. */
static void child_text(pid_t tid, const struct call *call, int64_t result, call_namer *namer,
                       void *data, char *text, size_t size)
{
    int status = 0;
    char name[40];

    process_text(result, namer, data, name, sizeof name);
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
    } else if (result > 0 &&
               (call->creates || call->number == SYS_wait4 || call->number == SYS_setsid)) {
        child_text(tid, call, result, namer, data, text, size);
    } else {
        snprintf(text, size, "%lld", (long long)result);
    }
}

bool call_found_nothing(const struct call *call, int64_t result)
{
    if (result == -EAGAIN)
        return true;
    return result == 0 &&
           (call->number == SYS_wait4 || (call->timeout == 0 && call->class == CALL_QUIET));
}
