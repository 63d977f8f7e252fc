/* arguments.c - how each kind of argument of a system call is written. */
#include "arguments.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

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

void argument_process(int64_t pid, call_namer *namer, void *data, char *text, size_t size)
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

void argument_text(pid_t tid, struct call *call, const char *spec, int i, call_namer *namer,
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
        argument_process((int)value, namer, data, text, size);
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
