/* history.c - match a snapshot with what was seen before it. */
#include "history.h"
#include "proc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct past_process {
    struct process last; /* as last seen, without its descriptors */
    char parent[NAME_SIZE];
};

struct history {
    struct past_process *processes;
    size_t process_count;
    size_t child_count;     /* how many were called C1, C2, ... */
    struct object *objects; /* as last seen */
    size_t object_count;
    size_t named_objects;
    struct client *clients;
    size_t client_count;
    size_t unnamed_clients; /* how many were given a letter here */
};

struct history *history_new(void)
{
    return grown(NULL, 0, sizeof(struct history));
}

void history_free(struct history *h)
{
    free(h->processes);
    free(h->objects);
    free(h->clients);
    free(h);
}

void history_client(struct history *h, const char *name, uint16_t port)
{
    h->clients = grown(h->clients, h->client_count, sizeof *h->clients);
    struct client *c = &h->clients[h->client_count++];
    snprintf(c->name, sizeof c->name, "%s", name);
    c->port = port;
}

void history_exit(struct history *h, pid_t pid, const char *how)
{
    for (size_t i = h->process_count; i > 0; i--) {
        struct process *p = &h->processes[i - 1].last;
        if (p->pid != pid)
            continue;
        p->state = PROCESS_ZOMBIE;
        snprintf(p->doing, sizeof p->doing, "%s", how);
        return;
    }
}

/*
 * The latest one that was seen with this number and this start. The start alone does not tell two
 * with one number apart: a clock tick is 10 ms, and a number may be given again within it.
 */
static struct past_process *latest(struct history *h, const struct process *p)
{
    for (size_t i = h->process_count; i > 0; i--)
        if (h->processes[i - 1].last.pid == p->pid && h->processes[i - 1].last.start == p->start)
            return &h->processes[i - 1];
    return NULL;
}

static bool has_ended(const struct process *p)
{
    return p->state == PROCESS_ZOMBIE || p->state == PROCESS_GONE;
}

static size_t new_process(struct history *h, const struct process *p)
{
    h->processes = grown(h->processes, h->process_count, sizeof *h->processes);
    struct process *last = &h->processes[h->process_count].last;
    if (strcmp(p->name, "P") == 0 && h->process_count == 0)
        snprintf(last->name, sizeof last->name, "P");
    else
        snprintf(last->name, sizeof last->name, "C%zu", ++h->child_count);
    return h->process_count++;
}

static size_t past_process(struct history *h, const struct process *p)
{
    const struct past_process *known = latest(h, p);

    return known != NULL ? (size_t)(known - h->processes) : new_process(h, p);
}

static const char *remember(struct history *h, const char *name, pid_t pid)
{
    struct proc_stat stat = {0};
    struct process p = {.pid = pid, .shares = -1, .call_fd = -1};

    snprintf(p.name, sizeof p.name, "%s", name);
    /* It is our child, or traced: until we wait for it, it is there, if only as a zombie. */
    if (proc_stat(pid, &stat) == 0)
        p.start = stat.start;
    const struct past_process *known = latest(h, &p);
    /*
     * Who is born now is not the one that has ended. Before `last` is taken, because it may move
     * the array:
     */
    size_t index = known != NULL && !has_ended(&known->last) ? (size_t)(known - h->processes)
                                                             : new_process(h, &p);
    struct process *last = &h->processes[index].last;
    last->pid = p.pid;
    last->start = p.start;
    last->shares = -1;
    return last->name;
}

void history_program(struct history *h, pid_t pid)
{
    (void)remember(h, "P", pid);
}

const char *history_born(struct history *h, pid_t pid)
{
    return remember(h, "", pid);
}

/* Turn an ended process into what is left of it: its name, and how it ended if that was seen. */
static struct process gone(const struct process *last)
{
    struct process p = *last;

    if (!has_ended(&p))
        p.doing[0] = '\0';
    p.state = PROCESS_GONE;
    p.pending[0] = '\0';
    p.descriptors = NULL;
    p.descriptor_count = 0;
    p.shares = -1;
    return p;
}

static void apply_processes(struct history *h, struct snapshot *s, bool keep_gone)
{
    size_t count = s->process_count;
    size_t *past = zeroed(count + 1, sizeof *past);
    struct process *ordered = NULL;
    size_t ordered_count = 0;

    for (size_t i = 0; i < count; i++) {
        past[i] = past_process(h, &s->processes[i]);
        struct past_process *e = &h->processes[past[i]];
        /* An orphan is adopted by another process; the picture keeps the one that made it. */
        if (e->parent[0] == '\0' && s->processes[i].parent >= 0)
            snprintf(e->parent, sizeof e->parent, "%s",
                     h->processes[past[s->processes[i].parent]].last.name);
    }
    for (size_t e = 0; e < h->process_count; e++) {
        size_t i = 0;
        while (i < count && past[i] != e)
            i++;
        if (i == count && !keep_gone)
            continue;
        ordered = grown(ordered, ordered_count, sizeof *ordered);
        struct process *p = &ordered[ordered_count++];
        *p = i < count ? s->processes[i] : gone(&h->processes[e].last);
        memcpy(p->name, h->processes[e].last.name, sizeof p->name);
        /* The index becomes that of the same process in the new order. */
        if (i < count && p->shares >= 0) {
            size_t shared = past[p->shares];
            for (size_t k = 0; k < ordered_count; k++)
                if (strcmp(ordered[k].name, h->processes[shared].last.name) == 0)
                    p->shares = (int)k;
        }
        h->processes[e].last = *p;
        h->processes[e].last.descriptors = NULL;
        h->processes[e].last.descriptor_count = 0;
        h->processes[e].last.at = (struct chain){0};
        p->parent = -1;
        for (size_t k = 0; k + 1 < ordered_count; k++)
            if (strcmp(ordered[k].name, h->processes[e].parent) == 0)
                p->parent = (int)k;
    }
    free(past);
    free(s->processes);
    s->processes = ordered;
    s->process_count = ordered_count;
}

static void apply_clients(struct history *h, struct snapshot *s, bool keep_gone)
{
    int *moved = zeroed(s->client_count + 1, sizeof *moved);
    struct client *ordered = NULL;
    size_t ordered_count = 0;

    for (size_t i = 0; i < s->client_count; i++) {
        size_t e = 0;
        while (e < h->client_count && h->clients[e].port != s->clients[i].port)
            e++;
        if (e == h->client_count) {
            char name[NAME_SIZE];
            letter_name(h->unnamed_clients++, name, sizeof name);
            history_client(h, name, s->clients[i].port);
        }
    }
    for (size_t e = 0; e < h->client_count; e++) {
        size_t i = 0;
        while (i < s->client_count && s->clients[i].port != h->clients[e].port)
            i++;
        if (i == s->client_count && !keep_gone)
            continue;
        ordered = grown(ordered, ordered_count, sizeof *ordered);
        struct client *c = &ordered[ordered_count];
        if (i < s->client_count) {
            *c = s->clients[i];
            moved[i] = (int)ordered_count;
        } else {
            c->port = h->clients[e].port;
            c->closed = true;
        }
        memcpy(c->name, h->clients[e].name, sizeof c->name);
        ordered_count++;
    }
    for (size_t i = 0; i < s->object_count; i++)
        if (s->objects[i].client >= 0)
            s->objects[i].client = moved[s->objects[i].client];
    free(moved);
    free(s->clients);
    s->clients = ordered;
    s->client_count = ordered_count;
}

/*
 * Is it the same object? A socket keeps its inode; a connection in the backlog
 * has none yet and is told by its ports; anything else by inode and path.
 */
static bool same_object(const struct object *a, const struct object *b)
{
    bool sockets = a->kind <= OBJECT_SOCKET && b->kind <= OBJECT_SOCKET;

    if (sockets && a->kind == OBJECT_CONNECTION && b->kind == OBJECT_CONNECTION &&
        a->peer_port != 0 && (a->inode == 0 || b->inode == 0))
        return a->port == b->port && a->peer_port == b->peer_port;
    if (sockets)
        return a->inode == b->inode;
    return a->kind == b->kind && a->inode == b->inode && strcmp(a->path, b->path) == 0;
}

static void apply_objects(struct history *h, struct snapshot *s, bool keep_gone)
{
    int *moved = zeroed(s->object_count + 1, sizeof *moved);
    size_t *past = zeroed(s->object_count + 1, sizeof *past);
    bool *taken = zeroed(h->object_count + s->object_count + 1, sizeof *taken);
    struct object *ordered = NULL;
    size_t ordered_count = 0;

    for (size_t i = 0; i < s->object_count; i++) {
        size_t e = 0;
        while (e < h->object_count && (taken[e] || !same_object(&h->objects[e], &s->objects[i])))
            e++;
        if (e == h->object_count) {
            h->objects = grown(h->objects, h->object_count++, sizeof *h->objects);
            h->objects[e] = s->objects[i];
            h->objects[e].name[0] = '\0';
        }
        taken[e] = true;
        past[i] = e;
        struct object *last = &h->objects[e];
        char name[NAME_SIZE];
        memcpy(name, last->name, sizeof name);
        if (name[0] == '\0' && !s->objects[i].standard)
            snprintf(name, sizeof name, "S%zu", ++h->named_objects);
        *last = s->objects[i];
        memcpy(last->name, name, sizeof name);
    }
    for (size_t e = 0; e < h->object_count; e++) {
        size_t i = 0;
        while (i < s->object_count && past[i] != e)
            i++;
        if (i == s->object_count && (!keep_gone || h->objects[e].standard))
            continue;
        ordered = grown(ordered, ordered_count, sizeof *ordered);
        struct object *o = &ordered[ordered_count];
        *o = h->objects[e];
        if (i < s->object_count) {
            moved[i] = (int)ordered_count;
        } else {
            o->refs = 0;
            o->tcp = 0;
            o->backlog = o->unread = 0;
            o->end_of_file = o->waiting = o->in_flight = false;
            /* Clients are in the order of the history here, so find ours by its port. */
            o->client = -1;
            for (size_t c = 0; o->kind == OBJECT_CONNECTION && c < s->client_count; c++)
                if (s->clients[c].port == o->peer_port)
                    o->client = (int)c;
        }
        ordered_count++;
    }
    for (size_t p = 0; p < s->process_count; p++)
        for (size_t d = 0; d < s->processes[p].descriptor_count; d++)
            s->processes[p].descriptors[d].object = moved[s->processes[p].descriptors[d].object];
    free(moved);
    free(past);
    free(taken);
    free(s->objects);
    s->objects = ordered;
    s->object_count = ordered_count;
}

void history_apply(struct history *h, struct snapshot *s, bool keep_gone)
{
    apply_processes(h, s, keep_gone);
    apply_clients(h, s, keep_gone);
    apply_objects(h, s, keep_gone);
}
