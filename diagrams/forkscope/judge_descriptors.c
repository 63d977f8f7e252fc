/* judge_descriptors.c - who is done with a descriptor and keeps it. */
#include "judge.h"

#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

enum leak_kind {
    LEAK_LISTENING, /* a child that serves a client keeps the listening socket */
    LEAK_OTHER,     /* ... and the connection of another client */
    LEAK_PARENT,    /* a parent keeps the connection that its child serves */
    LEAK_DONE,      /* the only process is back in accept, and its last client has gone */
};

struct leak {
    enum leak_kind kind;
    const struct holding *holding;
    const struct frame *where;
    int child; /* the life that serves the connection; LEAK_PARENT only */
    long seen; /* a step at rest that shows it */
};

struct leaks {
    struct leak *items;
    size_t count;
};

static void add_leak(struct leaks *leaks, struct leak leak)
{
    leaks->items = grown(leaks->items, leaks->count, sizeof *leaks->items);
    leaks->items[leaks->count++] = leak;
}

static bool held_at(const struct holding *h, long at)
{
    return h->from <= at && (h->to == NEVER || h->to > at);
}

/* The first moment of rest, not before `from`, at which `h` is held; or NEVER. */
static long rest_holding(const struct evidence *e, const struct holding *h, long from)
{
    for (size_t i = 0; i < e->rest_count; i++)
        if (e->rests[i] >= from && held_at(h, e->rests[i]))
            return e->rests[i];
    return NEVER;
}

static bool descends_from(const struct evidence *e, int life, int ancestor)
{
    while (life >= 0 && life != ancestor)
        life = e->lives[life].parent;
    return life == ancestor;
}

/* Does somebody who descends from `life`, or somebody who does not, use the object? */
static bool used_by(const struct evidence *e, const char *object, int life, bool descendant)
{
    for (size_t i = 0; i < e->holding_count; i++) {
        const struct holding *h = &e->holdings[i];
        if (h->first_use != NEVER && strcmp(h->object, object) == 0 &&
            descends_from(e, h->process, life) == descendant)
            return true;
    }
    return false;
}

/* Does the process serve a client: does it use a connection that it was born with? */
static bool serves(const struct evidence *e, int life)
{
    for (size_t i = 0; i < e->holding_count; i++) {
        const struct holding *h = &e->holdings[i];
        if (h->process == life && h->kind == OBJECT_CONNECTION && h->inherited &&
            h->first_use != NEVER)
            return true;
    }
    return false;
}

/*
 * A child that serves a client needs its connection and nothing else that came with the
 * fork. It may wait for several descriptors at once: then we do not know for which.
 */
static void look_at_child(const struct evidence *e, struct leaks *leaks, const struct holding *h)
{
    const struct life *child = &e->lives[h->process];

    if (!h->inherited || h->closed || h->first_use != NEVER || child->polls || child->accepts > 0 ||
        !serves(e, h->process) || used_by(e, h->object, h->process, true) ||
        !used_by(e, h->object, h->process, false))
        return;
    long seen = rest_holding(e, h, child->born);
    if (seen == NEVER)
        return;
    add_leak(leaks, (struct leak){h->kind == OBJECT_LISTENING ? LEAK_LISTENING : LEAK_OTHER, h,
                                  forked_at(e, h->process), -1, seen});
}

/* The child of h's process that was forked while h was held and uses the connection; or -1. */
static int serving_child(const struct evidence *e, const struct holding *h)
{
    for (size_t i = 0; i < e->holding_count; i++) {
        const struct holding *other = &e->holdings[i];
        const struct life *child = &e->lives[other->process];
        if (other->inherited && child->parent == h->process && child->born > h->from &&
            other->first_use != NEVER && strcmp(other->object, h->object) == 0)
            return other->process;
    }
    return -1;
}

/* Does the process close a connection once the child that served it has ended? Then it is no leak. */
static bool closes_late(const struct evidence *e, int life)
{
    for (size_t i = 0; i < e->holding_count; i++) {
        const struct holding *h = &e->holdings[i];
        if (h->process != life || h->kind != OBJECT_CONNECTION || !h->closed)
            continue;
        int child = serving_child(e, h);
        if (child >= 0 && e->lives[child].ended != NEVER && e->lives[child].ended <= h->to)
            return true;
    }
    return false;
}

/* Back in accept while its child serves the connection: the parent has no use for it. */
static void look_at_parent(const struct evidence *e, struct leaks *leaks, const struct holding *h)
{
    const struct life *parent = &e->lives[h->process];
    int child = serving_child(e, h);

    if (child == -1 || h->to != NEVER || parent->threads > 1)
        return;
    const struct life *served = &e->lives[child];
    if (h->last_use != NEVER && h->last_use >= served->born)
        return;
    if (served->ended == NEVER && closes_late(e, h->process))
        return;
    for (size_t i = 0; i < e->rest_count; i++) {
        long rest = e->rests[i];
        /* Who waits for several descriptors may wait for this one too, until its child is gone. */
        bool idle = rests_in(e, h->process, rest, is_accept) ||
                    (rests_in(e, h->process, rest, is_poll) && served->ended != NEVER &&
                     served->ended <= rest);
        if (rest < served->born || !idle)
            continue;
        add_leak(leaks, (struct leak){LEAK_PARENT, h, forked_at(e, child), child, rest});
        return;
    }
}

/* Nobody but this process has the connection, its client has gone, and it is back in accept. */
static void look_at_rest(const struct evidence *e, struct leaks *leaks, const struct holding *h)
{
    const struct life *life = &e->lives[h->process];
    long rest = e->rest_count > 0 ? e->rests[e->rest_count - 1] : NEVER;

    if (rest == NEVER || h->inherited || h->to != NEVER || life->polls || life->threads > 1 ||
        h->last_use == NEVER || h->last_use > life->last_accept ||
        !rests_in(e, h->process, rest, is_accept))
        return;
    const struct snapshot *now = &e->trace->steps[rest].now;
    int object = object_at(now, h->object);
    if (object < 0 || now->objects[object].refs != 1 || now->objects[object].tcp != TCP_CLOSE_WAIT)
        return;
    add_leak(leaks,
             (struct leak){LEAK_DONE, h, user_frame(&e->trace->steps[h->from].chain), -1, rest});
}

/* ---- in words ---- */

static void say_object(struct finding *f, const struct evidence *e, const struct leak *leak)
{
    const struct snapshot *now = &e->trace->steps[leak->seen].now;
    int object = object_at(now, leak->holding->object);
    char label[TEXT_SIZE + 32] = "something";

    if (object >= 0)
        object_short_label(now, &now->objects[object], label, sizeof label);
    finding_say(f, "descriptor %d of %s%s", leak->holding->fd,
                leak->kind == LEAK_LISTENING ? "the " : "", label);
}

/* At the last rest, is it a connection whose client has ended its half and gets no answer to that? */
static const struct client *waiting_client(const struct evidence *e, const struct leak *leak)
{
    if (e->rest_count == 0)
        return NULL;
    const struct snapshot *now = &e->trace->steps[e->rests[e->rest_count - 1]].now;
    int object = object_at(now, leak->holding->object);
    if (object < 0 || now->objects[object].client < 0 || now->objects[object].refs == 0)
        return NULL;
    const struct client *c = &now->clients[now->objects[object].client];
    bool done = leak->child == -1 || e->lives[leak->child].ended != NEVER;
    return done && !c->closed && now->objects[object].tcp == TCP_CLOSE_WAIT ? c : NULL;
}

/* Leaks of one kind from one line are one mistake: they are told together. */
static bool same_mistake(const struct leak *a, const struct leak *b)
{
    return a->kind == b->kind && same_place(a->where, b->where);
}

enum { NAMED = 4 }; /* so many are named one by one, the rest is counted */

static void say_who_keeps_what(struct finding *f, const struct evidence *e,
                               const struct leak **list, size_t count)
{
    bool same_fd = count > 1;

    for (size_t i = 1; i < count; i++)
        same_fd = same_fd && list[i]->holding->fd == list[0]->holding->fd &&
                  strcmp(list[i]->holding->object, list[0]->holding->object) == 0;
    size_t named = count > NAMED ? NAMED : count;
    size_t shown = count > NAMED ? NAMED + 1 : count; /* with "and 96 more" */
    for (size_t i = 0; i < named; i++) {
        const char *name = e->lives[list[i]->holding->process].name;
        bool again = i > 0 && list[i]->holding->process == list[i - 1]->holding->process;
        finding_list(f, i, shown);
        if (same_fd)
            finding_say(f, "%s", name);
        else if (!again)
            finding_say(f, "%s keeps ", name);
        if (!same_fd)
            say_object(f, e, list[i]);
    }
    if (count > NAMED)
        finding_say(f, " and %zu more%s", count - NAMED, same_fd ? "" : " such");
    if (same_fd) {
        finding_say(f, " keep ");
        say_object(f, e, list[0]);
    }
}

static void say_consequence(struct finding *f, const struct evidence *e, const struct leak **list,
                            size_t count)
{
    size_t found = 0;

    for (size_t i = 0; i < count && found < 1; i++) {
        const struct client *c = waiting_client(e, list[i]);
        if (c == NULL)
            continue;
        finding_say(f, "; %s gets no end of file", c->name);
        found++;
    }
}

/* Who else was given the leaked descriptor by a fork that came later: it has spread. */
static void say_spread(struct trace *trace, struct finding *f, const struct evidence *e,
                       const struct leak **list, size_t count)
{
    size_t named = 0;

    for (size_t i = 0; i < e->holding_count && named < NAMED; i++) {
        const struct holding *h = &e->holdings[i];
        if (!h->inherited || h->first_use != NEVER)
            continue;
        for (size_t k = 0; k < count; k++) {
            if (strcmp(h->object, list[k]->holding->object) != 0 || h->process == list[k]->child ||
                e->lives[h->process].parent != list[k]->holding->process)
                continue;
            finding_say(f, "%s%s", named == 0 ? "; inherited by " : ", ",
                        e->lives[h->process].name);
            finding_step(f, trace, h->from);
            named++;
            break;
        }
    }
}

static void tell(struct trace *trace, const struct evidence *e, const struct leak **list,
                 size_t count)
{
    const struct leak *first = list[0];
    struct finding *f = finding_add(trace, "descriptor-leaked",
                                    e->lives[first->holding->process].name, first->where);
    char opened[TEXT_SIZE + 16];

    say_who_keeps_what(f, e, list, count);
    place_text(trace, user_frame(&trace->steps[first->holding->from].chain), opened, sizeof opened);
    if (first->kind == LEAK_PARENT)
        finding_say(f, ": opened at %s, never closed after this fork", opened);
    else if (first->kind == LEAK_DONE)
        finding_say(f, ": opened here, never closed");
    else
        finding_say(f, ": inherited at this fork, never used, never closed");
    if (first->kind == LEAK_PARENT)
        say_spread(trace, f, e, list, count);
    say_consequence(f, e, list, count);
    for (size_t i = 0; i < count && i < NAMED; i++) {
        finding_step(f, trace, list[i]->holding->from);
        if (list[i]->child >= 0)
            finding_step(f, trace, e->lives[list[i]->child].born);
        finding_step(f, trace, list[i]->seen);
    }
}

void judge_descriptors(struct trace *trace, const struct evidence *e)
{
    struct leaks leaks = {0};

    for (size_t i = 0; i < e->holding_count; i++) {
        const struct holding *h = &e->holdings[i];
        if (h->kind != OBJECT_LISTENING && h->kind != OBJECT_CONNECTION)
            continue;
        size_t before = leaks.count;
        look_at_child(e, &leaks, h);
        if (h->kind == OBJECT_CONNECTION && leaks.count == before)
            look_at_parent(e, &leaks, h);
        if (h->kind == OBJECT_CONNECTION && leaks.count == before)
            look_at_rest(e, &leaks, h);
    }
    const struct leak **list = zeroed(leaks.count, sizeof *list);
    bool *told = zeroed(leaks.count, sizeof *told);
    for (size_t i = 0; i < leaks.count; i++) {
        size_t count = 0;
        for (size_t k = i; k < leaks.count; k++) {
            if (told[k] || !same_mistake(&leaks.items[i], &leaks.items[k]))
                continue;
            told[k] = true;
            list[count++] = &leaks.items[k];
        }
        if (count > 0)
            tell(trace, e, list, count);
    }
    free(told);
    free(list);
    free(leaks.items);
}
