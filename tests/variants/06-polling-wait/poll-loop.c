/*
 * tests/variants/06-polling-wait/poll-loop.c - one process, and poll: with three clients it does not look at the listening socket.
 */
#define _XOPEN_SOURCE 700

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* So many clients are served at a time. Others wait in the backlog. */
enum { MAX_CLIENTS = 3 };

/* Name the call that failed and why, then end with status 1. */
static _Noreturn void die(const char *call)
{
    fprintf(stderr, "server: %s: %s\n", call, strerror(errno));
    exit(EXIT_FAILURE);
}

/* Digits only, 0 to 65535. Anything else ends the program with status 2. */
static in_port_t parse_port(const char *text)
{
    char *end;
    long port = strtol(text, &end, 10);

    if (!isdigit((unsigned char)text[0]) || *end != '\0' || port > 65535) {
        fprintf(stderr, "server: '%s' is not a port: give a number from 0 to 65535\n", text);
        exit(2);
    }
    return (in_port_t)port;
}

/* A socket that listens on PORT of 127.0.0.1. Port 0: the kernel picks one. */
static int open_listener(in_port_t port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port)};
    socklen_t size = sizeof addr;
    int on = 1;
    int listen_fd = socket(AF_INET, SOCK_STREAM, 0);

    if (listen_fd == -1)
        die("socket");
    /*
     * When a server ends, connections it closed stay in TIME_WAIT for a minute.
     * Without SO_REUSEADDR they keep the port: a restart fails with EADDRINUSE.
     */
    if (setsockopt(listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == -1)
        die("setsockopt");
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listen_fd, (struct sockaddr *)&addr, sizeof addr) == -1)
        die("bind");
    /* From here on the kernel completes connections by itself and queues them. */
    if (listen(listen_fd, SOMAXCONN) == -1)
        die("listen");
    if (getsockname(listen_fd, (struct sockaddr *)&addr, &size) == -1)
        die("getsockname");
    printf("listening on port %d\n", ntohs(addr.sin_port));
    return listen_fd;
}

/* What was read of a client and is not sent back yet. */
struct pending {
    size_t sent, got;
    char buf[4096];
};

/* Read, or send what was read. Returns 0 when the client has left. */
static int serve(int conn_fd, struct pending *p)
{
    ssize_t n;

    if (p->sent == p->got) {
        n = read(conn_fd, p->buf, sizeof p->buf);
        if (n <= 0)
            return 0;
        p->sent = 0;
        p->got = (size_t)n;
    }
    n = send(conn_fd, p->buf + p->sent, p->got - p->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n == -1)
        return errno == EAGAIN;
    p->sent += (size_t)n;
    return 1;
}

int main(int argc, char *argv[])
{
    static struct pending pending[MAX_CLIENTS];
    struct pollfd fds[MAX_CLIENTS + 1];
    int clients = 0;

    if (argc != 2) {
        fputs("usage: server PORT\n", stderr);
        exit(2);
    }
    /* Each line leaves at once, also into a file or a pipe. */
    setvbuf(stdout, NULL, _IOLBF, 0);
    int listen_fd = open_listener(parse_port(argv[1]));

    for (;;) {
        for (int i = 0; i < clients; i++)
            fds[i].events = pending[i].sent == pending[i].got ? POLLIN : POLLOUT;
        fds[clients] = (struct pollfd){.fd = listen_fd, .events = POLLIN};
        /* The listening socket stands last: full means it is not asked for. */
        if (poll(fds, (nfds_t)(clients < MAX_CLIENTS ? clients + 1 : clients), -1) == -1)
            die("poll");
        int come = clients < MAX_CLIENTS && fds[clients].revents != 0;
        for (int i = clients - 1; i >= 0; i--) {
            if (fds[i].revents == 0 || serve(fds[i].fd, &pending[i]))
                continue;
            close(fds[i].fd);
            puts("client disconnected...");
            clients--;
            fds[i] = fds[clients];
            pending[i] = pending[clients];
        }
        if (come) {
            int conn_fd = accept(listen_fd, NULL, NULL);
            if (conn_fd == -1)
                die("accept");
            puts("new client connected...");
            fds[clients].fd = conn_fd;
            pending[clients].sent = pending[clients].got = 0;
            clients++;
        }
    }
}
