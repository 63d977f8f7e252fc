/* draw.h - records to files: one .dot and one .svg for each moment. */
#ifndef FORKSCOPE_DRAW_H
#define FORKSCOPE_DRAW_H

#include "record.h"

#include <stdbool.h>

/*
 * Write DIR/MOMENT.dot for every record of `list`, then let Graphviz (neato(1))
 * make DIR/MOMENT.svg of all of them in one call. Each SVG gets a title and a
 * description in words. dot_only: no SVG, Graphviz is not needed.
 * Returns 0, or -1 with err filled; what was written by then stays.
 */
int draw(const struct record_list *list, const char *dir, bool dot_only, struct error *err);

#endif
