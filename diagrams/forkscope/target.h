/* target.h - from what a user types to a process, and into its network. */
#ifndef FORKSCOPE_TARGET_H
#define FORKSCOPE_TARGET_H

#include "model.h"
#include "tcp.h"

/*
 * text: a process id, or ":PORT" for the process that listens on that port.
 * Of several processes that hold the listening socket, as after a fork, it is the
 * one whose parent does not hold it.
 * Returns the process id, or -1 with err saying what to do.
 */
pid_t target_find(const char *text, struct error *err);

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
