/* judge_failures.c - calls that failed, and what the program made of it. */
#include "judge.h"

#include <stdlib.h>
#include <string.h>

static long next_step_of(const struct trace *trace, const char *who, long at)
{
    for (long i = at + 1; i < (long)trace->step_count; i++)
        if (strcmp(trace->steps[i].who, who) == 0 && trace->steps[i].kind != STEP_SIGNAL &&
            trace->steps[i].kind != STEP_RETURN)
            return i;
    return NEVER;
}

static bool at_line(const struct trace *trace, long at, const struct frame *where)
{
    return at != NEVER && where != NULL && same_place(user_frame(&trace->steps[at].chain), where);
}

/* Did a fork of this line ever work, and did then a process of the name go on at `where`? */
static bool went_on_so(const struct trace *trace, const struct frame *fork,
                       const struct frame *where, bool child)
{
    for (size_t i = 0; i < trace->step_count; i++) {
        const struct step *step = &trace->steps[i];
        if (step->kind != STEP_CALL || !is_fork(called(step->call).name) || has_failed(step) ||
            !same_place(user_frame(&step->chain), fork))
            continue;
        const char *who = child ? step->result : step->who;
        long next = next_step_of(trace, who, child ? 0 : (long)i);
        /* A child's first step is its birth, at the fork itself. */
        if (child && next != NEVER && trace->steps[next].kind == STEP_BORN)
            next = next_step_of(trace, who, next);
        if (at_line(trace, next, where))
            return true;
    }
    return false;
}

static bool printed_between(const struct trace *trace, long from, long to)
{
    for (long i = from; i <= to; i++)
        if (trace->steps[i].output != NULL)
            return true;
    return false;
}

/* After the failure: does it do what a parent does, or a child, or send a signal to everybody? */
static void judge_fork(struct trace *trace, long at)
{
    const struct step *step = &trace->steps[at];
    const struct frame *fork = user_frame(&step->chain);
    long next = next_step_of(trace, step->who, at);
    const char *as = NULL;

    if (next == NEVER || fork == NULL)
        return;
    const struct step *then = &trace->steps[next];
    const struct frame *where = user_frame(&then->chain);
    if (strncmp(then->call, "kill(-1", 7) == 0)
        as = "sends a signal to every process there is";
    else if (where == NULL || then->kind == STEP_EXIT || same_place(where, fork))
        return;
    else if (went_on_so(trace, fork, where, true))
        as = "goes on as the child";
    else if (is_wait(called(then->call).name) && has_failed(then))
        as = "waits for a child that does not exist";
    else if (went_on_so(trace, fork, where, false) && !printed_between(trace, at, next))
        as = "goes on as if it had a child";
    if (as == NULL)
        return;
    struct finding *f = finding_add(trace, "fork-failure-ignored", step->who, fork);
    finding_say(f, "fork failed (%s) and %s %s", step->result + strlen("-1 "), step->who, as);
    finding_step(f, trace, at);
    finding_step(f, trace, next);
}

static bool gives_bytes(const char *name)
{
    static const char *const calls[] = {"write",   "writev",   "send",     "sendto",
                                        "sendmsg", "sendmmsg", "sendfile", NULL};

    for (const char *const *call = calls; *call != NULL; call++)
        if (strcmp(name, *call) == 0)
            return true;
    return false;
}

static bool says_closed(const struct step *step)
{
    return strcmp(step->result, "-1 EPIPE") == 0 || strcmp(step->result, "-1 ECONNRESET") == 0;
}

/* Begin the finding of a write that nobody can read. */
static struct finding *tell_write(struct trace *trace, const struct evidence *e, long at,
                                  const struct holding *h)
{
    const struct step *step = &trace->steps[at];
    /* When it was accepted: after a reset nobody knows any more whose it was. */
    const struct snapshot *now = &trace->steps[h->from].now;
    struct finding *f =
        finding_add(trace, "write-to-closed-peer", step->who, user_frame(&step->chain));
    char label[TEXT_SIZE + 32] = "a connection";
    int object = object_at(now, h->object);

    (void)e;
    if (object >= 0)
        object_short_label(now, &now->objects[object], label, sizeof label);
    finding_say(f, "%s writes to %s, which its client has closed", step->who, label);
    finding_step(f, trace, at);
    return f;
}

/* Is SIGPIPE what ended the process in one of the steps just after `at`? */
static long ended_by_sigpipe(const struct trace *trace, const struct evidence *e, int life, long at)
{
    bool came = false;

    for (long i = at; i < (long)trace->step_count; i++) {
        const struct step *step = &trace->steps[i];
        if (strcmp(step->who, e->lives[life].name) != 0)
            continue;
        came = came || (step->kind == STEP_SIGNAL && strncmp(step->call, "SIGPIPE", 7) == 0);
        if (step->kind == STEP_RETURN || (step->kind == STEP_CALL && i > at))
            return NEVER;
        if (came && e->lives[life].ended != NEVER && e->lives[life].ended <= i)
            return i;
    }
    return NEVER;
}

static void judge_write(struct trace *trace, const struct evidence *e, long at)
{
    const struct step *step = &trace->steps[at];
    struct called c = called(step->call);
    int life = life_of(e, step->who);
    /* Held before this step: afterwards the process may be gone. */
    const struct holding *h = holding_at(e, life, c.fd, at > 0 ? at - 1 : at);

    if (life == -1 || h == NULL || h->kind != OBJECT_CONNECTION || !gives_bytes(c.name))
        return;
    long end = ended_by_sigpipe(trace, e, life, at);
    if (end != NEVER) {
        struct finding *f = tell_write(trace, e, at, h);
        finding_say(f, ": SIGPIPE ends it");
        finding_step(f, trace, end);
        return;
    }
    if (!says_closed(step))
        return;
    for (long i = at + 1; i < (long)trace->step_count; i++) {
        const struct step *again = &trace->steps[i];
        struct called next = called(again->call);
        if (strcmp(again->who, step->who) != 0 || again->kind != STEP_CALL || next.fd != c.fd ||
            !gives_bytes(next.name) || holding_at(e, life, c.fd, i - 1) != h)
            continue;
        struct finding *f = tell_write(trace, e, i, h);
        finding_say(f, " although the call before said so (%s)", step->result + strlen("-1 "));
        finding_step(f, trace, at);
        return;
    }
}

/* The same mistake in many children is one finding: the first tells it. */
static bool told_before(const struct trace *trace, size_t from)
{
    const struct finding *last = &trace->findings[trace->finding_count - 1];

    for (size_t i = from; i + 1 < trace->finding_count; i++)
        if (strcmp(trace->findings[i].kind, last->kind) == 0 &&
            trace->findings[i].file == last->file && trace->findings[i].line == last->line)
            return true;
    return false;
}

void judge_failures(struct trace *trace, const struct evidence *e)
{
    size_t from = trace->finding_count;

    for (size_t i = 0; i < trace->step_count; i++) {
        size_t before = trace->finding_count;
        if (trace->steps[i].kind == STEP_CALL && is_fork(called(trace->steps[i].call).name) &&
            has_failed(&trace->steps[i]))
            judge_fork(trace, (long)i);
        else if (trace->steps[i].kind == STEP_CALL || trace->steps[i].kind == STEP_SIGNAL)
            judge_write(trace, e, (long)i);
        if (trace->finding_count > before && told_before(trace, from))
            free(trace->findings[--trace->finding_count].steps);
    }
}
