/* box.h - a process as it is drawn: name, state, and a row for each descriptor. */
#ifndef FORKSCOPE_BOX_H
#define FORKSCOPE_BOX_H

#include "dot.h"

/* Write the node of `p`, a process of the picture's snapshot. */
void box_write(FILE *out, const struct picture *picture, const struct process *p);

#endif
