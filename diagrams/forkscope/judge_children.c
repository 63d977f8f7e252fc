/* judge_children.c - children that nobody waits for, and children that do not end where they should. */
#include "judge.h"

#include <stdlib.h>
#include <string.h>

/* Calls in which a process has nothing to do: a zombie of its own that stays now, stays. */
static bool is_idle(const char *name)
{
    static const char *const calls[] = {"pause", "sigsuspend", "sigwait", "sleep", NULL};

    for (const char *const *call = calls; *call != NULL; call++)
        if (strcmp(name, *call) == 0)
            return true;
    return is_accept(name) || is_poll(name);
}

enum fate { FATE_NONE, FATE_NEVER_REAPED, FATE_WHILE_IDLE, FATE_LOST };

/* It waits without end, and no SIGCHLD is on its way to it. */
static bool idles(const struct evidence *e, int life, long rest, bool for_a_time)
{
    const struct snapshot *now = &e->trace->steps[rest].now;
    int index = process_at(now, e->lives[life].name);

    if (index < 0 || !rests_in(e, life, rest, is_idle) ||
        strstr(now->processes[index].pending, "SIGCHLD") != NULL)
        return false;
    /* "poll(for a time)": it looks around soon, which may be its way to find ended children. */
    return for_a_time || strstr(now->processes[index].doing, "for a time)") == NULL;
}

/* The first moment of rest that shows the zombie, its parent idle; or NEVER. */
static long idle_zombie(const struct evidence *e, const struct life *child)
{
    for (size_t i = 0; child->ended != NEVER && i < e->rest_count; i++) {
        long rest = e->rests[i];
        if (rest >= child->ended && (child->reaped == NEVER || rest < child->reaped) &&
            lives_at(&e->lives[child->parent], rest) &&
            idles(e, child->parent, rest, e->lives[child->parent].waits == 0))
            return rest;
    }
    return NEVER;
}

static enum fate fate_of(const struct evidence *e, const struct life *child)
{
    const struct life *parent = &e->lives[child->parent];

    if (parent->waits == 0)
        return FATE_NEVER_REAPED;
    return parent->wait_in_handler ? FATE_LOST : FATE_WHILE_IDLE;
}

/* Where the mistake is: at the fork when nobody waits, else at the wait that comes too seldom. */
static const struct frame *place_of(const struct evidence *e, int child, enum fate fate)
{
    const struct life *parent = &e->lives[e->lives[child].parent];

    if (fate == FATE_NEVER_REAPED)
        return forked_at(e, child);
    return user_frame(&e->trace->steps[parent->last_wait].chain);
}

static size_t handler_runs(const struct evidence *e, int life)
{
    size_t runs = 0;

    for (size_t i = 0; i < e->trace->step_count; i++) {
        const struct step *step = &e->trace->steps[i];
        runs += step->kind == STEP_RETURN && strcmp(step->who, e->lives[life].name) == 0 &&
                strstr(step->call, "SIGCHLD") != NULL;
    }
    return runs;
}

static void say_lost(struct finding *f, const struct evidence *e, int parent)
{
    size_t ended = 0, reaped = 0;

    for (size_t i = 0; i < e->life_count; i++) {
        const struct life *l = &e->lives[i];
        if (l->parent == parent && l->ended != NEVER) {
            ended++;
            reaped += l->reaped != NEVER;
        }
    }
    finding_say(f, ": %zu children ended, the handler of SIGCHLD ran %zu time%s and reaped %zu",
                ended, handler_runs(e, parent), handler_runs(e, parent) == 1 ? "" : "s", reaped);
}

static const char *const kinds[] = {[FATE_NEVER_REAPED] = "zombie-never-reaped",
                                    [FATE_WHILE_IDLE] = "zombie-while-idle",
                                    [FATE_LOST] = "signal-lost"};

enum { NAMED = 4 };

/* Tell of all zombies that share kind, parent and place with children[0]. */
static void tell_zombies(struct trace *trace, const struct evidence *e, enum fate fate,
                         const int *children, size_t count, const long *rests)
{
    const struct life *parent = &e->lives[e->lives[children[0]].parent];
    struct finding *f = finding_add(
        trace, kinds[fate], fate == FATE_NEVER_REAPED ? e->lives[children[0]].name : parent->name,
        place_of(e, children[0], fate));
    size_t named = count > NAMED ? NAMED : count;

    for (size_t i = 0; i < named; i++) {
        const struct life *child = &e->lives[children[i]];
        finding_list(f, i, count > NAMED ? NAMED + 1 : count);
        finding_say(f, "%s", child->name);
        finding_step(f, trace, child->ended);
        finding_step(f, trace, rests[i]);
    }
    if (count > NAMED)
        finding_say(f, " and %zu more", count - NAMED);
    finding_say(f, count == 1 ? " is a zombie" : " are zombies");
    if (fate == FATE_NEVER_REAPED)
        finding_say(f, ": %s never waits for a child", parent->name);
    else if (fate == FATE_WHILE_IDLE)
        finding_say(f, " while %s idles: it waits for children only here, and does not come by",
                    parent->name);
    else
        say_lost(f, e, e->lives[children[0]].parent);
}

static void judge_zombies(struct trace *trace, const struct evidence *e)
{
    bool *told = zeroed(e->life_count, sizeof *told);
    int *children = zeroed(e->life_count, sizeof *children);
    long *rests = zeroed(e->life_count, sizeof *rests);

    for (size_t i = 0; i < e->life_count; i++) {
        size_t count = 0;
        if (told[i] || e->lives[i].parent < 0 || idle_zombie(e, &e->lives[i]) == NEVER)
            continue;
        enum fate fate = fate_of(e, &e->lives[i]);
        for (size_t k = i; k < e->life_count; k++) {
            if (told[k] || e->lives[k].parent != e->lives[i].parent ||
                idle_zombie(e, &e->lives[k]) == NEVER || fate_of(e, &e->lives[k]) != fate ||
                !same_place(place_of(e, (int)i, fate), place_of(e, (int)k, fate)))
                continue;
            told[k] = true;
            children[count] = (int)k;
            rests[count++] = idle_zombie(e, &e->lives[k]);
        }
        tell_zombies(trace, e, fate, children, count, rests);
    }
    free(rests);
    free(children);
    free(told);
}

/*
 * A child that has served a connection of its parent and then accepts has fallen back into the
 * parent's loop. One that only accepts is a worker of a pre-forking server.
 */
static void judge_accept_loop(struct trace *trace, const struct evidence *e, int life)
{
    const struct life *child = &e->lives[life];
    const struct holding *served = NULL;

    for (size_t i = 0; i < e->holding_count && served == NULL; i++) {
        const struct holding *h = &e->holdings[i];
        if (h->process == life && h->inherited && h->kind == OBJECT_CONNECTION &&
            h->first_use != NEVER)
            served = h;
    }
    if (served == NULL || child->accepts == 0 || child->parent < 0 ||
        e->lives[child->parent].accepts == 0)
        return;
    for (size_t i = (size_t)served->first_use; i < trace->step_count; i++) {
        const struct step *step = &trace->steps[i];
        if ((step->kind != STEP_CALL && step->kind != STEP_BLOCK) ||
            strcmp(step->who, child->name) != 0 || !is_accept(called(step->call).name))
            continue;
        const struct frame *where = user_frame(&step->chain);
        /* One mistake, however many children make it. */
        if (where == NULL || finding_known(trace, "child-in-accept-loop", where) != NULL)
            return;
        struct finding *f = finding_add(trace, "child-in-accept-loop", child->name, where);
        finding_say(f,
                    "%s has served its client and accepts the next one: it is a child and should "
                    "have ended",
                    child->name);
        finding_step(f, trace, child->born);
        finding_step(f, trace, served->last_use);
        finding_step(f, trace, (long)i);
        return;
    }
}

void judge_children(struct trace *trace, const struct evidence *e)
{
    judge_zombies(trace, e);
    for (size_t i = 0; i < e->life_count; i++)
        judge_accept_loop(trace, e, (int)i);
}
