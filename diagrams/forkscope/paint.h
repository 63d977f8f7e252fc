/* paint.h - colours and places: what the boxes of a picture have in common. */
#ifndef FORKSCOPE_PAINT_H
#define FORKSCOPE_PAINT_H

#include "model.h"

#include <stdio.h>

/* Fill, border: light enough for black text, dark enough to be seen. */
struct paint {
    const char *fill;
    const char *line;
};

/* The colours of a process's box in this state. */
struct paint paint_process(enum process_state state);

/* One colour an object, told apart also by the colour-blind; words and lines say the same. */
const char *paint_object(const char *name);

/* pos="x,y!" of the centre of a box, as DOT wants it: Graphviz counts y upwards. */
void paint_position(FILE *out, int left, int width, int top, int height);

/* Keep at most `fits` bytes: the end of a text, as of a path that says most; or its beginning. */
void paint_keep_end(char *text, size_t fits);
void paint_keep_begin(char *text, size_t fits);

#endif
