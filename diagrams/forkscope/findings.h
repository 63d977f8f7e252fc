/*
 * findings.h - what went wrong in a trace, one line each, with its evidence.
 *
 * Only what the trace itself proves is told. What may be right in another program, a
 * worker that holds a socket it has not used yet, say, is left out: a finding that
 * turns out false would cost more trust than one that is missing.
 *
 * The kinds, and what each rests on ("at rest": every process waits, a client acts next
 * or the trace ends):
 *
 *   descriptor-leaked     a process is done with a descriptor and keeps it: a child that serves
 *                         one connection and holds the listening socket or another one, a parent
 *                         back in accept that holds what its child serves, a pipe whose reader
 *                         waits for an end of file that its holders keep away
 *   zombie-never-reaped   a zombie at rest whose parent idles and has never waited
 *   zombie-while-idle     the same, but the parent waits now and then, outside a handler
 *   signal-lost           the same, but the parent waits in its handler for SIGCHLD: several
 *                         children ended, and one signal stood for them
 *   child-in-accept-loop  a child that has served its client accepts the next one
 *   unsafe-in-handler     a handler called what signal-safety(7) does not list
 *   errno-changed         a handler returned with another errno than it found
 *   fork-failure-ignored  after fork returned -1 the process went on as if it had not
 *   write-to-closed-peer  ended by SIGPIPE over a connection, or wrote again after EPIPE
 *   client-not-served     a client in the backlog while the only process that accepts
 *                         serves another one, or waits for its only child
 */
#ifndef FORKSCOPE_FINDINGS_H
#define FORKSCOPE_FINDINGS_H

#include "step.h"
#include "table.h"

#include <stdio.h>

/*
 * Replace trace->findings by what its steps prove, sorted by line, then by kind.
 * The same steps give the same findings; freed by trace_free.
 */
void findings_make(struct trace *trace);

/*
 * One line each: "server.c:105: C1 keeps ... (steps 14, 31)"; none: nothing.
 * Returns 0, or -1 with err filled (disk full, closed pipe).
 */
int findings_print(FILE *out, const struct trace *trace, const struct table_style *style,
                   struct error *err);

/*
 * The same as JSON lines: {"kind": "descriptor-leaked", "who": "C1", "file": "server.c", "line": 105,
 * "text": "...", "steps": [14, 31]}; "file" is null where there is no line.
 */
int findings_write(FILE *out, const struct trace *trace, struct error *err);

#endif
