/* changes.c - two snapshots side by side, and the difference in sentences. */
#include "changes.h"

#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

enum { PHRASE_SIZE = TEXT_SIZE + 2 * NAME_SIZE };

const struct process *changes_process(const struct snapshot *s, const char *name)
{
    for (size_t i = 0; s != NULL && i < s->process_count; i++)
        if (strcmp(s->processes[i].name, name) == 0)
            return &s->processes[i];
    return NULL;
}

const struct object *changes_object(const struct snapshot *s, const char *name)
{
    for (size_t i = 0; s != NULL && i < s->object_count; i++)
        if (!s->objects[i].standard && strcmp(s->objects[i].name, name) == 0)
            return &s->objects[i];
    return NULL;
}

const struct client *changes_client(const struct snapshot *s, const char *name)
{
    for (size_t i = 0; s != NULL && i < s->client_count; i++)
        if (strcmp(s->clients[i].name, name) == 0)
            return &s->clients[i];
    return NULL;
}

bool changes_ended(const struct process *p)
{
    return p->state == PROCESS_ZOMBIE || p->state == PROCESS_GONE;
}

int changes_refs(const struct snapshot *before, const struct object *o)
{
    const struct object *was = changes_object(before, o->name);

    return (int)o->refs - (was == NULL ? 0 : (int)was->refs);
}

const char *changes_descriptor(const struct snapshot *s, const char *name, int fd)
{
    const struct process *p = changes_process(s, name);
    int object = p == NULL ? -1 : descriptor_object(p, fd);

    if (object < 0)
        return NULL;
    return s->objects[object].standard ? "" : s->objects[object].name;
}

/* Is there another object that a reader would call the same? */
static bool ambiguous(const struct snapshot *s, const struct object *o)
{
    char label[PHRASE_SIZE], other[PHRASE_SIZE];

    object_short_label(s, o, label, sizeof label);
    for (size_t i = 0; i < s->object_count; i++) {
        if (s->objects[i].standard || &s->objects[i] == o)
            continue;
        object_short_label(s, &s->objects[i], other, sizeof other);
        if (strcmp(label, other) == 0)
            return true;
    }
    return false;
}

/* "the listening socket", "connection A", "the read end of pipe S2". */
static void phrase(const struct snapshot *s, const struct object *o, char *text, size_t size)
{
    char label[PHRASE_SIZE];

    object_short_label(s, o, label, sizeof label);
    bool name = ambiguous(s, o);
    const char *the = o->kind == OBJECT_FILE && o->path[0] != '\0' ? "" : "the ";
    if (o->standard)
        snprintf(text, size, "a standard stream");
    else if (o->kind == OBJECT_CONNECTION && o->client >= 0)
        snprintf(text, size, "%s", label);
    else if (o->kind == OBJECT_PIPE_READ || o->kind == OBJECT_PIPE_WRITE)
        snprintf(text, size, "the %s end of %s%s", o->kind == OBJECT_PIPE_READ ? "read" : "write",
                 name ? "a pipe, " : "the pipe", name ? o->name : "");
    else
        snprintf(text, size, "%s%s%s%s", the, label, name ? " " : "", name ? o->name : "");
}

/* A sentence begins with a capital, also where it begins with a name of a thing. */
static void put_capital(FILE *out, const char *text)
{
    fputc(text[0] >= 'a' && text[0] <= 'z' ? text[0] - 'a' + 'A' : text[0], out);
    fputs(text + 1, out);
}

/* Between the items of a list: nothing, a comma, or "and". */
static const char *comma(size_t i, size_t count)
{
    return i == 0 ? "" : i + 1 < count ? ", " : " and ";
}

/* ---- processes ---- */

/* Descriptors of `p` (in s) that in `other` are not open, or refer to something else. */
static size_t differing(const struct snapshot *s, const struct process *p,
                        const struct snapshot *other, size_t *found)
{
    size_t count = 0;

    for (size_t d = 0; d < p->descriptor_count; d++) {
        int fd = p->descriptors[d].fd;
        const char *here = changes_descriptor(s, p->name, fd);
        const char *there = changes_descriptor(other, p->name, fd);
        if (there == NULL || strcmp(here, there) != 0)
            found[count++] = d;
    }
    return count;
}

/* "3 (listening socket) and 4 (connection A)" */
static void put_descriptors(FILE *out, const struct snapshot *s, const struct process *p,
                            const size_t *which, size_t count)
{
    char text[PHRASE_SIZE];

    for (size_t i = 0; i < count; i++) {
        const struct descriptor *d = &p->descriptors[which[i]];
        phrase(s, &s->objects[d->object], text, sizeof text);
        fprintf(out, "%s%d (%s)", comma(i, count), d->fd, text);
    }
}

static bool put_opened(FILE *out, const struct snapshot *before, const struct snapshot *now,
                       const struct process *p, bool born)
{
    size_t *which = zeroed(p->descriptor_count, sizeof *which);
    size_t count = differing(now, p, before, which), kept = 0;

    /* A child has its standard streams as everybody has them: not worth a word. */
    for (size_t i = 0; i < count; i++)
        if (!born || !now->objects[p->descriptors[which[i]].object].standard)
            which[kept++] = which[i];
    if (kept > 0) {
        fprintf(out, "%s %s descriptor%s ", p->name, born ? "inherited" : "has a new",
                born && kept > 1 ? "s" : "");
        put_descriptors(out, now, p, which, kept);
        fputs(".\n", out);
    }
    free(which);
    return kept > 0;
}

static bool put_closed(FILE *out, const struct snapshot *before, const struct snapshot *now,
                       const struct process *was, const struct process *p)
{
    size_t *which = zeroed(was->descriptor_count, sizeof *which);
    size_t count = differing(before, was, now, which), kept = 0;

    /* One that refers to something else now is told as new; the end closes the streams too. */
    for (size_t i = 0; i < count; i++) {
        const struct descriptor *d = &was->descriptors[which[i]];
        bool replaced = changes_descriptor(now, was->name, d->fd) != NULL;
        bool stream = changes_ended(p) && before->objects[d->object].standard;
        if (!replaced && !stream)
            which[kept++] = which[i];
    }
    if (kept > 0) {
        if (changes_ended(p))
            fprintf(out, "With the end of %s the kernel closed its descriptor%s ", p->name,
                    kept > 1 ? "s" : "");
        else
            fprintf(out, "%s closed descriptor%s ", p->name, kept > 1 ? "s" : "");
        put_descriptors(out, before, was, which, kept);
        fputs(".\n", out);
    }
    free(which);
    return kept > 0;
}

/* What became of a process, where that is news. That it runs or may run is none. */
static bool put_state(FILE *out, const struct snapshot *now, const struct process *was,
                      const struct process *p)
{
    if (was != NULL && was->state == p->state && strcmp(was->doing, p->doing) == 0)
        return false;
    switch (p->state) {
    case PROCESS_BLOCKED:
        if (p->doing[0] == '\0')
            return false;
        fprintf(out, "%s waits in %s.\n", p->name, p->doing);
        return true;
    case PROCESS_STOPPED:
        fprintf(out, "%s is stopped%s%s.\n", p->name, p->doing[0] != '\0' ? ", " : "", p->doing);
        return true;
    case PROCESS_ZOMBIE:
        if (was != NULL && was->state == PROCESS_ZOMBIE)
            return false;
        fprintf(out, "%s has ended%s%s%s and is a zombie", p->name, p->doing[0] != '\0' ? " (" : "",
                p->doing, p->doing[0] != '\0' ? ")" : "");
        if (p->parent >= 0)
            fprintf(out, ": %s has not waited for it", now->processes[p->parent].name);
        fputs(".\n", out);
        return true;
    case PROCESS_GONE:
        fprintf(out,
                was != NULL && was->state == PROCESS_ZOMBIE ? "%s has been reaped.\n"
                                                            : "%s has ended.\n",
                p->name);
        return true;
    default:
        if (was == NULL || was->state != PROCESS_STOPPED)
            return false;
        fprintf(out, "%s may go on.\n", p->name);
        return true;
    }
}

static bool put_process(FILE *out, const struct snapshot *before, const struct snapshot *now,
                        const struct process *p)
{
    const struct process *was = changes_process(before, p->name);
    bool said = false;

    if (was == NULL) {
        fprintf(out, "%s is new", p->name);
        if (p->parent >= 0)
            fprintf(out, ", a child of %s", now->processes[p->parent].name);
        fputs(".\n", out);
        said = true;
    }
    said |= put_state(out, now, was, p);
    if (p->shares < 0)
        said |= put_opened(out, before, now, p, was == NULL && p->parent >= 0);
    if (was != NULL && was->shares < 0)
        said |= put_closed(out, before, now, was, p);
    return said;
}

/* ---- what the kernel holds ---- */

static const char *plural(unsigned count)
{
    return count == 1 ? "" : "s";
}

/* References, but not of what is new and has its first. */
static bool put_refs(FILE *out, const struct object *was, const struct object *o, const char *name)
{
    unsigned refs = was == NULL ? 0 : was->refs;

    if (o->refs == refs)
        return false;
    if (o->refs == 0) {
        fputs("No descriptor refers to ", out);
        fprintf(out, "%s any more: it was the last one.\n", name);
        return true;
    }
    put_capital(out, name);
    fprintf(out, " has %u reference%s now", o->refs, plural(o->refs));
    if (was != NULL)
        fprintf(out, ", %u %s", o->refs > refs ? o->refs - refs : refs - o->refs,
                o->refs > refs ? "more" : "fewer");
    fputs(".\n", out);
    return true;
}

static const char *tcp_meaning(int tcp)
{
    switch (tcp) {
    case TCP_CLOSE_WAIT:
        return ": its client has sent end of file";
    case TCP_FIN_WAIT1:
    case TCP_FIN_WAIT2:
        return ": end of file has been sent";
    default:
        return "";
    }
}

static bool put_object(FILE *out, const struct snapshot *before, const struct snapshot *now,
                       const struct object *o)
{
    static const struct object nothing = {0};
    const struct object *was = changes_object(before, o->name);
    const struct object *old = was == NULL ? &nothing : was;
    char name[PHRASE_SIZE];

    if (was == NULL && o->refs == 0 && !o->waiting)
        return false;
    phrase(now, o, name, sizeof name);
    bool said = put_refs(out, was, o, name);
    if (o->tcp != old->tcp && o->tcp != 0 && strcmp(tcp_name(o->tcp), tcp_name(old->tcp)) != 0) {
        put_capital(out, name);
        fprintf(out, " is %s%s%s.\n", was == NULL ? "" : "now ", tcp_name(o->tcp),
                tcp_meaning(o->tcp));
        said = true;
    }
    if (o->waiting && !old->waiting) {
        put_capital(out, name);
        fputs(" waits in the backlog: no descriptor refers to it.\n", out);
        said = true;
    }
    if (o->backlog != old->backlog) {
        fprintf(out, "The backlog holds %u connection%s now.\n", o->backlog, plural(o->backlog));
        said = true;
    }
    if (o->unread != old->unread) {
        if (o->unread > 0)
            fprintf(out, "%u byte%s wait%s to be read from %s.\n", o->unread, plural(o->unread),
                    o->unread == 1 ? "s" : "", name);
        else
            fprintf(out, "Nothing is left to be read from %s.\n", name);
        said = true;
    }
    if (o->end_of_file && !old->end_of_file) {
        fprintf(out, "End of file waits to be read from %s.\n", name);
        said = true;
    }
    return said;
}

/* ---- clients ---- */

static bool put_client(FILE *out, const struct snapshot *before, const struct client *c)
{
    const struct client *was = changes_client(before, c->name);
    bool said = false;

    if (c->closed && (was == NULL || !was->closed)) {
        fprintf(out, "Client %s has closed its socket.\n", c->name);
        said = true;
    }
    if (was == NULL ? c->tcp != 0 : strcmp(tcp_name(c->tcp), tcp_name(was->tcp)) != 0) {
        if (c->tcp == 0)
            fprintf(out, "Client %s has no connection any more.\n", c->name);
        else
            fprintf(out, "The socket of client %s is %s%s.\n", c->name, tcp_name(c->tcp),
                    c->tcp == TCP_CLOSE_WAIT ? ": the server has sent end of file" : "");
        said = true;
    }
    return said;
}

void changes_words(FILE *out, const struct snapshot *before, const struct snapshot *now)
{
    bool said = false;

    for (size_t i = 0; i < now->process_count; i++)
        said |= put_process(out, before, now, &now->processes[i]);
    for (size_t i = 0; before != NULL && i < before->process_count; i++)
        if (before->processes[i].state != PROCESS_GONE &&
            changes_process(now, before->processes[i].name) == NULL) {
            fprintf(out, "%s is gone.\n", before->processes[i].name);
            said = true;
        }
    for (size_t i = 0; i < now->object_count; i++)
        if (!now->objects[i].standard)
            said |= put_object(out, before, now, &now->objects[i]);
    for (size_t i = 0; before != NULL && i < before->object_count; i++) {
        const struct object *was = &before->objects[i];
        char name[PHRASE_SIZE];
        if (was->standard || was->refs == 0 || changes_object(now, was->name) != NULL)
            continue;
        phrase(before, was, name, sizeof name);
        fprintf(out, "No descriptor refers to %s any more: it was the last one.\n", name);
        said = true;
    }
    for (size_t i = 0; i < now->client_count; i++)
        said |= put_client(out, before, &now->clients[i]);
    if (!said)
        fputs("Nothing in the picture has changed.\n", out);
}
