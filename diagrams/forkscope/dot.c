/* dot.c - how things look. Knows nothing of how they were measured. */
#include "dot.h"
#include "xml.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

/* Fill, border: light enough for black text, dark enough to be seen. */
struct paint {
    const char *fill;
    const char *line;
};

static struct paint process_paint(enum process_state state)
{
    switch (state) {
    case PROCESS_RUNNING:
        return (struct paint){"#D6F5D6", "#1A7F37"};
    case PROCESS_STOPPED:
        return (struct paint){"#EADCF8", "#6F42C1"};
    case PROCESS_ZOMBIE:
        return (struct paint){"#D0D0D0", "#555555"};
    case PROCESS_GONE:
        return (struct paint){"#FFFFFF", "#999999"};
    case PROCESS_READY:
        return (struct paint){"#DCEBFA", "#0B5CAD"};
    case PROCESS_BLOCKED:
        break;
    }
    return (struct paint){"#FFF2CC", "#9A6700"};
}

/* One colour an object, told apart also by the colour-blind; words and lines say the same. */
static const char *object_colour(const char *name)
{
    static const char *const colours[] = {"#0B5CAD", "#B3261E", "#1A7F37",
                                          "#7A3FC0", "#8A5A00", "#00707A"};
    long number = strtol(name + 1, NULL, 10);

    return colours[(number > 0 ? number - 1 : 0) % 6];
}

/* pos="x,y!" of the centre; Graphviz counts y upwards. */
static void put_position(FILE *out, int left, int width, int top, int height)
{
    fprintf(out, "pos=\"%g,%g!\"", left + width / 2.0, -(top + height / 2.0));
}

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

/* Keep the end of a text that is too long for its cell: of a path that says most. */
static void shorten(char *text, size_t fits)
{
    size_t length = strlen(text);

    if (length <= fits)
        return;
    char *rest = text + length - fits + 2;
    while ((*rest & 0xc0) == 0x80)
        rest++; /* not in the midst of a letter */
    memmove(text + 2, rest, strlen(rest) + 1);
    memcpy(text, "..", 2);
}

/* What a descriptor's row says: short, the box of the object says the rest. */
static void row_label(const struct snapshot *s, const struct object *o, char *text, size_t size)
{
    object_short_label(s, o, text, size);
    shorten(text, 24);
}

static void put_row(FILE *out, const struct snapshot *s, int fd, int object)
{
    const char *cell = "HEIGHT=\"%d\" WIDTH=\"%d\" FIXEDSIZE=\"TRUE\"";
    char label[TEXT_SIZE + NAME_SIZE];

    fputs("<TR><TD ", out);
    fprintf(out, cell, ROW_HEIGHT, FD_WIDTH);
    if (object < 0) {
        /* A row kept for a descriptor of another picture: nothing is open here. */
        fprintf(out, "> </TD><TD ");
        fprintf(out, cell, ROW_HEIGHT, LABEL_WIDTH);
        fputs("> </TD><TD ", out);
        fprintf(out, cell, ROW_HEIGHT, DOT_WIDTH);
        fputs("> </TD></TR>", out);
        return;
    }
    const struct object *o = &s->objects[object];
    const char *box = " BORDER=\"1\" COLOR=\"#777777\" BGCOLOR=\"white\"";
    row_label(s, o, label, sizeof label);
    fprintf(out, "%s><B>%d</B></TD><TD ", box, fd);
    fprintf(out, cell, ROW_HEIGHT, LABEL_WIDTH);
    fprintf(out, "%s>", box);
    xml_escape(out, label);
    fputs("</TD><TD ", out);
    fprintf(out, cell, ROW_HEIGHT, DOT_WIDTH);
    fprintf(out, " PORT=\"f%d\"%s><FONT COLOR=\"%s\">&#9679;</FONT></TD></TR>", fd, box,
            object_colour(o->name));
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
    const char *none =
        p->state == PROCESS_ZOMBIE || p->state == PROCESS_GONE ? "no descriptors" : " ";
    put_header(out, STANDARD_HEIGHT, 10, "#555555",
               count == 3  ? "0, 1, 2  standard streams"
               : count > 0 ? text
                           : none);
}

static void put_process(FILE *out, const struct layout *l, const struct snapshot *s,
                        const struct process *p)
{
    const struct place *place = layout_place(l->processes, l->process_count, p->name);
    struct paint paint = process_paint(p->state);
    char name[96], kin[64] = "", state[128];
    const char *ink = p->state == PROCESS_GONE ? "#777777" : "#000000";

    if (p->parent >= 0)
        snprintf(kin, sizeof kin, ", child of %s", s->processes[p->parent].name);
    else if (p > s->processes || s->orphans)
        snprintf(kin, sizeof kin, ", orphan");
    else if (s->process_count > 1)
        snprintf(kin, sizeof kin, ", parent");
    /* One run of text: blanks between differently styled runs get lost in some viewers. */
    snprintf(name, sizeof name, "<B>%s%s</B>", p->name, kin);
    process_label(p, state, sizeof state);
    fprintf(out, "  %s [", p->name);
    put_position(out, MARGIN, PROCESS_WIDTH + 2, place->top, place->height);
    fprintf(out,
            " label=<<TABLE BORDER=\"%d\" CELLBORDER=\"0\" CELLSPACING=\"0\" CELLPADDING=\"0\""
            " STYLE=\"ROUNDED\" BGCOLOR=\"%s\" COLOR=\"%s\">",
            p->state == PROCESS_RUNNING ? 2 : 1, paint.fill, paint.line);
    put_header(out, NAME_HEIGHT, 12, ink, name);
    put_header(out, STATE_HEIGHT, 10, ink, state);
    if (p->shares >= 0) {
        snprintf(state, sizeof state, "uses the descriptors of %s", s->processes[p->shares].name);
        put_header(out, STANDARD_HEIGHT, 10, "#555555", state);
    } else {
        put_standard(out, s, p);
    }
    for (size_t i = 0; i < place->fd_count; i++)
        put_row(out, s, place->fds[i], descriptor_object(p, place->fds[i]));
    if (place->fd_count == 0)
        put_header(out, ROW_HEIGHT, 10, "#000000", " ");
    put_header(out, FOOT_HEIGHT, 4, "#000000", " ");
    fputs("</TABLE>>]\n", out);
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

static void put_object(FILE *out, const struct layout *l, const struct snapshot *s,
                       const struct object *o)
{
    const struct place *place = layout_place(l->objects, l->object_count, o->name);
    bool gone = o->refs == 0 && !o->waiting;
    const char *line = gone ? "#999999" : object_colour(o->name);
    char label[TEXT_SIZE + NAME_SIZE], detail[64];

    object_label(s, o, label, sizeof label);
    shorten(label, 26);
    object_detail(o, detail, sizeof detail);
    fprintf(out, "  %s [", o->name);
    put_position(out, BAND_LEFT, BAND_WIDTH, place->top, place->height);
    fprintf(out,
            " shape=box style=\"rounded,filled%s\" fixedsize=true width=%.4f height=%.4f"
            " fillcolor=\"%s\" color=\"%s\" penwidth=1.5 label=<",
            o->waiting ? ",dashed"
            : gone     ? ",dotted"
                       : "",
            OBJECT_WIDTH / 72.0, OBJECT_HEIGHT / 72.0,
            o->tcp == TCP_CLOSE_WAIT ? "#FFE3CC" : "#FFFFFF", line);
    fprintf(out, "<FONT COLOR=\"%s\"><B>", gone ? "#777777" : "#000000");
    xml_escape(out, label);
    fputs("</B></FONT>", out);
    if (gone)
        fputs("<BR/><FONT POINT-SIZE=\"11\" COLOR=\"#777777\">closed</FONT>", out);
    else
        fprintf(out, "<BR/><FONT POINT-SIZE=\"15\" COLOR=\"%s\"><B>refs = %u</B></FONT>", line,
                o->refs);
    if (!gone && o->tcp != 0)
        fprintf(out, "<BR/><FONT POINT-SIZE=\"10\">%s</FONT>", tcp_name(o->tcp));
    if (detail[0] != '\0' && !gone)
        fprintf(out, "<BR/><FONT POINT-SIZE=\"10\" COLOR=\"#7A4A00\">%s</FONT>", detail);
    fputs(">]\n", out);
}

static void put_client(FILE *out, const struct layout *l, const struct client *c)
{
    const struct place *place = layout_place(l->clients, l->client_count, c->name);

    fprintf(out, "  client_%s [", c->name);
    put_position(out, CLIENT_LEFT, CLIENT_WIDTH, place->top, place->height);
    fprintf(out,
            " shape=box style=\"rounded,filled%s\" fixedsize=true width=%.4f height=%.4f"
            " fillcolor=\"%s\" color=\"#555555\" label=<<B>client %s%s</B>",
            c->closed ? ",dotted" : "", CLIENT_WIDTH / 72.0, CLIENT_HEIGHT / 72.0,
            c->closed ? "#EEEEEE" : "#F3E8FF", c->name, c->closed ? " (closed)" : "");
    fprintf(out, "<BR/><FONT POINT-SIZE=\"10\">its socket: %s</FONT>>]\n",
            c->tcp != 0 ? tcp_name(c->tcp) : "closed");
}

static void put_edges(FILE *out, const struct snapshot *s)
{
    for (size_t i = 0; i < s->process_count; i++) {
        const struct process *p = &s->processes[i];
        for (size_t d = 0; d < p->descriptor_count; d++) {
            const struct object *o = &s->objects[p->descriptors[d].object];
            if (!o->standard)
                fprintf(out, "  %s:f%d:e -> %s:w [color=\"%s\"]\n", p->name, p->descriptors[d].fd,
                        o->name, object_colour(o->name));
        }
    }
    for (size_t i = 0; i < s->object_count; i++) {
        const struct object *o = &s->objects[i];
        if (o->standard || o->client < 0 || o->tcp == 0)
            continue;
        const struct client *c = &s->clients[o->client];
        if (c->tcp == 0)
            continue;
        /* An arrowhead for each direction in which bytes can still go. */
        const char *direction = o->tcp == TCP_CLOSE_WAIT   ? "forward"
                                : c->tcp == TCP_CLOSE_WAIT ? "back"
                                                           : "both";
        bool whole = o->tcp == TCP_ESTABLISHED && c->tcp == TCP_ESTABLISHED && !o->waiting;
        fprintf(out, "  %s:e -> client_%s:w [dir=%s color=\"%s\"%s]\n", o->name, c->name, direction,
                object_colour(o->name), whole ? "" : " style=dashed");
    }
}

static void put_column_heading(FILE *out, const char *text, int left, int width)
{
    fprintf(out, "  heading_%d [", left);
    put_position(out, left, width, TITLE_HEIGHT, HEADING_HEIGHT);
    fprintf(out, " label=<<FONT COLOR=\"#44597F\">%s</FONT>>]\n", text);
}

int dot_write(FILE *out, const struct layout *l, size_t index, struct error *err)
{
    const struct snapshot *s = &l->records[index];

    fputs("digraph forkscope {\n"
          "  graph [layout=neato splines=line outputorder=nodesfirst bgcolor=white pad=0.1\n"
          "         fontname=\"DejaVu Sans,Verdana,sans-serif\"]\n"
          "  node [shape=plain fontname=\"DejaVu Sans,Verdana,sans-serif\" fontsize=11 margin=0]\n"
          "  edge [arrowsize=0.7 penwidth=1.5]\n",
          out);
    fputs("  heading [", out);
    put_position(out, MARGIN, WIDTH - 2 * MARGIN, 0, TITLE_HEIGHT);
    fprintf(out,
            " label=<<TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"0\" CELLPADDING=\"0\">"
            "<TR><TD ALIGN=\"LEFT\" WIDTH=\"%d\" HEIGHT=\"26\" FIXEDSIZE=\"TRUE\">"
            "<FONT POINT-SIZE=\"14\"><B>",
            WIDTH - 2 * MARGIN);
    xml_escape(out, s->caption[0] != '\0' ? s->caption : " ");
    fprintf(out,
            "</B></FONT></TD></TR><TR><TD ALIGN=\"LEFT\" WIDTH=\"%d\" HEIGHT=\"20\""
            " FIXEDSIZE=\"TRUE\"><FONT POINT-SIZE=\"11\" COLOR=\"#555555\">",
            WIDTH - 2 * MARGIN);
    /* Graphviz rejects a font around nothing. */
    xml_escape(out, s->title[0] != '\0' ? s->title : s->moment[0] != '\0' ? s->moment : " ");
    fputs("</FONT></TD></TR></TABLE>>]\n", out);

    fputs("  kernel [", out);
    put_position(out, BAND_LEFT, BAND_WIDTH, TITLE_HEIGHT, l->bottom - TITLE_HEIGHT);
    fprintf(out,
            " shape=box style=\"rounded,filled\" fixedsize=true width=%.4f height=%.4f"
            " fillcolor=\"#EEF2FB\" color=\"#B8C8E0\" label=\"\"]\n",
            BAND_WIDTH / 72.0, (l->bottom - TITLE_HEIGHT) / 72.0);
    put_column_heading(out, "processes", MARGIN, PROCESS_WIDTH);
    put_column_heading(out, "inside the kernel", BAND_LEFT, BAND_WIDTH);
    if (l->client_count > 0)
        put_column_heading(out, "clients", CLIENT_LEFT, CLIENT_WIDTH);
    for (size_t i = 0; i < s->process_count; i++)
        put_process(out, l, s, &s->processes[i]);
    for (size_t i = 0; i < s->object_count; i++)
        if (!s->objects[i].standard)
            put_object(out, l, s, &s->objects[i]);
    for (size_t i = 0; i < s->client_count; i++)
        put_client(out, l, &s->clients[i]);
    put_edges(out, s);
    fputs("}\n", out);
    if (ferror(out) || fflush(out) == EOF)
        return fail(err, "write: %s", strerror(errno));
    return 0;
}
