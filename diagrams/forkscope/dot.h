/*
 * dot.h - a record as a Graphviz drawing, see dot(1).
 *
 * Three columns: processes with a row for each descriptor, the band "inside the
 * kernel" with the objects and their reference counts, and the clients. Every
 * position is computed here, so that nothing moves between the pictures of one
 * run and the same records give the same bytes.
 */
#ifndef FORKSCOPE_DOT_H
#define FORKSCOPE_DOT_H

#include "model.h"

#include <stdio.h>

struct layout;

/*
 * Reserve a place for everything that occurs in any of the `count` records.
 * The records must outlive the layout. Free it with layout_free.
 */
struct layout *layout_make(const struct snapshot *records, size_t count);
void layout_free(struct layout *layout);

/*
 * Write record number `index` of the layout as one graph, to be drawn by
 * `neato -n2`. Returns 0, or -1 with err filled.
 */
int dot_write(FILE *out, const struct layout *layout, size_t index, struct error *err);

#endif
