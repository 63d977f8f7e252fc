/* run.h - play a scenario against a program and record the moments it names. */
#ifndef FORKSCOPE_RUN_H
#define FORKSCOPE_RUN_H

#include "model.h"
#include "table.h"

#include <stdio.h>

struct run_options {
    const char *scenario; /* path, or NULL: start the program and record how it comes to rest */
    char *const *argv;    /* the program and its arguments */
    FILE *records;        /* JSON lines go here; NULL: none */
    FILE *story;          /* actions, the program's own lines and tables in words; NULL: none */
    double deadline;      /* seconds to wait for any one thing of the scenario */
    bool shared_network;  /* do not make a private network namespace */
    bool pause;           /* after each moment, wait for Enter */
    struct table_style style;
};

/*
 * Start the program, let the scenario's clients act one at a time, each only
 * when everything is at rest (settle.h), and end all processes afterwards.
 * SIGINT, SIGTERM and SIGHUP end the scenario early, the processes too.
 * Returns 0, or -1 with err filled, for scenario errors with its path and line.
 */
int run_scenario(const struct run_options *options, struct error *err);

#endif
