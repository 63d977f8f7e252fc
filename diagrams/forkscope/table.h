/* table.h - a snapshot as text for people: processes, what is in the kernel, clients. */
#ifndef FORKSCOPE_TABLE_H
#define FORKSCOPE_TABLE_H

#include "model.h"

#include <stdio.h>

struct table_style {
    bool colour;     /* ANSI colours; the words say everything without them too */
    bool pids;       /* a column of process ids */
    size_t max_rows; /* list at most so many processes and so many objects; 0: all */
};

/*
 * Print `s`. before: the snapshot shown last, to mark changed reference counts
 * as (+1) or (-1), or NULL.
 */
void table_print(FILE *out, const struct snapshot *s, const struct snapshot *before,
                 const struct table_style *style);

/*
 * Say the same in sentences, for readers who cannot see a table or a picture:
 * "P is blocked in accept(3). Its descriptors: 3, listening socket :9000. ..."
 */
void table_sentences(FILE *out, const struct snapshot *s);

#endif
