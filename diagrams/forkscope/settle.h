/* settle.h - is what was measured at rest, or still moving? */
#ifndef FORKSCOPE_SETTLE_H
#define FORKSCOPE_SETTLE_H

#include "model.h"

/*
 * Has everything come to rest? True when no process runs, none is about to wake
 * (blocked in accept with a backlog, in read with bytes to read, in wait with a
 * zombie), and nothing sent over a connection is on its way.
 */
bool snapshot_settled(const struct snapshot *s);

/* Do two snapshots show the same processes, descriptors, objects and states? */
bool snapshot_equal(const struct snapshot *a, const struct snapshot *b);

#endif
