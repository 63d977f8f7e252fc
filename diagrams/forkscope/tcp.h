/*
 * tcp.h - ask the kernel about TCP sockets, by sock_diag(7).
 *
 * sock_diag, not /proc/net/tcp: an exact question costs microseconds however
 * many connections sit in TIME_WAIT, and the backlog is told.
 */
#ifndef FORKSCOPE_TCP_H
#define FORKSCOPE_TCP_H

#include "model.h"

/* One TCP socket as the kernel describes it. Ports in host byte order. */
struct tcp_socket {
    int family;       /* AF_INET or AF_INET6 */
    uint32_t here[4]; /* addresses as the kernel gives them, network byte order */
    uint32_t there[4];
    uint16_t port;
    uint16_t peer_port;
    int state; /* TCP_ESTABLISHED ... */
    uint32_t
        receive;   /* LISTEN: connections to accept; else bytes to read, an unread FIN counts 1 */
    uint32_t send; /* LISTEN: the backlog's limit; else bytes and FIN not acknowledged yet */
    bool counted;  /* by tcp_find only, where the kernel tells: */
    uint64_t sent; /* bytes, each counted once */
    uint64_t received; /* bytes in order, and one for end of file */
    uint64_t inode;    /* 0: no descriptor has ever referred to it, or none does any more */
};

struct tcp_list {
    struct tcp_socket *items; /* sorted by port, then by peer port */
    size_t count;
    struct tcp_socket **inodes; /* those with an inode, sorted by it */
    size_t inode_count;
};

/* A netlink channel into the network namespace of the caller. */
struct tcp_channel;

/* Open a channel. Returns NULL and fills err when the kernel refuses. Close with tcp_close. */
struct tcp_channel *tcp_open(struct error *err);
void tcp_close(struct tcp_channel *channel);

/*
 * Append sockets to `list`: those that listen, or all but those in TIME_WAIT.
 * Both walk a whole hash table, the second one that takes 2 to 30 ms, so ask tcp_find
 * for what is known by its addresses. Free the list with tcp_list_free.
 * Both return 0, or -1 with err filled.
 */
int tcp_listening(struct tcp_channel *channel, struct tcp_list *list, struct error *err);
int tcp_all(struct tcp_channel *channel, struct tcp_list *list, struct error *err);

/* Append a copy of one socket. */
void tcp_list_add(struct tcp_list *list, const struct tcp_socket *s);

/* Sort the list; needed after the last append and before the questions below. */
void tcp_list_sort(struct tcp_list *list);
void tcp_list_free(struct tcp_list *list);

/* The socket with this inode, or NULL. */
const struct tcp_socket *tcp_of_inode(const struct tcp_list *list, uint64_t inode);

/* The socket with these addresses and ports, IPv4 or the same as IPv6, or NULL. Needs no sorting. */
const struct tcp_socket *tcp_of_key(const struct tcp_list *list, const struct tcp_socket *key);

/* The other end of `s`, if that is on this machine too, else NULL. */
const struct tcp_socket *tcp_peer(const struct tcp_list *list, const struct tcp_socket *s);

/* Would `listener` be the one to take connection `s`: same port, and its address or any? */
bool tcp_accepts(const struct tcp_socket *listener, const struct tcp_socket *s);

/* Does any socket listen on this port? */
bool tcp_port_listens(const struct tcp_list *list, uint16_t port);

/*
 * Look up exactly one socket by family, addresses and ports of `key`.
 * Returns 1 and fills `found`; 0 when there is none; -1 with err filled.
 */
int tcp_find(struct tcp_channel *channel, const struct tcp_socket *key, struct tcp_socket *found,
             struct error *err);

/* The key of the other end: addresses and ports exchanged. */
struct tcp_socket tcp_reverse(const struct tcp_socket *key);

/*
 * Fill `key` from a descriptor of our own: family, addresses and ports (getsockname(2),
 * getpeername(2)), state and, when it listens, the backlog (TCP_INFO of tcp(7)).
 * Returns 1; 0 when it is no TCP socket; ports are 0 where it has none yet.
 */
int tcp_identify(int fd, struct tcp_socket *key);

#endif
