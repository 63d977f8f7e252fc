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
 * In a trace a process also has "at" and "pending", see step.h.
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

/*
 * The same as parts of a larger JSON object, for traces: set "processes", "objects", "clients"
 * and the moment, if there is one, in `json`; or read them from it. A call chain is an array.
 * The readers return 0, or -1 with err saying what is missing; free with snapshot_free even then.
 */
struct json_t;
void record_set(struct json_t *json, const struct snapshot *s, bool raw);
int record_get(const struct json_t *json, struct snapshot *s, struct error *err);
struct json_t *record_chain(const struct chain *chain);
int record_get_chain(const struct json_t *json, struct chain *chain, struct error *err);

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
