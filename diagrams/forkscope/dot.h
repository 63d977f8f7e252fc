/*
 * dot.h - a record, or a step of a trace, as a Graphviz drawing, see dot(1).
 *
 * Three columns: processes with a row for each descriptor, the band "inside the
 * kernel" with the objects and their reference counts, and the clients.
 */
#ifndef FORKSCOPE_DOT_H
#define FORKSCOPE_DOT_H

#include "layout.h"
#include "step.h"

#include <stdio.h>

/* What one picture shows. Of a step it also shows what is new, gone, or less since the step before. */
struct picture {
    const struct layout *layout; /* over all records, or all steps */
    size_t index;                /* which of them */
    const struct trace *trace;   /* whose steps they are, or NULL: plain records */
    bool bare;                   /* without a heading: the page says it */
};

/*
 * Write the picture as one graph, to be drawn by `neato -n2`. All pictures of one layout have
 * the same size. Returns 0, or -1 with err filled.
 */
int dot_write(FILE *out, const struct picture *picture, struct error *err);

/*
 * The snapshots of all steps, as an array for layout_make. They are the trace's own: free the
 * array alone, after the layout and before the trace.
 */
struct snapshot *dot_records(const struct trace *trace);

/* What the picture shows, and what was there before; before: NULL at the first, and of a record. */
const struct snapshot *dot_now(const struct picture *picture);
const struct snapshot *dot_before(const struct picture *picture);

/* The step, or NULL of a record. */
const struct step *dot_step(const struct picture *picture);

/*
 * Is it a moment with a name at which every process waits and only a client has acted? Then what
 * matters is the state and not the step, and the picture is drawn as that of a record.
 */
bool dot_at_rest(const struct picture *picture);

#endif
