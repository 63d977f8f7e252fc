/* run.c - what each action of a scenario is, and the whole of a run. */
#include "run.h"
#include "launch.h"
#include "proc.h"
#include "record.h"
#include "scenario.h"
#include "stage.h"
#include "story.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

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

static struct peer *find_peer(struct run *r, const char *name)
{
    for (size_t i = 0; i < r->peer_count; i++)
        if (strcmp(r->peers[i].name, name) == 0)
            return &r->peers[i];
    return NULL;
}

/* The port that the program listens on, waiting until it does. 0 with err filled if it never does. */
static uint16_t listening_port(struct run *r, struct error *err)
{
    double deadline = stage_seconds() + r->options->deadline;

    for (;;) {
        for (size_t i = 0; i < r->now.object_count; i++)
            if (r->now.objects[i].kind == OBJECT_LISTENING && r->now.objects[i].refs > 0)
                return r->now.objects[i].port;
        if (kill(r->program, 0) == -1) {
            fail(err, "the program has ended and listens on no port");
            return 0;
        }
        int late = stage_wait(deadline, err);
        if (late == 1)
            fail(err, "the program listens on no port after %g s", r->options->deadline);
        if (late != 0)
            return 0;
        if (stage_settle(r, err) == -1)
            return 0;
    }
}

static int do_connect(struct run *r, const struct action *a, struct error *err)
{
    uint16_t port = listening_port(r, err);

    if (port == 0)
        return -1;
    r->peers = grown(r->peers, r->peer_count, sizeof *r->peers);
    if (peer_connect(&r->peers[r->peer_count], a->name, port, r->options->deadline, err) == -1) {
        if (r->peers[r->peer_count].fd != -1)
            close(r->peers[r->peer_count].fd);
        return -1;
    }
    history_client(r->history, a->name, r->peers[r->peer_count].key.port);
    r->peer_count++;
    return 0;
}

static int do_receive(struct run *r, const struct action *a, struct error *err)
{
    double deadline = stage_seconds() + r->options->deadline;
    struct peer *peer = find_peer(r, a->name);

    for (;;) {
        int there = a->verb == DO_RECEIVE_RESET
                        ? peer_is_reset(peer, err)
                        : peer_receive(peer, a->verb == DO_RECEIVE_EOF ? NULL : a->text, err);
        if (there != 0)
            return there == 1 ? 0 : -1;
        int late = stage_wait(deadline, err);
        if (late == 1)
            late = fail(err, "client %s: waited %g s to receive: %.200s", a->name,
                        r->options->deadline, a->text);
        if (late != 0)
            return -1;
        stage_drain(r);
    }
}

/* The process id of the living process called `name`, or -1 with err filled. */
static pid_t find_process(const struct run *r, const char *name, struct error *err)
{
    for (size_t i = 0; i < r->now.process_count; i++) {
        const struct process *p = &r->now.processes[i];
        if (strcmp(p->name, name) == 0 && p->state != PROCESS_GONE && p->state != PROCESS_ZOMBIE)
            return p->pid;
    }
    return fail(err, "there is no living process %s", name);
}

static int do_signal(struct run *r, const struct action *a, struct error *err)
{
    double deadline = stage_seconds() + r->options->deadline;
    pid_t pid = find_process(r, a->name, err);
    int number = a->verb == DO_STOP ? SIGSTOP : a->verb == DO_CONTINUE ? SIGCONT : (int)a->number;

    if (pid == -1)
        return -1;
    if (kill(pid, number) == -1)
        return fail(err, "%s: kill: %s", a->name, strerror(errno));
    /* A stop is not immediate: wait until the state says so. */
    for (struct proc_stat stat; a->verb == DO_STOP && proc_stat(pid, &stat) == 0 &&
                                stat.state != 'T' && stat.state != 'Z';) {
        int late = stage_wait(deadline, err);
        if (late != 0)
            return late == 1 ? fail(err, "%s does not stop", a->name) : -1;
    }
    return 0;
}

static int do_limit(struct run *r, const struct action *a, struct error *err)
{
    pid_t pid = find_process(r, a->name, err);
    struct rlimit limit;

    if (pid == -1)
        return -1;
    /* The hard limit stays, so that the scenario can raise it again. */
    if (prlimit(pid, RLIMIT_NOFILE, NULL, &limit) == -1)
        return fail(err, "%s: prlimit: %s", a->name, strerror(errno));
    limit.rlim_cur = a->number;
    if (prlimit(pid, RLIMIT_NOFILE, &limit, NULL) == -1)
        return fail(err, "%s: prlimit: %s", a->name, strerror(errno));
    return 0;
}

static int do_until(struct run *r, const struct action *a, struct error *err)
{
    double deadline = stage_seconds() + r->options->deadline;

    while (count_of(&r->now, a->name) != a->number) {
        int late = stage_wait(deadline, err);
        if (late == 1)
            late = fail(err, "waited %g s for %zu %s, there are %zu", r->options->deadline,
                        a->number, a->name, count_of(&r->now, a->name));
        if (late != 0 || stage_settle(r, err) == -1)
            return -1;
    }
    return 0;
}

/* Let the reader look. Returns 0, or -1 with err filled when told to end. */
static int wait_for_enter(struct error *err)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    sigset_t ends, before;
    char c = '\0';

    fputs("Enter: go on   Ctrl-C: end ", stdout);
    fflush(stdout);
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGHUP);
    /* They come in ppoll alone: one that came before it would be forgotten in a read. */
    sigprocmask(SIG_BLOCK, &ends, &before);
    while (!stage_interrupted && c != '\n') {
        int ready = ppoll(&input, 1, NULL, &before);
        if ((ready == -1 && errno != EINTR) || (ready == 1 && read(STDIN_FILENO, &c, 1) <= 0))
            break;
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    return stage_interrupted ? fail(err, "interrupted") : 0;
}

static int do_picture(struct run *r, const struct action *a, struct error *err)
{
    snprintf(r->now.title, sizeof r->now.title, "%s", r->title);
    snprintf(r->now.moment, sizeof r->now.moment, "%s", a->name);
    text_copy(r->now.caption, sizeof r->now.caption, a->text);
    if (r->options->story != NULL) {
        fprintf(r->options->story, "\n%s%s%s\n\n", r->options->style.colour ? "\033[1m" : "",
                a->text, r->options->style.colour ? "\033[0m" : "");
        table_print(r->options->story, &r->now, NULL, &r->options->style);
        fputc('\n', r->options->story);
    }
    if (r->options->records != NULL && record_write(r->options->records, &r->now, false, err) == -1)
        return -1;
    return r->options->pause ? wait_for_enter(err) : 0;
}

static int perform(struct run *r, const struct action *a, struct error *err)
{
    struct peer *peer = find_peer(r, a->name);

    switch (a->verb) {
    case DO_CONNECT:
        return do_connect(r, a, err);
    case DO_SEND:
        return peer_send(peer, a->text, err);
    case DO_RECEIVE:
    case DO_RECEIVE_EOF:
    case DO_RECEIVE_RESET:
        return do_receive(r, a, err);
    case DO_HALF_CLOSE:
        return peer_half_close(peer, err);
    case DO_CLOSE:
    case DO_RESET:
        peer_close(peer, a->verb == DO_RESET);
        return 0;
    case DO_STOP:
    case DO_CONTINUE:
    case DO_SIGNAL:
        return do_signal(r, a, err);
    case DO_LIMIT:
        return do_limit(r, a, err);
    case DO_UNTIL:
        return do_until(r, a, err);
    case DO_PICTURE:
        return do_picture(r, a, err);
    case DO_TITLE:
        text_copy(r->title, sizeof r->title, a->text);
        return 0;
    case DO_SAY:
    case DO_AT: /* between two calls, where only a trace can look */
        return 0;
    }
    return 0;
}

int run_scenario(const struct run_options *options, struct error *err)
{
    struct run r = {.options = options};
    struct scenario scenario = {0};
    int result = 0;

    if (options->scenario != NULL && scenario_read(options->scenario, &scenario, err) == -1)
        return -1;
    if (!options->shared_network)
        (void)launch_private_network(); /* not permitted: the ports are then shared with others */
    signal(SIGPIPE, SIG_IGN);
    stage_catch_signals();
    /* What there is to say comes before the program does anything. */
    size_t first = 0;
    for (; first < scenario.count && scenario.actions[first].verb <= DO_SAY; first++) {
        if (options->story != NULL)
            story_tell(options->story, &scenario.actions[first]);
        if (scenario.actions[first].verb == DO_TITLE)
            text_copy(r.title, sizeof r.title, scenario.actions[first].text);
    }
    r.history = history_new();
    r.output = -1;
    r.tcp = tcp_open(err);
    r.program = r.tcp == NULL ? -1 : launch_program(options->argv, NULL, &r.output, err);
    if (r.program == -1)
        result = -1;
    else
        history_program(r.history, r.program);
    if (result == 0)
        result = stage_settle(&r, err);
    for (size_t i = first; i < scenario.count && result == 0; i++) {
        const struct action *a = &scenario.actions[i];
        struct error inner;
        if (options->story != NULL) {
            stage_finish_line(&r);
            story_tell(options->story, a);
        }
        result = perform(&r, a, &inner);
        if (result == 0 && a->verb != DO_PICTURE && a->verb != DO_SAY && a->verb != DO_TITLE &&
            a->verb != DO_AT)
            result = stage_settle(&r, &inner);
        if (result == -1)
            fail(err, "%s:%d: %.200s", options->scenario, a->line, inner.text);
    }
    if (result == 0 && options->scenario == NULL)
        result = do_picture(&r, &(struct action){.name = "at-rest", .text = "at rest"}, err);
    for (size_t i = 0; i < r.peer_count; i++)
        if (r.peers[i].fd != -1)
            close(r.peers[i].fd);
    if (result == 0 && options->story != NULL &&
        (ferror(options->story) || fflush(options->story) == EOF))
        result = fail(err, "write: %s", strerror(errno));
    launch_end_all();
    if (r.output != -1)
        close(r.output);
    free(r.peers);
    snapshot_free(&r.now);
    history_free(r.history);
    tcp_close(r.tcp);
    scenario_free(&scenario);
    return result;
}
