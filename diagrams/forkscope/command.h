/* command.h - what main.c and the files with further commands share. */
#ifndef FORKSCOPE_COMMAND_H
#define FORKSCOPE_COMMAND_H

#include "table.h"

/* Print the one line of an error; returns the exit status for it, 1. */
int failed(const struct error *err);

/* Print the synopsis; returns the exit status for wrong usage, 2. */
int misused(void);

/* Colour only on a terminal, and not where NO_COLOR is set. */
struct table_style terminal_style(void);

/* The commands: argv[0] is the command's own name. Each returns the exit status. */
int command_draw(int argc, char *argv[]);
int command_page(int argc, char *argv[]);
int command_findings(int argc, char *argv[]);

#endif
