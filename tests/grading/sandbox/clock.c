/*
 * clock.c - tell a sleep that a clock may end from one that only an event ends.
 *
 * Who sleeps in waitpid, in accept or in a poll without a time limit stays there until something
 * happens. Who sleeps in sleep may do anything in a second. Rests on proc(5),
 * /proc/PID/task/TID/syscall: the number of the call, and its arguments; and on
 * pidfd_getfd(2), since a socket may have a time limit of its own (socket(7), SO_RCVTIMEO). What
 * another process changes in a socket while somebody sleeps in a call is not seen.
 */
#define _GNU_SOURCE

#include "sandbox.h"

#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
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

/* An option of a socket that is a number; `otherwise` where there is none, as of what is no socket. */
static unsigned long option_of(int fd, int level, int option, unsigned long otherwise)
{
    unsigned long value = 0;
    socklen_t size = sizeof value;

    /* The kernel writes 4 bytes or 8, as many as the option has. */
    if (getsockopt(fd, level, option, &value, &size) == -1)
        return otherwise;
    return size == sizeof(unsigned) ? *(unsigned *)(void *)&value : value;
}

/*
 * Does a clock of the kernel decide when a call on the socket goes on? A client that says nothing may be kept from
 * accept for a while (tcp(7), TCP_DEFER_ACCEPT), and what is sent may leave at a limited rate (SO_MAX_PACING_RATE).
 */
static int has_kernel_clock(int fd)
{
    unsigned long pace = option_of(fd, SOL_SOCKET, SO_MAX_PACING_RATE, ~0UL);

    return option_of(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 0) != 0 || (pace != ~0UL && pace != ~0U);
}

/*
 * Has this descriptor a time limit of the kind `option`, or does a clock of the kernel decide when something comes?
 * Of what is no socket only a terminal may have one (termios(3), VTIME). Yes also when that cannot be seen. The copy
 * that we get is there for a moment only.
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
    struct stat st;
    int known = getsockopt(copy, SOL_SOCKET, option, &limit, &size) == 0;
    int clock = fstat(copy, &st) == -1 || S_ISCHR(st.st_mode) || has_kernel_clock(copy);
    let_go(copy);
    return clock || (known && (limit.tv_sec != 0 || limit.tv_usec != 0));
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

int catches(pid_t pid, int sig)
{
    char path[64], line[256];
    unsigned long long mask = 0;

    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "SigCgt: %llx", &mask) == 1)
            break;
    if (file != NULL)
        fclose(file);
    return (int)(mask >> (sig - 1) & 1);
}

/*
 * May the program set an alarm, which ends any call, or the process? That it has set one cannot be seen. But then
 * the name of the call is among the strings of the program, for the loader (elf(5)). Yes also when the program
 * cannot be read.
 */
static int may_set_alarm(pid_t pid)
{
    /* Whole names, with the zeros around them; a linker may keep alarm as the end of ualarm. */
    static const struct {
        const char *text;
        size_t size;
    } names[] = {{"\0alarm", 7}, {"ualarm", 7}, {"\0setitimer", 11}, {"\0syscall", 9}};
    static struct {
        dev_t device;
        ino_t inode;
        int may;
    } last; /* most are the same program */
    char path[40];
    struct stat st;
    int may = 1;

    snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1 || fstat(fd, &st) == -1 || st.st_size == 0) {
        if (fd != -1)
            close(fd);
        return 1;
    }
    if (last.inode == st.st_ino && last.device == st.st_dev) {
        close(fd);
        return last.may;
    }
    size_t size = (size_t)st.st_size;
    char *text = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (text != MAP_FAILED) {
        may = 0;
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
            may |= memmem(text, size, names[i].text, names[i].size) != NULL;
        munmap(text, size);
    }
    last.device = st.st_dev;
    last.inode = st.st_ino;
    last.may = may;
    return may;
}

/* Is this descriptor a timer that is set? Rests on proc(5), /proc/PID/fdinfo: ticks, it_value. */
static int is_set_timer(pid_t pid, const char *thread, const char *fd)
{
    char path[120], line[256];
    unsigned long long seconds, nanoseconds, times;
    int set = 0;

    snprintf(path, sizeof path, "/proc/%d/task/%.20s/fd/%.20s", (int)pid, thread, fd);
    ssize_t length = readlink(path, line, sizeof line - 1);
    line[length > 0 ? length : 0] = '\0';
    if (strcmp(line, "anon_inode:[timerfd]") != 0)
        return 0;
    snprintf(path, sizeof path, "/proc/%d/task/%.20s/fdinfo/%.20s", (int)pid, thread, fd);
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

/* A timer that is a descriptor, timerfd_create(2), may end a poll that has no limit itself. */
static int has_descriptor_timer(pid_t pid, const char *thread)
{
    char path[80];
    const struct dirent *entry;
    int found = 0;

    /* A thread may have a table of its own (unshare(2), CLONE_FILES). */
    snprintf(path, sizeof path, "/proc/%d/task/%.20s/fd", (int)pid, thread);
    DIR *dir = opendir(path);
    while (dir != NULL && !found && (entry = readdir(dir)) != NULL)
        found = is_set_timer(pid, thread, entry->d_name);
    if (dir != NULL)
        closedir(dir);
    return found;
}

/* One that sends a signal, timer_create(2), may end any call. The file tells of them, where the kernel has it. */
static int has_signal_timer(pid_t pid)
{
    char path[64], line[256];

    snprintf(path, sizeof path, "/proc/%d/timers", (int)pid);
    return read_line(path, line, sizeof line);
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
        all = read_line(path, line, sizeof line) && without_clock(pid, line) &&
              !has_descriptor_timer(pid, entry->d_name);
    }
    closedir(dir);
    return all;
}

/* Does nothing but an event end its sleep? */
static int waits_for_event(const struct member *m)
{
    return m->state == 'Z' || m->state == 'X' ||
           (threads_without_clock(m->pid) && !may_set_alarm(m->pid) && !has_signal_timer(m->pid));
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
