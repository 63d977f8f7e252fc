/*
 * step.h - a trace: what happened, one step after the other, each with its snapshot.
 *
 * A trace file is JSON lines. First the header, then the steps, then the end:
 *
 * {"trace": 1, "program": "server", "arguments": ["9000"], "title": "...", "order": "parent-first",
 *  "files": [{"name": "server.c", "text": "...the whole source..."}]}
 * {"step": 12, "kind": "call", "who": "P", "call": "accept(3)", "result": "4", "output": "",
 *  "chain": [{"function": "main", "file": 0, "line": 88}],      ("signal": true on a signal frame)
 *  "moment": "", "caption": "", "notes": [],
 *  "processes": [...], "objects": [...], "clients": [...]}          (as in record.h)
 * {"end": "the scenario is over", "steps": 61, "notes": ["..."], "findings": [
 *  {"kind": "descriptor-leaked", "who": "P", "file": 0, "line": 91, "text": "...", "steps": [14, 31]}]}
 *
 * A process in a step has, besides what record.h gives it, "at": the frames it stands in
 * (innermost first), "pending": names of pending signals, and the state "ready": could run,
 * but another one does. Where a handler has changed errno, its "return" step has
 * "errno_changed": {"from": "EINTR", "to": "ECHILD"} ("0": no error).
 */
#ifndef FORKSCOPE_STEP_H
#define FORKSCOPE_STEP_H

#include "model.h"

#include <stdio.h>

enum step_kind {
    STEP_START,  /* the program stands at the first line of main */
    STEP_CALL,   /* `who` has returned from a call that changed the picture, or failed to */
    STEP_BLOCK,  /* `who` entered a call and waits in it */
    STEP_BORN,   /* `who` is a new process: its fork has just returned 0 */
    STEP_SIGNAL, /* a signal was delivered to `who`, or ignored, or ended it */
    STEP_RETURN, /* a signal handler of `who` has returned */
    STEP_EXIT,   /* `who` has ended; it is a zombie until it is reaped */
    STEP_CLIENT, /* client `who` has acted, while every process was held */
    STEP_TELL,   /* the scenario itself did something to `who`: a limit, a signal sent */
};

struct step {
    size_t number; /* from 1 */
    enum step_kind kind;
    char who[NAME_SIZE]; /* "P", "C1", or a client's name, "A" */
    char call[128];      /* "accept(3)", "SIGCHLD", "half-close"; arguments by their names */
    char result[64];     /* "4", "-1 EINTR", "C1" for a fork; empty where there is none */
    struct chain chain;  /* where `who` stands; empty for a client */
    char *output;        /* what the program printed in this step, or NULL */
    char **notes;        /* what cannot be shown or was inferred, a sentence each */
    size_t note_count;
    /* STEP_RETURN whose handler left another errno than it found: "EINTR", "ECHILD"; else empty. */
    char errno_from[16];
    char errno_to[16];
    struct snapshot now; /* moment and caption: set where the scenario names this step */
};

enum { FINDING_KIND_SIZE = 32 };

struct finding {
    char kind[FINDING_KIND_SIZE]; /* "descriptor-leaked", "zombie", ...; see findings.h */
    char who[NAME_SIZE];
    int file; /* index into trace.files, or -1 */
    int line;
    char text[512]; /* one line for people, without "file:line" in front */
    size_t *steps;  /* numbers of the steps that are the evidence, ascending */
    size_t step_count;
};

struct source_file {
    char name[TEXT_SIZE]; /* relative to the source directory */
    char *text;
};

struct trace {
    char program[TEXT_SIZE]; /* its last path component */
    char **arguments;
    size_t argument_count;
    char title[128];
    char order[32];
    struct source_file *files;
    size_t file_count;
    struct step *steps;
    size_t step_count;
    char end[128]; /* why the trace ends where it does */
    char **notes;
    size_t note_count;
    struct finding *findings;
    size_t finding_count;
};

/*
 * Write the header, one step, or the end, as one line each, flushed. Without
 * process ids, inodes or clocks: the same run gives the same bytes.
 * Return 0, or -1 with err filled (disk full, closed pipe).
 */
int trace_write_header(FILE *out, const struct trace *trace, struct error *err);
int trace_write_step(FILE *out, const struct step *step, struct error *err);
int trace_write_end(FILE *out, const struct trace *trace, struct error *err);

/*
 * Read a whole trace from `in`; name: of the file, for messages. A file that ends
 * without its last line, as after a kill, is read as far as it goes, and `end` says so.
 * Returns 0, or -1 with err naming line and column. Free with trace_free.
 */
int trace_read(FILE *in, const char *name, struct trace *trace, struct error *err);
void trace_free(struct trace *trace);

/* Does `in` begin as a trace does? It is read from its beginning, and is there again after. */
bool trace_is(FILE *in);

/* Free what one step holds, and clear it. */
void step_free(struct step *step);

/* "start", "call", ... as the file spells it. */
const char *step_kind_name(enum step_kind kind);

#endif
