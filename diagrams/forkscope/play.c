/* play.c - the scenario in a trace: each action when every process waits. */
#include "tracer.h"
#include "proc.h"
#include "stage.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { DONE = 1, NOT_YET = 2 };

static struct peer *find_peer(const struct tracer *t, const char *name)
{
    for (size_t i = 0; i < t->peer_count; i++)
        if (strcmp(t->peers[i].name, name) == 0)
            return &t->peers[i];
    return NULL;
}

static pid_t find_process(const struct tracer *t, const char *name, struct error *err)
{
    for (size_t i = 0; i < t->task_count; i++)
        if (strcmp(t->tasks[i]->name, name) == 0 && t->tasks[i]->state != TASK_ENDED)
            return t->tasks[i]->pid;
    return fail(err, "there is no living process %s", name);
}

static int step_of(struct tracer *t, enum step_kind kind, const char *who, const char *call,
                   struct error *err)
{
    tracer_stir(t);
    return look_step(t, kind, who, NULL, call, "", NULL, err) == -1 ? -1 : DONE;
}

static int do_connect(struct tracer *t, const struct action *a, struct error *err)
{
    const struct snapshot *now = &t->last.now;
    uint16_t port = 0;

    for (size_t i = 0; i < now->object_count && port == 0; i++)
        if (now->objects[i].kind == OBJECT_LISTENING && now->objects[i].refs > 0)
            port = now->objects[i].port;
    if (port == 0)
        return NOT_YET;
    t->peers = grown(t->peers, t->peer_count, sizeof *t->peers);
    struct peer *peer = &t->peers[t->peer_count];
    if (peer_connect(peer, a->name, port, t->options->deadline, err) == -1) {
        if (peer->fd != -1)
            close(peer->fd);
        /* The trace ends as it does wherever else it is interrupted. */
        if (!stage_interrupted)
            return -1;
        t->over = true;
        return NOT_YET;
    }
    history_client(t->history, a->name, peer->key.port);
    t->peer_count++;
    return step_of(t, STEP_CLIENT, a->name, "connect", err);
}

static int do_receive(struct tracer *t, const struct action *a, struct error *err)
{
    struct peer *peer = find_peer(t, a->name);
    char text[128];
    int there = a->verb == DO_RECEIVE_RESET
                    ? peer_is_reset(peer, err)
                    : peer_receive(peer, a->verb == DO_RECEIVE_EOF ? NULL : a->text, err);

    if (there == 0)
        return NOT_YET;
    snprintf(text, sizeof text, "receive %.100s", a->text);
    return there == -1 ? -1 : step_of(t, STEP_CLIENT, a->name, text, err);
}

static int do_send(struct tracer *t, const struct action *a, struct error *err)
{
    char text[128];

    if (peer_send(find_peer(t, a->name), a->text, err) == -1)
        return -1;
    snprintf(text, sizeof text, "send %.100s", a->text);
    return step_of(t, STEP_CLIENT, a->name, text, err);
}

static int do_signal(struct tracer *t, const struct action *a, struct error *err)
{
    pid_t pid = find_process(t, a->name, err);
    int number = a->verb == DO_STOP ? SIGSTOP : a->verb == DO_CONTINUE ? SIGCONT : (int)a->number;
    char name[32], text[64];

    if (pid == -1)
        return -1;
    if (kill(pid, number) == -1)
        return fail(err, "%s: kill: %s", a->name, strerror(errno));
    call_signal_name(number, name, sizeof name);
    snprintf(text, sizeof text, "send %s", name);
    return step_of(t, STEP_TELL, a->name, text, err);
}

static int do_limit(struct tracer *t, const struct action *a, struct error *err)
{
    pid_t pid = find_process(t, a->name, err);
    struct rlimit limit;
    char text[64];

    if (pid == -1)
        return -1;
    if (prlimit(pid, RLIMIT_NOFILE, NULL, &limit) == -1)
        return fail(err, "%s: prlimit: %s", a->name, strerror(errno));
    limit.rlim_cur = a->number;
    if (prlimit(pid, RLIMIT_NOFILE, &limit, NULL) == -1)
        return fail(err, "%s: prlimit: %s", a->name, strerror(errno));
    snprintf(text, sizeof text, "limit: descriptors below %zu only", a->number);
    return step_of(t, STEP_TELL, a->name, text, err);
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

/* Name the step that was last; where it has a name already, look once more. */
static int do_picture(struct tracer *t, const struct action *a, struct error *err)
{
    if ((!t->last_set || t->last.now.moment[0] != '\0') &&
        look_step(t, STEP_TELL, "P", NULL, "look again", "", NULL, err) == -1)
        return -1;
    struct snapshot *now = &t->last.now;
    text_copy(now->title, sizeof now->title, t->title);
    text_copy(now->moment, sizeof now->moment, a->name);
    text_copy(now->caption, sizeof now->caption, a->text);
    return DONE;
}

static int perform(struct tracer *t, const struct action *a, struct error *err)
{
    switch (a->verb) {
    case DO_CONNECT:
        return do_connect(t, a, err);
    case DO_SEND:
        return do_send(t, a, err);
    case DO_RECEIVE:
    case DO_RECEIVE_EOF:
    case DO_RECEIVE_RESET:
        return do_receive(t, a, err);
    case DO_HALF_CLOSE:
        return peer_half_close(find_peer(t, a->name), err) == -1
                   ? -1
                   : step_of(t, STEP_CLIENT, a->name, "half-close", err);
    case DO_CLOSE:
    case DO_RESET:
        peer_close(find_peer(t, a->name), a->verb == DO_RESET);
        return step_of(t, STEP_CLIENT, a->name, a->verb == DO_RESET ? "reset" : "close", err);
    case DO_STOP:
    case DO_CONTINUE:
    case DO_SIGNAL:
        return do_signal(t, a, err);
    case DO_LIMIT:
        return do_limit(t, a, err);
    case DO_UNTIL:
        return count_of(&t->last.now, a->name) == a->number ? DONE : NOT_YET;
    case DO_PICTURE:
        return do_picture(t, a, err);
    case DO_AT:
        t->moments = grown(t->moments, t->moment_count, sizeof *t->moments);
        t->moments[t->moment_count++] = (struct moment){a, a->number};
        return DONE;
    case DO_TITLE:
        text_copy(t->title, sizeof t->title, a->text);
        return DONE;
    case DO_SAY:
        return DONE;
    }
    return DONE;
}

int play(struct tracer *t, struct error *err)
{
    struct error inner = {""};

    if (t->next_action == t->scenario.count)
        return 0;
    const struct action *a = &t->scenario.actions[t->next_action];
    int result = perform(t, a, &inner);
    if (result == DONE)
        t->next_action++;
    if (result == -1)
        fail(err, "%s:%d: %.200s", t->options->scenario, a->line, inner.text);
    return result;
}

/* Is it what `at` waits for: "fork", "accept=EINTR", "exit", "SIGCHLD", "block"? */
static bool matches(const struct action *a, const struct step *step)
{
    char wanted[NAME_SIZE * 2];
    size_t name = strcspn(step->call, "( ");

    snprintf(wanted, sizeof wanted, "%s", a->call);
    char *result = strchr(wanted, '=');
    if (result != NULL)
        *result++ = '\0';
    if (strcmp(step->who, a->name) != 0)
        return false;
    bool same = strlen(wanted) == name && strncmp(step->call, wanted, name) == 0;
    if (step->kind != STEP_CALL && step->kind != STEP_SIGNAL)
        same = strcmp(wanted, step_kind_name(step->kind)) == 0;
    if (!same || result == NULL)
        return same;
    const char *last = strrchr(step->result, ' ');
    return strcmp(last != NULL ? last + 1 : step->result, result) == 0;
}

void play_moment(struct tracer *t, struct step *step)
{
    for (size_t i = 0; i < t->moment_count; i++) {
        struct moment *m = &t->moments[i];
        if (m->left == 0 || !matches(m->action, step) || --m->left > 0)
            continue;
        text_copy(step->now.title, sizeof step->now.title, t->title);
        text_copy(step->now.moment, sizeof step->now.moment, m->action->moment);
        text_copy(step->now.caption, sizeof step->now.caption, m->action->text);
        return;
    }
}
