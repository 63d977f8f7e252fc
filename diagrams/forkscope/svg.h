/* svg.h - Graphviz (neato(1)): from DOT to SVG, many pictures in one call. */
#ifndef FORKSCOPE_SVG_H
#define FORKSCOPE_SVG_H

#include "model.h"

#include <stdio.h>

struct svg_list {
    char **items; /* each a whole SVG document, as Graphviz wrote it */
    size_t count;
    char *text; /* all of them, where the items stand in */
};

/*
 * Draw all graphs of `dot`, a seekable file that is read from its beginning. count: how many
 * they are. Graphviz writes its own messages to standard error.
 * Returns 0, or -1 with err filled. Free with svg_free even then.
 */
int svg_draw(FILE *dot, size_t count, struct svg_list *list, struct error *err);
void svg_free(struct svg_list *list);

/*
 * Write one picture to `out`, with a title, and itself in words for those who cannot see it.
 * Returns 0, or -1 with err filled.
 */
int svg_write(FILE *out, const char *svg, const char *title, const char *words, struct error *err);

#endif
