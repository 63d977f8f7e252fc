/*
 * tests/variants/09-long-running/poll-loop.c - one process for all clients: what a client has sent waits in its slot until it is sent back.
 */
#define _GNU_SOURCE /* ppoll */

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t stopping; /* we have been told to stop */

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

/* A socket that listens on PORT of 127.0.0.1, and on which accept never waits. */
static int open_listener(in_port_t port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port)};
    socklen_t size = sizeof addr;
    int on = 1;
    int listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

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

enum { MAX_CLIENTS = 1000 };

/* Slot i belongs to polled[i]; slot 0 is the listening socket and has no bytes. */
static struct pollfd polled[1 + MAX_CLIENTS];
static struct {
    char buf[4096];
    ssize_t got, sent;
} slots[1 + MAX_CLIENTS];
static nfds_t used = 1;

/* It wakes ppoll, and the main loop does the rest. */
static void on_sigchld(int sig)
{
    (void)sig;
}

/* We are asked to stop. */
static void on_sigterm(int sig)
{
    (void)sig;
    stopping = 1;
}

/* Both signals are blocked, except in ppoll and in let_signals_in. */
static sigset_t blocked, none;

static void catch_signals(void)
{
    struct sigaction act = {.sa_handler = on_sigchld, .sa_flags = SA_NOCLDSTOP};

    sigemptyset(&none);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGCHLD);
    sigaddset(&blocked, SIGTERM);
    sigprocmask(SIG_SETMASK, &blocked, NULL);
    act.sa_mask = blocked;
    if (sigaction(SIGCHLD, &act, NULL) == -1)
        die("sigaction");
    act.sa_handler = on_sigterm;
    if (sigaction(SIGTERM, &act, NULL) == -1)
        die("sigaction");
}

/* ppoll lets no signal in while a client is ready: under load, never. This does. */
static void let_signals_in(void)
{
    sigprocmask(SIG_SETMASK, &none, NULL);
    sigprocmask(SIG_SETMASK, &blocked, NULL);
}

/* Move bytes of one client, in the direction that is due. False when it is gone. */
static int serve(nfds_t i)
{
    int conn_fd = polled[i].fd;
    ssize_t n;

    if (slots[i].sent < slots[i].got) {
        n = send(conn_fd, slots[i].buf + slots[i].sent, (size_t)(slots[i].got - slots[i].sent),
                 MSG_NOSIGNAL);
        if (n > 0)
            slots[i].sent += n;
    } else {
        n = read(conn_fd, slots[i].buf, sizeof slots[i].buf);
        if (n == 0)
            return 0;
        slots[i].got = n > 0 ? n : 0;
        slots[i].sent = 0;
    }
    polled[i].events = slots[i].sent < slots[i].got ? POLLOUT : POLLIN;
    return n >= 0 || errno == EAGAIN;
}

/* Take one client out of the backlog, if there is one. */
static void take_next(int listen_fd)
{
    int conn_fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK);

    if (conn_fd == -1) {
        if (errno == EAGAIN || errno == ECONNABORTED)
            return;
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            polled[0].events = 0; /* look away, for one turn */
            return;
        }
        die("accept");
    }
    puts("new client connected...");
    polled[used] = (struct pollfd){.fd = conn_fd, .events = POLLIN};
    slots[used].got = slots[used].sent = 0;
    used++;
}

int main(int argc, char *argv[])
{
    if (argc != 2) {
        fputs("usage: server PORT\n", stderr);
        exit(2);
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    catch_signals();
    polled[0] = (struct pollfd){.fd = open_listener(parse_port(argv[1])), .events = POLLIN};

    while (!stopping || used > 1) {
        struct timespec rest = {.tv_nsec = 100000000};
        int looks_away = polled[0].fd >= 0 && polled[0].events == 0;
        int ready = ppoll(polled, used, looks_away ? &rest : NULL, &none);

        let_signals_in();
        if (stopping && polled[0].fd >= 0) {
            close(polled[0].fd);
            polled[0].fd = -1; /* poll leaves it out */
        }
        for (nfds_t i = used - 1; ready > 0 && i > 0; i--) {
            if (polled[i].revents == 0 || serve(i))
                continue;
            puts("client disconnected...");
            close(polled[i].fd);
            used--;
            polled[i] = polled[used];
            slots[i] = slots[used];
        }
        polled[0].events = POLLIN;
        if (polled[0].fd >= 0 && used < 1 + MAX_CLIENTS && (looks_away || polled[0].revents != 0))
            take_next(polled[0].fd);
    }
    puts("server ended");
    return 0;
}
