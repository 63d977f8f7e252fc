/*
 * history.h - names that stay the same from one snapshot to the next.
 *
 * A single snapshot names by position: C1 is the eldest child that is there.
 * Over time children end and sockets close, and C2 must stay C2.
 */
#ifndef FORKSCOPE_HISTORY_H
#define FORKSCOPE_HISTORY_H

#include "model.h"

struct history;

/* An empty history, to be freed with history_free. */
struct history *history_new(void);

/* Free what it remembers, and itself. */
void history_free(struct history *h);

/* Say that `pid` is the program, P, even if it ends before anybody has looked. */
void history_program(struct history *h, pid_t pid);

/*
 * Say that `pid` has just been born, so that names go by birth. Returns its name, which lasts
 * until the next call.
 */
const char *history_born(struct history *h, pid_t pid);

/* Say beforehand that the client at this local port is called `name`. */
void history_client(struct history *h, const char *name, uint16_t port);

/* Say how a process ended, where the caller has waited for it itself. */
void history_exit(struct history *h, pid_t pid, const char *how);

/*
 * Rename everything in `s` to what it was called before, give new names to what
 * is new, and put it in order of first appearance.
 * keep_gone: also list what was there earlier and is not any more, as
 * PROCESS_GONE, as an object with no references, as a closed client.
 */
void history_apply(struct history *h, struct snapshot *s, bool keep_gone);

#endif
