/* judge_clients.c - who waits in the backlog while the server waits elsewhere. */
#include "judge.h"

#include <string.h>

/* The one living process that has ever accepted here, or -1: none, or several. */
static int only_acceptor(const struct evidence *e, long rest)
{
    int found = -1;

    for (size_t i = 0; i < e->life_count; i++) {
        if (e->lives[i].accepts == 0 || !lives_at(&e->lives[i], rest))
            continue;
        if (found != -1 || e->lives[i].threads > 1)
            return -1;
        found = (int)i;
    }
    return found;
}

/* The first connection in a backlog of which the client is known, or NULL. */
static const struct object *first_waiting(const struct snapshot *now)
{
    for (size_t i = 0; i < now->object_count; i++)
        if (now->objects[i].waiting && now->objects[i].client >= 0)
            return &now->objects[i];
    return NULL;
}

static int only_child(const struct evidence *e, int parent, long rest)
{
    int found = -1;

    for (size_t i = 0; i < e->life_count; i++) {
        if (e->lives[i].parent != parent || !lives_at(&e->lives[i], rest))
            continue;
        if (found != -1)
            return -1;
        found = (int)i;
    }
    return found;
}

/* Where the process went to sleep before `rest`. */
static long last_step_of(const struct evidence *e, int life, long rest)
{
    while (rest >= 0 && strcmp(e->trace->steps[rest].who, e->lives[life].name) != 0)
        rest--;
    return rest;
}

/* Says why nobody accepts at this moment; false when there may be a good reason. */
static bool look_at_rest(struct trace *trace, const struct evidence *e, long rest)
{
    const struct snapshot *now = &trace->steps[rest].now;
    const struct object *waiting = first_waiting(now);
    int server = waiting != NULL ? only_acceptor(e, rest) : -1;

    if (server == -1)
        return false;
    const char *name = e->lives[server].name;
    const struct process *p = &now->processes[process_at(now, name)];
    struct called c = called(p->doing);
    const struct holding *h = holding_at(e, server, c.fd, rest);
    int child = -1;
    if (p->state != PROCESS_BLOCKED)
        return false;
    if (is_wait(c.name)) {
        /* With more children it may be a limit, which is no mistake. */
        if ((child = only_child(e, server, rest)) == -1)
            return false;
    } else if (!is_transfer(c.name) || h == NULL || h->kind != OBJECT_CONNECTION) {
        return false;
    }
    long asleep = last_step_of(e, server, rest);
    struct finding *f = finding_add(trace, "client-not-served", name,
                                    asleep >= 0 ? user_frame(&trace->steps[asleep].chain) : NULL);
    char label[TEXT_SIZE + 32] = "another client";
    finding_say(f, "%s waits in the backlog: ", now->clients[waiting->client].name);
    if (child >= 0) {
        finding_say(f, "%s, which alone accepts, waits for %s to end", name, e->lives[child].name);
    } else {
        int object = object_at(now, h->object);
        object_short_label(now, &now->objects[object], label, sizeof label);
        finding_say(f, "%s, which alone accepts, is in %s for %s", name, p->doing, label);
    }
    finding_step(f, trace, asleep);
    finding_step(f, trace, rest);
    return true;
}

void judge_clients(struct trace *trace, const struct evidence *e)
{
    /* It is one mistake, however often it shows. */
    for (size_t i = 0; i < e->rest_count; i++)
        if (look_at_rest(trace, e, e->rests[i]))
            return;
}
