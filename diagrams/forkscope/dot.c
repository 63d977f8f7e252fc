/* dot.c - where things stand, how they look. Knows nothing of how they were measured. */
#include "dot.h"
#include "xml.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

/* All lengths in points, y downwards from the top. */
enum {
    MARGIN = 20,
    TITLE_HEIGHT = 52,
    HEADING_HEIGHT = 30,
    PROCESS_WIDTH = 214,
    FD_WIDTH = 34,
    DOT_WIDTH = 22,
    LABEL_WIDTH = PROCESS_WIDTH - FD_WIDTH - DOT_WIDTH,
    NAME_HEIGHT = 22,
    STATE_HEIGHT = 18,
    STANDARD_HEIGHT = 16,
    ROW_HEIGHT = 19,
    FOOT_HEIGHT = 8,
    PROCESS_GAP = 20,
    BAND_LEFT = 326,
    BAND_WIDTH = 212,
    OBJECT_WIDTH = 180,
    OBJECT_HEIGHT = 78,
    OBJECT_GAP = 20,
    CLIENT_LEFT = 640,
    CLIENT_WIDTH = 150,
    CLIENT_HEIGHT = 46,
    WIDTH = CLIENT_LEFT + CLIENT_WIDTH + MARGIN,
};

/* Everything one process box must have room for. */
struct place {
    char name[NAME_SIZE];
    int *fds; /* ascending: every descriptor it has in any record, but the standard ones */
    size_t fd_count;
    int top;
    int height;
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

static struct place *find_place(struct place *places, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(places[i].name, name) == 0)
            return &places[i];
    return NULL;
}

static struct place *reserve(struct place **places, size_t *count, const char *name)
{
    struct place *found = find_place(*places, *count, name);

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
                c->top = find_place(l->objects, l->object_count, o->name)->top +
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

/* ---- writing ---- */

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

/* What a descriptor's row says: short, the box of the object says the rest. */
static void row_label(const struct snapshot *s, const struct object *o, char *text, size_t size)
{
    object_short_label(s, o, text, size);
    /* Longer text would not fit its cell: a path keeps its end. */
    enum { FITS = 24 };
    size_t length = strlen(text);
    if (length > FITS) {
        memmove(text + 2, text + length - FITS + 2, FITS - 1);
        memcpy(text, "..", 2);
    }
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

/* "0-2": which of the standard streams it has, all of them or some. */
static void put_standard(FILE *out, const struct snapshot *s, const struct process *p)
{
    char text[64] = "";
    size_t length = 0;
    int count = 0;

    for (size_t d = 0; d < p->descriptor_count; d++) {
        if (!s->objects[p->descriptors[d].object].standard)
            continue;
        count++;
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
    const struct place *place = find_place(l->processes, l->process_count, p->name);
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
    put_header(out, NAME_HEIGHT, 14, ink, name);
    put_header(out, STATE_HEIGHT, 11, ink, state);
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
    else if (o->waiting && o->end_of_file)
        snprintf(text, size, "in the backlog, end of file to read");
    else if (o->waiting && o->unread > 0)
        snprintf(text, size, "in the backlog, %u bytes to read", o->unread);
    else if (o->waiting)
        snprintf(text, size, "in the backlog");
    else if (o->unread > 0)
        snprintf(text, size, "%u bytes to read", o->unread);
    else if (o->end_of_file)
        snprintf(text, size, "end of file to read");
    else if (o->inferred)
        snprintf(text, size, "inferred");
}

static void put_object(FILE *out, const struct layout *l, const struct snapshot *s,
                       const struct object *o)
{
    const struct place *place = find_place(l->objects, l->object_count, o->name);
    bool gone = o->refs == 0 && !o->waiting;
    const char *line = gone ? "#999999" : object_colour(o->name);
    char label[TEXT_SIZE + NAME_SIZE], detail[64];

    object_label(s, o, label, sizeof label);
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
        fprintf(out, "<BR/><FONT POINT-SIZE=\"17\" COLOR=\"%s\"><B>refs = %u</B></FONT>", line,
                o->refs);
    if (!gone && o->tcp != 0)
        fprintf(out, "<BR/><FONT POINT-SIZE=\"11\">%s</FONT>", tcp_name(o->tcp));
    if (detail[0] != '\0' && !gone)
        fprintf(out, "<BR/><FONT POINT-SIZE=\"11\" COLOR=\"#7A4A00\">%s</FONT>", detail);
    fputs(">]\n", out);
}

static void put_client(FILE *out, const struct layout *l, const struct client *c)
{
    const struct place *place = find_place(l->clients, l->client_count, c->name);

    fprintf(out, "  client_%s [", c->name);
    put_position(out, CLIENT_LEFT, CLIENT_WIDTH, place->top, place->height);
    fprintf(out,
            " shape=box style=\"rounded,filled%s\" fixedsize=true width=%.4f height=%.4f"
            " fillcolor=\"%s\" color=\"#555555\" label=<<B>client %s%s</B>",
            c->closed ? ",dotted" : "", CLIENT_WIDTH / 72.0, CLIENT_HEIGHT / 72.0,
            c->closed ? "#EEEEEE" : "#F3E8FF", c->name, c->closed ? " (closed)" : "");
    fprintf(out, "<BR/><FONT POINT-SIZE=\"11\">its socket: %s</FONT>>]\n",
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
          "         fontname=\"Helvetica,Arial,sans-serif\"]\n"
          "  node [shape=plain fontname=\"Helvetica,Arial,sans-serif\" fontsize=12 margin=0]\n"
          "  edge [arrowsize=0.7 penwidth=1.5]\n",
          out);
    fputs("  heading [", out);
    put_position(out, MARGIN, WIDTH - 2 * MARGIN, 0, TITLE_HEIGHT);
    fprintf(out,
            " label=<<TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"0\" CELLPADDING=\"0\">"
            "<TR><TD ALIGN=\"LEFT\" WIDTH=\"%d\" HEIGHT=\"26\" FIXEDSIZE=\"TRUE\">"
            "<FONT POINT-SIZE=\"16\"><B>",
            WIDTH - 2 * MARGIN);
    xml_escape(out, s->caption);
    fprintf(out,
            "</B></FONT></TD></TR><TR><TD ALIGN=\"LEFT\" WIDTH=\"%d\" HEIGHT=\"20\""
            " FIXEDSIZE=\"TRUE\"><FONT POINT-SIZE=\"12\" COLOR=\"#555555\">",
            WIDTH - 2 * MARGIN);
    xml_escape(out, s->title[0] != '\0' ? s->title : s->moment);
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
