/* target.h - from what a user types to a process, and into its network. */
#ifndef FORKSCOPE_TARGET_H
#define FORKSCOPE_TARGET_H

#include "model.h"
#include "proc.h"
#include "tcp.h"

/*
 * text: a process id, or ":PORT" for whoever listens on that port.
 * Of the processes that hold the listening socket, as after a fork, those count none of whose
 * ancestors holds it: the server, or its children when it has ended before them.
 * Appends to `roots`, whose items the caller frees. Returns 0, or -1 with err filled.
 */
int target_find(const char *text, struct pid_list *roots, struct error *err);

/*
 * Does `pid` run the program at `path`? Returns 0, or -1 with err naming what it runs.
 */
int target_check_program(pid_t pid, const char *path, struct error *err);

/*
 * A channel that sees the sockets of `pid`: entering its network namespace where
 * that is another one (setns(2)), which takes privilege.
 * Returns NULL without an error when that is not permitted: then sockets can be
 * counted, and not described.
 */
struct tcp_channel *target_network(pid_t pid);

#endif
