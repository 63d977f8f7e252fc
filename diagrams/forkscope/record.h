/*
 * record.h - snapshots as JSON, one line each, written and read back.
 *
 * {"title": "...", "moment": "after-fork", "caption": "...",
 *  "processes": [{"name": "P", "parent": null, "state": "blocked", "doing": "accept(3)",
 *                 "descriptors": [{"fd": 3, "object": "S1"}]}],
 *  "objects": [{"name": "S1", "kind": "listening", "tcp": "LISTEN", "refs": 1, ...}],
 *  "clients": [{"name": "A", "tcp": "ESTABLISHED", "closed": false}]}
 *
 * Descriptors 0 to 2 that are simply inherited stand in "standard", by number.
 */
#ifndef FORKSCOPE_RECORD_H
#define FORKSCOPE_RECORD_H

#include "model.h"

#include <stdio.h>

/*
 * Write one line. raw: also process ids, inodes and client ports, which differ
 * from run to run; without them the same scenario gives the same bytes.
 * Returns 0, or -1 with err filled (disk full, closed pipe).
 */
int record_write(FILE *out, const struct snapshot *s, bool raw, struct error *err);

struct record_list {
    struct snapshot *items;
    size_t count;
};

/*
 * Read every line of `in` into the empty `list`; free it with record_list_free.
 * name: of the file, for messages. Returns 0, or -1 with err naming line and
 * column of what is not JSON, or what is missing in it.
 */
int record_read(FILE *in, const char *name, struct record_list *list, struct error *err);
void record_list_free(struct record_list *list);

#endif
