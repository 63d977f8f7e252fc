/* run.c - the conductor: clients act, processes come to rest, moments are recorded. */
#include "run.h"
#include "history.h"
#include "launch.h"
#include "proc.h"
#include "record.h"
#include "scenario.h"
#include "settle.h"
#include "snapshot.h"
#include "story.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct run {
    const struct run_options *options;
    struct tcp_channel *tcp;
    struct history *history;
    struct snapshot now; /* the latest measurement, with names that last */
    pid_t program;
    int output;     /* what the program prints */
    bool line_open; /* the story's last line from the program has no newline yet */
    struct peer *peers;
    size_t peer_count;
    char title[128]; /* of the scenario */
};

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Take what the program has printed, so that it never blocks on a full pipe, and retell it. */
static void drain_output(struct run *r)
{
    char text[4096];
    ssize_t got;

    while ((got = read(r->output, text, sizeof text)) > 0) {
        for (ssize_t i = 0; i < got && r->options->story != NULL; i++) {
            if (!r->line_open)
                fputs("  server    | ", r->options->story);
            r->line_open = text[i] != '\n';
            fputc(text[i], r->options->story);
        }
    }
}

/* Wait for our own children that have ended: the program, and orphans we adopted. */
static void reap_own(struct run *r)
{
    siginfo_t info = {0};
    int status;

    while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0) {
        char how[TEXT_SIZE];
        waitpid(info.si_pid, &status, 0);
        snprintf(how, sizeof how, WIFSIGNALED(status) ? "signal %d" : "exit %d",
                 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        history_exit(r->history, info.si_pid, how);
        info.si_pid = 0;
    }
}

/* What the kernel says of the socket of client `peer`: its state, or 0 when there is none. */
static int peer_state(struct run *r, const struct peer *peer)
{
    struct tcp_socket found;
    struct error unused;

    return r->tcp != NULL && tcp_find(r->tcp, &peer->key, &found, &unused) == 1 ? found.state : 0;
}

/*
 * Measure once, names by position. Nobody left is an empty snapshot, not an error.
 * Returns 0, or -1 with err filled.
 */
static int measure(struct run *r, struct snapshot *s, struct error *err)
{
    struct pid_list children = {0};

    drain_output(r);
    reap_own(r);
    /* The program comes first; orphans that we adopted follow it. */
    pid_t *roots = grown(NULL, 0, sizeof *roots);
    size_t count = 0;
    roots[count++] = r->program;
    (void)proc_children(getpid(), 1, &children);
    for (size_t i = 0; i < children.count; i++) {
        if (children.items[i] == r->program)
            continue;
        roots = grown(roots, count, sizeof *roots);
        roots[count++] = children.items[i];
    }
    struct tcp_socket *clients = NULL;
    size_t client_count = 0;
    for (size_t i = 0; i < r->peer_count; i++) {
        clients = grown(clients, client_count, sizeof *clients);
        clients[client_count++] = r->peers[i].key;
    }
    struct scope scope = {.tcp = r->tcp,
                          .roots = roots,
                          .root_count = count,
                          .clients = clients,
                          .client_count = client_count};
    int result = snapshot_take(&scope, s, err);
    free(clients);
    if (result == -1 && children.count == 0) {
        memset(s, 0, sizeof *s);
        result = 0;
    }
    free(children.items);
    free(roots);
    return result;
}

static bool holds_connection(const struct snapshot *s, uint16_t client_port)
{
    for (size_t i = 0; i < s->object_count; i++)
        if (s->objects[i].kind == OBJECT_CONNECTION && s->objects[i].peer_port == client_port)
            return true;
    return false;
}

/*
 * A client in FIN_WAIT whose connection no process holds: the server's side has
 * closed too, so TIME_WAIT is a moment away.
 */
static bool client_moving(struct run *r, const struct snapshot *s)
{
    for (size_t i = 0; i < r->peer_count; i++)
        if (strcmp(tcp_name(peer_state(r, &r->peers[i])), "FIN_WAIT") == 0 &&
            !holds_connection(s, r->peers[i].key.port))
            return true;
    return false;
}

/* Set when we are told to end: then the program must be ended before us. */
static volatile sig_atomic_t interrupted;

static void on_interrupt(int sig)
{
    (void)sig;
    interrupted = 1;
}

/*
 * Between two looks at a condition: leave the CPU to those we wait for.
 * Returns 0 to look again, 1 when the deadline has passed, -1 with err filled when
 * we have been told to end.
 */
static int wait_more(double deadline, struct error *err)
{
    if (interrupted)
        return fail(err, "interrupted");
    if (seconds() > deadline)
        return 1;
    nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
    return 0;
}

/* Who keeps the picture from coming to rest: for the error message. */
static int restless(const struct snapshot *s, double deadline, struct error *err)
{
    for (size_t i = 0; i < s->process_count; i++)
        if (s->processes[i].state == PROCESS_RUNNING)
            return fail(err, "process %d still runs after %g s: is it a busy loop?",
                        (int)s->processes[i].pid, deadline);
    return fail(err, "not at rest after %g s: something is on its way still", deadline);
}

/*
 * Wait until everything is at rest, seen twice in a row without a difference, and
 * make that the picture of now. Only then are names given: a look in the midst of a
 * change may show one socket twice, accepted and not yet accepted.
 * Returns 0, or -1 with err filled when it never comes to rest.
 */
static int settle(struct run *r, struct error *err)
{
    double deadline = seconds() + r->options->deadline;
    struct snapshot before = {0}, fresh;
    bool was_quiet = false;

    for (;;) {
        if (measure(r, &fresh, err) == -1) {
            snapshot_free(&before);
            return -1;
        }
        bool quiet = snapshot_settled(&fresh) && !client_moving(r, &fresh);
        if (quiet && was_quiet && snapshot_equal(&before, &fresh))
            break;
        snapshot_free(&before);
        before = fresh;
        was_quiet = quiet;
        int late = wait_more(deadline, err);
        if (late == 1)
            late = restless(&before, r->options->deadline, err);
        if (late != 0) {
            snapshot_free(&before);
            return -1;
        }
    }
    snapshot_free(&before);
    snapshot_free(&r->now);
    drain_output(r);
    history_apply(r->history, &fresh, true);
    r->now = fresh;
    for (size_t i = 0; i < r->now.client_count; i++)
        for (size_t k = 0; k < r->peer_count; k++)
            if (r->peers[k].key.port == r->now.clients[i].port) {
                r->now.clients[i].tcp = peer_state(r, &r->peers[k]);
                r->now.clients[i].closed = r->peers[k].fd == -1;
            }
    return 0;
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
    double deadline = seconds() + r->options->deadline;

    for (;;) {
        for (size_t i = 0; i < r->now.object_count; i++)
            if (r->now.objects[i].kind == OBJECT_LISTENING && r->now.objects[i].refs > 0)
                return r->now.objects[i].port;
        if (kill(r->program, 0) == -1) {
            fail(err, "the program has ended and listens on no port");
            return 0;
        }
        int late = wait_more(deadline, err);
        if (late == 1)
            fail(err, "the program listens on no port after %g s", r->options->deadline);
        if (late != 0)
            return 0;
        if (settle(r, err) == -1)
            return 0;
    }
}

static int do_connect(struct run *r, const struct action *a, struct error *err)
{
    uint16_t port = listening_port(r, err);

    if (port == 0)
        return -1;
    r->peers = grown(r->peers, r->peer_count, sizeof *r->peers);
    if (peer_connect(&r->peers[r->peer_count], a->name, port, err) == -1) {
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
    double deadline = seconds() + r->options->deadline;
    struct peer *peer = find_peer(r, a->name);

    for (;;) {
        int there = a->verb == DO_RECEIVE_RESET
                        ? peer_is_reset(peer, err)
                        : peer_receive(peer, a->verb == DO_RECEIVE_EOF ? NULL : a->text, err);
        if (there != 0)
            return there == 1 ? 0 : -1;
        int late = wait_more(deadline, err);
        if (late == 1)
            late = fail(err, "client %s: waited %g s to receive: %.200s", a->name,
                        r->options->deadline, a->text);
        if (late != 0)
            return -1;
        drain_output(r);
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
    double deadline = seconds() + r->options->deadline;
    pid_t pid = find_process(r, a->name, err);
    int number = a->verb == DO_STOP ? SIGSTOP : a->verb == DO_CONTINUE ? SIGCONT : (int)a->number;

    if (pid == -1)
        return -1;
    if (kill(pid, number) == -1)
        return fail(err, "%s: kill: %s", a->name, strerror(errno));
    /* A stop is not immediate: wait until the state says so. */
    for (struct proc_stat stat; a->verb == DO_STOP && proc_stat(pid, &stat) == 0 &&
                                stat.state != 'T' && stat.state != 'Z';) {
        int late = wait_more(deadline, err);
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
    double deadline = seconds() + r->options->deadline;

    while (count_of(&r->now, a->name) != a->number) {
        int late = wait_more(deadline, err);
        if (late == 1)
            late = fail(err, "waited %g s for %zu %s, there are %zu", r->options->deadline,
                        a->number, a->name, count_of(&r->now, a->name));
        if (late != 0 || settle(r, err) == -1)
            return -1;
    }
    return 0;
}

/* Let the reader look. Returns 0, or -1 with err filled when told to end. */
static int wait_for_enter(struct error *err)
{
    int c;

    fputs("Enter: go on   Ctrl-C: end ", stdout);
    fflush(stdout);
    while ((c = getchar()) != '\n' && c != EOF)
        ;
    return interrupted ? fail(err, "interrupted") : 0;
}

static int do_picture(struct run *r, const struct action *a, struct error *err)
{
    snprintf(r->now.title, sizeof r->now.title, "%s", r->title);
    snprintf(r->now.moment, sizeof r->now.moment, "%s", a->name);
    snprintf(r->now.caption, sizeof r->now.caption, "%.255s", a->text);
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
        snprintf(r->title, sizeof r->title, "%.127s", a->text);
        return 0;
    case DO_SAY:
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
    struct sigaction act = {.sa_handler = on_interrupt};
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
    sigaction(SIGHUP, &act, NULL);
    /* What there is to say comes before the program does anything. */
    size_t first = 0;
    for (; first < scenario.count && scenario.actions[first].verb <= DO_SAY; first++) {
        if (options->story != NULL)
            story_tell(options->story, &scenario.actions[first]);
        if (scenario.actions[first].verb == DO_TITLE)
            snprintf(r.title, sizeof r.title, "%.127s", scenario.actions[first].text);
    }
    r.history = history_new();
    r.output = -1;
    r.tcp = tcp_open(err);
    r.program = r.tcp == NULL ? -1 : launch_program(options->argv, &r.output, err);
    if (r.program == -1)
        result = -1;
    if (result == 0)
        result = settle(&r, err);
    for (size_t i = first; i < scenario.count && result == 0; i++) {
        const struct action *a = &scenario.actions[i];
        struct error inner;
        if (options->story != NULL)
            story_tell(options->story, a);
        result = perform(&r, a, &inner);
        if (result == 0 && a->verb != DO_PICTURE && a->verb != DO_SAY && a->verb != DO_TITLE)
            result = settle(&r, &inner);
        if (result == -1)
            fail(err, "%s:%d: %.200s", options->scenario, a->line, inner.text);
    }
    if (result == 0 && options->scenario == NULL)
        result = do_picture(&r, &(struct action){.name = "at-rest", .text = "at rest"}, err);
    for (size_t i = 0; i < r.peer_count; i++)
        if (r.peers[i].fd != -1)
            close(r.peers[i].fd);
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
