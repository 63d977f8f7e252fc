/* snapshot.h - measure a tree of processes: descriptors, kernel objects, clients. */
#ifndef FORKSCOPE_SNAPSHOT_H
#define FORKSCOPE_SNAPSHOT_H

#include "model.h"
#include "tcp.h"

/*
 * Sockets that the snapshot before has found, so that the next one asks for each by its addresses
 * and need not find these out again. Whether it is still the same one, the kernel tells by its inode.
 * Zeroed to begin with; free items.
 */
struct socket_memory {
    struct tcp_socket *items;
    size_t count;
    bool alone; /* only these processes make sockets here: whoever listens is known, or is held */
};

/* What to measure, and what is known already. */
struct scope {
    struct tcp_channel *tcp; /* in the network namespace of the processes, or NULL: then */
                             /* sockets stay undescribed and snapshot.no_tcp is set */
    const pid_t *roots;      /* these processes and all their descendants */
    size_t root_count;
    bool orphans;                     /* the roots are children whose parent has ended: none is P */
    const struct tcp_socket *clients; /* ends of clients that are known, or NULL: saves a search */
    size_t client_count;              /* for connections in the backlog */
    struct socket_memory *memory;     /* from snapshot to snapshot, or NULL */
};

/*
 * Measure without ptrace and without stopping anything. Measuring takes a moment, in
 * which the processes may change; settle.h tells whether they are at rest.
 * out: filled; free it with snapshot_free. Names are given by position.
 * Returns 0; -1 with err filled when no root exists or one may not be looked at.
 */
int snapshot_take(const struct scope *scope, struct snapshot *out, struct error *err);

#endif
