/* launch.h - start the program to be looked at, alone in its network. */
#ifndef FORKSCOPE_LAUNCH_H
#define FORKSCOPE_LAUNCH_H

#include "model.h"

/*
 * Move this process into a new network namespace with only a loopback interface
 * (network_namespaces(7)), so that any port is free and no one else connects.
 * Without privilege a user namespace is made for it (user_namespaces(7)).
 * Returns true; false when neither is permitted: the network stays shared.
 */
bool launch_private_network(void);

/*
 * Run argv[0] with no descriptors but: 0 from /dev/null, 1 and 2 into a pipe.
 * It leads a process group of its own, and its orphans become our children
 * (PR_SET_CHILD_SUBREAPER of prctl(2)), so that none escapes.
 * seize: NULL, or called with the process id before it executes the program, to trace it; it
 * returns 0, or -1 with err filled. Then addresses are also the same in every run (personality(2)).
 * output: set to the pipe's end to read, non-blocking.
 * Returns the process id, or -1 with err filled when it cannot be executed.
 */
pid_t launch_program(char *const argv[], int (*seize)(pid_t pid, struct error *err), int *output,
                     struct error *err);

/* End every child of this process, and their children, with SIGKILL; wait for all of them. */
void launch_end_all(void);

#endif
