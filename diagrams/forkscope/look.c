/* look.c - the snapshot of a step: measured, named, and completed by what the tracer knows. */
#include "tracer.h"
#include "proc.h"
#include "snapshot.h"
#include "stage.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

bool look_drain(struct tracer *t)
{
    char buf[4096];
    ssize_t got;
    bool any = false;

    while ((got = read(t->output, buf, sizeof buf)) > 0) {
        char *more = realloc(t->printed, t->printed_size + (size_t)got + 1);
        if (more == NULL)
            return any;
        t->printed = more;
        memcpy(t->printed + t->printed_size, buf, (size_t)got);
        t->printed_size += (size_t)got;
        t->printed[t->printed_size] = '\0';
        any = true;
    }
    return any;
}

/* Zombies that have become our children by the end of their parent: nobody else can wait for them. */
static void reap_orphans(struct tracer *t)
{
    struct pid_list children = {0};
    struct proc_stat stat;

    (void)proc_children(getpid(), 1, &children);
    for (size_t i = 0; i < children.count; i++) {
        const struct task *task = tracer_process(t, children.items[i]);
        if (children.items[i] != t->program && task == NULL &&
            proc_stat(children.items[i], &stat) == 0 && stat.state == 'Z')
            waitpid(children.items[i], NULL, __WALL | WNOHANG);
    }
    free(children.items);
}

static int peer_state(struct tracer *t, const struct peer *peer)
{
    struct tcp_socket found;
    struct error unused;

    return t->tcp != NULL && tcp_find(t->tcp, &peer->key, &found, &unused) == 1 ? found.state : 0;
}

static int measure(struct tracer *t, struct snapshot *s, struct error *err)
{
    struct pid_list children = {0};
    pid_t *roots = grown(NULL, 0, sizeof *roots);
    size_t count = 1, client_count = 0;
    struct tcp_socket *clients = NULL;

    roots[0] = t->program;
    (void)proc_children(getpid(), 1, &children);
    for (size_t i = 0; i < children.count; i++) {
        if (children.items[i] == t->program)
            continue;
        roots = grown(roots, count, sizeof *roots);
        roots[count++] = children.items[i];
    }
    for (size_t i = 0; i < t->peer_count; i++) {
        clients = grown(clients, client_count, sizeof *clients);
        clients[client_count++] = t->peers[i].key;
    }
    struct scope scope = {.tcp = t->tcp,
                          .roots = roots,
                          .root_count = count,
                          .clients = clients,
                          .client_count = client_count};
    int result = snapshot_take(&scope, s, err);
    free(clients);
    free(children.items);
    free(roots);
    return result;
}

/* Is anything on its way over the loopback still? A client's last acknowledgement, say. */
static bool is_moving(struct tracer *t, const struct snapshot *s)
{
    for (size_t i = 0; i < s->object_count; i++)
        if (s->objects[i].in_flight)
            return true;
    for (size_t k = 0; k < t->peer_count; k++) {
        bool held = false;
        for (size_t i = 0; i < s->object_count; i++)
            held |= s->objects[i].kind == OBJECT_CONNECTION &&
                    s->objects[i].peer_port == t->peers[k].key.port;
        if (!held && strcmp(tcp_name(peer_state(t, &t->peers[k])), "FIN_WAIT") == 0)
            return true;
    }
    return false;
}

/* ---- files ---- */

/*
 * Sockets and pipes have a number of their own; of other files only kcmp(2) can tell, while both
 * are open. So each step hands on which descriptor was which file: between two steps there is
 * one call, and every other descriptor still refers to what it referred to.
 */
struct known_file {
    pid_t pid;
    int fd;
    unsigned long long id;
    char path[TEXT_SIZE];
};

/* The descriptor that this call has made or replaced, or -1. */
static int changed_by(const struct task *task, enum step_kind kind, const char *result)
{
    static const char *const makers[] = {
        "dup",      "open",           "creat",      "fcntl",        "eventfd",      "epoll_create",
        "signalfd", "timerfd_create", "pidfd_open", "inotify_init", "memfd_create", NULL};

    if (task == NULL || kind != STEP_CALL || result[0] == '-')
        return -1;
    if (strcmp(task->call.name, "dup2") == 0)
        return (int)task->call.args[1];
    for (const char *const *name = makers; *name != NULL; name++)
        if (strcmp(task->call.name, *name) == 0)
            return (int)strtol(result, NULL, 10);
    return -1;
}

static unsigned long long known_id(const struct tracer *t, pid_t pid, int fd, const char *path)
{
    for (size_t i = 0; i < t->file_count; i++)
        if (t->files[i].pid == pid && t->files[i].fd == fd && strcmp(t->files[i].path, path) == 0)
            return t->files[i].id;
    return 0;
}

/* Give each file the number it had before, in place of the inode that it has not. */
static void identify_files(struct tracer *t, struct snapshot *s, const struct task *task,
                           int changed)
{
    struct known_file *files = NULL;
    size_t count = 0;

    for (int turn = 0; turn < 2; turn++)
        for (size_t i = 0; i < s->process_count; i++) {
            const struct process *p = &s->processes[i];
            for (size_t k = 0; k < p->descriptor_count; k++) {
                const struct descriptor *d = &p->descriptors[k];
                struct object *o = &s->objects[d->object];
                if (o->kind != OBJECT_FILE)
                    continue;
                if (turn == 0 && o->inode == 0 &&
                    !(task != NULL && p->pid == task->pid && d->fd == changed))
                    o->inode = known_id(t, p->pid, d->fd, o->path);
                if (turn == 0)
                    continue;
                if (o->inode == 0)
                    o->inode = ++t->file_ids;
                files = grown(files, count, sizeof *files);
                files[count] = (struct known_file){.pid = p->pid, .fd = d->fd, .id = o->inode};
                snprintf(files[count++].path, TEXT_SIZE, "%s", o->path);
            }
        }
    free(t->files);
    t->files = files;
    t->file_count = count;
}

/* ---- a step ---- */

static void pending_text(const struct task *task, char *text, size_t size)
{
    struct proc_signals s;
    size_t length = 0;

    text[0] = '\0';
    if (proc_signals(task->tid, &s) == -1)
        return;
    for (int signal = 1; signal <= 64; signal++) {
        uint64_t one = UINT64_C(1) << (signal - 1);
        char name[16];
        bool dropped =
            signal == SIGCHLD || signal == SIGURG || signal == SIGWINCH || signal == SIGCONT;
        if (!(s.pending & one) || (s.ignored & one) || (dropped && !((s.caught | s.blocked) & one)))
            continue;
        call_signal_name(signal, name, sizeof name);
        length +=
            (size_t)snprintf(text + length, size - length, "%s%s", length > 0 ? " " : "", name);
        if (length >= size)
            return;
    }
}

static void copy_chain(struct chain *to, const struct chain *from)
{
    *to = (struct chain){0};
    if (from->count == 0)
        return;
    to->frames = zeroed(from->count, sizeof *to->frames);
    memcpy(to->frames, from->frames, from->count * sizeof *to->frames);
    to->count = from->count;
}

/* /proc says "stopped by its tracer" of all of them: say what they would do without it. */
static void set_state(const struct tracer *t, struct process *p, const struct task *task,
                      const struct task *runs)
{
    (void)t;
    if (p->state == PROCESS_ZOMBIE || p->state == PROCESS_GONE)
        return;
    p->doing[0] = '\0';
    switch (task->state) {
    case TASK_BLOCKED:
    case TASK_LIVE:
        p->state = PROCESS_BLOCKED;
        break;
    case TASK_VFORK:
        p->state = PROCESS_BLOCKED;
        snprintf(p->doing, sizeof p->doing, "vfork");
        break;
    case TASK_STOPPED:
        p->state = PROCESS_STOPPED;
        break;
    case TASK_HELD:
    case TASK_ENDED:
        p->state = task == runs ? PROCESS_RUNNING : PROCESS_READY;
        break;
    }
    if (p->state == PROCESS_BLOCKED && task->state != TASK_VFORK)
        text_copy(p->doing, sizeof p->doing, task->call.text);
    copy_chain(&p->at, &task->at);
    pending_text(task, p->pending, sizeof p->pending);
}

static void complete(struct tracer *t, struct snapshot *s, const struct task *runs)
{
    for (size_t i = 0; i < s->process_count; i++) {
        struct process *p = &s->processes[i];
        const struct task *task = runs != NULL && runs->pid == p->pid ? runs : NULL;
        for (size_t k = 0; k < t->task_count && task == NULL; k++)
            if (t->tasks[k]->pid == p->pid && t->tasks[k]->state != TASK_ENDED)
                task = t->tasks[k];
        if (task != NULL)
            set_state(t, p, task, runs);
    }
    for (size_t i = 0; i < s->client_count; i++)
        for (size_t k = 0; k < t->peer_count; k++)
            if (t->peers[k].key.port == s->clients[i].port) {
                s->clients[i].tcp = peer_state(t, &t->peers[k]);
                s->clients[i].closed = t->peers[k].fd == -1;
            }
}

int look_flush(struct tracer *t, struct error *err)
{
    if (!t->last_set)
        return 0;
    t->last_set = false;
    return trace_write_step(t->options->out, &t->trace.steps[t->trace.step_count - 1], err);
}

int look_step(struct tracer *t, enum step_kind kind, const char *who, const struct task *task,
              const char *call, const char *result, const char *note, struct error *err)
{
    struct snapshot now;

    if (t->step_count >= t->options->max_steps) {
        t->over = true;
        snprintf(t->trace.end, sizeof t->trace.end, "cut after %zu steps (--max-steps)",
                 t->options->max_steps);
        return 0;
    }
    reap_orphans(t);
    for (int tries = 0;; tries++) {
        if (measure(t, &now, err) == -1)
            return -1;
        if (!is_moving(t, &now) || tries == 200)
            break;
        snapshot_free(&now);
        nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
    }
    if (look_flush(t, err) == -1) {
        snapshot_free(&now);
        return -1;
    }
    look_drain(t);
    identify_files(t, &now, task, changed_by(task, kind, result));
    history_apply(t->history, &now, true);
    complete(t, &now, task);
    t->trace.steps = grown(t->trace.steps, t->trace.step_count, sizeof *t->trace.steps);
    struct step *step = &t->trace.steps[t->trace.step_count++];
    step->number = ++t->step_count;
    step->kind = kind;
    snprintf(step->who, sizeof step->who, "%s", who);
    text_copy(step->call, sizeof step->call, call);
    text_copy(step->result, sizeof step->result, result);
    if (task != NULL)
        copy_chain(&step->chain, &task->at);
    step->output = t->printed;
    t->printed = NULL;
    t->printed_size = 0;
    if (note != NULL) {
        step->notes = grown(step->notes, step->note_count, sizeof *step->notes);
        step->notes[step->note_count++] = strdup(note);
    }
    step->now = now;
    t->last_set = true;
    if (kind != STEP_BLOCK && kind != STEP_START)
        tracer_stir(t);
    play_moment(t, step);
    return 0;
}
