/* draw.h - records and traces to files: one .dot and one .svg for each picture. */
#ifndef FORKSCOPE_DRAW_H
#define FORKSCOPE_DRAW_H

#include "record.h"
#include "step.h"

#include <stdbool.h>

/* Which pictures, and where to. */
struct draw_options {
    const char *dir; /* made if it is not there */
    bool dot_only;   /* no SVG, Graphviz is not needed */
    bool all;        /* of a trace: every step, as step-017 */
    size_t step;     /* of a trace: this step only; 0: the steps that have a moment's name */
};

/*
 * Write DIR/MOMENT.dot of every record of `list`, then let Graphviz (neato(1)) make
 * DIR/MOMENT.svg of all of them in one call. Each SVG gets a title and a description in words.
 * Returns 0, or -1 with err filled; what was written by then stays.
 */
int draw(const struct record_list *list, const struct draw_options *options, struct error *err);

/* The same of the steps of a trace. A thing stands at the same place whichever are drawn. */
int draw_trace(const struct trace *trace, const struct draw_options *options, struct error *err);

#endif
