/*
 * sockets.h - the second half of a snapshot: what the kernel says of the sockets.
 *
 * Shared by snapshot.c, which knows processes and descriptors, and sockets.c.
 */
#ifndef FORKSCOPE_SOCKETS_H
#define FORKSCOPE_SOCKETS_H

#include "snapshot.h"

/* Where an object was first seen, to compare later descriptors with by kcmp(2). */
struct holder {
    pid_t pid;
    int fd;
};

/* What is at hand while one snapshot is taken. */
struct work {
    struct snapshot *out;
    struct holder *holders; /* one for each object of out */
    struct tcp_list tcp;    /* what the kernel said of sockets so far */
};

/* Append an object to the snapshot and its holder to the work. Returns its index. */
size_t work_add_object(struct work *w, enum object_kind kind, uint64_t inode);

/*
 * Turn every OBJECT_SOCKET that is a TCP socket into what it is, add the connections
 * that wait in backlogs, and the clients. Returns 0, or -1 with err filled.
 */
int sockets_describe(struct work *w, const struct scope *scope, struct error *err);

#endif
