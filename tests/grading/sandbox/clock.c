/*
 * clock.c - tell a sleep that a clock may end from one that only an event ends.
 *
 * Who sleeps in waitpid, in accept or in a poll without a time limit stays there until something
 * happens. Who sleeps in sleep may do anything in a second. Rests on proc(5),
 * /proc/PID/task/TID/syscall: the number of the call, and its arguments; and on
 * pidfd_getfd(2), since a socket may have a time limit of its own (socket(7), SO_RCVTIMEO), and
 * process_vm_readv(2), for the set of sigwait. What another process changes in a socket while
 * somebody sleeps in a call is not seen.
 */
#define _GNU_SOURCE

#include "sandbox.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

/* A sleep that a clock ends is watched for so many rounds, or for so long. */
enum { ROUNDS = 3, WINDOW_MS = 2500 };

enum { BY_SOCKET = -2, NEVER = -1, NULL_MEANS_EVER = 0, MINUS_ONE_MEANS_EVER = 1 };

/* Calls that sleep, and what limits the time. */
static const struct {
    long call;
    int argument; /* which one does; NEVER: none; BY_SOCKET: an option of the socket that is argument 0 */
    int detail; /* what stands there when nothing does; BY_SOCKET: the option */
} calls[] = {
    {SYS_wait4, NEVER, 0},
    {SYS_waitid, NEVER, 0},
    {SYS_accept, BY_SOCKET, SO_RCVTIMEO},
    {SYS_accept4, BY_SOCKET, SO_RCVTIMEO},
    {SYS_read, BY_SOCKET, SO_RCVTIMEO},
    {SYS_readv, BY_SOCKET, SO_RCVTIMEO},
    {SYS_recvfrom, BY_SOCKET, SO_RCVTIMEO},
    {SYS_recvmsg, BY_SOCKET, SO_RCVTIMEO},
    {SYS_write, BY_SOCKET, SO_SNDTIMEO},
    {SYS_writev, BY_SOCKET, SO_SNDTIMEO},
    {SYS_sendto, BY_SOCKET, SO_SNDTIMEO},
    {SYS_sendmsg, BY_SOCKET, SO_SNDTIMEO},
    {SYS_rt_sigsuspend, NEVER, 0},
    {SYS_rt_sigtimedwait, 2, NULL_MEANS_EVER},
    {SYS_ppoll, 2, NULL_MEANS_EVER},
    {SYS_pselect6, 4, NULL_MEANS_EVER},
    {SYS_epoll_pwait, 3, MINUS_ONE_MEANS_EVER},
    {SYS_futex, 3, NULL_MEANS_EVER},
#ifdef SYS_pause /* what only older architectures have */
    {SYS_pause, NEVER, 0},
#endif
#ifdef SYS_poll
    {SYS_poll, 2, MINUS_ONE_MEANS_EVER},
#endif
#ifdef SYS_select
    {SYS_select, 4, NULL_MEANS_EVER},
#endif
#ifdef SYS_epoll_wait
    {SYS_epoll_wait, 3, MINUS_ONE_MEANS_EVER},
#endif
};

static void wake(int sig)
{
    (void)sig;
}

/*
 * Close our copy of a stranger's socket. Should it be the last one by now, a close may linger for as long as
 * he likes (socket(7), SO_LINGER): a signal ends that, and the socket is closed all the same.
 */
static void let_go(int copy)
{
    const struct sigaction act = {.sa_handler = wake}; /* without SA_RESTART */
    const struct itimerval second = {.it_value = {.tv_sec = 1}, .it_interval = {.tv_sec = 1}};
    const struct itimerval never = {.it_value = {.tv_sec = 0}};

    sigaction(SIGALRM, &act, NULL);
    setitimer(ITIMER_REAL, &second, NULL);
    close(copy);
    setitimer(ITIMER_REAL, &never, NULL);
}

/*
 * Has this descriptor a time limit of the kind `option`? One that is no socket has none. Yes also when that
 * cannot be seen. The copy that we get is there for a moment only.
 */
static int has_time_limit(pid_t pid, int fd, int option)
{
    struct timeval limit = {.tv_sec = 0};
    socklen_t size = sizeof limit;
    int process = (int)syscall(SYS_pidfd_open, pid, 0);
    int copy = process == -1 ? -1 : (int)syscall(SYS_pidfd_getfd, process, fd, 0);

    if (process != -1)
        close(process);
    if (copy == -1)
        return 1;
    int known = getsockopt(copy, SOL_SOCKET, option, &limit, &size) == 0;
    let_go(copy);
    return known && (limit.tv_sec != 0 || limit.tv_usec != 0);
}

/*
 * Does sigtimedwait(2) wait for SIGALRM, too? Meanwhile the kernel shows it as neither caught nor blocked. Yes
 * also when the set cannot be read, process_vm_readv(2).
 */
static int takes_alarm(pid_t pid, unsigned long set)
{
    unsigned long long mask = 0; /* of the kernel, for 64 signals */
    const struct iovec ours = {.iov_base = &mask, .iov_len = sizeof mask};
    const struct iovec theirs = {.iov_base = (void *)set, .iov_len = sizeof mask};

    return process_vm_readv(pid, &ours, 1, &theirs, 1, 0) != (ssize_t)sizeof mask ||
           (mask >> (SIGALRM - 1) & 1) != 0;
}

/* One line of proc(5). What is not in the list, such as nanosleep, or cannot be read is no. */
static int without_clock(pid_t pid, const char *line)
{
    unsigned long argument[6];
    long call;

    if (sscanf(line, "%ld %lx %lx %lx %lx %lx %lx", &call, &argument[0], &argument[1], &argument[2],
               &argument[3], &argument[4], &argument[5]) != 7)
        return 0;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        if (calls[i].call != call)
            continue;
        if (calls[i].argument == NEVER)
            return 1;
        if (calls[i].argument == BY_SOCKET)
            return !has_time_limit(pid, (int)argument[0], calls[i].detail);
        if (call == SYS_rt_sigtimedwait && takes_alarm(pid, argument[0]))
            return 0;
        unsigned long value = argument[calls[i].argument];
        return calls[i].detail == NULL_MEANS_EVER ? value == 0 : (int)value == -1;
    }
    return 0;
}

static int read_line(const char *path, char *line, size_t size)
{
    FILE *file = fopen(path, "re");
    int got = file != NULL && fgets(line, (int)size, file) != NULL;

    if (file != NULL)
        fclose(file);
    return got;
}

/* One of the masks of signals of a process, such as "SigCgt:"; 0: none, or it cannot be read. */
static unsigned long long signals_of(pid_t pid, const char *field)
{
    char path[64], line[256];
    unsigned long long mask = 0;

    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, field, strlen(field)) == 0)
            mask = strtoull(line + strlen(field), NULL, 16);
    if (file != NULL)
        fclose(file);
    return mask;
}

int catches(pid_t pid, int sig)
{
    return (int)(signals_of(pid, "SigCgt:") >> (sig - 1) & 1);
}

/*
 * An alarm may end any call, if it is waited for: by a handler or, blocked, by a signalfd. For sigwait see
 * takes_alarm. One that nobody waits for ends the process: that it is set cannot be seen.
 */
static int has_alarm(pid_t pid)
{
    return (int)((signals_of(pid, "SigCgt:") | signals_of(pid, "SigBlk:")) >> (SIGALRM - 1) & 1);
}

/* Is this descriptor a timer that is set? Rests on proc(5), /proc/PID/fdinfo: ticks, it_value. */
static int is_set_timer(pid_t pid, const char *fd)
{
    char path[64], line[256];
    unsigned long long seconds, nanoseconds, times;
    int set = 0;

    snprintf(path, sizeof path, "/proc/%d/fd/%.20s", (int)pid, fd);
    ssize_t length = readlink(path, line, sizeof line - 1);
    line[length > 0 ? length : 0] = '\0';
    if (strcmp(line, "anon_inode:[timerfd]") != 0)
        return 0;
    snprintf(path, sizeof path, "/proc/%d/fdinfo/%.20s", (int)pid, fd);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "it_value: (%llu, %llu)", &seconds, &nanoseconds) == 2)
            set |= seconds != 0 || nanoseconds != 0;
        else if (sscanf(line, "ticks: %llu", &times) == 1) /* it has ended, which nobody has read */
            set |= times != 0;
    if (file != NULL)
        fclose(file);
    return set;
}

/*
 * A timer that is a descriptor, timerfd_create(2), may end a poll that has no limit itself, and one that sends a
 * signal, timer_create(2), any call. Of these /proc/PID/timers tells, where the kernel has it.
 */
static int has_timer(pid_t pid)
{
    char path[64], line[256];
    const struct dirent *entry;

    snprintf(path, sizeof path, "/proc/%d/timers", (int)pid);
    int found = read_line(path, line, sizeof line);
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *dir = opendir(path);
    while (dir != NULL && !found && (entry = readdir(dir)) != NULL)
        found = is_set_timer(pid, entry->d_name);
    if (dir != NULL)
        closedir(dir);
    return found;
}

static int threads_without_clock(pid_t pid)
{
    char path[300], line[256];
    const struct dirent *entry;
    int all = 1;

    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *dir = opendir(path);
    if (dir == NULL)
        return 0;
    while (all && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/proc/%d/task/%.20s/syscall", (int)pid, entry->d_name);
        all = read_line(path, line, sizeof line) && without_clock(pid, line);
    }
    closedir(dir);
    return all;
}

/* Does nothing but an event end its sleep? */
static int waits_for_event(const struct member *m)
{
    return m->state == 'Z' || m->state == 'X' ||
           (threads_without_clock(m->pid) && !has_alarm(m->pid) && !has_timer(m->pid));
}

int clock_none(const struct census *census)
{
    for (size_t i = 0; i < census->count; i++)
        if (!waits_for_event(&census->member[i]))
            return 0;
    return 1;
}

/* Has the process gone to sleep ROUNDS times since it was first looked at? */
static int went_round(struct idle *rounds, const struct member *m)
{
    size_t i = 0;

    while (i < rounds->count && rounds->member[i].pid != m->pid)
        i++;
    if (i == sizeof rounds->member / sizeof rounds->member[0])
        return 0;
    unsigned long sleeps = sleeps_of(m->pid);
    if (i == rounds->count) {
        rounds->count++;
        rounds->member[i].pid = m->pid;
        rounds->member[i].sleeps = sleeps;
    }
    /* Of several threads one may go round for another. */
    return m->threads == 1 && sleeps >= rounds->member[i].sleeps + ROUNDS;
}

int clock_look(struct idle *rounds, const struct census *census, long ms)
{
    int all = 1;

    for (size_t i = 0; i < census->count; i++) {
        const struct member *m = &census->member[i];
        int asleep = m->state != 'R' && m->state != 'D';
        int round = went_round(rounds, m);
        all = all && asleep && (round || ms >= WINDOW_MS || waits_for_event(m));
    }
    return all;
}
