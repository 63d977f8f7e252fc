/*
 * layout.h - where everything in a picture stands.
 *
 * Every position is computed here, over all records of a run, so that nothing moves from
 * one picture to the next and the same records give the same bytes.
 */
#ifndef FORKSCOPE_LAYOUT_H
#define FORKSCOPE_LAYOUT_H

#include "model.h"

/* All lengths in points, y downwards from the top. */
enum {
    MARGIN = 20,
    TITLE_HEIGHT = 52,
    HEADING_HEIGHT = 30,
    PROCESS_WIDTH = 226,
    FD_WIDTH = 34,
    DOT_WIDTH = 22,
    LABEL_WIDTH = PROCESS_WIDTH - FD_WIDTH - DOT_WIDTH,
    NAME_HEIGHT = 22,
    STATE_HEIGHT = 18,
    STANDARD_HEIGHT = 16,
    ROW_HEIGHT = 19,
    FOOT_HEIGHT = 8,
    PROCESS_GAP = 20,
    BAND_LEFT = 330,
    BAND_WIDTH = 240,
    OBJECT_WIDTH = 212,
    OBJECT_HEIGHT = 78,
    OBJECT_GAP = 20,
    CLIENT_LEFT = 656,
    CLIENT_WIDTH = 176,
    CLIENT_HEIGHT = 46,
    OWN_PLACES = 12,
    WIDTH = CLIENT_LEFT + CLIENT_WIDTH + MARGIN,
};

/* The room one box has in every picture: a process (the only kind with fds), an object, a client. */
struct place {
    char name[NAME_SIZE];
    int *fds;      /* ascending: every descriptor it has in any record, but the standard ones */
    size_t *first; /* beside fds: the first record in which each was open */
    size_t fd_count;
    bool file;    /* an object that is a file: when it has ended, its place is free */
    bool signals; /* a process that in some record has a signal pending, or stands in a handler */
    int top;
    int height;
    /* Indexes of records. Where very many things occur, one that comes later stands where one
     * stood that has ended: then the older one is not shown any more. */
    size_t from;  /* the first record that has it */
    size_t alive; /* the last one in which it has not ended */
    size_t until; /* the first one in which its place is another's; SIZE_MAX: none */
    size_t slot;
};

struct layout {
    const struct snapshot *records;
    size_t count;
    struct place *processes;
    size_t process_count;
    struct place *objects;
    size_t object_count;
    struct place *clients;
    size_t client_count;
    int bottom;
};

/*
 * Reserve a place for everything that occurs in any of the `count` records. Nothing moves;
 * up to OWN_PLACES things of a kind have each a place of their own, but a closed file.
 * The records must outlive the layout. Free it with layout_free.
 */
struct layout *layout_make(const struct snapshot *records, size_t count);
void layout_free(struct layout *layout);

/* Does the picture of record `index` show `name`: has its place not become another's? */
bool layout_shows(struct place *places, size_t count, const char *name, size_t index);

/* The place reserved for `name` among `count` places, or NULL. */
struct place *layout_place(struct place *places, size_t count, const char *name);

#endif
