/* play.c - the scenario's next action, when everything is at rest. */
#include "tracer.h"
#include "proc.h"
#include "stage.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static struct peer *find_peer(struct tracer *t, const char *name)
{
    for (size_t i = 0; i < t->peer_count; i++)
        if (strcmp(t->peers[i].name, name) == 0)
            return &t->peers[i];
    return NULL;
}

static const struct snapshot *last_look(const struct tracer *t)
{
    return &t->trace.steps[t->trace.step_count - 1].now;
}

static pid_t find_process(const struct tracer *t, const char *name, struct error *err)
{
    const struct snapshot *now = last_look(t);
    int i = -1;

    for (size_t k = 0; k < now->process_count; k++)
        if (strcmp(now->processes[k].name, name) == 0)
            i = (int)k;
    if (i == -1 || now->processes[i].state == PROCESS_ZOMBIE ||
        now->processes[i].state == PROCESS_GONE)
        return fail(err, "there is no living process %s", name);
    return now->processes[i].pid;
}

static size_t count_of(const struct snapshot *s, const char *what)
{
    size_t count = 0;

    for (size_t i = 0; i < s->process_count; i++) {
        bool zombie = s->processes[i].state == PROCESS_ZOMBIE;
        bool gone = s->processes[i].state == PROCESS_GONE;
        count += strcmp(what, "zombies") == 0 ? zombie
                                              : strcmp(what, "processes") == 0 && !zombie && !gone;
    }
    for (size_t i = 0; strcmp(what, "backlog") == 0 && i < s->object_count; i++)
        count += s->objects[i].waiting;
    return count;
}

static int do_connect(struct tracer *t, const struct action *a, struct error *err)
{
    const struct snapshot *now = last_look(t);
    uint16_t port = 0;

    for (size_t i = 0; i < now->object_count && port == 0; i++)
        if (now->objects[i].kind == OBJECT_LISTENING && now->objects[i].refs > 0)
            port = now->objects[i].port;
    if (port == 0)
        return fail(err, "the program listens on no port, and waits");
    t->peers = grown(t->peers, t->peer_count, sizeof *t->peers);
    struct peer *peer = &t->peers[t->peer_count];
    /* What is full stays full while everything is held: do not wait for it long. */
    if (peer_connect(peer, a->name, port, 2, err) == -1) {
        if (peer->fd != -1)
            close(peer->fd);
        return -1;
    }
    history_client(t->history, a->name, peer->key.port);
    t->peer_count++;
    return 0;
}

/* What is to come is there at once, or never: only the loopback's own moment is waited for. */
static int do_receive(struct tracer *t, const struct action *a, struct error *err)
{
    struct peer *peer = find_peer(t, a->name);

    for (int tries = 0; tries < 100; tries++) {
        int there = a->verb == DO_RECEIVE_RESET
                        ? peer_is_reset(peer, err)
                        : peer_receive(peer, a->verb == DO_RECEIVE_EOF ? NULL : a->text, err);
        if (there != 0)
            return there == 1 ? 1 : -1;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return 2;
}

static int do_limit(struct tracer *t, const struct action *a, struct error *err)
{
    pid_t pid = find_process(t, a->name, err);
    struct rlimit limit;

    if (pid == -1)
        return -1;
    if (prlimit(pid, RLIMIT_NOFILE, NULL, &limit) == -1)
        return fail(err, "%s: prlimit: %s", a->name, strerror(errno));
    limit.rlim_cur = a->number;
    if (prlimit(pid, RLIMIT_NOFILE, &limit, NULL) == -1)
        return fail(err, "%s: prlimit: %s", a->name, strerror(errno));
    return 0;
}

/* A stopped process hears of SIGCONT and SIGKILL a moment later: wait for what it does. */
static void rouse(struct tracer *t, pid_t pid)
{
    for (size_t i = 0; i < t->task_count; i++) {
        struct task *task = t->tasks[i];
        if (task->pid != pid || task->state != TASK_STOPPED)
            continue;
        for (int tries = 0; tries < 1000 && task->pending.kind == EVENT_NONE; tries++) {
            task->pending = event_of(task->tid, false);
            if (task->pending.kind == EVENT_NONE)
                nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
        }
        if (task->pending.kind != EVENT_NONE)
            task->state = TASK_HELD;
    }
}

static int do_signal(struct tracer *t, const struct action *a, struct error *err)
{
    pid_t pid = find_process(t, a->name, err);
    int number = a->verb == DO_STOP ? SIGSTOP : a->verb == DO_CONTINUE ? SIGCONT : (int)a->number;

    if (pid == -1)
        return -1;
    if (kill(pid, number) == -1)
        return fail(err, "%s: kill: %s", a->name, strerror(errno));
    if (number == SIGCONT || number == SIGKILL)
        rouse(t, pid);
    return 0;
}

static void do_picture(struct tracer *t, const struct action *a)
{
    struct snapshot *now = &t->trace.steps[t->trace.step_count - 1].now;

    snprintf(now->title, sizeof now->title, "%s", t->title);
    snprintf(now->moment, sizeof now->moment, "%s", a->name);
    text_copy(now->caption, sizeof now->caption, a->text);
}

/* Act, and say in `call` and `result` what was done. Returns as play, or 3 when no step is made. */
static int perform(struct tracer *t, const struct action *a, char *call, char *result, size_t size,
                   struct error *err)
{
    struct peer *peer = find_peer(t, a->name);
    char signal[16];

    switch (a->verb) {
    case DO_TITLE:
        text_copy(t->title, sizeof t->title, a->text);
        return 3;
    case DO_SAY:
        return 3;
    case DO_PICTURE:
        do_picture(t, a);
        return 3;
    case DO_UNTIL:
        if (count_of(last_look(t), a->name) == a->number)
            return 3;
        fail(err, "everything waits, and there are %zu %s, not %zu",
             count_of(last_look(t), a->name), a->name, a->number);
        return 2;
    case DO_CONNECT:
        snprintf(call, size, "connect");
        return do_connect(t, a, err) == -1 ? -1 : 1;
    case DO_SEND:
        snprintf(call, size, "send");
        snprintf(result, size, "%.40s", a->text);
        return peer_send(peer, a->text, err) == -1 ? -1 : 1;
    case DO_RECEIVE:
    case DO_RECEIVE_EOF:
    case DO_RECEIVE_RESET:
        snprintf(call, size, "receive");
        snprintf(result, size, "%.40s",
                 a->verb == DO_RECEIVE       ? a->text
                 : a->verb == DO_RECEIVE_EOF ? "end of file"
                                             : "reset");
        fail(err, "client %s: everything waits, and there is nothing to receive", a->name);
        return do_receive(t, a, err);
    case DO_HALF_CLOSE:
        snprintf(call, size, "half-close");
        return peer_half_close(peer, err) == -1 ? -1 : 1;
    case DO_CLOSE:
    case DO_RESET:
        snprintf(call, size, a->verb == DO_CLOSE ? "close" : "reset");
        peer_close(peer, a->verb == DO_RESET);
        return 1;
    case DO_STOP:
    case DO_CONTINUE:
    case DO_SIGNAL:
        call_signal_name((int)a->number, signal, sizeof signal);
        snprintf(call, size, "%s",
                 a->verb == DO_STOP       ? "SIGSTOP"
                 : a->verb == DO_CONTINUE ? "SIGCONT"
                                          : signal);
        return do_signal(t, a, err) == -1 ? -1 : 1;
    case DO_LIMIT:
        snprintf(call, size, "limit");
        snprintf(result, size, "%zu descriptors", a->number);
        return do_limit(t, a, err) == -1 ? -1 : 1;
    }
    return 3;
}

int play(struct tracer *t, struct error *err)
{
    while (t->next_action < t->scenario.count) {
        const struct action *a = &t->scenario.actions[t->next_action];
        char call[128] = "", result[64] = "";
        struct error inner;
        int done = perform(t, a, call, result, sizeof result, &inner);
        if (done == -1 || done == 2) {
            fail(err, "%s:%d: %.200s", t->options->scenario, a->line, inner.text);
            return done;
        }
        t->next_action++;
        if (done == 3)
            continue;
        bool client = a->verb <= DO_RESET;
        return look_step(t, client ? STEP_CLIENT : STEP_TELL, a->name, NULL, call, result, NULL,
                         err) == -1
                   ? -1
                   : 1;
    }
    return 0;
}

void play_moment(struct tracer *t, struct step *step)
{
    (void)t;
    (void)step;
}
