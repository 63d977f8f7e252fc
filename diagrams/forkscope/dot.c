/* dot.c - how things look. Knows nothing of how they were measured. */
#include "dot.h"
#include "box.h"
#include "changes.h"
#include "paint.h"
#include "where.h"
#include "xml.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

const struct snapshot *dot_now(const struct picture *pic)
{
    return &pic->layout->records[pic->index];
}

const struct snapshot *dot_before(const struct picture *pic)
{
    return pic->trace != NULL && pic->index > 0 ? &pic->layout->records[pic->index - 1] : NULL;
}

const struct step *dot_step(const struct picture *pic)
{
    return pic->trace != NULL ? &pic->trace->steps[pic->index] : NULL;
}

bool dot_at_rest(const struct picture *pic)
{
    const struct step *step = dot_step(pic);

    return step != NULL && step->kind == STEP_CLIENT && step->now.caption[0] != '\0';
}

struct snapshot *dot_records(const struct trace *trace)
{
    struct snapshot *records = zeroed(trace->step_count, sizeof *records);

    for (size_t i = 0; i < trace->step_count; i++)
        records[i] = trace->steps[i].now;
    return records;
}

/* The last line in an object's box. */
static void object_detail(const struct object *o, char *text, size_t size)
{
    text[0] = '\0';
    if (o->kind == OBJECT_LISTENING)
        snprintf(text, size, "backlog: %u", o->backlog);
    else if (o->unread > 0)
        snprintf(text, size, "%s%u byte%s%s", o->waiting ? "in the backlog, " : "", o->unread,
                 o->unread == 1 ? "" : "s", o->end_of_file ? ", end of file" : " to read");
    else if (o->waiting && o->end_of_file)
        snprintf(text, size, "in the backlog, end of file");
    else if (o->waiting)
        snprintf(text, size, "in the backlog");
    else if (o->end_of_file)
        snprintf(text, size, "end of file to read");
    else if (o->inferred)
        snprintf(text, size, "inferred");
}

/* "refs = 2", and in a trace how many more or fewer that are: "(+1)". */
static void put_refs(FILE *out, const struct picture *pic, const struct object *o, const char *line)
{
    int change = dot_before(pic) != NULL ? changes_refs(dot_before(pic), o) : 0;

    fprintf(out, "</TD></TR><TR><TD><FONT POINT-SIZE=\"15\" COLOR=\"%s\"><B>refs = %u</B></FONT>",
            line, o->refs);
    if (change != 0)
        fprintf(out, "<FONT POINT-SIZE=\"12\" COLOR=\"%s\"><B>  (%s%d)</B></FONT>",
                change > 0 ? "#146B2E" : "#B3261E", change > 0 ? "+" : "−", abs(change));
}

/* s: where it is, `now` or, when the kernel has let go of it in this step, the step before. */
static void put_object(FILE *out, const struct picture *pic, const struct snapshot *s,
                       const struct object *o)
{
    const struct layout *l = pic->layout;
    const struct place *place = layout_place(l->objects, l->object_count, o->name);
    bool gone = (o->refs == 0 && !o->waiting) || s != dot_now(pic);
    const char *line = gone ? "#999999" : paint_object(o->name);
    char label[TEXT_SIZE + NAME_SIZE], detail[64];

    object_label(s, o, label, sizeof label);
    paint_keep_end(label, 26);
    object_detail(o, detail, sizeof detail);
    fprintf(out, "  %s [", o->name);
    paint_position(out, BAND_LEFT, BAND_WIDTH, place->top, place->height);
    fprintf(out,
            " shape=box style=\"rounded,filled%s\" fixedsize=true width=%.4f height=%.4f"
            " fillcolor=\"%s\" color=\"%s\" penwidth=1.5\n"
            "    label=<<TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLPADDING=\"0\" "
            "CELLSPACING=\"3\"><TR><TD>",
            o->waiting ? ",dashed"
            : gone     ? ",dotted"
                       : "",
            OBJECT_WIDTH / 72.0, OBJECT_HEIGHT / 72.0,
            o->tcp == TCP_CLOSE_WAIT && !gone ? "#FFE3CC" : "#FFFFFF", line);
    bool struck = gone && pic->trace != NULL;
    fprintf(out, "<FONT COLOR=\"%s\"><B>%s", gone ? "#666666" : "#000000", struck ? "<S>" : "");
    xml_escape(out, label);
    fprintf(out, "%s</B></FONT>", struck ? "</S>" : "");
    if (gone)
        fputs("</TD></TR><TR><TD><FONT POINT-SIZE=\"11\" COLOR=\"#666666\">closed</FONT>", out);
    else
        put_refs(out, pic, o, line);
    if (!gone && o->tcp != 0)
        fprintf(out, "</TD></TR><TR><TD><FONT POINT-SIZE=\"10\">%s</FONT>", tcp_name(o->tcp));
    if (detail[0] != '\0' && !gone)
        fprintf(out, "</TD></TR><TR><TD><FONT POINT-SIZE=\"10\" COLOR=\"#7A4A00\">%s</FONT>",
                detail);
    fputs("</TD></TR></TABLE>>]\n", out);
}

static void put_client(FILE *out, const struct picture *pic, const struct client *c)
{
    const struct layout *l = pic->layout;
    const struct place *place = layout_place(l->clients, l->client_count, c->name);
    const struct step *step = dot_step(pic);
    bool acts = step != NULL && step->kind == STEP_CLIENT && strcmp(step->who, c->name) == 0 &&
                !dot_at_rest(pic);

    fprintf(out, "  client_%s [", c->name);
    paint_position(out, CLIENT_LEFT, CLIENT_WIDTH, place->top, place->height);
    fprintf(out,
            " shape=box style=\"rounded,filled%s\" fixedsize=true width=%.4f height=%.4f"
            " fillcolor=\"%s\" color=\"%s\"%s label=<<B>client %s%s</B>",
            c->closed ? ",dotted" : "", CLIENT_WIDTH / 72.0, CLIENT_HEIGHT / 72.0,
            c->closed ? "#EEEEEE" : "#F3E8FF", acts ? "#1A7F37" : "#555555",
            acts ? " penwidth=2.5" : "", c->name, c->closed ? " (closed)" : "");
    fprintf(out, "<BR/><FONT POINT-SIZE=\"10\">its socket: %s</FONT>>]\n",
            c->tcp != 0 ? tcp_name(c->tcp) : "closed");
}

static void put_edges(FILE *out, const struct picture *pic)
{
    const struct layout *l = pic->layout;
    const struct snapshot *s = dot_now(pic), *before = dot_before(pic);

    for (size_t i = 0; i < s->process_count; i++) {
        const struct process *p = &s->processes[i];
        for (size_t d = 0; d < p->descriptor_count && p->shares < 0; d++) {
            const struct object *o = &s->objects[p->descriptors[d].object];
            if (o->standard)
                continue;
            const char *was = changes_descriptor(before, p->name, p->descriptors[d].fd);
            bool is_new = before != NULL && (was == NULL || strcmp(was, o->name) != 0);
            fprintf(out, "  %s:f%d:e -> %s:w [color=\"%s\"%s]\n", p->name, p->descriptors[d].fd,
                    o->name, paint_object(o->name), is_new ? " penwidth=3" : "");
        }
    }
    for (size_t i = 0; i < s->object_count; i++) {
        const struct object *o = &s->objects[i];
        if (o->standard || o->client < 0 || o->tcp == 0)
            continue;
        const struct client *c = &s->clients[o->client];
        if (c->tcp == 0 || !layout_shows(l->objects, l->object_count, o->name, pic->index))
            continue;
        /* An arrowhead for each direction in which bytes can still go. */
        const char *direction = o->tcp == TCP_CLOSE_WAIT   ? "forward"
                                : c->tcp == TCP_CLOSE_WAIT ? "back"
                                                           : "both";
        bool whole = o->tcp == TCP_ESTABLISHED && c->tcp == TCP_ESTABLISHED && !o->waiting;
        fprintf(out, "  %s:e -> client_%s:w [dir=%s color=\"%s\"%s]\n", o->name, c->name, direction,
                paint_object(o->name), whole ? "" : " style=dashed");
    }
}

static void put_column_heading(FILE *out, const char *text, int left, int width)
{
    fprintf(out, "  heading_%d [", left);
    paint_position(out, left, width, TITLE_HEIGHT, HEADING_HEIGHT);
    fprintf(out, " label=<<FONT COLOR=\"#44597F\">%s</FONT>>]\n", text);
}

/*
 * The two lines above a picture: at rest its caption and the title of all, otherwise what happened
 * in the step.
 */
static void put_heading(FILE *out, const struct picture *pic)
{
    enum { FIRST_FITS = 82, SECOND_FITS = 116 };
    const struct snapshot *s = dot_now(pic);
    const struct step *step = dot_step(pic);
    char first[HEADLINE_SIZE + 64], second[2 * HEADLINE_SIZE + WHERE_SIZE + 64];

    const char *title = pic->trace != NULL ? pic->trace->title : s->title;
    bool typed = step != NULL && !dot_at_rest(pic); /* the second line is source text */

    if (!typed) {
        snprintf(first, sizeof first, "%s", s->caption);
        snprintf(second, sizeof second, "%s", title[0] != '\0' ? title : s->moment);
    } else {
        char headline[HEADLINE_SIZE], place[WHERE_SIZE], source[HEADLINE_SIZE];
        where_headline(step, headline, sizeof headline);
        where_place(pic->trace, &step->chain, place, sizeof place);
        where_source(pic->trace, where_frame(&step->chain), source, sizeof source);
        bool named = s->caption[0] != '\0';
        if (named)
            snprintf(first, sizeof first, "%s", s->caption);
        else
            snprintf(first, sizeof first, "step %zu   %s", step->number, headline);
        if (named)
            snprintf(second, sizeof second, "step %zu   %s   %s   %s", step->number, headline,
                     place, source);
        else if (step->kind == STEP_CLIENT)
            snprintf(second, sizeof second, "a client acts while every process is held");
        else
            snprintf(second, sizeof second, "%s   %s", place, source);
        paint_keep_begin(first, FIRST_FITS);
        paint_keep_begin(second, SECOND_FITS);
    }
    fputs("  heading [", out);
    paint_position(out, MARGIN, WIDTH - 2 * MARGIN, 0, TITLE_HEIGHT);
    fprintf(out,
            " label=<<TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"0\" CELLPADDING=\"0\">"
            "<TR><TD ALIGN=\"LEFT\" WIDTH=\"%d\" HEIGHT=\"26\" FIXEDSIZE=\"TRUE\">"
            "<FONT POINT-SIZE=\"14\"><B>",
            WIDTH - 2 * MARGIN);
    xml_escape(out, first[0] != '\0' ? first : " ");
    fprintf(out,
            "</B></FONT></TD></TR><TR><TD ALIGN=\"LEFT\" WIDTH=\"%d\" HEIGHT=\"20\""
            " FIXEDSIZE=\"TRUE\"><FONT POINT-SIZE=\"11\" COLOR=\"#555555\"%s>",
            WIDTH - 2 * MARGIN, typed ? " FACE=\"DejaVu Sans Mono,monospace\"" : "");
    /* Graphviz rejects a font around nothing. */
    xml_escape(out, second[strspn(second, " ")] != '\0' ? second : " ");
    fputs("</FONT></TD></TR></TABLE>>]\n", out);
}

/*
 * Something unseen around everything: a box with a thick border sticks out a little, and all
 * pictures of a trace shall be of one size, or they would move.
 */
static void put_frame(FILE *out, const struct picture *pic)
{
    enum { AROUND = 4 };
    int top = pic->bare ? TITLE_HEIGHT : 0;
    int width = WIDTH - 2 * MARGIN + 2 * AROUND;
    int height = pic->layout->bottom - top + 2 * AROUND;

    fputs("  frame [", out);
    paint_position(out, MARGIN - AROUND, width, top - AROUND, height);
    fprintf(out, " shape=box style=invis fixedsize=true width=%.4f height=%.4f label=\"\"]\n",
            width / 72.0, height / 72.0);
}

int dot_write(FILE *out, const struct picture *pic, struct error *err)
{
    const struct layout *l = pic->layout;
    const struct snapshot *s = dot_now(pic), *before = dot_before(pic);

    fputs("digraph forkscope {\n"
          "  graph [layout=neato splines=line outputorder=nodesfirst bgcolor=white pad=0.1\n"
          "         fontname=\"DejaVu Sans,Verdana,sans-serif\"]\n"
          "  node [shape=plain fontname=\"DejaVu Sans,Verdana,sans-serif\" fontsize=11 margin=0]\n"
          "  edge [arrowsize=0.7 penwidth=1.5]\n",
          out);
    if (pic->trace != NULL)
        put_frame(out, pic);
    if (!pic->bare)
        put_heading(out, pic);
    fputs("  kernel [", out);
    paint_position(out, BAND_LEFT, BAND_WIDTH, TITLE_HEIGHT, l->bottom - TITLE_HEIGHT);
    fprintf(out,
            " shape=box style=\"rounded,filled\" fixedsize=true width=%.4f height=%.4f"
            " fillcolor=\"#EEF2FB\" color=\"#B8C8E0\" label=\"\"]\n",
            BAND_WIDTH / 72.0, (l->bottom - TITLE_HEIGHT) / 72.0);
    put_column_heading(out, "processes", MARGIN, PROCESS_WIDTH);
    put_column_heading(out, "inside the kernel", BAND_LEFT, BAND_WIDTH);
    if (l->client_count > 0)
        put_column_heading(out, "clients", CLIENT_LEFT, CLIENT_WIDTH);
    for (size_t i = 0; i < s->process_count; i++)
        if (layout_shows(l->processes, l->process_count, s->processes[i].name, pic->index))
            box_write(out, pic, &s->processes[i]);
    for (size_t i = 0; i < s->object_count; i++)
        if (!s->objects[i].standard &&
            layout_shows(l->objects, l->object_count, s->objects[i].name, pic->index))
            put_object(out, pic, s, &s->objects[i]);
    for (size_t i = 0; before != NULL && i < before->object_count; i++)
        if (!before->objects[i].standard && before->objects[i].refs > 0 &&
            changes_object(s, before->objects[i].name) == NULL &&
            layout_shows(l->objects, l->object_count, before->objects[i].name, pic->index))
            put_object(out, pic, before, &before->objects[i]);
    for (size_t i = 0; i < s->client_count; i++)
        if (layout_shows(l->clients, l->client_count, s->clients[i].name, pic->index))
            put_client(out, pic, &s->clients[i]);
    put_edges(out, pic);
    fputs("}\n", out);
    if (ferror(out) || fflush(out) == EOF)
        return fail(err, "write: %s", strerror(errno));
    return 0;
}
