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

bool layout_shows(struct place *places, size_t count, const char *name, size_t index)
{
    return index < layout_place(places, count, name)->until;
}

static struct place *reserve(struct place **places, size_t *count, const char *name, size_t record)
{
    struct place *found = layout_place(*places, *count, name);

    if (found != NULL)
        return found;
    *places = grown(*places, *count, sizeof **places);
    found = &(*places)[(*count)++];
    snprintf(found->name, sizeof found->name, "%s", name);
    found->from = found->alive = record;
    found->until = SIZE_MAX;
    return found;
}

static void reserve_fd(struct place *place, int fd, size_t record)
{
    size_t at = 0;

    while (at < place->fd_count && place->fds[at] < fd)
        at++;
    if (at < place->fd_count && place->fds[at] == fd)
        return;
    size_t behind = place->fd_count - at;
    place->fds = grown(place->fds, place->fd_count, sizeof *place->fds);
    place->first = grown(place->first, place->fd_count, sizeof *place->first);
    memmove(place->fds + at + 1, place->fds + at, behind * sizeof *place->fds);
    memmove(place->first + at + 1, place->first + at, behind * sizeof *place->first);
    place->fds[at] = fd;
    place->first[at] = record;
    place->fd_count++;
}

static bool has_signal(const struct process *p)
{
    for (size_t i = 0; i < p->at.count; i++)
        if (p->at.frames[i].signal)
            return true;
    return p->pending[0] != '\0';
}

static void reserve_record(struct layout *l, size_t record)
{
    const struct snapshot *s = &l->records[record];

    for (size_t i = 0; i < s->process_count; i++) {
        const struct process *p = &s->processes[i];
        struct place *place = reserve(&l->processes, &l->process_count, p->name, record);
        for (size_t d = 0; d < p->descriptor_count && p->shares < 0; d++)
            if (!s->objects[p->descriptors[d].object].standard)
                reserve_fd(place, p->descriptors[d].fd, record);
        if (p->state != PROCESS_GONE)
            place->alive = record;
        place->signals = place->signals || has_signal(p);
    }
    for (size_t i = 0; i < s->client_count; i++) {
        struct place *place = reserve(&l->clients, &l->client_count, s->clients[i].name, record);
        if (!s->clients[i].closed || s->clients[i].tcp != 0)
            place->alive = record;
    }
    for (size_t i = 0; i < s->object_count; i++) {
        const struct object *o = &s->objects[i];
        if (o->standard)
            continue;
        struct place *place = reserve(&l->objects, &l->object_count, o->name, record);
        place->file = o->kind == OBJECT_FILE;
        const struct client *c = o->client >= 0 ? &s->clients[o->client] : NULL;
        /* Its client stands beside it, so it lasts as long as that. */
        if (o->refs > 0 || o->waiting || (c != NULL && !c->closed))
            place->alive = record;
    }
}

/*
 * Give each place a slot: its own, or, of more than OWN_PLACES, the first whose last owner had
 * ended before; that of a file that was closed again is always free: such a one is opened for a
 * moment, and is not what a picture is about. Returns the number of slots.
 */
static size_t share_slots(struct place *places, size_t count)
{
    struct place **owners = zeroed(count, sizeof *owners);
    size_t slots = 0;

    for (size_t i = 0; i < count; i++) {
        size_t slot = 0;
        /* One picture between, in which the older one is seen to have ended. */
        while (slot < slots && ((count <= OWN_PLACES && !owners[slot]->file) ||
                                owners[slot]->alive + 1 >= places[i].from))
            slot++;
        if (slot == slots)
            slots++;
        else
            owners[slot]->until = places[i].from;
        owners[slot] = &places[i];
        places[i].slot = slot;
    }
    free(owners);
    return slots;
}

static int larger(int a, int b)
{
    return a > b ? a : b;
}

/* Stack the processes' slots, each as high as its highest owner. Returns where they end. */
static int place_processes(struct layout *l, int top)
{
    size_t slots = share_slots(l->processes, l->process_count);
    int *heights = zeroed(slots, sizeof *heights);

    for (size_t i = 0; i < l->process_count; i++) {
        struct place *p = &l->processes[i];
        /* Room for one row at least: boxes of processes without any are as high as the others. */
        int rows = p->fd_count > 0 ? (int)p->fd_count : 1;
        p->height = NAME_HEIGHT + STATE_HEIGHT + STANDARD_HEIGHT + FOOT_HEIGHT + rows * ROW_HEIGHT +
                    2 + (p->signals ? STANDARD_HEIGHT : 0);
        heights[p->slot] = larger(heights[p->slot], p->height);
    }
    for (size_t i = 0; i < l->process_count; i++) {
        l->processes[i].top = top;
        for (size_t slot = 0; slot < l->processes[i].slot; slot++)
            l->processes[i].top += heights[slot] + PROCESS_GAP;
    }
    for (size_t slot = 0; slot < slots; slot++)
        top += heights[slot] + PROCESS_GAP;
    free(heights);
    return top;
}

/* A client stands beside its connection, or below the others while it has none. */
static void place_client(struct layout *l, struct place *c)
{
    for (size_t r = 0; r < l->count; r++) {
        const struct snapshot *s = &l->records[r];
        for (size_t k = 0; k < s->object_count; k++) {
            const struct object *o = &s->objects[k];
            if (o->client < 0 || o->standard || strcmp(s->clients[o->client].name, c->name) != 0)
                continue;
            const struct place *place = layout_place(l->objects, l->object_count, o->name);
            c->top = place->top + (OBJECT_HEIGHT - CLIENT_HEIGHT) / 2;
            c->until = place->until;
        }
    }
}

struct layout *layout_make(const struct snapshot *records, size_t count)
{
    struct layout *l = grown(NULL, 0, sizeof *l);
    int top = TITLE_HEIGHT + HEADING_HEIGHT;

    l->records = records;
    l->count = count;
    for (size_t i = 0; i < count; i++)
        reserve_record(l, i);
    int left_bottom = place_processes(l, top);
    /* The objects share out the height of the band, which is that of the processes or their own. */
    int slots = (int)share_slots(l->objects, l->object_count);
    int band = larger(left_bottom - PROCESS_GAP - top, slots * (OBJECT_HEIGHT + OBJECT_GAP));
    for (size_t i = 0; i < l->object_count; i++) {
        struct place *o = &l->objects[i];
        int share = band / slots;
        o->top = top + (int)o->slot * share + (share - OBJECT_HEIGHT) / 2;
        o->height = OBJECT_HEIGHT;
    }
    l->bottom = top + band + MARGIN;
    for (size_t i = 0; i < l->client_count; i++) {
        struct place *c = &l->clients[i];
        c->height = CLIENT_HEIGHT;
        c->top = top + (int)i * (CLIENT_HEIGHT + OBJECT_GAP);
        place_client(l, c);
    }
    return l;
}

void layout_free(struct layout *layout)
{
    for (size_t i = 0; i < layout->process_count; i++) {
        free(layout->processes[i].fds);
        free(layout->processes[i].first);
    }
    free(layout->processes);
    free(layout->objects);
    free(layout->clients);
    free(layout);
}
