/* snapshot.c - put together what /proc, kcmp(2) and sock_diag(7) tell. */
#include "snapshot.h"
#include "proc.h"
#include "sockets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

/* ---- processes ---- */

static enum process_state state_of(char letter)
{
    switch (letter) {
    case 'R':
        return PROCESS_RUNNING;
    case 'T':
    case 't':
        return PROCESS_STOPPED;
    case 'Z':
    case 'X':
        return PROCESS_ZOMBIE;
    default:
        return PROCESS_BLOCKED;
    }
}

static void describe_exit(int status, char *text, size_t size)
{
    if (WIFSIGNALED(status))
        snprintf(text, size, "signal %d", WTERMSIG(status));
    else
        snprintf(text, size, "exit %d", WEXITSTATUS(status));
}

/*
 * Born within one clock tick, the lower number is the elder's; unless the numbers have reached their
 * end in between and begun again (/proc/sys/kernel/pid_max, 32,768 or more), which so many show.
 */
static int by_birth(const void *a, const void *b)
{
    enum { MOST_IN_A_TICK = 16384 };
    const struct process *x = a, *y = b;

    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    int order = (x->pid > y->pid) - (x->pid < y->pid);
    return x->pid - y->pid > MOST_IN_A_TICK || y->pid - x->pid > MOST_IN_A_TICK ? -order : order;
}

/* Append `pid`, unless it has ended and been waited for since its parent named it. */
static void add_process(struct snapshot *out, pid_t pid)
{
    struct proc_stat stat = {0};

    if (proc_stat(pid, &stat) == -1)
        return;
    out->processes = grown(out->processes, out->process_count, sizeof *out->processes);
    struct process *p = &out->processes[out->process_count++];
    p->pid = pid;
    p->parent_pid = stat.parent;
    p->start = stat.start;
    p->threads = stat.threads;
    p->shares = -1;
    p->call_fd = -1;
    p->state = state_of(stat.state);
    /* Its first thread has ended and others go on: no zombie. Its descriptors are not read. */
    if (p->state == PROCESS_ZOMBIE && stat.threads > 1) {
        p->state = PROCESS_BLOCKED;
        p->hidden = true;
        return;
    }
    if (p->state == PROCESS_ZOMBIE && proc_is_ours(pid))
        describe_exit(stat.exit_status, p->doing, sizeof p->doing);
    if (p->state == PROCESS_STOPPED && proc_sigchld_pending(pid))
        snprintf(p->doing, sizeof p->doing, "SIGCHLD pending");
    if (p->state != PROCESS_BLOCKED)
        return;
    /*
     * "Blocked" is believed only when the call is not running: it may just be waking. And
     * an uninterruptible wait (D) is one for the disk, which ends by itself, unless the
     * process is held back by vfork.
     */
    if (proc_call(pid, p->call, sizeof p->call, &p->call_fd, &p->call_child) == 1 ||
        (stat.state == 'D' && strcmp(p->call, "vfork") != 0))
        p->state = PROCESS_RUNNING;
    else if (p->call_fd >= 0)
        snprintf(p->doing, sizeof p->doing, "%s(%d)", p->call, p->call_fd);
    else
        snprintf(p->doing, sizeof p->doing, "%s", p->call);
}

/* All processes of the tree: the first root, then the others in order of birth. */
static void find_processes(struct snapshot *out, const struct scope *scope)
{
    struct pid_list children = {0};

    for (size_t i = 0; i < scope->root_count; i++)
        add_process(out, scope->roots[i]);
    /* Breadth first: the list grows while it is walked. */
    for (size_t i = 0; i < out->process_count; i++) {
        const struct process *p = &out->processes[i];
        children.count = 0;
        if (p->state == PROCESS_ZOMBIE || proc_children(p->pid, p->threads, &children) == -1)
            continue;
        for (size_t c = 0; c < children.count; c++)
            add_process(out, children.items[c]);
    }
    free(children.items);
    size_t sorted = scope->orphans ? 0 : 1;
    if (out->process_count > sorted)
        qsort(out->processes + sorted, out->process_count - sorted, sizeof *out->processes,
              by_birth);
    for (size_t i = 0; i < out->process_count; i++) {
        struct process *p = &out->processes[i];
        if (i == 0 && !scope->orphans)
            snprintf(p->name, sizeof p->name, "P");
        else
            snprintf(p->name, sizeof p->name, "C%zu", i + (scope->orphans ? 1 : 0));
        p->parent = -1;
        for (size_t k = 0; k < i && p->parent == -1; k++)
            if (out->processes[k].pid == p->parent_pid)
                p->parent = (int)k;
    }
}

/* ---- descriptors and what they refer to ---- */

/* The process whose standard streams are those that everybody inherits: the first with any. */
static const struct process *first_living(const struct snapshot *out)
{
    for (size_t i = 0; i < out->process_count; i++)
        if (out->processes[i].state != PROCESS_ZOMBIE && !out->processes[i].hidden)
            return &out->processes[i];
    return &out->processes[0];
}

/* The object that descriptor `d` of `pid` refers to, added when it is new. */
static size_t object_of(struct work *w, pid_t pid, const struct proc_descriptor *d)
{
    bool is_socket = strncmp(d->target, "socket:", 7) == 0;
    enum object_kind kind = OBJECT_FILE;

    if (is_socket)
        kind = OBJECT_SOCKET;
    else if (d->inode != 0)
        kind = d->writable && !d->readable ? OBJECT_PIPE_WRITE : OBJECT_PIPE_READ;
    for (size_t i = 0; i < w->out->object_count; i++) {
        const struct object *o = &w->out->objects[i];
        if (is_socket) {
            /* A socket has one open file description, so its inode tells it. */
            if (o->inode == d->inode && o->kind <= OBJECT_SOCKET)
                return i;
            continue;
        }
        if (o->kind != kind || o->inode != d->inode ||
            (kind == OBJECT_FILE && strcmp(o->path, d->target) != 0))
            continue;
        int same = proc_same_file(w->holders[i].pid, w->holders[i].fd, pid, d->fd);
        if (same == 1)
            return i;
        /* kcmp refused: the same pipe end, or the same path, counts as the same. */
        if (same == -1 && (errno == EPERM || errno == ENOSYS)) {
            w->out->objects[i].inferred = true;
            return i;
        }
    }
    size_t index = work_add_object(w, kind, d->inode);
    w->holders[index] = (struct holder){pid, d->fd};
    if (kind == OBJECT_FILE)
        memcpy(w->out->objects[index].path, d->target, sizeof d->target);
    return index;
}

/* Which of descriptors 0 to 2 of `pid` are simply the root's own, passed down by fork. */
struct inherited {
    pid_t root;
    pid_t pid;
    bool same[3];
};

static bool skip_inherited(int fd, void *data)
{
    struct inherited *in = data;

    if (fd > 2 || in->root == in->pid || proc_same_file(in->root, fd, in->pid, fd) != 1)
        return false;
    in->same[fd] = true;
    return true;
}

static void add_descriptor(struct process *p, int fd, size_t object)
{
    p->descriptors = grown(p->descriptors, p->descriptor_count, sizeof *p->descriptors);
    p->descriptors[p->descriptor_count++] = (struct descriptor){fd, (int)object};
}

static int by_fd(const void *a, const void *b)
{
    const struct descriptor *x = a, *y = b;

    return (x->fd > y->fd) - (x->fd < y->fd);
}

/* Read the descriptors of one process. Returns 0, or -1 with err filled when not permitted. */
static int read_descriptors(struct work *w, struct process *p, struct error *err)
{
    const struct process *root = first_living(w->out);
    struct inherited in = {.root = root->pid, .pid = p->pid};
    struct proc_descriptor_list list = {0};

    if (p->state == PROCESS_ZOMBIE || p->hidden)
        return 0;
    /* clone(CLONE_FILES): one table for two processes, so it is counted once. vfork copies it. */
    if (p->parent >= 0 && proc_same_table(p->pid, p->parent_pid) == 1) {
        p->shares = p->parent;
        return 0;
    }
    if (proc_descriptors(p->pid, skip_inherited, &in, &list) == -1) {
        bool refused = errno == EACCES || errno == EPERM;
        struct proc_stat stat = {0};
        free(list.items);
        if (!refused || proc_stat(p->pid, &stat) == -1)
            return 0; /* it has just ended */
        /* Without memory /proc gives it to root, whoever ran it: look again once it has ended. */
        if (stat.ending)
            p->state = PROCESS_RUNNING;
        /* A descendant may run as somebody else (setuid). */
        p->hidden = p != &w->out->processes[0] || stat.ending;
        return p->hidden ? 0
                         : fail(err,
                                "process %d: not permitted to read its descriptors (run as its "
                                "owner or root)",
                                (int)p->pid);
    }
    for (int fd = 0; fd <= 2; fd++)
        if (in.same[fd] && descriptor_object(root, fd) >= 0)
            add_descriptor(p, fd, (size_t)descriptor_object(root, fd));
    for (size_t i = 0; i < list.count; i++)
        add_descriptor(p, list.items[i].fd, object_of(w, p->pid, &list.items[i]));
    free(list.items);
    /* Of 0 to 2 some may be inherited and others not. */
    if (p->descriptor_count > 0)
        qsort(p->descriptors, p->descriptor_count, sizeof *p->descriptors, by_fd);
    for (size_t i = 0; i < p->descriptor_count; i++)
        w->out->objects[p->descriptors[i].object].refs++;
    return 0;
}

/*
 * An object is "standard" when all that refers to it are descriptors 0 to 2 as
 * the root has them: the terminal everybody inherits, which no picture needs.
 */
static void mark_standard(struct snapshot *out)
{
    for (size_t i = 0; i < out->object_count; i++)
        out->objects[i].standard = out->objects[i].kind != OBJECT_LISTENING &&
                                   out->objects[i].kind != OBJECT_CONNECTION &&
                                   out->objects[i].refs > 0;
    for (size_t p = 0; p < out->process_count; p++)
        for (size_t i = 0; i < out->processes[p].descriptor_count; i++) {
            const struct descriptor *d = &out->processes[p].descriptors[i];
            if (d->fd > 2 || descriptor_object(first_living(out), d->fd) != d->object)
                out->objects[d->object].standard = false;
        }
}

int snapshot_take(const struct scope *scope, struct snapshot *out, struct error *err)
{
    struct work w = {.out = out};
    int result = 0;

    memset(out, 0, sizeof *out);
    out->no_tcp = scope->tcp == NULL;
    find_processes(out, scope);
    out->orphans = scope->orphans;
    if (out->process_count == 0)
        result = fail(err, "process %d: %s", scope->root_count > 0 ? (int)scope->roots[0] : 0,
                      strerror(ESRCH));
    for (size_t i = 0; i < out->process_count && result == 0; i++)
        result = read_descriptors(&w, &out->processes[i], err);
    if (result == 0 && scope->tcp != NULL)
        result = sockets_describe(&w, scope, err);
    if (result == 0) {
        mark_standard(out);
        size_t number = 0;
        for (size_t i = 0; i < out->object_count; i++)
            if (!out->objects[i].standard)
                snprintf(out->objects[i].name, NAME_SIZE, "S%zu", ++number);
    } else {
        snapshot_free(out);
    }
    free(w.holders);
    tcp_list_free(&w.tcp);
    return result;
}
