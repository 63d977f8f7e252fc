/* sockets.c - from inodes and borrowed descriptors to TCP states, backlogs and clients. */
#include "sockets.h"
#include "proc.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

size_t work_add_object(struct work *w, enum object_kind kind, uint64_t inode)
{
    struct snapshot *out = w->out;

    out->objects = grown(out->objects, out->object_count, sizeof *out->objects);
    w->holders = grown(w->holders, out->object_count, sizeof *w->holders);
    struct object *o = &out->objects[out->object_count];
    o->kind = kind;
    o->inode = inode;
    o->client = -1;
    return out->object_count++;
}

/*
 * Is what one end of a connection has sent not at the other end yet? By the bytes counted, not by
 * acknowledgements, which come up to 40 ms later and change no picture.
 */
static bool under_way(const struct tcp_socket *s, const struct tcp_socket *peer)
{
    if (s->send == 0 && (peer == NULL || peer->send == 0))
        return false;
    if (peer == NULL || !s->counted || !peer->counted)
        return true;
    /* A FIN that is on its way; the one that answers it makes both leave these states. */
    if ((s->state == TCP_FIN_WAIT1 && peer->state == TCP_ESTABLISHED) ||
        (peer->state == TCP_FIN_WAIT1 && s->state == TCP_ESTABLISHED) || s->state == TCP_LAST_ACK ||
        peer->state == TCP_LAST_ACK)
        return true;
    return peer->received < s->sent || s->received < peer->sent;
}

/* Take what the kernel said of socket `s` over into object number `index`. */
static void describe_tcp(struct work *w, size_t index, const struct tcp_socket *s)
{
    struct snapshot *out = w->out;
    struct object *o = &out->objects[index];

    o->tcp = s->state;
    o->port = s->port;
    o->peer_port = s->peer_port;
    if (s->state == TCP_LISTEN) {
        o->kind = OBJECT_LISTENING;
        o->backlog = s->receive;
        return;
    }
    o->kind = OBJECT_CONNECTION;
    if (s->state == TCP_CLOSE)
        return; /* not connected yet, or not any more: after a RST, say */
    /* In CLOSE_WAIT the peer's FIN has arrived; while it is unread it counts as one byte. */
    o->end_of_file = s->state == TCP_CLOSE_WAIT && s->receive > 0;
    o->unread = s->receive - (o->end_of_file ? 1 : 0);
    const struct tcp_socket *peer = tcp_peer(&w->tcp, s);
    o->in_flight = under_way(s, peer);
    /* The side whose peer listens is itself the client: it has no client of its own. */
    if (tcp_port_listens(&w->tcp, s->peer_port) && !tcp_port_listens(&w->tcp, s->port))
        return;
    o->client = (int)out->client_count;
    out->clients = grown(out->clients, out->client_count, sizeof *out->clients);
    struct client *c = &out->clients[out->client_count];
    letter_name(out->client_count++, c->name, sizeof c->name);
    c->tcp = peer == NULL ? 0 : peer->state;
    c->port = s->peer_port;
    c->server_port = s->port;
    c->closed = peer == NULL || peer->inode == 0;
}

/* ---- ask the kernel ---- */

/*
 * Ask for one socket, once in a snapshot, and append it.
 * Returns 1 and fills `found`; 0 when there is none; -1 with err filled.
 */
static int look_up(struct work *w, struct tcp_channel *tcp, const struct tcp_socket *key,
                   struct tcp_socket *found, struct error *err)
{
    const struct tcp_socket *known = tcp_of_key(&w->tcp, key);

    if (known != NULL) {
        *found = *known;
        return 1;
    }
    int result = tcp_find(tcp, key, found, err);
    if (result == 1)
        tcp_list_add(&w->tcp, found);
    return result;
}

/*
 * Append socket `key` and its other end, as far as they exist. Returns 1 when the first is the
 * socket `inode` (0: any); 0 when not; -1 with err filled.
 */
static int find_both_ends(struct work *w, struct tcp_channel *tcp, const struct tcp_socket *key,
                          uint64_t inode, struct error *err)
{
    struct tcp_socket other = tcp_reverse(key), found, peer;

    int result = look_up(w, tcp, key, &found, err);
    if (result == 1 && inode != 0 && found.inode != inode)
        result = 0;
    if (result != -1 && key->peer_port != 0 && look_up(w, tcp, &other, &peer, err) == -1)
        result = -1;
    return result;
}

/* List all that listen, anew. Returns 0, or -1 with err filled. */
static int list_listening(struct work *w, struct tcp_channel *tcp, struct error *err)
{
    size_t left = 0;

    for (size_t i = 0; i < w->tcp.count; i++)
        if (w->tcp.items[i].state != TCP_LISTEN)
            w->tcp.items[left++] = w->tcp.items[i];
    w->tcp.count = left;
    return tcp_listening(tcp, &w->tcp, err);
}

/*
 * Those that listen: those remembered, where nobody else can have made any, else all of this machine.
 * Listing walks a whole table, however few are in it; a question leads straight to its answer.
 * Returns 0, or -1 with err filled.
 */
static int find_listening(struct work *w, const struct scope *scope, struct error *err)
{
    const struct socket_memory *memory = scope->memory;

    if (memory == NULL || !memory->alone)
        return list_listening(w, scope->tcp, err);
    for (size_t i = 0; i < memory->count; i++) {
        struct tcp_socket found;
        if (memory->items[i].state != TCP_LISTEN)
            continue;
        if (look_up(w, scope->tcp, &memory->items[i], &found, err) == -1)
            return -1;
    }
    return 0;
}

/* From so many sockets on, listing every connection costs less than asking for each. */
enum { CHEAPER_TO_LIST = 200 };

/* List every socket of this machine. Returns 1, or -1 with err filled. */
static int list_all(struct work *w, struct tcp_channel *tcp, struct error *err)
{
    tcp_list_free(&w->tcp);
    return tcp_all(tcp, &w->tcp, err) == -1 ? -1 : 1;
}

/* Is socket `o` the one remembered? Then it is appended. Returns 1, 0, or -1 with err filled. */
static int find_remembered(struct work *w, const struct scope *scope, const struct object *o,
                           struct error *err)
{
    for (size_t i = scope->memory == NULL ? 0 : scope->memory->count; i > 0; i--)
        if (scope->memory->items[i - 1].inode == o->inode)
            return find_both_ends(w, scope->tcp, &scope->memory->items[i - 1], o->inode, err);
    return 0;
}

/*
 * Ask about one socket that a process holds, identified through a borrowed descriptor.
 * Returns 0; 1 when everything had to be listed, since borrowing is not permitted; -1 with err filled.
 */
static int find_borrowed(struct work *w, const struct scope *scope, struct object *o,
                         const struct holder *holder, struct error *err)
{
    struct tcp_socket key;
    int own = proc_borrow(holder->pid, holder->fd);

    if (own == -1 && (errno == EPERM || errno == ENOSYS))
        return list_all(w, scope->tcp, err);
    if (own == -1)
        return 0; /* closed meanwhile */
    int is_tcp = tcp_identify(own, &key);
    close(own);
    if (!is_tcp)
        return 0;
    /*
     * What the descriptor itself tells, for sockets that the kernel lists nowhere
     * (not connected) or in another network namespace.
     */
    o->kind = key.state == TCP_LISTEN ? OBJECT_LISTENING : OBJECT_CONNECTION;
    o->tcp = key.state;
    o->port = key.port;
    o->peer_port = key.peer_port;
    o->backlog = key.state == TCP_LISTEN ? key.receive : 0;
    if (key.peer_port != 0)
        return find_both_ends(w, scope->tcp, &key, 0, err) == -1 ? -1 : 0;
    if (key.state != TCP_LISTEN || scope->memory == NULL || !scope->memory->alone)
        return 0;
    int result = find_both_ends(w, scope->tcp, &key, o->inode, err);
    /* Not found so: another one has the same port (SO_REUSEPORT), say. */
    return result == 0 ? list_listening(w, scope->tcp, err) : result == 1 ? 0 : -1;
}

/*
 * Ask the kernel about every socket that the processes hold, exactly; where that is not permitted,
 * or they are many, all of the machine are listed instead.
 * Returns 1 when everything was listed, 0 when not, -1 with err filled.
 */
static int find_held(struct work *w, const struct scope *scope, struct error *err)
{
    tcp_list_sort(&w->tcp);
    size_t *unknown = NULL, unknown_count = 0;
    for (size_t i = 0; i < w->out->object_count; i++) {
        if (w->out->objects[i].kind != OBJECT_SOCKET ||
            tcp_of_inode(&w->tcp, w->out->objects[i].inode) != NULL)
            continue;
        unknown = grown(unknown, unknown_count, sizeof *unknown);
        unknown[unknown_count++] = i;
    }
    int result = unknown_count > CHEAPER_TO_LIST ? list_all(w, scope->tcp, err) : 0;
    for (size_t i = 0; i < unknown_count && result == 0; i++) {
        struct object *o = &w->out->objects[unknown[i]];
        int known = find_remembered(w, scope, o, err);
        if (known == 0)
            result = find_borrowed(w, scope, o, &w->holders[unknown[i]], err);
        else if (known == -1)
            result = -1;
    }
    free(unknown);
    return result;
}

/* Would one of the listening sockets that the processes hold be the one to take connection `s`? */
static const struct object *listener_of(const struct work *w, const struct tcp_socket *s)
{
    for (size_t i = 0; i < w->tcp.count; i++) {
        const struct tcp_socket *listener = &w->tcp.items[i];
        if (listener->state != TCP_LISTEN || !tcp_accepts(listener, s))
            continue;
        for (size_t k = 0; k < w->out->object_count; k++)
            if (w->out->objects[k].kind <= OBJECT_SOCKET &&
                w->out->objects[k].inode == listener->inode)
                return &w->out->objects[k];
    }
    return NULL;
}

/*
 * Ask about connections in the backlog of our listening sockets, which no descriptor
 * leads to: by their clients, those known and those that our processes are, and if
 * these are not all, by listing everything.
 */
static int find_backlog(struct work *w, const struct scope *scope, struct error *err)
{
    size_t waiting = 0, known = 0;

    for (size_t i = 0; i < scope->client_count; i++) {
        struct tcp_socket key = tcp_reverse(&scope->clients[i]);
        if (find_both_ends(w, scope->tcp, &key, 0, err) == -1)
            return -1;
    }
    for (size_t i = 0; i < w->tcp.count; i++) {
        const struct tcp_socket *s = &w->tcp.items[i];
        if (s->state == TCP_LISTEN)
            for (size_t k = 0; k < w->out->object_count; k++)
                waiting +=
                    w->out->objects[k].kind <= OBJECT_SOCKET && w->out->objects[k].inode == s->inode
                        ? s->receive
                        : 0;
        /* With an inode it is accepted and found already, by its descriptor. */
        else if (s->inode == 0 && (s->state == TCP_ESTABLISHED || s->state == TCP_CLOSE_WAIT))
            known += listener_of(w, s) != NULL;
    }
    return waiting <= known || list_all(w, scope->tcp, err) == 1 ? 0 : -1;
}

/* Keep for the next snapshot what this one has found, as far as a question leads to it. */
static void remember(const struct work *w, struct socket_memory *memory)
{
    memory->count = 0;
    for (size_t i = 0; i < w->tcp.inode_count; i++) {
        memory->items = grown(memory->items, memory->count, sizeof *memory->items);
        memory->items[memory->count++] = *w->tcp.inodes[i];
    }
}

/* ---- describe ---- */

/* Describe what the processes hold, and add what waits in their backlogs. */
static void describe_all(struct work *w)
{
    struct snapshot *out = w->out;
    size_t held = out->object_count;

    tcp_list_sort(&w->tcp);
    for (size_t i = 0; i < held; i++) {
        const struct tcp_socket *s = out->objects[i].kind <= OBJECT_SOCKET
                                         ? tcp_of_inode(&w->tcp, out->objects[i].inode)
                                         : NULL;
        if (s != NULL)
            describe_tcp(w, i, s);
    }
    for (size_t i = 0; i < w->tcp.count; i++) {
        const struct tcp_socket *s = &w->tcp.items[i];
        /* Once accepted a socket has an inode; once closed it is in no such state. */
        if (s->inode != 0 ||
            (s->state != TCP_ESTABLISHED && s->state != TCP_CLOSE_WAIT && s->state != TCP_SYN_RECV))
            continue;
        for (size_t k = 0; k < held; k++) {
            const struct tcp_socket *listener = out->objects[k].kind == OBJECT_LISTENING
                                                    ? tcp_of_inode(&w->tcp, out->objects[k].inode)
                                                    : NULL;
            if (listener == NULL || !tcp_accepts(listener, s))
                continue;
            if (s->state == TCP_SYN_RECV) {
                out->objects[k].in_flight = true; /* the handshake is not done yet */
                break;
            }
            size_t index = work_add_object(w, OBJECT_CONNECTION, 0);
            out->objects[index].waiting = true;
            describe_tcp(w, index, s);
            break;
        }
    }
}

int sockets_describe(struct work *w, const struct scope *scope, struct error *err)
{
    if (find_listening(w, scope, err) == -1)
        return -1;
    int result = find_held(w, scope, err);
    if (result == 0)
        result = find_backlog(w, scope, err);
    if (result == -1)
        return -1;
    describe_all(w);
    if (scope->memory != NULL)
        remember(w, scope->memory);
    return 0;
}
