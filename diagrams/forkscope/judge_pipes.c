/* judge_pipes.c - the end of file that a forgotten write end keeps away. */
#include "judge.h"

#include <string.h>

/* The two ends come with one step, pipe(2); in the snapshot only their order tells which are a pair. */
static const struct holding *write_end_of(const struct evidence *e, const char *read_end)
{
    const struct holding *reader = NULL;

    for (size_t i = 0; i < e->holding_count; i++) {
        const struct holding *h = &e->holdings[i];
        if (reader == NULL && strcmp(h->object, read_end) == 0)
            reader = h;
        else if (reader != NULL && h->from == reader->from && h->process == reader->process &&
                 h->kind == OBJECT_PIPE_WRITE)
            return h;
        else if (reader != NULL && h->from > reader->from)
            break;
    }
    return NULL;
}

/* Who holds the write end for nothing: the reader itself, or one that waits for the others to end. */
static bool keeps_for_nothing(const struct evidence *e, const struct holding *h, int reader,
                              long rest)
{
    if (h->process == reader)
        return h->first_use == NEVER && h->inherited;
    return rests_in(e, h->process, rest, is_wait);
}

/*
 * The reader sleeps in read at the end of the trace. It does so for ever when everyone who
 * could still write will not: because it only holds the write end to read from the other, or
 * because it waits for children, and the reader is among them.
 */
static void look_at_reader(struct trace *trace, const struct evidence *e,
                           const struct holding *read_end, long rest)
{
    const struct holding *pipe = write_end_of(e, read_end->object);
    struct finding *f = NULL;
    const struct holding *keepers[4];
    size_t count = 0;

    for (size_t i = 0; pipe != NULL && i < e->holding_count; i++) {
        const struct holding *h = &e->holdings[i];
        if (strcmp(h->object, pipe->object) != 0 || h->from > rest || h->to != NEVER)
            continue;
        if (!keeps_for_nothing(e, h, read_end->process, rest))
            return;
        if (count < sizeof keepers / sizeof keepers[0])
            keepers[count++] = h;
    }
    if (count == 0)
        return;
    const struct step *made = &trace->steps[pipe->from];
    const char *reader = e->lives[read_end->process].name;
    bool itself = keepers[0]->process == read_end->process;
    f = finding_add(trace, "descriptor-leaked", e->lives[keepers[0]->process].name,
                    itself ? forked_at(e, keepers[0]->process) : user_frame(&made->chain));
    for (size_t i = 0; i < count; i++) {
        finding_list(f, i, count);
        finding_say(f, "%s keeps descriptor %d", e->lives[keepers[i]->process].name,
                    keepers[i]->fd);
        finding_step(f, trace, keepers[i]->from);
    }
    finding_say(
        f,
        ", the write end of the pipe from which %s reads%s: never closed, so no end of file comes",
        reader, itself && count == 1 ? " itself" : "");
    finding_step(f, trace, rest);
}

void judge_pipes(struct trace *trace, const struct evidence *e)
{
    if (e->rest_count == 0 || e->rests[e->rest_count - 1] + 1 != (long)trace->step_count)
        return;
    long rest = e->rests[e->rest_count - 1];
    const struct snapshot *now = &trace->steps[rest].now;

    for (size_t i = 0; i < now->process_count; i++) {
        struct called c = called(now->processes[i].doing);
        int life = life_of(e, now->processes[i].name);
        const struct holding *h;
        if (now->processes[i].state != PROCESS_BLOCKED || strcmp(c.name, "read") != 0 ||
            (h = holding_at(e, life, c.fd, rest)) == NULL || h->kind != OBJECT_PIPE_READ)
            continue;
        look_at_reader(trace, e, h, rest);
    }
}
