/* stage.c - look at the program until it is at rest. */
#include "stage.h"
#include "proc.h"
#include "settle.h"
#include "snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

double stage_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void stage_drain(struct run *r)
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

void stage_finish_line(struct run *r)
{
    if (r->line_open)
        fputc('\n', r->options->story);
    r->line_open = false;
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

    stage_drain(r);
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

volatile sig_atomic_t stage_interrupted;

static void on_interrupt(int sig)
{
    (void)sig;
    stage_interrupted = 1;
}

void stage_catch_signals(void)
{
    struct sigaction act = {.sa_handler = on_interrupt};

    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
    sigaction(SIGHUP, &act, NULL);
}

int stage_wait(double deadline, struct error *err)
{
    if (stage_interrupted)
        return fail(err, "interrupted");
    if (stage_seconds() > deadline)
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
 * Names are given only at rest: a look in the midst of a change may show one socket
 * twice, accepted and not yet accepted.
 */
int stage_settle(struct run *r, struct error *err)
{
    double deadline = stage_seconds() + r->options->deadline;
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
        int late = stage_wait(deadline, err);
        if (late == 1)
            late = restless(&before, r->options->deadline, err);
        if (late != 0) {
            snapshot_free(&before);
            return -1;
        }
    }
    snapshot_free(&before);
    snapshot_free(&r->now);
    stage_drain(r);
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
