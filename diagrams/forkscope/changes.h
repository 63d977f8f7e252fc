/*
 * changes.h - what is different from one step of a trace to the next.
 *
 * Found by comparing two snapshots, never by believing the call: a close that failed
 * changes nothing here.
 */
#ifndef FORKSCOPE_CHANGES_H
#define FORKSCOPE_CHANGES_H

#include "model.h"

#include <stdio.h>

/* The process, object or client of that name in `s`, or NULL; also where `s` is NULL. */
const struct process *changes_process(const struct snapshot *s, const char *name);
const struct object *changes_object(const struct snapshot *s, const char *name);
const struct client *changes_client(const struct snapshot *s, const char *name);

/* Has this process no descriptors any more, because it has ended? */
bool changes_ended(const struct process *p);

/* By how much the references to `o` have become more (or less) since `before`, NULL: since nothing. */
int changes_refs(const struct snapshot *before, const struct object *o);

/*
 * The name of what descriptor `fd` of process `name` referred to in `s`, or NULL where it was
 * not open, or there was no such process.
 */
const char *changes_descriptor(const struct snapshot *s, const char *name, int fd);

/*
 * Say in sentences, one a line, what is different in `now`: processes first, then what the
 * kernel holds, then the clients. Where nothing is, one sentence says so.
 * before: the step before, or NULL at the first.
 */
void changes_words(FILE *out, const struct snapshot *before, const struct snapshot *now);

#endif
