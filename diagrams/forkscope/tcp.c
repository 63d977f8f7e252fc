/* tcp.c - sock_diag(7) questions and answers, carried by libmnl. */
#include "tcp.h"
#include "tcpinfo.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

struct tcp_channel {
    struct mnl_socket *socket;
    unsigned sequence;
    /* libmnl's advice for dumps: a page or 8 KiB; larger buffers mean fewer system calls. */
    char buffer[32768];
};

struct tcp_channel *tcp_open(struct error *err)
{
    struct tcp_channel *channel = grown(NULL, 0, sizeof *channel);

    channel->socket = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
    if (channel->socket == NULL || mnl_socket_bind(channel->socket, 0, MNL_SOCKET_AUTOPID) == -1) {
        fail(err, "sock_diag: %s", strerror(errno));
        tcp_close(channel);
        return NULL;
    }
    return channel;
}

void tcp_close(struct tcp_channel *channel)
{
    if (channel == NULL)
        return;
    if (channel->socket != NULL)
        mnl_socket_close(channel->socket);
    free(channel);
}

static int add_counts(const struct nlattr *attribute, void *data)
{
    struct tcp_socket *s = data;

    if (mnl_attr_get_type(attribute) == INET_DIAG_INFO)
        s->counted = tcpinfo_bytes(mnl_attr_get_payload(attribute),
                                   mnl_attr_get_payload_len(attribute), &s->sent, &s->received);
    return MNL_CB_OK;
}

static int add_socket(const struct nlmsghdr *header, void *data)
{
    struct tcp_list *list = data;

    if (mnl_nlmsg_get_payload_len(header) < sizeof(struct inet_diag_msg))
        return MNL_CB_ERROR;
    const struct inet_diag_msg *msg = mnl_nlmsg_get_payload(header);
    list->items = grown(list->items, list->count, sizeof *list->items);
    struct tcp_socket *s = &list->items[list->count++];
    s->family = msg->idiag_family;
    memcpy(s->here, msg->id.idiag_src, sizeof s->here);
    memcpy(s->there, msg->id.idiag_dst, sizeof s->there);
    s->port = ntohs(msg->id.idiag_sport);
    s->peer_port = ntohs(msg->id.idiag_dport);
    s->state = msg->idiag_state;
    s->receive = msg->idiag_rqueue;
    s->send = msg->idiag_wqueue;
    s->inode = msg->idiag_inode;
    return mnl_attr_parse(header, sizeof *msg, add_counts, s) == MNL_CB_ERROR ? MNL_CB_ERROR
                                                                              : MNL_CB_OK;
}

/* Send one question and append every answer to `list`. Returns 0, or -1 with errno set. */
static int ask(struct tcp_channel *channel, const struct inet_diag_req_v2 *request, uint16_t flags,
               struct tcp_list *list)
{
    struct nlmsghdr *header = mnl_nlmsg_put_header(channel->buffer);
    unsigned portid = mnl_socket_get_portid(channel->socket);
    unsigned sequence = ++channel->sequence;

    header->nlmsg_type = SOCK_DIAG_BY_FAMILY;
    header->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    header->nlmsg_seq = sequence;
    memcpy(mnl_nlmsg_put_extra_header(header, sizeof *request), request, sizeof *request);
    if (mnl_socket_sendto(channel->socket, header, header->nlmsg_len) == -1)
        return -1;
    /* A dump comes in several datagrams and ends with NLMSG_DONE; an exact answer is one message. */
    for (;;) {
        ssize_t size =
            mnl_socket_recvfrom(channel->socket, channel->buffer, sizeof channel->buffer);
        if (size == -1)
            return -1;
        int result = mnl_cb_run(channel->buffer, (size_t)size, sequence, portid, add_socket, list);
        if (result == MNL_CB_ERROR)
            return -1;
        if (result == MNL_CB_STOP || !(flags & NLM_F_DUMP))
            return 0;
    }
}

static int by_ports(const void *a, const void *b)
{
    const struct tcp_socket *x = a, *y = b;

    if (x->port != y->port)
        return x->port < y->port ? -1 : 1;
    return (x->peer_port > y->peer_port) - (x->peer_port < y->peer_port);
}

static int by_inode(const void *a, const void *b)
{
    const struct tcp_socket *x = *(struct tcp_socket *const *)a;
    const struct tcp_socket *y = *(struct tcp_socket *const *)b;

    return (x->inode > y->inode) - (x->inode < y->inode);
}

void tcp_list_sort(struct tcp_list *list)
{
    free(list->inodes);
    list->inodes = NULL;
    list->inode_count = 0;
    if (list->count == 0)
        return;
    qsort(list->items, list->count, sizeof *list->items, by_ports);
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].inode == 0)
            continue;
        list->inodes = grown(list->inodes, list->inode_count, sizeof *list->inodes);
        list->inodes[list->inode_count++] = &list->items[i];
    }
    if (list->inode_count > 0)
        qsort(list->inodes, list->inode_count, sizeof *list->inodes, by_inode);
}

static int dump(struct tcp_channel *channel, uint32_t states, struct tcp_list *list,
                struct error *err)
{
    static const int families[] = {AF_INET, AF_INET6};

    for (size_t i = 0; i < 2; i++) {
        struct inet_diag_req_v2 request = {
            .sdiag_family = (uint8_t)families[i],
            .sdiag_protocol = IPPROTO_TCP,
            .idiag_states = states,
        };
        /* A kernel without IPv6 answers ENOENT: nothing to list. For IPv4 it lacks tcp_diag. */
        if (ask(channel, &request, NLM_F_DUMP, list) == -1 &&
            (errno != ENOENT || families[i] == AF_INET))
            return fail(err, "sock_diag: %s", strerror(errno));
    }
    return 0;
}

int tcp_listening(struct tcp_channel *channel, struct tcp_list *list, struct error *err)
{
    return dump(channel, 1U << TCP_LISTEN, list, err);
}

int tcp_all(struct tcp_channel *channel, struct tcp_list *list, struct error *err)
{
    return dump(channel, ~(1U << TCP_TIME_WAIT), list, err);
}

void tcp_list_add(struct tcp_list *list, const struct tcp_socket *s)
{
    list->items = grown(list->items, list->count, sizeof *list->items);
    list->items[list->count++] = *s;
}

void tcp_list_free(struct tcp_list *list)
{
    free(list->inodes);
    free(list->items);
    memset(list, 0, sizeof *list);
}

const struct tcp_socket *tcp_of_inode(const struct tcp_list *list, uint64_t inode)
{
    struct tcp_socket key = {.inode = inode};
    const struct tcp_socket *wanted = &key;
    struct tcp_socket *const *found =
        list->inode_count == 0
            ? NULL
            : bsearch(&wanted, list->inodes, list->inode_count, sizeof *list->inodes, by_inode);

    return found == NULL ? NULL : *found;
}

/* 127.0.0.1 and ::ffff:127.0.0.1 are one address, seen by an IPv4 and by an IPv6 socket. */
static bool same_address(const uint32_t a[4], const uint32_t b[4])
{
    const uint32_t mapped = htonl(0xffff);
    bool a_mapped = a[0] == 0 && a[1] == 0 && a[2] == mapped;
    bool b_mapped = b[0] == 0 && b[1] == 0 && b[2] == mapped;

    if (a_mapped == b_mapped)
        return memcmp(a, b, 4 * sizeof a[0]) == 0;
    return (a_mapped ? a[3] : a[0]) == (b_mapped ? b[3] : b[0]);
}

const struct tcp_socket *tcp_of_key(const struct tcp_list *list, const struct tcp_socket *key)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct tcp_socket *s = &list->items[i];
        if (by_ports(s, key) == 0 && same_address(s->here, key->here) &&
            same_address(s->there, key->there))
            return s;
    }
    return NULL;
}

const struct tcp_socket *tcp_peer(const struct tcp_list *list, const struct tcp_socket *s)
{
    struct tcp_socket key = {.port = s->peer_port, .peer_port = s->port};
    const struct tcp_socket *found =
        list->count == 0 ? NULL
                         : bsearch(&key, list->items, list->count, sizeof *list->items, by_ports);

    if (found == NULL)
        return NULL;
    /* Ports may repeat with other addresses: look at every neighbour with these ports. */
    while (found > list->items && by_ports(found - 1, &key) == 0)
        found--;
    for (; found < list->items + list->count && by_ports(found, &key) == 0; found++)
        if (same_address(found->here, s->there) && same_address(found->there, s->here))
            return found;
    return NULL;
}

bool tcp_accepts(const struct tcp_socket *listener, const struct tcp_socket *s)
{
    static const uint32_t any[4];

    return listener->port == s->port &&
           (memcmp(listener->here, any, sizeof any) == 0 || same_address(listener->here, s->here));
}

bool tcp_port_listens(const struct tcp_list *list, uint16_t port)
{
    struct tcp_socket key = {.port = port, .peer_port = 0};

    if (list->count == 0)
        return false;
    const struct tcp_socket *s =
        bsearch(&key, list->items, list->count, sizeof *list->items, by_ports);
    return s != NULL && s->state == TCP_LISTEN;
}

int tcp_find(struct tcp_channel *channel, const struct tcp_socket *key, struct tcp_socket *found,
             struct error *err)
{
    struct tcp_list list = {0};
    struct inet_diag_req_v2 request = {
        .sdiag_family = (uint8_t)key->family,
        .sdiag_protocol = IPPROTO_TCP,
        .idiag_ext = 1 << (INET_DIAG_INFO - 1),
        .idiag_states = ~0U,
        .id = {.idiag_sport = htons(key->port),
               .idiag_dport = htons(key->peer_port),
               .idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}},
    };

    memcpy(request.id.idiag_src, key->here, sizeof key->here);
    memcpy(request.id.idiag_dst, key->there, sizeof key->there);
    int result = ask(channel, &request, 0, &list);
    if (result == 0 && list.count > 0) {
        *found = list.items[0];
        /*
         * The exact question falls back to a listening socket on the same
         * port, so look whether the peer is the one that was asked for.
         */
        result = found->peer_port == key->peer_port ? 1 : 0;
    } else if (result == -1 && errno == ENOENT) {
        result = 0;
    } else if (result == -1) {
        fail(err, "sock_diag: %s", strerror(errno));
    }
    free(list.items);
    return result;
}

struct tcp_socket tcp_reverse(const struct tcp_socket *key)
{
    struct tcp_socket other = {
        .family = key->family, .port = key->peer_port, .peer_port = key->port};

    memcpy(other.here, key->there, sizeof other.here);
    memcpy(other.there, key->here, sizeof other.there);
    return other;
}

static void take_address(const struct sockaddr_storage *from, uint32_t address[4], uint16_t *port)
{
    if (from->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)from;
        address[0] = in->sin_addr.s_addr;
        *port = ntohs(in->sin_port);
    } else {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)from;
        memcpy(address, &in6->sin6_addr, sizeof in6->sin6_addr);
        *port = ntohs(in6->sin6_port);
    }
}

int tcp_identify(int fd, struct tcp_socket *key)
{
    struct sockaddr_storage here, there;
    socklen_t here_size = sizeof here, there_size = sizeof there, size = sizeof(int);
    int protocol;

    memset(key, 0, sizeof *key);
    if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == -1 ||
        protocol != IPPROTO_TCP || getsockname(fd, (struct sockaddr *)&here, &here_size) == -1 ||
        (here.ss_family != AF_INET && here.ss_family != AF_INET6))
        return 0;
    key->family = here.ss_family;
    take_address(&here, key->here, &key->port);
    if (getpeername(fd, (struct sockaddr *)&there, &there_size) == 0)
        take_address(&there, key->there, &key->peer_port);
    struct tcp_info info = {0};
    size = sizeof info;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == -1)
        return 0;
    key->state = info.tcpi_state;
    if (key->state == TCP_LISTEN)
        key->receive = info.tcpi_unacked; /* for a listening socket: its backlog */
    return 1;
}
