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
    o->in_flight = s->send > 0;

    const struct tcp_socket *peer = tcp_peer(&w->tcp, s);
    if (peer != NULL && peer->send > 0)
        o->in_flight = true;
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

/* Append both ends of the connection `key`, as far as they exist. Returns 0, or -1 with err filled. */
static int find_both_ends(struct work *w, struct tcp_channel *tcp, const struct tcp_socket *key,
                          struct error *err)
{
    struct tcp_socket other = tcp_reverse(key), found;
    const struct tcp_socket *keys[] = {key, &other};

    for (size_t i = 0; i < 2; i++) {
        int known = tcp_find(tcp, keys[i], &found, err);
        if (known == -1)
            return -1;
        if (known == 1)
            tcp_list_add(&w->tcp, &found);
    }
    return 0;
}

/* From so many sockets on, listing every connection costs less than asking for each. */
enum { CHEAPER_TO_LIST = 200 };

/*
 * Ask the kernel about every socket that the processes hold. Each is identified
 * through a borrowed descriptor and looked up exactly; where borrowing is not
 * permitted all connections of the machine are listed instead.
 * Returns 1 when everything was listed, 0 when not, -1 with err filled.
 */
static int find_held(struct work *w, struct tcp_channel *tcp, struct error *err)
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
    int result = 0;
    if (unknown_count > CHEAPER_TO_LIST) {
        free(unknown);
        tcp_list_free(&w->tcp);
        return tcp_all(tcp, &w->tcp, err) == -1 ? -1 : 1;
    }
    for (size_t i = 0; i < unknown_count && result == 0; i++) {
        struct object *o = &w->out->objects[unknown[i]];
        const struct holder *holder = &w->holders[unknown[i]];
        struct tcp_socket key;
        int own = proc_borrow(holder->pid, holder->fd);
        if (own == -1 && (errno == EPERM || errno == ENOSYS)) {
            tcp_list_free(&w->tcp);
            result = tcp_all(tcp, &w->tcp, err) == -1 ? -1 : 1;
            break;
        }
        if (own == -1)
            continue; /* closed meanwhile */
        int is_tcp = tcp_identify(own, &key);
        close(own);
        if (!is_tcp)
            continue;
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
            result = find_both_ends(w, tcp, &key, err);
    }
    free(unknown);
    return result;
}

/*
 * Ask about connections in the backlog of our listening sockets, which no descriptor
 * leads to: by the known clients, and if those are not all, by listing everything.
 */
static int find_backlog(struct work *w, const struct scope *scope, struct error *err)
{
    size_t waiting = 0, known = 0, before = w->tcp.count;

    for (size_t i = 0; i < before; i++) {
        const struct tcp_socket *s = &w->tcp.items[i];
        for (size_t k = 0; k < w->out->object_count && s->state == TCP_LISTEN; k++)
            if (w->out->objects[k].kind == OBJECT_SOCKET && w->out->objects[k].inode == s->inode)
                waiting += s->receive;
    }
    for (size_t i = 0; i < scope->client_count; i++) {
        struct tcp_socket key = tcp_reverse(&scope->clients[i]), found;
        int result = tcp_find(scope->tcp, &key, &found, err);
        if (result == -1)
            return -1;
        /* With an inode it is accepted and found already, by its descriptor. */
        if (result == 0 || found.inode != 0)
            continue;
        known += found.state == TCP_ESTABLISHED || found.state == TCP_CLOSE_WAIT;
        if (find_both_ends(w, scope->tcp, &key, err) == -1)
            return -1;
    }
    if (waiting <= known)
        return 0;
    tcp_list_free(&w->tcp);
    return tcp_all(scope->tcp, &w->tcp, err);
}

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
    if (tcp_listening(scope->tcp, &w->tcp, err) == -1)
        return -1;
    int result = find_held(w, scope->tcp, err);
    if (result == 0)
        result = find_backlog(w, scope, err);
    if (result == -1)
        return -1;
    describe_all(w);
    return 0;
}
