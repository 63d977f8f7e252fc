/* box.c - the table that a process is drawn as. */
#include "box.h"
#include "changes.h"
#include "paint.h"
#include "where.h"
#include "xml.h"

#include <string.h>

/* How a row looks: fill, border, and the colour of its text. NULL: none of its own. */
struct look {
    const char *fill;
    const char *line;
    const char *text;
};

static const struct look open_look = {"white", "#777777", NULL};
static const struct look new_look = {"#A8E6A8", "#1A7F37", NULL};
static const struct look shut_look = {"#FFD6D6", "#B3261E", "#B3261E"};
static const struct look past_look = {NULL, NULL, "#555555"};
static const struct look empty_look = {NULL, NULL, NULL};

/* One line across a process box. */
static void put_header(FILE *out, int height, int size, const char *colour, const char *text)
{
    fprintf(out, "<TR><TD COLSPAN=\"3\" WIDTH=\"%d\" HEIGHT=\"%d\" FIXEDSIZE=\"TRUE\">",
            PROCESS_WIDTH, height);
    fprintf(out, "<FONT POINT-SIZE=\"%d\" COLOR=\"%s\">", size, colour);
    fputs(text, out);
    fputs("</FONT>", out);
    fputs("</TD></TR>", out);
}

static void put_text_header(FILE *out, int height, const char *colour, const char *text)
{
    fprintf(out,
            "<TR><TD COLSPAN=\"3\" WIDTH=\"%d\" HEIGHT=\"%d\" FIXEDSIZE=\"TRUE\">"
            "<FONT POINT-SIZE=\"10\" COLOR=\"%s\">",
            PROCESS_WIDTH, height, colour);
    xml_escape(out, text);
    fputs("</FONT></TD></TR>", out);
}

/* The beginning of a cell, up to its text. */
static void put_cell(FILE *out, int width, const struct look *look, int port)
{
    fprintf(out, "<TD HEIGHT=\"%d\" WIDTH=\"%d\" FIXEDSIZE=\"TRUE\"", ROW_HEIGHT, width);
    if (port >= 0)
        fprintf(out, " PORT=\"f%d\"", port);
    if (look->fill != NULL)
        fprintf(out, " BORDER=\"1\" COLOR=\"%s\" BGCOLOR=\"%s\"", look->line, look->fill);
    fputc('>', out);
}

/*
 * fd: -1 for a row without a number. label: empty for a row that only keeps its place.
 * dot: the colour of the object it refers to, or NULL.
 */
static void put_row(FILE *out, const struct look *look, int fd, const char *label, const char *dot)
{
    fputs("<TR>", out);
    put_cell(out, FD_WIDTH, look, -1);
    if (fd < 0)
        fputc(' ', out);
    else if (look->text != NULL)
        fprintf(out, "<FONT COLOR=\"%s\">%d</FONT>", look->text, fd);
    else
        fprintf(out, "<B>%d</B>", fd);
    fputs("</TD>", out);
    put_cell(out, LABEL_WIDTH, look, -1);
    if (look->text != NULL)
        fprintf(out, "<FONT COLOR=\"%s\">", look->text);
    xml_escape(out, label[0] != '\0' ? label : " ");
    fputs(look->text != NULL ? "</FONT></TD>" : "</TD>", out);
    put_cell(out, DOT_WIDTH, look, dot != NULL ? fd : -1);
    if (dot != NULL)
        fprintf(out, "<FONT COLOR=\"%s\">&#9679;</FONT>", dot);
    else
        fputc(' ', out);
    fputs("</TD></TR>", out);
}

/* What a descriptor's row says: short, the box of the object says the rest. */
static void put_descriptor(FILE *out, const struct picture *pic, const struct process *p,
                           const struct place *place, size_t row)
{
    enum { FITS = 24 };
    const struct snapshot *now = dot_now(pic), *before = dot_before(pic);
    int fd = place->fds[row];
    int object = p->shares >= 0 ? -1 : descriptor_object(p, fd);
    const char *was = changes_descriptor(before, p->name, fd);
    char label[TEXT_SIZE + NAME_SIZE], text[TEXT_SIZE + NAME_SIZE + 16];

    if (object >= 0) {
        const struct object *o = &now->objects[object];
        bool is_new = before != NULL && (was == NULL || strcmp(was, o->name) != 0);
        object_short_label(now, o, label, sizeof label);
        paint_keep_end(label, is_new ? FITS - 5 : FITS);
        snprintf(text, sizeof text, "%s%s", is_new ? "new: " : "", label);
        put_row(out, is_new ? &new_look : &open_look, fd, text, paint_object(o->name));
    } else if (was != NULL && was[0] != '\0' && p->shares < 0) {
        object_short_label(before, changes_object(before, was), label, sizeof label);
        paint_keep_end(label, FITS - 4);
        snprintf(text, sizeof text, "✗ %s", label);
        put_row(out, &shut_look, fd, text, NULL);
    } else if (pic->trace != NULL && place->first[row] < pic->index && !changes_ended(p) &&
               p->shares < 0) {
        put_row(out, &past_look, fd, "closed", NULL);
    } else {
        /* A row kept for a descriptor of another picture: nothing is open here. */
        put_row(out, &empty_look, -1, "", NULL);
    }
}

/* "0, 1, 2  standard streams": which of these it has, all or some. */
static void put_standard(FILE *out, const struct snapshot *s, const struct process *p)
{
    char text[64] = "";
    size_t length = 0;
    int count = 0;

    for (size_t d = 0; d < p->descriptor_count; d++) {
        if (!s->objects[p->descriptors[d].object].standard)
            continue;
        /* A record may be written by anybody: say no more than fits. */
        if (++count > 3)
            continue;
        length += (size_t)snprintf(text + length, sizeof text - length, "%s%d",
                                   length > 0 ? ", " : "", p->descriptors[d].fd);
    }
    put_header(out, STANDARD_HEIGHT, 10, "#555555",
               count == 3         ? "0, 1, 2  standard streams"
               : count > 0        ? text
               : changes_ended(p) ? "no descriptors"
                                  : " ");
}

/* What is going on with signals: only processes to whom that ever happens have this line. */
static void put_signals(FILE *out, const struct process *p)
{
    enum { FITS = 40 };
    char text[2 * TEXT_SIZE] = " ";
    const char *signal = where_signal(&p->at);

    if (p->pending[0] != '\0')
        snprintf(text, sizeof text, "pending: %s%s", p->pending,
                 signal != NULL ? ", in a handler" : "");
    else if (signal != NULL)
        snprintf(text, sizeof text, "in the handler of %s", signal);
    paint_keep_begin(text, FITS);
    put_text_header(out, STANDARD_HEIGHT, "#B3261E", text);
}

void box_write(FILE *out, const struct picture *pic, const struct process *p)
{
    enum { FITS = 40 };
    const struct layout *l = pic->layout;
    const struct snapshot *s = dot_now(pic);
    const struct step *step = dot_step(pic);
    const struct place *place = layout_place(l->processes, l->process_count, p->name);
    struct paint paint = paint_process(p->state);
    char name[96], kin[64] = "", state[2 * TEXT_SIZE + WHERE_SIZE];
    const char *ink = p->state == PROCESS_GONE ? "#666666" : "#000000";
    bool struck = step != NULL && p->state == PROCESS_GONE;

    if (p->parent >= 0)
        snprintf(kin, sizeof kin, ", child of %s", s->processes[p->parent].name);
    else if (p > s->processes || s->orphans)
        snprintf(kin, sizeof kin, ", orphan");
    else if ((step != NULL ? l->process_count : s->process_count) > 1)
        snprintf(kin, sizeof kin, ", parent");
    /* One run of text: blanks between differently styled runs get lost in some viewers. */
    snprintf(name, sizeof name, struck ? "<B><S>%s%s</S></B>" : "<B>%s%s</B>", p->name, kin);
    if (step != NULL)
        where_process(pic->trace, p, state, sizeof state);
    else
        process_label(p, state, sizeof state);
    bool acts = step != NULL && strcmp(step->who, p->name) == 0;
    fprintf(out, "  %s [", p->name);
    paint_position(out, MARGIN, PROCESS_WIDTH + 2, place->top, place->height);
    fprintf(out,
            " label=<<TABLE BORDER=\"%d\" CELLBORDER=\"0\" CELLSPACING=\"0\" CELLPADDING=\"0\""
            " STYLE=\"ROUNDED\" BGCOLOR=\"%s\" COLOR=\"%s\">",
            p->state == PROCESS_RUNNING || acts ? 2 : 1, paint.fill, paint.line);
    put_header(out, NAME_HEIGHT, 12, ink, name);
    if (step != NULL)
        paint_keep_end(state, FITS);
    put_text_header(out, STATE_HEIGHT, ink, state);
    if (p->shares >= 0) {
        snprintf(state, sizeof state, "uses the descriptors of %s", s->processes[p->shares].name);
        put_header(out, STANDARD_HEIGHT, 10, "#555555", state);
    } else {
        put_standard(out, s, p);
    }
    if (place->signals)
        put_signals(out, p);
    for (size_t i = 0; i < place->fd_count; i++)
        put_descriptor(out, pic, p, place, i);
    if (place->fd_count == 0)
        put_header(out, ROW_HEIGHT, 10, "#000000", " ");
    put_header(out, FOOT_HEIGHT, 4, "#000000", " ");
    fputs("</TABLE>>]\n", out);
}
