/* snapshot.h - measure a tree of processes: descriptors, kernel objects, clients. */
#ifndef FORKSCOPE_SNAPSHOT_H
#define FORKSCOPE_SNAPSHOT_H

#include "model.h"
#include "tcp.h"

/*
 * Measure the processes `roots` and all their descendants, without ptrace and
 * without touching them. Measuring takes a moment, in which the tree may change;
 * settle.h tells whether it is at rest.
 *
 * tcp: a channel in the network namespace of the tree, or NULL when there is
 * none: then sockets stay undescribed and out->no_tcp is set.
 * out: filled; free it with snapshot_free. Names are given by position.
 * Returns 0; -1 with err filled when no root exists or none may be looked at.
 */
int snapshot_take(struct tcp_channel *tcp, const pid_t *roots, size_t root_count,
                  struct snapshot *out, struct error *err);

#endif
