/* layout.c - reserve places for what occurs in any record. */
#include "layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct place *layout_place(struct place *places, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(places[i].name, name) == 0)
            return &places[i];
    return NULL;
}

static struct place *reserve(struct place **places, size_t *count, const char *name)
{
    struct place *found = layout_place(*places, *count, name);

    if (found != NULL)
        return found;
    *places = grown(*places, *count, sizeof **places);
    found = &(*places)[(*count)++];
    snprintf(found->name, sizeof found->name, "%s", name);
    return found;
}

static void reserve_fd(struct place *place, int fd)
{
    size_t at = 0;

    while (at < place->fd_count && place->fds[at] < fd)
        at++;
    if (at < place->fd_count && place->fds[at] == fd)
        return;
    place->fds = grown(place->fds, place->fd_count, sizeof *place->fds);
    memmove(place->fds + at + 1, place->fds + at, (place->fd_count - at) * sizeof *place->fds);
    place->fds[at] = fd;
    place->fd_count++;
}

static void reserve_record(struct layout *l, const struct snapshot *s)
{
    for (size_t i = 0; i < s->process_count; i++) {
        const struct process *p = &s->processes[i];
        struct place *place = reserve(&l->processes, &l->process_count, p->name);
        for (size_t d = 0; d < p->descriptor_count; d++)
            if (!s->objects[p->descriptors[d].object].standard)
                reserve_fd(place, p->descriptors[d].fd);
    }
    for (size_t i = 0; i < s->object_count; i++)
        if (!s->objects[i].standard)
            reserve(&l->objects, &l->object_count, s->objects[i].name);
    for (size_t i = 0; i < s->client_count; i++)
        reserve(&l->clients, &l->client_count, s->clients[i].name);
}

static int larger(int a, int b)
{
    return a > b ? a : b;
}

struct layout *layout_make(const struct snapshot *records, size_t count)
{
    struct layout *l = grown(NULL, 0, sizeof *l);
    int top = TITLE_HEIGHT + HEADING_HEIGHT;
    int left_bottom = top, band = 0;

    l->records = records;
    l->count = count;
    for (size_t i = 0; i < count; i++)
        reserve_record(l, &records[i]);
    for (size_t i = 0; i < l->process_count; i++) {
        struct place *p = &l->processes[i];
        p->top = left_bottom;
        /* Room for one row at least: boxes of processes without any are as high as the others. */
        int rows = p->fd_count > 0 ? (int)p->fd_count : 1;
        p->height =
            NAME_HEIGHT + STATE_HEIGHT + STANDARD_HEIGHT + FOOT_HEIGHT + rows * ROW_HEIGHT + 2;
        left_bottom += p->height + PROCESS_GAP;
    }
    /* The objects share out the height of the band, which is that of the processes or their own. */
    band = larger(left_bottom - PROCESS_GAP - top,
                  (int)l->object_count * (OBJECT_HEIGHT + OBJECT_GAP));
    for (size_t i = 0; i < l->object_count; i++) {
        struct place *o = &l->objects[i];
        int share = band / (int)l->object_count;
        o->top = top + (int)i * share + (share - OBJECT_HEIGHT) / 2;
        o->height = OBJECT_HEIGHT;
    }
    l->bottom = top + band + MARGIN;
    /* A client stands beside its connection, or below the others while it has none. */
    for (size_t i = 0; i < l->client_count; i++) {
        struct place *c = &l->clients[i];
        c->height = CLIENT_HEIGHT;
        c->top = top + (int)i * (CLIENT_HEIGHT + OBJECT_GAP);
        for (size_t r = 0; r < count; r++)
            for (size_t k = 0; k < records[r].object_count; k++) {
                const struct object *o = &records[r].objects[k];
                if (o->client < 0 || o->standard ||
                    strcmp(records[r].clients[o->client].name, c->name) != 0)
                    continue;
                c->top = layout_place(l->objects, l->object_count, o->name)->top +
                         (OBJECT_HEIGHT - CLIENT_HEIGHT) / 2;
            }
    }
    return l;
}

void layout_free(struct layout *layout)
{
    for (size_t i = 0; i < layout->process_count; i++)
        free(layout->processes[i].fds);
    free(layout->processes);
    free(layout->objects);
    free(layout->clients);
    free(layout);
}
