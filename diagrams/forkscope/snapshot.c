/* snapshot.c - put together what /proc, kcmp(2) and sock_diag(7) tell. */
#include "snapshot.h"
#include "proc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

/* Where an object was first seen, to compare later descriptors with by kcmp(2). */
struct holder {
    pid_t pid;
    int fd;
};

struct work {
    struct snapshot *out;
    struct holder *holders; /* one for each object of out */
    struct tcp_list tcp;
};

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

static int by_birth(const void *a, const void *b)
{
    const struct process *x = a, *y = b;

    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    return (x->pid > y->pid) - (x->pid < y->pid);
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
    if (p->state == PROCESS_ZOMBIE)
        describe_exit(stat.exit_status, p->doing, sizeof p->doing);
    if (p->state != PROCESS_BLOCKED)
        return;
    /* "Blocked" is believed only when the call is not running: it may just be waking. */
    if (proc_call(pid, p->call, sizeof p->call, &p->call_fd) == 1)
        p->state = PROCESS_RUNNING;
    else if (p->call_fd >= 0)
        snprintf(p->doing, sizeof p->doing, "%s(%d)", p->call, p->call_fd);
    else
        snprintf(p->doing, sizeof p->doing, "%s", p->call);
}

/* All processes of the tree: the first root, then the others in order of birth. */
static void find_processes(struct snapshot *out, const pid_t *roots, size_t root_count)
{
    struct pid_list children = {0};

    for (size_t i = 0; i < root_count; i++)
        add_process(out, roots[i]);
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
    if (out->process_count > 2)
        qsort(out->processes + 1, out->process_count - 1, sizeof *out->processes, by_birth);
    for (size_t i = 0; i < out->process_count; i++) {
        struct process *p = &out->processes[i];
        if (i == 0)
            snprintf(p->name, sizeof p->name, "P");
        else
            snprintf(p->name, sizeof p->name, "C%zu", i);
        p->parent = -1;
        for (size_t k = 0; k < i && p->parent == -1; k++)
            if (out->processes[k].pid == p->parent_pid)
                p->parent = (int)k;
    }
}

/* ---- TCP sockets ---- */

/* Take what the kernel said of socket `s` over into object number `index`. */
static void describe_tcp(struct work *w, size_t index, const struct tcp_socket *s)
{
    struct snapshot *out = w->out;
    struct object *o = &out->objects[index];

    o->tcp = s->state;
    o->port = s->port;
    o->peer_port = s->peer_port;
    if (s->state == TCP_LISTEN) {
        o->kind = OBJECT_LISTENING;
        o->backlog = s->receive;
        return;
    }
    o->kind = OBJECT_CONNECTION;
    if (s->state == TCP_CLOSE)
        return; /* made by socket(2), not connected to anything yet */
    /* In CLOSE_WAIT the peer's FIN has arrived; while it is unread it counts as one byte. */
    o->end_of_file = s->state == TCP_CLOSE_WAIT && s->receive > 0;
    o->unread = s->receive - (o->end_of_file ? 1 : 0);
    o->in_flight = s->send > 0;

    const struct tcp_socket *peer = tcp_peer(&w->tcp, s);
    if (peer != NULL && peer->send > 0)
        o->in_flight = true;
    /* The side whose peer listens is itself the client: it has no client of its own. */
    if (tcp_port_listens(&w->tcp, s->peer_port) && !tcp_port_listens(&w->tcp, s->port))
        return;
    o->client = (int)out->client_count;
    out->clients = grown(out->clients, out->client_count, sizeof *out->clients);
    struct client *c = &out->clients[out->client_count];
    letter_name(out->client_count++, c->name, sizeof c->name);
    c->tcp = peer == NULL ? 0 : peer->state;
    c->port = s->peer_port;
    c->server_port = s->port;
    c->closed = peer == NULL || peer->inode == 0;
}

/* ---- descriptors and what they refer to ---- */

static size_t add_object(struct work *w, enum object_kind kind, uint64_t inode)
{
    struct snapshot *out = w->out;

    out->objects = grown(out->objects, out->object_count, sizeof *out->objects);
    w->holders = grown(w->holders, out->object_count, sizeof *w->holders);
    struct object *o = &out->objects[out->object_count];
    o->kind = kind;
    o->inode = inode;
    o->client = -1;
    return out->object_count++;
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
    size_t index = add_object(w, kind, d->inode);
    w->holders[index] = (struct holder){pid, d->fd};
    if (kind == OBJECT_FILE)
        memcpy(w->out->objects[index].path, d->target, sizeof d->target);
    if (is_socket) {
        const struct tcp_socket *s = tcp_of_inode(&w->tcp, d->inode);
        if (s != NULL)
            describe_tcp(w, index, s);
    }
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

/* Read the descriptors of one process. Returns 0, or -1 with err filled when not permitted. */
static int read_descriptors(struct work *w, struct process *p, struct error *err)
{
    const struct process *root = &w->out->processes[0];
    struct inherited in = {.root = root->pid, .pid = p->pid};
    struct proc_descriptor_list list = {0};

    if (p->state == PROCESS_ZOMBIE)
        return 0;
    /* vfork and clone(CLONE_FILES): one table for two processes, so it is counted once. */
    if (p->parent >= 0 && proc_same_table(p->pid, p->parent_pid) == 1) {
        p->shares = p->parent;
        return 0;
    }
    if (proc_descriptors(p->pid, skip_inherited, &in, &list) == -1) {
        free(list.items);
        if (errno != EACCES && errno != EPERM)
            return 0; /* it has just ended */
        return fail(err,
                    "process %d: not permitted to read its descriptors (run as its owner or root)",
                    (int)p->pid);
    }
    for (int fd = 0; fd <= 2; fd++)
        if (in.same[fd] && descriptor_object(root, fd) >= 0)
            add_descriptor(p, fd, (size_t)descriptor_object(root, fd));
    for (size_t i = 0; i < list.count; i++)
        add_descriptor(p, list.items[i].fd, object_of(w, p->pid, &list.items[i]));
    free(list.items);
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
            if (d->fd > 2 || descriptor_object(&out->processes[0], d->fd) != d->object)
                out->objects[d->object].standard = false;
        }
}

/* Connections to our listening sockets that no process has accepted yet. */
static void find_waiting(struct work *w)
{
    struct snapshot *out = w->out;
    size_t listening = out->object_count;

    for (size_t i = 0; i < w->tcp.count; i++) {
        const struct tcp_socket *s = &w->tcp.items[i];
        /* Once accepted a socket has an inode; once closed it is in no such state. */
        if (s->inode != 0 ||
            (s->state != TCP_ESTABLISHED && s->state != TCP_CLOSE_WAIT && s->state != TCP_SYN_RECV))
            continue;
        for (size_t k = 0; k < listening; k++) {
            if (out->objects[k].kind != OBJECT_LISTENING || out->objects[k].port != s->port)
                continue;
            if (s->state == TCP_SYN_RECV) {
                out->objects[k].in_flight = true; /* the handshake is not done yet */
                break;
            }
            size_t index = add_object(w, OBJECT_CONNECTION, 0);
            out->objects[index].waiting = true;
            describe_tcp(w, index, s);
            break;
        }
    }
}

int snapshot_take(struct tcp_channel *tcp, const pid_t *roots, size_t root_count,
                  struct snapshot *out, struct error *err)
{
    struct work w = {.out = out};
    int result = 0;

    memset(out, 0, sizeof *out);
    out->no_tcp = tcp == NULL;
    find_processes(out, roots, root_count);
    if (out->process_count == 0)
        result = fail(err, "process %d: %s", root_count > 0 ? (int)roots[0] : 0, strerror(ESRCH));
    if (result == 0 && tcp != NULL)
        result = tcp_dump(tcp, &w.tcp, err);
    for (size_t i = 0; i < out->process_count && result == 0; i++)
        result = read_descriptors(&w, &out->processes[i], err);
    if (result == 0) {
        find_waiting(&w);
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
