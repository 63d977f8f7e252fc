/* page.h - a trace as one web page: source line and picture, step by step. */
#ifndef FORKSCOPE_PAGE_H
#define FORKSCOPE_PAGE_H

#include "step.h"

/*
 * Draw every step and write the page to `path`, or to standard output if that is NULL. The
 * page holds all it needs and opens from disk; nothing in it comes from the trace as HTML.
 * Returns 0, or -1 with err filled; nothing is written before all is drawn.
 */
int page_write(const struct trace *trace, const char *path, struct error *err);

/* The files of page/, as they were when forkscope was compiled. */
extern const char page_html[];
extern const char page_css[];
extern const char page_js[];

#endif
