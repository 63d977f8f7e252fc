/*
 * proc.h - what /proc tells about one process, see proc(5).
 *
 * A process can end at any moment while it is looked at. Every function here
 * then returns -1 with errno ENOENT or ESRCH, which callers take for "gone".
 */
#ifndef FORKSCOPE_PROC_H
#define FORKSCOPE_PROC_H

#include "model.h"

struct proc_stat {
    char state; /* R S D T t Z X of proc_pid_stat(5) */
    pid_t parent;
    unsigned long long start; /* clock ticks after boot */
    bool ending; /* it is inside exit(2), its descriptors may not be readable any more */
    unsigned threads;
    unsigned long cpu; /* clock ticks that it has computed, in and out of calls */
    int exit_status;   /* as waitpid(2) would give it; 0 unless proc_is_ours */
};

/* Read /proc/PID/stat. Returns 0, or -1 with errno set. */
int proc_stat(pid_t pid, struct proc_stat *stat);

/* Are we root, or does `pid` run as us? To others the kernel does not tell how it ended. */
bool proc_is_ours(pid_t pid);

struct pid_list {
    pid_t *items;
    size_t count;
};

/*
 * Append the children of every thread of `pid` to `list`.
 * Where the kernel has no /proc/PID/task/TID/children, all of /proc is searched.
 * Returns 0, or -1 with errno set.
 */
int proc_children(pid_t pid, unsigned threads, struct pid_list *list);

/*
 * Which system call `pid` waits in, from /proc/PID/syscall.
 * call: its name, "wait" for the wait family, or empty when it is not told.
 * fd: the descriptor it waits for, or -1. child: the only child that wait4(2) or
 * waitid(2) would take, or -1 for any.
 * Returns 0; 1 when the process runs, so that it waits in none; -1 with errno
 * set (EACCES, EPERM: reading it takes the permission to trace the process).
 */
int proc_call(pid_t pid, char *call, size_t size, int *fd, pid_t *child);

struct proc_descriptor {
    int fd;
    char target[TEXT_SIZE]; /* "socket:[123]", "pipe:[123]", or a path (cut at its front if long) */
    uint64_t inode;         /* of a socket or pipe, else 0 */
    bool readable;
    bool writable;
};

struct proc_descriptor_list {
    struct proc_descriptor *items;
    size_t count;
};

/*
 * Append the open descriptors of `pid` to `list`, in ascending order.
 * skip(fd, data) true leaves one out unread; NULL leaves out none.
 * Returns 0, or -1 with errno set (EACCES: not permitted).
 */
int proc_descriptors(pid_t pid, bool (*skip)(int fd, void *data), void *data,
                     struct proc_descriptor_list *list);

/*
 * A descriptor of our own for the open file description that descriptor `fd` of
 * `pid` refers to: pidfd_getfd(2). Close it soon; until then a close by `pid` is not the last.
 * Returns it, or -1 with errno set (EPERM: not permitted to trace the process).
 */
int proc_borrow(pid_t pid, int fd);

/*
 * Do two descriptors refer to one open file description? kcmp(2) with KCMP_FILE.
 * Returns 1 yes, 0 no, -1 with errno set (EPERM, ENOSYS: it cannot be told).
 */
int proc_same_file(pid_t pid1, int fd1, pid_t pid2, int fd2);

/* Does SIGCHLD wait to be delivered to `pid` (ShdPnd and SigPnd of proc_pid_status(5))? */
bool proc_sigchld_pending(pid_t pid);

/* The signals of a thread, bit n-1 for signal n: proc_pid_status(5). */
struct proc_signals {
    uint64_t pending; /* to it, or to its process */
    uint64_t blocked;
    uint64_t ignored;
    uint64_t caught;
    pid_t group; /* the process that the thread belongs to */
};

/* Read them from /proc/TID/status. Returns 0, or -1 with errno set. */
int proc_signals(pid_t tid, struct proc_signals *signals);

/* Do two processes share one descriptor table (CLONE_FILES)? Returns like proc_same_file. */
int proc_same_table(pid_t pid1, pid_t pid2);

#endif
