/*
 * judge.h - what the judges of findings.c share: how a finding is made, and who judges what.
 *
 * Each judge reads the evidence and adds findings to the trace. None changes a step.
 */
#ifndef FORKSCOPE_JUDGE_H
#define FORKSCOPE_JUDGE_H

#include "evidence.h"

/* A finding of this kind and place that is there already, or NULL. */
struct finding *finding_known(struct trace *trace, const char *kind, const struct frame *where);

/* Begin a finding of this kind, about `who`, at `where` (NULL: no line). Its text is empty. */
struct finding *finding_add(struct trace *trace, const char *kind, const char *who,
                            const struct frame *where);

/* Add to its text, like printf; what does not fit is cut. */
void finding_say(struct finding *finding, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Say what stands before element `index` of a list of `count`: nothing, ", " or " and ". */
void finding_list(struct finding *finding, size_t index, size_t count);

/* Add a step, by its index, to the evidence; NEVER and what is there already add nothing. */
void finding_step(struct finding *finding, const struct trace *trace, long at);

/* Are both the same line, or both NULL? */
bool same_place(const struct frame *a, const struct frame *b);

/* "server.c:105" */
void place_text(const struct trace *trace, const struct frame *where, char *text, size_t size);

/* The line of the fork that made this process, or NULL: it is the root, or has no such step. */
const struct frame *forked_at(const struct evidence *e, int life);

/* After step `rest`, is the process blocked in a call of which `in` is true? */
bool rests_in(const struct evidence *e, int life, long rest, bool (*in)(const char *name));

/* descriptor-leaked: connections and listening sockets. */
void judge_descriptors(struct trace *trace, const struct evidence *e);
/* descriptor-leaked: pipes whose reader waits for ever. */
void judge_pipes(struct trace *trace, const struct evidence *e);
/* zombie-never-reaped, zombie-while-idle, signal-lost, child-in-accept-loop. */
void judge_children(struct trace *trace, const struct evidence *e);
/* client-not-served. */
void judge_clients(struct trace *trace, const struct evidence *e);
/* unsafe-in-handler, errno-changed. */
void judge_handlers(struct trace *trace, const struct evidence *e);
/* fork-failure-ignored, write-to-closed-peer. */
void judge_failures(struct trace *trace, const struct evidence *e);

#endif
