/* look.c - the snapshot of a step: everything is held while it is taken. */
#include "tracer.h"
#include "proc.h"
#include "record.h"
#include "stage.h"

#include <ctype.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_OUTPUT = 1 << 20 };

bool look_drain(struct tracer *t)
{
    char text[4096];
    ssize_t got;
    bool any = false;

    while ((got = read(t->output, text, sizeof text)) > 0) {
        any = true;
        for (ssize_t i = 0; i < got && t->printed_size < MOST_OUTPUT; i++) {
            t->printed = grown(t->printed, t->printed_size, 1);
            t->printed[t->printed_size++] = text[i];
        }
        if (t->printed_size == MOST_OUTPUT)
            tracer_note(t, "the program printed more in one step than the 1 MiB that is shown");
    }
    return any;
}

/* Is this number one that the program was given, and so not a process id? */
static bool is_argument(const struct tracer *t, const char *digits, size_t length)
{
    for (size_t i = 0; i < t->trace.argument_count; i++)
        if (strlen(t->trace.arguments[i]) == length &&
            strncmp(t->trace.arguments[i], digits, length) == 0)
            return true;
    return false;
}

/*
 * How many digits does the text begin with, and are they the number of a process? Then its name,
 * else NULL.
 */
static const char *named_number(struct tracer *t, const char *text, size_t size, size_t *length)
{
    char digits[16] = "";

    for (*length = 0; *length < size && isdigit((unsigned char)text[*length]);)
        ++*length;
    if (*length <= 1 || *length >= 10 || is_argument(t, text, *length))
        return NULL;
    memcpy(digits, text, *length);
    return tracer_name(t, (pid_t)strtol(digits, NULL, 10));
}

size_t look_shown_size(struct tracer *t, const char *text, size_t size)
{
    size_t shown = 0, length;

    for (size_t i = 0; i<size; i += length> 0 ? length : 1) {
        const char *name = named_number(t, text + i, size - i, &length);
        shown += name != NULL ? strlen(name) : length > 0 ? length : 1;
    }
    return shown;
}

/*
 * What was printed, as JSON can carry it: a process id becomes the name of its process, because
 * it differs from run to run; control characters but newline and tab become '?'.
 */
static char *printed_text(struct tracer *t)
{
    char *out = NULL;
    size_t size = 0, i = 0;
    FILE *to = t->printed_size > 0 ? open_memstream(&out, &size) : NULL;

    while (to != NULL && i < t->printed_size) {
        size_t length;
        const char *name = named_number(t, t->printed + i, t->printed_size - i, &length);
        if (name != NULL) {
            fputs(name, to);
        } else if (length > 0) {
            fwrite(t->printed + i, 1, length, to);
        } else {
            char raw[5] = "", letter[8];
            size_t count = 1;
            /* A letter of UTF-8 has up to four bytes. */
            while (count < 4 && i + count < t->printed_size &&
                   (t->printed[i + count] & 0xc0) == 0x80)
                count++;
            memcpy(raw, t->printed + i, count);
            length = count;
            if (raw[0] == '\n' || raw[0] == '\t')
                fwrite(raw, 1, length = 1, to);
            else if (raw[0] == '\0')
                fwrite("?", 1, length = 1, to);
            else {
                text_copy(letter, sizeof letter, raw);
                fputs(letter, to);
            }
        }
        i += length;
    }
    if (to != NULL)
        fclose(to);
    free(t->printed);
    t->printed = NULL;
    t->printed_size = 0;
    return out;
}

/* ---- measure ---- */

static int peer_state(const struct tracer *t, const struct peer *peer)
{
    struct tcp_socket found;
    struct error unused;

    return t->tcp != NULL && tcp_find(t->tcp, &peer->key, &found, &unused) == 1 ? found.state : 0;
}

/* Zombies whose parent has ended became ours; we are the init that reaps them. */
static void reap_orphans(struct tracer *t)
{
    struct proc_stat stat;

    if (!t->orphans)
        return;
    t->orphans = false;
    for (size_t i = 0; i < t->task_count; i++) {
        struct task *task = t->tasks[i];
        if (task->state != TASK_ENDED || task->tid != task->pid || !task->reaped ||
            proc_stat(task->pid, &stat) == -1 || stat.parent != getpid())
            continue;
        if (waitpid(task->pid, NULL, __WALL | WNOHANG) == 0)
            t->orphans = true; /* not yet: once more with the next step */
    }
}

static int measure(struct tracer *t, struct snapshot *s, struct error *err)
{
    struct pid_list children = {0};
    pid_t *roots = grown(NULL, 0, sizeof *roots);
    size_t count = 0;
    struct tcp_socket *clients = NULL;

    roots[count++] = t->program;
    (void)proc_children(getpid(), 1, &children);
    for (size_t i = 0; i < children.count; i++) {
        if (children.items[i] == t->program)
            continue;
        roots = grown(roots, count, sizeof *roots);
        roots[count++] = children.items[i];
    }
    for (size_t i = 0; i < t->peer_count; i++) {
        clients = grown(clients, i, sizeof *clients);
        clients[i] = t->peers[i].key;
    }
    struct scope scope = {.tcp = t->tcp,
                          .roots = roots,
                          .root_count = count,
                          .clients = clients,
                          .client_count = t->peer_count,
                          .memory = &t->sockets};
    int result = snapshot_take(&scope, s, err);
    if (result == -1 && children.count == 0) {
        memset(s, 0, sizeof *s);
        result = 0;
    }
    free(clients);
    free(children.items);
    free(roots);
    return result;
}

/* Does anything still cross the network? */
static bool moving(struct tracer *t, const struct snapshot *s)
{
    for (size_t i = 0; i < s->object_count; i++)
        if (s->objects[i].in_flight)
            return true;
    for (size_t i = 0; i < t->peer_count; i++) {
        bool held = false;
        for (size_t k = 0; k < s->object_count; k++)
            held = held || (s->objects[k].kind == OBJECT_CONNECTION &&
                            s->objects[k].peer_port == t->peers[i].key.port);
        if (!held && strcmp(tcp_name(peer_state(t, &t->peers[i])), "FIN_WAIT") == 0)
            return true;
    }
    return false;
}

/* Measure until nothing moves, 200 ms at most. */
static int settle(struct tracer *t, struct snapshot *s, struct error *err)
{
    double until = stage_seconds() + 0.2;

    for (;;) {
        if (measure(t, s, err) == -1)
            return -1;
        if (!moving(t, s) || stage_seconds() > until)
            return 0;
        snapshot_free(s);
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    }
}

/* ---- what the tracer knows of a process ---- */

static void set_pending(struct process *p)
{
    struct proc_signals set;
    size_t length = 0;

    p->pending[0] = '\0';
    if (proc_signals(p->pid, &set) == -1)
        return;
    for (int signal = 1; signal < 64; signal++) {
        uint64_t bit = UINT64_C(1) << (signal - 1);
        char name[32];
        /* Of an untraced process the kernel drops an ignored signal at once. */
        bool dropped = (set.ignored & bit) != 0 ||
                       (!(set.caught & bit) && (signal == SIGCHLD || signal == SIGCONT ||
                                                signal == SIGURG || signal == SIGWINCH));
        if (!(set.pending & bit) || (dropped && !(set.blocked & bit)))
            continue;
        call_signal_name(signal, name, sizeof name);
        if (length + strlen(name) + 2 < sizeof p->pending)
            length += (size_t)snprintf(p->pending + length, sizeof p->pending - length, "%s%s",
                                       length > 0 ? " " : "", name);
    }
}

static void describe(const struct tracer *t, struct process *p, const struct task *acting)
{
    if (p->state == PROCESS_GONE || p->state == PROCESS_ZOMBIE)
        return;
    struct task *task = tracer_process(t, p->pid);
    p->doing[0] = '\0';
    if (task == NULL)
        return;
    if (acting != NULL && acting->pid == p->pid && acting->state == TASK_HELD)
        task = tracer_task(t, acting->tid);
    switch (task->state) {
    case TASK_HELD:
        p->state = task == acting ? PROCESS_RUNNING : PROCESS_READY;
        break;
    case TASK_STOPPED:
        p->state = PROCESS_STOPPED;
        break;
    case TASK_BLOCKED:
    case TASK_LIVE:
    case TASK_VFORK:
        p->state = PROCESS_BLOCKED;
        text_copy(p->doing, sizeof p->doing, task->call.text);
        break;
    case TASK_ENDED:
        break;
    }
    set_pending(p);
    for (size_t i = 0; i < task->at.count; i++) {
        p->at.frames = grown(p->at.frames, i, sizeof *p->at.frames);
        p->at.frames[p->at.count++] = task->at.frames[i];
    }
}

/* ---- a step ---- */

static char *copied(const char *text)
{
    size_t size = strlen(text) + 1;

    return memcpy(zeroed(size, 1), text, size);
}

static void add_note(struct step *step, const char *note)
{
    step->notes = grown(step->notes, step->note_count, sizeof *step->notes);
    step->notes[step->note_count++] = copied(note);
}

void look_keep(struct tracer *t)
{
    if (t->last.number == 0)
        return;
    t->trace.steps = grown(t->trace.steps, t->trace.step_count, sizeof *t->trace.steps);
    t->trace.steps[t->trace.step_count++] = t->last;
    memset(&t->last, 0, sizeof t->last);
}

int look_flush(struct tracer *t, struct error *err)
{
    if (!t->last_set)
        return 0;
    t->last_set = false;
    return trace_write_step(t->options->out, &t->last, err);
}

int look_step(struct tracer *t, enum step_kind kind, const char *who, const struct task *task,
              const char *call, const char *result, const char *note, struct error *err)
{
    struct step step = {.kind = kind};
    struct snapshot fresh;

    if (t->step_count >= t->options->max_steps) {
        t->over = true;
        return 0;
    }
    reap_orphans(t);
    if (settle(t, &fresh, err) == -1)
        return -1;
    look_drain(t);
    step.output = printed_text(t);
    files_identify(t, &fresh, task, kind, result);
    history_apply(t->history, &fresh, true);
    step.now = fresh;
    for (size_t i = 0; i < step.now.client_count; i++)
        for (size_t k = 0; k < t->peer_count; k++)
            if (t->peers[k].key.port == step.now.clients[i].port) {
                step.now.clients[i].tcp = peer_state(t, &t->peers[k]);
                step.now.clients[i].closed = t->peers[k].fd == -1;
            }
    for (size_t i = 0; i < step.now.process_count; i++)
        describe(t, &step.now.processes[i], task);
    step.number = ++t->step_count;
    text_copy(step.who, sizeof step.who, who);
    text_copy(step.call, sizeof step.call, call);
    text_copy(step.result, sizeof step.result, result);
    for (size_t i = 0; task != NULL && i < task->at.count; i++) {
        step.chain.frames = grown(step.chain.frames, i, sizeof *step.chain.frames);
        step.chain.frames[step.chain.count++] = task->at.frames[i];
    }
    if (note != NULL)
        add_note(&step, note);
    if (kind == STEP_RETURN && t->errno_from >= 0 && t->errno_to >= 0 &&
        t->errno_from != t->errno_to) {
        call_errno_name(t->errno_from, step.errno_from, sizeof step.errno_from);
        call_errno_name(t->errno_to, step.errno_to, sizeof step.errno_to);
    }
    if (look_flush(t, err) == -1)
        return -1;
    look_keep(t);
    t->last = step;
    t->last_set = true;
    play_moment(t, &t->last);
    if (t->options->progress != NULL && t->step_count % 50 == 0)
        fprintf(t->options->progress, "forkscope: step %zu\n", t->step_count);
    return 0;
}
