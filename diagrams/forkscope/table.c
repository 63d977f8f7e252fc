/* table.c - rows and sentences. */
#include "table.h"
#include "where.h"

#include <string.h>

enum { LABEL_SIZE = 96 };

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

/* "C1:3 P:3": every (process, descriptor) pair that refers to object number `index`. */
static size_t print_holders(FILE *out, const struct snapshot *s, size_t index, size_t limit)
{
    size_t shown = 0, total = 0;

    for (size_t p = 0; p < s->process_count; p++)
        for (size_t d = 0; d < s->processes[p].descriptor_count; d++) {
            if (s->processes[p].descriptors[d].object != (int)index)
                continue;
            if (total++ < limit || limit == 0)
                fprintf(out, "%s%s:%d", shown++ > 0 ? " " : "", s->processes[p].name,
                        s->processes[p].descriptors[d].fd);
        }
    if (shown < total)
        fprintf(out, " and %zu more", total - shown);
    return total;
}

/* What `p` refers to with its descriptors above the standard ones; brief: for a narrow column. */
static void print_descriptors(FILE *out, const struct snapshot *s, const struct process *p,
                              bool brief)
{
    size_t shown = 0;
    char label[LABEL_SIZE];

    if (p->shares >= 0) {
        fprintf(out, "the same descriptor table as %s", s->processes[p->shares].name);
        return;
    }
    if (p->hidden) {
        fputs("not permitted to read", out);
        return;
    }
    for (size_t d = 0; d < p->descriptor_count; d++) {
        const struct object *o = &s->objects[p->descriptors[d].object];
        if (o->standard)
            continue;
        object_short_label(s, o, label, sizeof label);
        if (brief && o->kind == OBJECT_CONNECTION && o->client >= 0)
            snprintf(label, sizeof label, "%s", s->clients[o->client].name);
        if (brief && o->kind == OBJECT_LISTENING)
            snprintf(label, sizeof label, "listening");
        fprintf(out, "%s%d %s", shown++ > 0 ? ", " : "", p->descriptors[d].fd, label);
    }
    if (shown == 0)
        fputs(p->state == PROCESS_ZOMBIE || p->state == PROCESS_GONE ? "-" : "only 0, 1, 2", out);
}

/* What is worth saying about an object beyond its count and state. */
static void object_note(const struct object *o, char *text, size_t size)
{
    text[0] = '\0';
    if (o->kind == OBJECT_LISTENING)
        snprintf(text, size, "backlog: %u", o->backlog);
    else if (o->waiting && o->unread > 0)
        snprintf(text, size, "backlog, %u byte%s%s", o->unread, plural(o->unread),
                 o->end_of_file ? ", end of file" : "");
    else if (o->waiting && o->end_of_file)
        snprintf(text, size, "backlog, end of file");
    else if (o->waiting)
        snprintf(text, size, "in the backlog");
    else if (o->end_of_file && o->unread == 0)
        snprintf(text, size, "end of file to read");
    else if (o->unread > 0)
        snprintf(text, size, "%u byte%s to read%s", o->unread, plural(o->unread),
                 o->end_of_file ? ", then end of file" : "");
    else if (o->inferred)
        snprintf(text, size, "inferred: kcmp is not permitted");
}

static const char *colour(const struct table_style *style, const char *code)
{
    return style->colour ? code : "";
}

/* The objects that a table lists: all but the terminal that everybody inherits. */
static size_t shown_objects(const struct snapshot *s)
{
    size_t count = 0;

    for (size_t i = 0; i < s->object_count; i++)
        count += !s->objects[i].standard;
    return count;
}

static void print_summary(FILE *out, const struct snapshot *s)
{
    size_t zombies = 0, alive = 0, waiting = 0, sockets = 0;

    for (size_t i = 0; i < s->process_count; i++) {
        zombies += s->processes[i].state == PROCESS_ZOMBIE;
        alive += s->processes[i].state != PROCESS_ZOMBIE && s->processes[i].state != PROCESS_GONE;
    }
    for (size_t i = 0; i < s->object_count; i++) {
        waiting += s->objects[i].waiting;
        sockets += s->objects[i].kind <= OBJECT_SOCKET &&
                   (s->objects[i].refs > 0 || s->objects[i].waiting);
    }
    fprintf(out, "%zu process%s alive, %zu zombie%s, %zu socket%s, %zu in the backlog\n", alive,
            alive == 1 ? "" : "es", zombies, plural(zombies), sockets, plural(sockets), waiting);
}

static void print_process(FILE *out, const struct snapshot *s, const struct process *p,
                          const struct table_style *style)
{
    char name[2 * NAME_SIZE + 8], state[LABEL_SIZE];
    const char *paint = p->state == PROCESS_ZOMBIE    ? "\033[35m"
                        : p->state == PROCESS_RUNNING ? "\033[32m"
                                                      : "";

    /* Children of P are the rule, and not told; among orphans number 0 is no P. */
    bool told = p->parent > 0 || (p->parent == 0 && s->orphans);
    snprintf(name, sizeof name, told ? "%s of %s" : "%s", p->name,
             told ? s->processes[p->parent].name : "");
    process_label(p, state, sizeof state);
    fprintf(out, "%-8s ", name);
    if (style->pids)
        fprintf(out, "%-7d ", (int)p->pid);
    fprintf(out, "%s%-24s%s ", colour(style, paint), state, colour(style, *paint ? "\033[0m" : ""));
    print_descriptors(out, s, p, true);
    fputc('\n', out);
}

/* The living come first where not all fit: zombies are alike. */
static void print_processes(FILE *out, const struct snapshot *s, const struct table_style *style)
{
    size_t rows = 0, left_out = 0;

    fprintf(out, "%s%-8s ", colour(style, "\033[1m"), "process");
    if (style->pids)
        fprintf(out, "%-7s ", "pid");
    fprintf(out, "%-24s descriptors%s\n", "state", colour(style, "\033[0m"));
    bool all_fit = style->max_rows == 0 || s->process_count <= style->max_rows;
    for (int zombies = 0; zombies < (all_fit ? 1 : 2); zombies++)
        for (size_t i = 0; i < s->process_count; i++) {
            const struct process *p = &s->processes[i];
            if (p->state == PROCESS_GONE ||
                (!all_fit && (p->state == PROCESS_ZOMBIE) != (zombies == 1)))
                continue;
            if (!all_fit && rows >= style->max_rows) {
                left_out++;
                continue;
            }
            print_process(out, s, p, style);
            rows++;
        }
    if (left_out > 0)
        fprintf(out, "... and %zu more\n", left_out);
}

/* "2", or "2 (+1)" when it was 1 in the snapshot before. */
static void refs_text(const struct object *o, const struct snapshot *before, char *text,
                      size_t size)
{
    unsigned old = 0;

    if (before == NULL) {
        snprintf(text, size, "%u", o->refs);
        return;
    }
    for (size_t i = 0; i < before->object_count; i++)
        if (strcmp(before->objects[i].name, o->name) == 0)
            old = before->objects[i].refs;
    if (old == o->refs)
        snprintf(text, size, "%u", o->refs);
    else
        snprintf(text, size, "%u (%+d)", o->refs, (int)o->refs - (int)old);
}

static void print_objects(FILE *out, const struct snapshot *s, const struct snapshot *before,
                          const struct table_style *style)
{
    size_t rows = 0;

    fprintf(out, "\n%s%-26s %-6s %-11s %-13s note%s\n", colour(style, "\033[1m"), "in the kernel",
            "refs", "state", "held by", colour(style, "\033[0m"));
    for (size_t i = 0; i < s->object_count; i++) {
        const struct object *o = &s->objects[i];
        char label[LABEL_SIZE], named[LABEL_SIZE + NAME_SIZE + 1], refs[24], note[LABEL_SIZE];
        if (o->standard || (o->refs == 0 && !o->waiting))
            continue;
        if (style->max_rows > 0 && rows++ >= style->max_rows) {
            fprintf(out, "... and %zu more\n", s->object_count - i);
            break;
        }
        object_label(s, o, label, sizeof label);
        snprintf(named, sizeof named, "%s %s", o->name, label);
        refs_text(o, before, refs, sizeof refs);
        object_note(o, note, sizeof note);
        fprintf(out, "%-26s %s%-6s%s %-11s ", named,
                colour(style, strchr(refs, '(') != NULL ? "\033[1;33m" : "\033[1m"), refs,
                colour(style, "\033[0m"), tcp_name(o->tcp));
        /* Pad by hand: the holders are printed piece by piece. */
        char holders[512] = "";
        FILE *pad = fmemopen(holders, sizeof holders, "w");
        if (pad != NULL) {
            if (print_holders(pad, s, i, 3) == 0)
                fputs("nobody", pad);
            fclose(pad);
        }
        fprintf(out, note[0] != '\0' ? "%-13s %s\n" : "%s\n", holders, note);
    }
}

static void print_clients(FILE *out, const struct snapshot *s, const struct table_style *style)
{
    size_t rows = 0;

    fprintf(out, "\n%s%-8s %-12s port%s\n", colour(style, "\033[1m"), "client", "state",
            colour(style, "\033[0m"));
    for (size_t i = 0; i < s->client_count; i++) {
        const struct client *c = &s->clients[i];
        if (style->max_rows > 0 && rows++ >= style->max_rows) {
            fprintf(out, "... and %zu more\n", s->client_count - i);
            break;
        }
        fprintf(out, "%-8s %-12s", c->name, c->tcp != 0 ? tcp_name(c->tcp) : "closed");
        if (style->pids)
            fprintf(out, " %u", (unsigned)c->port);
        fputc('\n', out);
    }
}

void table_print(FILE *out, const struct snapshot *s, const struct snapshot *before,
                 const struct table_style *style)
{
    print_summary(out, s);
    if (s->orphans)
        fputs("The parent has ended; these are its children, now orphans.\n", out);
    fputc('\n', out);
    print_processes(out, s, style);
    if (s->no_tcp)
        fputs("\nTCP sockets are not described: they are in another network namespace.\n", out);
    if (shown_objects(s) > 0)
        print_objects(out, s, before, style);
    if (s->client_count > 0)
        print_clients(out, s, style);
}

void table_sentences(FILE *out, const struct snapshot *s)
{
    char label[LABEL_SIZE], note[LABEL_SIZE];

    for (size_t i = 0; i < s->process_count; i++) {
        const struct process *p = &s->processes[i];
        process_label(p, label, sizeof label);
        fprintf(out, "%s", p->name);
        if (p->parent >= 0)
            fprintf(out, ", child of %s,", s->processes[p->parent].name);
        fprintf(out, " is %s.", label);
        if (p->state != PROCESS_ZOMBIE && p->state != PROCESS_GONE) {
            fputs(" Descriptors: ", out);
            print_descriptors(out, s, p, false);
            fputc('.', out);
        }
        if (p->pending[0] != '\0')
            fprintf(out, " Pending: %s.", p->pending);
        if (where_signal(&p->at) != NULL)
            fprintf(out, " It is in the handler of %s.", where_signal(&p->at));
        fputc('\n', out);
    }
    for (size_t i = 0; i < s->object_count; i++) {
        const struct object *o = &s->objects[i];
        if (o->standard)
            continue;
        object_label(s, o, label, sizeof label);
        object_note(o, note, sizeof note);
        fprintf(out, "In the kernel: %s %s has %u reference%s", o->name, label, o->refs,
                plural(o->refs));
        if (o->tcp != 0)
            fprintf(out, ", state %s", tcp_name(o->tcp));
        fprintf(out, "%s%s.\n", note[0] != '\0' ? ", " : "", note);
    }
    for (size_t i = 0; i < s->client_count; i++)
        fprintf(out, "Client %s: %s.\n", s->clients[i].name,
                s->clients[i].tcp != 0 ? tcp_name(s->clients[i].tcp) : "closed");
}
