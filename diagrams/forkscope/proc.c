/* proc.c - read /proc/PID/stat, children, syscall and fd; kcmp(2). */
#include "proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- files of /proc that stay open ---- */

/*
 * A trace asks for the same few files of the same few processes in every step. Reading one that is
 * open is one system call instead of four, and never another process's file: once the process has
 * been waited for, the file says ESRCH, though its number be used again.
 */
enum { MOST_KEPT = 64, KEPT_FILES = 4 };

static const char *const kept_names[KEPT_FILES] = {"stat", "status", "syscall", "children"};

enum kept_name { STAT, STATUS, SYSCALL, CHILDREN };

static struct kept {
    pid_t pid; /* 0: an empty place */
    int fd[KEPT_FILES];
} kept[MOST_KEPT];

/* How many places may be used: for no more than a quarter of the descriptors that we may open. */
static size_t places(void)
{
    static size_t count;
    struct rlimit limit;

    if (count == 0) {
        count = MOST_KEPT;
        if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur / 4 < MOST_KEPT * KEPT_FILES)
            count = (size_t)limit.rlim_cur / 4 / KEPT_FILES + 1;
    }
    return count;
}

static struct kept *place_of(pid_t pid)
{
    return &kept[(size_t)pid % places()];
}

static void forget(struct kept *k)
{
    for (size_t i = 0; i < KEPT_FILES && k->pid != 0; i++)
        if (k->fd[i] != -1)
            close(k->fd[i]);
    k->pid = 0;
}

/*
 * The open file /proc/PID/NAME; it stays ours. Returns -1 with errno set.
 * Of a former process with this number "children" is empty: read "stat" first, which tells.
 */
static int kept_file(pid_t pid, enum kept_name name)
{
    char path[96];
    struct kept *k = place_of(pid);

    if (k->pid == pid && k->fd[name] != -1)
        return k->fd[name];
    if (name == CHILDREN)
        snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
    else
        snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, kept_names[name]);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1)
        return -1;
    if (k->pid != pid) {
        forget(k);
        *k = (struct kept){.pid = pid, .fd = {-1, -1, -1, -1}};
    }
    k->fd[name] = fd;
    return fd;
}

/*
 * Read one of these files, which is smaller than `size`; `text` is always terminated.
 * Returns its length, or -1 with errno set.
 */
static ssize_t read_text(pid_t pid, enum kept_name name, char *text, size_t size)
{
    /* Twice: a file that was open may be that of a former process with this number. */
    for (int attempt = 0; attempt < 2; attempt++) {
        int fd = kept_file(pid, name);
        if (fd == -1)
            return -1;
        ssize_t got = pread(fd, text, size - 1, 0);
        if (got > 0) {
            text[got] = '\0';
            return got;
        }
        int saved_errno = got == 0 ? ESRCH : errno;
        forget(place_of(pid));
        errno = saved_errno;
    }
    return -1;
}

/* ---- what they say ---- */

int proc_stat(pid_t pid, struct proc_stat *stat)
{
    char text[1024];

    if (read_text(pid, STAT, text, sizeof text) == -1)
        return -1;
    /* The name in parentheses may itself hold spaces and parentheses: start after the last one. */
    char *at = strrchr(text, ')');
    if (at == NULL || at[1] == '\0') {
        errno = ESRCH;
        return -1;
    }
    at += 2;
    stat->state = *at;
    /* Fields are numbered as in proc_pid_stat(5); the state is field 3. */
    int field = 3;
    for (char *save, *word = strtok_r(at, " ", &save); word != NULL;
         word = strtok_r(NULL, " ", &save), field++) {
        if (field == 4)
            stat->parent = (pid_t)strtol(word, NULL, 10);
        else if (field == 9) /* flags; 4 is PF_EXITING of the kernel's <linux/sched.h> */
            stat->ending = (strtoul(word, NULL, 10) & 4) != 0;
        else if (field == 14)
            stat->cpu = strtoul(word, NULL, 10);
        else if (field == 15)
            stat->cpu += strtoul(word, NULL, 10);
        else if (field == 20)
            stat->threads = (unsigned)strtoul(word, NULL, 10);
        else if (field == 22)
            stat->start = strtoull(word, NULL, 10);
        else if (field == 52)
            stat->exit_status = (int)strtol(word, NULL, 10);
    }
    return 0;
}

bool proc_is_ours(pid_t pid)
{
    char path[64];
    struct stat owner;
    static uid_t user = (uid_t)-1; /* ours, asked for once */

    if (user == (uid_t)-1)
        user = geteuid();
    snprintf(path, sizeof path, "/proc/%d", (int)pid);
    return user == 0 || (stat(path, &owner) == 0 && owner.st_uid == user);
}

static void add_pid(struct pid_list *list, pid_t pid)
{
    list->items = grown(list->items, list->count, sizeof *list->items);
    list->items[list->count++] = pid;
}

/* Append the children that file `fd` lists. Returns 0, or -1 with errno set. */
static int read_children(int fd, struct pid_list *list)
{
    enum { LONGEST = 16 }; /* bytes of one number and its space */
    char text[4096];
    size_t kept_bytes = 0, room;
    off_t offset = 0;
    ssize_t got;

    /* Numbers, each followed by a space; one may be cut in two at the end of a read. */
    do {
        room = sizeof text - 1 - kept_bytes;
        got = pread(fd, text + kept_bytes, room, offset);
        if (got <= 0)
            break;
        offset += got;
        char *at = text, *space;
        text[kept_bytes + (size_t)got] = '\0';
        for (; (space = strchr(at, ' ')) != NULL; at = space + 1)
            add_pid(list, (pid_t)strtol(at, NULL, 10));
        kept_bytes = strlen(at);
        memmove(text, at, kept_bytes);
    } while ((size_t)got + LONGEST > room); /* there was no room for another one */
    return got == -1 ? -1 : 0;
}

/* Append the children of one thread. Returns 0, or -1 with errno set. */
static int thread_children(pid_t pid, pid_t thread, struct pid_list *list)
{
    char path[96];

    if (thread == pid) {
        int own = kept_file(pid, CHILDREN);
        return own == -1 ? -1 : read_children(own, list);
    }
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)thread);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1)
        return -1;
    int result = read_children(fd, list);
    close(fd);
    return result;
}

/* The slow way, for kernels without CONFIG_PROC_CHILDREN. */
static int search_children(pid_t pid, struct pid_list *list)
{
    DIR *proc = opendir("/proc");

    if (proc == NULL)
        return -1;
    for (struct dirent *entry; (entry = readdir(proc)) != NULL;) {
        struct proc_stat stat;
        pid_t child = (pid_t)strtol(entry->d_name, NULL, 10);
        if (child > 0 && proc_stat(child, &stat) == 0 && stat.parent == pid)
            add_pid(list, child);
    }
    closedir(proc);
    return 0;
}

int proc_children(pid_t pid, unsigned threads, struct pid_list *list)
{
    char path[64];

    static int listed = -1; /* does this kernel list children? asked once */
    if (listed == -1)
        listed = access("/proc/thread-self/children", F_OK) == 0;
    if (!listed)
        return search_children(pid, list);
    if (threads <= 1)
        return thread_children(pid, pid, list);
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    if (tasks == NULL)
        return -1;
    for (struct dirent *entry; (entry = readdir(tasks)) != NULL;) {
        pid_t thread = (pid_t)strtol(entry->d_name, NULL, 10);
        /* A thread that has ended meanwhile has no children any more. */
        if (thread > 0)
            (void)thread_children(pid, thread, list);
    }
    closedir(tasks);
    return 0;
}

struct call_name {
    long number;
    const char *name;
    bool takes_fd; /* the first argument is the descriptor waited for */
};

/* The calls a server of this lab, or of a student, may wait in. Others are told by number. */
static const struct call_name call_names[] = {
    {SYS_read, "read", true},
    {SYS_write, "write", true},
    {SYS_accept, "accept", true},
    {SYS_accept4, "accept", true},
    {SYS_connect, "connect", true},
    {SYS_recvfrom, "recv", true},
    {SYS_recvmsg, "recvmsg", true},
    {SYS_sendto, "send", true},
    {SYS_sendmsg, "sendmsg", true},
    {SYS_wait4, "wait", false},
    {SYS_waitid, "wait", false},
    {SYS_ppoll, "poll", false},
    {SYS_pselect6, "select", false},
    {SYS_epoll_pwait, "epoll_wait", true},
    {SYS_futex, "futex", false},
    {SYS_rt_sigsuspend, "sigsuspend", false},
    {SYS_rt_sigtimedwait, "sigwait", false},
    {SYS_nanosleep, "sleep", false},
    {SYS_clock_nanosleep, "sleep", false},
    {SYS_flock, "flock", true},
    {SYS_restart_syscall, "a call it restarted", false}, /* after SIGCONT: sleep, poll, futex */
    {SYS_clone, "vfork", false}, /* only a parent that vfork holds back waits in these */
    {SYS_clone3, "vfork", false},
#ifdef SYS_poll /* aarch64 has only the newer call of each pair */
    {SYS_poll, "poll", false},
    {SYS_select, "select", false},
    {SYS_epoll_wait, "epoll_wait", true},
    {SYS_pause, "pause", false},
    {SYS_vfork, "vfork", false},
#endif
};

int proc_call(pid_t pid, char *call, size_t size, int *fd, pid_t *child)
{
    char text[256];
    long number;
    unsigned long first, second;

    call[0] = '\0';
    *fd = -1;
    *child = -1;
    if (read_text(pid, SYSCALL, text, sizeof text) == -1)
        return -1;
    if (strncmp(text, "running", 7) == 0)
        return 1;
    /* "-1 SP PC" is a process blocked outside any call, as one that is stopped. */
    if (sscanf(text, "%ld %lx %lx", &number, &first, &second) != 3 || number < 0)
        return 0;
    for (size_t i = 0; i < sizeof call_names / sizeof call_names[0]; i++) {
        if (call_names[i].number != number)
            continue;
        snprintf(call, size, "%s", call_names[i].name);
        if (call_names[i].takes_fd)
            *fd = (int)first;
        if (number == SYS_wait4 && (pid_t)first > 0)
            *child = (pid_t)first;
        if (number == SYS_waitid && first == P_PID)
            *child = (pid_t)second;
        return 0;
    }
    snprintf(call, size, "system call %ld", number);
    return 0;
}

static int by_number(const void *a, const void *b)
{
    const struct proc_descriptor *x = a, *y = b;
    return (x->fd > y->fd) - (x->fd < y->fd);
}

int proc_descriptors(pid_t pid, bool (*skip)(int fd, void *data), void *data,
                     struct proc_descriptor_list *list)
{
    char path[64], target[4096];
    size_t first = list->count;

    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *dir = opendir(path);
    if (dir == NULL)
        return -1;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        int fd = (int)strtol(entry->d_name, NULL, 10);
        if (skip != NULL && skip(fd, data))
            continue;
        ssize_t length = readlinkat(dirfd(dir), entry->d_name, target, sizeof target - 1);
        if (length == -1)
            continue; /* closed since the directory was read */
        target[length] = '\0';
        list->items = grown(list->items, list->count, sizeof *list->items);
        struct proc_descriptor *d = &list->items[list->count++];
        d->fd = fd;
        size_t cut = (size_t)length < sizeof d->target ? 0 : (size_t)length - sizeof d->target + 1;
        /* Begin at a letter, not in the midst of one. */
        while (cut > 0 && (target[cut] & 0xc0) == 0x80)
            cut++;
        text_copy(d->target, sizeof d->target, target + cut);
        if (sscanf(target, "socket:[%lu]", &d->inode) != 1 &&
            sscanf(target, "pipe:[%lu]", &d->inode) != 1)
            d->inode = 0;
        /* The link's own permissions tell how the file was opened: proc_pid_fd(5). */
        struct stat link;
        if (strncmp(target, "socket:", 7) != 0 &&
            fstatat(dirfd(dir), entry->d_name, &link, AT_SYMLINK_NOFOLLOW) == 0) {
            d->readable = (link.st_mode & S_IRUSR) != 0;
            d->writable = (link.st_mode & S_IWUSR) != 0;
        }
    }
    closedir(dir);
    if (list->count > first)
        qsort(list->items + first, list->count - first, sizeof *list->items, by_number);
    return 0;
}

int proc_borrow(pid_t pid, int fd)
{
    int process = (int)syscall(SYS_pidfd_open, pid, 0);

    if (process == -1)
        return -1;
    int own = (int)syscall(SYS_pidfd_getfd, process, fd, 0);
    int saved_errno = errno;
    close(process);
    errno = saved_errno;
    return own;
}

int proc_signals(pid_t tid, struct proc_signals *signals)
{
    char text[8192];
    unsigned long long thread, process, blocked, ignored, caught;
    int group;

    memset(signals, 0, sizeof *signals);
    if (read_text(tid, STATUS, text, sizeof text) == -1)
        return -1;
    const char *at = strstr(text, "SigPnd:"), *id = strstr(text, "Tgid:");
    if (at == NULL || id == NULL || sscanf(id, "Tgid: %d", &group) != 1 ||
        sscanf(at, "SigPnd: %llx ShdPnd: %llx SigBlk: %llx SigIgn: %llx SigCgt: %llx", &thread,
               &process, &blocked, &ignored, &caught) != 5) {
        errno = ESRCH;
        return -1;
    }
    signals->pending = thread | process;
    signals->blocked = blocked;
    signals->ignored = ignored;
    signals->caught = caught;
    signals->group = (pid_t)group;
    return 0;
}

bool proc_sigchld_pending(pid_t pid)
{
    struct proc_signals signals;

    return proc_signals(pid, &signals) == 0 && (signals.pending >> (SIGCHLD - 1) & 1) != 0;
}

static int kcmp(pid_t pid1, pid_t pid2, int type, int fd1, int fd2)
{
    long result = syscall(SYS_kcmp, pid1, pid2, type, fd1, fd2);

    return result == -1 ? -1 : result == 0;
}

int proc_same_file(pid_t pid1, int fd1, pid_t pid2, int fd2)
{
    return kcmp(pid1, pid2, KCMP_FILE, fd1, fd2);
}

int proc_same_table(pid_t pid1, pid_t pid2)
{
    return kcmp(pid1, pid2, KCMP_FILES, 0, 0);
}
