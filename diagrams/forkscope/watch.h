/* watch.h - the table of snapshot, drawn again whenever something changes. */
#ifndef FORKSCOPE_WATCH_H
#define FORKSCOPE_WATCH_H

#include "model.h"
#include "table.h"
#include "snapshot.h"

/*
 * Watch the processes of `scope` until they have ended or SIGINT or SIGTERM arrives.
 * On a terminal the screen is redrawn; elsewhere each changed table is printed
 * below the last one. How often it looks follows from how long a look takes,
 * so that watching costs under 2 % of one CPU while nothing changes.
 * Returns 0, or -1 with err filled.
 */
int watch(const struct scope *scope, const struct table_style *style, struct error *err);

#endif
