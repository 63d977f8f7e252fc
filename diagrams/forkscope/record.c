/* record.c - JSON by jansson. */
#include "record.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* ---- write ---- */

json_t *record_chain(const struct chain *chain)
{
    json_t *json = json_array();

    for (size_t i = 0; i < chain->count; i++) {
        const struct frame *f = &chain->frames[i];
        json_t *frame =
            json_pack("{ss si si}", "function", f->function, "file", f->file, "line", f->line);
        if (f->signal)
            json_object_set_new(frame, "signal", json_true());
        json_array_append_new(json, frame);
    }
    return json;
}

/* "SIGCHLD SIGTERM" as an array. */
static json_t *words_json(const char *text)
{
    json_t *json = json_array();

    for (size_t length; *text != '\0'; text += length + (text[length] == ' ')) {
        length = strcspn(text, " ");
        json_array_append_new(json, json_stringn(text, length));
    }
    return json;
}

static json_t *process_json(const struct snapshot *s, const struct process *p, bool raw)
{
    json_t *json = json_object(), *descriptors = json_array(), *standard = json_array();

    json_object_set_new(json, "name", json_string(p->name));
    json_object_set_new(json, "parent",
                        p->parent >= 0 ? json_string(s->processes[p->parent].name) : json_null());
    if (raw)
        json_object_set_new(json, "pid", json_integer(p->pid));
    json_object_set_new(json, "state", json_string(state_name(p->state)));
    json_object_set_new(json, "doing", json_string(p->doing));
    if (p->hidden)
        json_object_set_new(json, "hidden", json_true());
    if (p->at.count > 0)
        json_object_set_new(json, "at", record_chain(&p->at));
    if (p->pending[0] != '\0')
        json_object_set_new(json, "pending", words_json(p->pending));
    if (p->threads > 1)
        json_object_set_new(json, "threads", json_integer(p->threads));
    if (p->shares >= 0)
        json_object_set_new(json, "shares_table_of", json_string(s->processes[p->shares].name));
    for (size_t i = 0; i < p->descriptor_count; i++) {
        const struct descriptor *d = &p->descriptors[i];
        if (s->objects[d->object].standard)
            json_array_append_new(standard, json_integer(d->fd));
        else
            json_array_append_new(descriptors, json_pack("{si ss}", "fd", d->fd, "object",
                                                         s->objects[d->object].name));
    }
    json_object_set_new(json, "standard", standard);
    json_object_set_new(json, "descriptors", descriptors);
    return json;
}

static json_t *object_json(const struct snapshot *s, const struct object *o, bool raw)
{
    json_t *json =
        json_pack("{ss ss si}", "name", o->name, "kind", kind_name(o->kind), "refs", (int)o->refs);

    if (raw)
        json_object_set_new(json, "inode", json_integer((json_int_t)o->inode));
    if (o->kind <= OBJECT_CONNECTION) {
        json_object_set_new(json, "tcp", json_string(tcp_name(o->tcp)));
        json_object_set_new(json, "port", json_integer(o->port));
        if (raw && o->kind == OBJECT_CONNECTION)
            json_object_set_new(json, "peer_port", json_integer(o->peer_port));
    }
    if (o->kind == OBJECT_LISTENING)
        json_object_set_new(json, "backlog", json_integer(o->backlog));
    if (o->kind == OBJECT_CONNECTION) {
        json_object_set_new(json, "unread", json_integer(o->unread));
        json_object_set_new(json, "end_of_file", json_boolean(o->end_of_file));
        json_object_set_new(json, "waiting", json_boolean(o->waiting));
        json_object_set_new(json, "client",
                            o->client >= 0 ? json_string(s->clients[o->client].name) : json_null());
    }
    if (o->kind == OBJECT_FILE)
        json_object_set_new(json, "path", json_string(o->path));
    if (o->inferred)
        json_object_set_new(json, "inferred", json_true());
    return json;
}

void record_set(json_t *json, const struct snapshot *s, bool raw)
{
    json_t *processes = json_array(), *objects = json_array(), *clients = json_array();

    if (s->moment[0] != '\0') {
        json_object_set_new(json, "title", json_string(s->title));
        json_object_set_new(json, "moment", json_string(s->moment));
        json_object_set_new(json, "caption", json_string(s->caption));
    }
    for (size_t i = 0; i < s->process_count; i++)
        json_array_append_new(processes, process_json(s, &s->processes[i], raw));
    for (size_t i = 0; i < s->object_count; i++)
        if (!s->objects[i].standard)
            json_array_append_new(objects, object_json(s, &s->objects[i], raw));
    for (size_t i = 0; i < s->client_count; i++) {
        const struct client *c = &s->clients[i];
        json_t *client = json_pack("{ss ss sb}", "name", c->name, "tcp", tcp_name(c->tcp), "closed",
                                   (int)c->closed);
        if (raw)
            json_object_set_new(client, "port", json_integer(c->port));
        json_array_append_new(clients, client);
    }
    json_object_set_new(json, "processes", processes);
    json_object_set_new(json, "objects", objects);
    json_object_set_new(json, "clients", clients);
    if (s->no_tcp)
        json_object_set_new(json, "no_tcp", json_true());
    if (s->orphans)
        json_object_set_new(json, "orphans", json_true());
}

int record_write(FILE *out, const struct snapshot *s, bool raw, struct error *err)
{
    json_t *json = json_object();

    record_set(json, s, raw);
    int result = json_dumpf(json, out, JSON_COMPACT);
    json_decref(json);
    if (result == -1 || fputc('\n', out) == EOF || fflush(out) == EOF)
        return fail(err, "write: %s", strerror(errno));
    return 0;
}

/* ---- read ---- */

static void copy(char *to, size_t size, const char *from)
{
    text_copy(to, size, from == NULL ? "" : from);
}

static int process_index(const struct snapshot *s, const char *name)
{
    for (size_t i = 0; name != NULL && i < s->process_count; i++)
        if (strcmp(s->processes[i].name, name) == 0)
            return (int)i;
    return -1;
}

static int object_index(const struct snapshot *s, const char *name)
{
    for (size_t i = 0; name != NULL && i < s->object_count; i++)
        if (strcmp(s->objects[i].name, name) == 0)
            return (int)i;
    return -1;
}

static int read_client(struct snapshot *s, const json_t *json, struct error *err)
{
    const char *name, *tcp;
    int closed;

    if (json_unpack((json_t *)json, "{ss ss sb}", "name", &name, "tcp", &tcp, "closed", &closed) ==
        -1)
        return fail(err, "a client lacks name, tcp or closed");
    if (!plain_name(name))
        return fail(err, "a client's name has other characters than letters, digits and _");
    s->clients = grown(s->clients, s->client_count, sizeof *s->clients);
    struct client *c = &s->clients[s->client_count++];
    copy(c->name, sizeof c->name, name);
    c->tcp = tcp_number(tcp);
    c->closed = closed != 0;
    return 0;
}

static int read_object(struct snapshot *s, const json_t *json, struct error *err)
{
    const char *name, *kind, *tcp = "", *client = NULL, *path = "";
    int refs, port = 0, backlog = 0, unread = 0, eof = 0, waiting = 0, inferred = 0;

    if (json_unpack((json_t *)json, "{ss ss si}", "name", &name, "kind", &kind, "refs", &refs) ==
        -1)
        return fail(err, "an object lacks name, kind or refs");
    if (!plain_name(name))
        return fail(err, "an object's name has other characters than letters, digits and _");
    /* What a kind does not have keeps its zero. */
    (void)json_unpack((json_t *)json, "{s?s s?i s?i s?i s?b s?b s?s s?b}", "tcp", &tcp, "port",
                      &port, "backlog", &backlog, "unread", &unread, "end_of_file", &eof, "waiting",
                      &waiting, "path", &path, "inferred", &inferred);
    client = json_string_value(json_object_get(json, "client"));
    s->objects = grown(s->objects, s->object_count, sizeof *s->objects);
    struct object *o = &s->objects[s->object_count++];
    copy(o->name, sizeof o->name, name);
    o->kind = OBJECT_FILE;
    for (int k = OBJECT_LISTENING; k <= OBJECT_FILE; k++)
        if (strcmp(kind_name((enum object_kind)k), kind) == 0)
            o->kind = (enum object_kind)k;
    o->refs = (unsigned)refs;
    o->tcp = tcp_number(tcp);
    o->port = (uint16_t)port;
    o->backlog = (unsigned)backlog;
    o->unread = (unsigned)unread;
    o->end_of_file = eof != 0;
    o->waiting = waiting != 0;
    o->inferred = inferred != 0;
    copy(o->path, sizeof o->path, path);
    o->client = -1;
    for (size_t i = 0; client != NULL && i < s->client_count; i++)
        if (strcmp(s->clients[i].name, client) == 0)
            o->client = (int)i;
    return 0;
}

/* The one object that stands for all inherited standard streams of a record. */
static int standard_object(struct snapshot *s)
{
    if (s->object_count == 0 || !s->objects[s->object_count - 1].standard) {
        s->objects = grown(s->objects, s->object_count, sizeof *s->objects);
        struct object *o = &s->objects[s->object_count++];
        o->kind = OBJECT_FILE;
        o->standard = true;
        o->client = -1;
    }
    return (int)s->object_count - 1;
}

static void add_descriptor(struct process *p, int fd, int object)
{
    p->descriptors = grown(p->descriptors, p->descriptor_count, sizeof *p->descriptors);
    p->descriptors[p->descriptor_count++] = (struct descriptor){fd, object};
}

int record_get_chain(const json_t *json, struct chain *chain, struct error *err)
{
    json_t *item;
    size_t i;

    json_array_foreach (json, i, item) {
        const char *function;
        int file, line, from_signal = 0;
        if (json_unpack(item, "{ss si si s?b}", "function", &function, "file", &file, "line", &line,
                        "signal", &from_signal) == -1)
            return fail(err, "a frame lacks function, file or line");
        chain->frames = grown(chain->frames, chain->count, sizeof *chain->frames);
        struct frame *f = &chain->frames[chain->count++];
        copy(f->function, sizeof f->function, function);
        f->file = file;
        f->line = line;
        f->signal = from_signal != 0;
    }
    return 0;
}

/* An array of words as "SIGCHLD SIGTERM", as far as it fits. */
static void read_words(const json_t *json, char *text, size_t size)
{
    json_t *item;
    size_t i, length = 0;

    json_array_foreach (json, i, item) {
        const char *word = json_string_value(item);
        if (word == NULL || length + strlen(word) + 2 > size)
            continue;
        length += (size_t)snprintf(text + length, size - length, "%s%s", i > 0 ? " " : "", word);
    }
}

static int read_process(struct snapshot *s, const json_t *json, struct error *err)
{
    const char *name, *state, *doing;
    json_t *standard, *descriptors, *item;
    size_t i;

    if (json_unpack((json_t *)json, "{ss ss ss so so}", "name", &name, "state", &state, "doing",
                    &doing, "standard", &standard, "descriptors", &descriptors) == -1)
        return fail(err, "a process lacks name, state, doing, standard or descriptors");
    if (!plain_name(name))
        return fail(err, "a process's name has other characters than letters, digits and _");
    /* Before this one is there: nobody is a child of himself, or shares a table with himself. */
    int shares = process_index(s, json_string_value(json_object_get(json, "shares_table_of")));
    int parent = process_index(s, json_string_value(json_object_get(json, "parent")));
    s->processes = grown(s->processes, s->process_count, sizeof *s->processes);
    struct process *p = &s->processes[s->process_count++];
    copy(p->name, sizeof p->name, name);
    copy(p->doing, sizeof p->doing, doing);
    p->threads = 1;
    (void)json_unpack((json_t *)json, "{s?i}", "threads", &p->threads);
    p->shares = shares;
    p->parent = parent;
    p->hidden = json_is_true(json_object_get(json, "hidden"));
    read_words(json_object_get(json, "pending"), p->pending, sizeof p->pending);
    if (record_get_chain(json_object_get(json, "at"), &p->at, err) == -1)
        return -1;
    for (int k = PROCESS_RUNNING; k <= PROCESS_READY; k++)
        if (strcmp(state_name((enum process_state)k), state) == 0)
            p->state = (enum process_state)k;
    json_array_foreach (standard, i, item) {
        add_descriptor(p, (int)json_integer_value(item), standard_object(s));
    }
    json_array_foreach (descriptors, i, item) {
        const char *object;
        int fd;
        if (json_unpack(item, "{si ss}", "fd", &fd, "object", &object) == -1 ||
            object_index(s, object) == -1)
            return fail(err, "process %s has a descriptor without a known object", name);
        add_descriptor(p, fd, object_index(s, object));
    }
    return 0;
}

int record_get(const json_t *json, struct snapshot *s, struct error *err)
{
    json_t *processes, *objects, *clients, *item;
    size_t i;

    if (json_unpack((json_t *)json, "{so so so}", "processes", &processes, "objects", &objects,
                    "clients", &clients) == -1)
        return fail(err, "a record lacks processes, objects or clients");
    copy(s->title, sizeof s->title, json_string_value(json_object_get(json, "title")));
    copy(s->moment, sizeof s->moment, json_string_value(json_object_get(json, "moment")));
    copy(s->caption, sizeof s->caption, json_string_value(json_object_get(json, "caption")));
    /* It becomes the name of a file. */
    if (s->moment[strspn(s->moment, "abcdefghijklmnopqrstuvwxyz0123456789-")] != '\0')
        return fail(err, "a moment's name has other characters than a-z, 0-9 and -");
    s->no_tcp = json_is_true(json_object_get(json, "no_tcp"));
    s->orphans = json_is_true(json_object_get(json, "orphans"));
    /* Objects name clients, processes name objects: so in this order. */
    json_array_foreach (clients, i, item) {
        if (read_client(s, item, err) == -1)
            return -1;
    }
    json_array_foreach (objects, i, item) {
        if (read_object(s, item, err) == -1)
            return -1;
    }
    json_array_foreach (processes, i, item) {
        if (read_process(s, item, err) == -1)
            return -1;
    }
    return 0;
}

int record_read(FILE *in, const char *name, struct record_list *list, struct error *err)
{
    char *line = NULL;
    size_t room = 0;
    int result = 0;

    for (size_t number = 1; result == 0 && getline(&line, &room, in) != -1; number++) {
        json_error_t where;
        struct error inner;
        json_t *json = json_loads(line, 0, &where);
        if (json == NULL) {
            result =
                fail(err, "%s: line %zu, column %d: %s", name, number, where.column, where.text);
            break;
        }
        list->items = grown(list->items, list->count, sizeof *list->items);
        if (record_get(json, &list->items[list->count++], &inner) == -1)
            result = fail(err, "%s: line %zu: %.200s", name, number, inner.text);
        json_decref(json);
    }
    if (result == 0 && ferror(in))
        result = fail(err, "%s: %s", name, strerror(errno));
    if (result == 0 && list->count == 0)
        result = fail(err, "%s: no records in it", name);
    free(line);
    return result;
}

void record_list_free(struct record_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        snapshot_free(&list->items[i]);
    free(list->items);
    memset(list, 0, sizeof *list);
}
