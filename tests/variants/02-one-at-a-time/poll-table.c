/*
 * tests/variants/02-one-at-a-time/poll-table.c - one process for all clients, which polls a whole table each time.
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

/* As many as a process may usually have open: poll(2) takes no more than that. */
enum { TABLE = 1024 };

/* Slot 0 is the listening socket; poll passes over those that are -1. */
static struct pollfd table[TABLE];
static struct {
    char buf[4096];
    ssize_t got, sent;
} slots[TABLE];

/* Move bytes of one client, in the direction that is due. False when it is gone. */
static int serve(int i)
{
    ssize_t n;

    if (slots[i].sent < slots[i].got) {
        n = send(table[i].fd, slots[i].buf + slots[i].sent, (size_t)(slots[i].got - slots[i].sent),
                 MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0)
            slots[i].sent += n;
    } else {
        n = recv(table[i].fd, slots[i].buf, sizeof slots[i].buf, MSG_DONTWAIT);
        if (n == 0)
            return 0;
        slots[i].got = n > 0 ? n : 0;
        slots[i].sent = 0;
    }
    table[i].events = slots[i].sent < slots[i].got ? POLLOUT : POLLIN;
    return n >= 0 || errno == EAGAIN;
}

/* Take the client that comes next. */
static void take_next(void)
{
    int conn_fd = accept(table[0].fd, NULL, NULL), i = 1;

    if (conn_fd == -1)
        die("accept");
    puts("new client connected...");
    while (i < TABLE && table[i].fd != -1)
        i++;
    if (i == TABLE) {
        close(conn_fd);
        return;
    }
    table[i] = (struct pollfd){.fd = conn_fd, .events = POLLIN};
    slots[i].got = slots[i].sent = 0;
}

int main(int argc, char *argv[])
{
    if (argc != 2) {
        fputs("usage: server PORT\n", stderr);
        exit(2);
    }
    /* Each line leaves at once, also into a file or a pipe. */
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 1; i < TABLE; i++)
        table[i].fd = -1;
    table[0] = (struct pollfd){.fd = open_listener(parse_port(argv[1])), .events = POLLIN};

    for (;;) {
        if (poll(table, TABLE, -1) == -1)
            die("poll");
        for (int i = 1; i < TABLE; i++) {
            if (table[i].fd == -1 || table[i].revents == 0 || serve(i))
                continue;
            puts("client disconnected...");
            close(table[i].fd);
            table[i].fd = -1;
        }
        if (table[0].revents != 0)
            take_next();
    }
    return 0;
}
