/*
 * dot.h - a record as a Graphviz drawing, see dot(1).
 *
 * Three columns: processes with a row for each descriptor, the band "inside the
 * kernel" with the objects and their reference counts, and the clients.
 */
#ifndef FORKSCOPE_DOT_H
#define FORKSCOPE_DOT_H

#include "layout.h"

#include <stdio.h>

/*
 * Write record number `index` of the layout as one graph, to be drawn by
 * `neato -n2`. Returns 0, or -1 with err filled.
 */
int dot_write(FILE *out, const struct layout *layout, size_t index, struct error *err);

#endif
