/*
 * chapters/01-single-client/exercise.c - one client, and nobody waits in vain.
 *
 * Your part: TODO 1 to 4. The five calls of the chapter, and one of them
 *            earlier than there: a second client shall be refused at once.
 * Given:     the port, the echo, and the lines that are printed.
 * Try:       make run-01 EXERCISE=1, with make client in two terminals; then
 *            make check-01. When you are stuck: make hint-01
 */
#define _XOPEN_SOURCE 700

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
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
    int listen_fd = -1;

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    /*
     * TODO 1: a socket that listens at `addr`. A restart must succeed at once,
     * though a connection of the last run is still in TIME_WAIT. When the kernel
     * refuses, end with the name of the call that it refused: die("bind").
     */
    /* BEGIN SOLUTION 1 */
    int on = 1;
    listen_fd = socket(AF_INET, SOCK_STREAM, 0);
    if (listen_fd == -1)
        die("socket");
    if (setsockopt(listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == -1)
        die("setsockopt");
    if (bind(listen_fd, (struct sockaddr *)&addr, sizeof addr) == -1)
        die("bind");
    if (listen(listen_fd, SOMAXCONN) == -1)
        die("listen");
    /* END SOLUTION 1 */
    if (listen_fd == -1) {
        fprintf(stderr, "server: nobody listens on port %d yet: TODO 1\n", ntohs(addr.sin_port));
        exit(EXIT_FAILURE);
    }
    return listen_fd;
}

/* Which port it is: with port 0 the kernel has chosen one. */
static void print_port(int listen_fd)
{
    struct sockaddr_in addr;
    socklen_t size = sizeof addr;

    if (getsockname(listen_fd, (struct sockaddr *)&addr, &size) == -1)
        die("getsockname");
    printf("listening on port %d\n", ntohs(addr.sin_port));
}

/* Send back whatever the client sends, until its end of file or an error. */
static void echo_client(int conn_fd)
{
    char buf[4096];
    ssize_t got;

    /* 0 is end of file; -1 is a client that vanished. Both end this client. */
    while ((got = read(conn_fd, buf, sizeof buf)) > 0) {
        /* send may take less than it is given: go on where it stopped. */
        for (ssize_t sent = 0; sent < got;) {
            /* MSG_NOSIGNAL: a client that left is EPIPE here, not a SIGPIPE. */
            ssize_t n = send(conn_fd, buf + sent, (size_t)(got - sent), MSG_NOSIGNAL);
            if (n == -1)
                return;
            sent += n;
        }
    }
}

int main(int argc, char *argv[])
{
    if (argc != 2) {
        fputs("usage: server PORT\n", stderr);
        exit(2);
    }
    /* Each line leaves at once, also into a file or a pipe. */
    setvbuf(stdout, NULL, _IOLBF, 0);
    int listen_fd = open_listener(parse_port(argv[1]));
    int conn_fd = -1;
    print_port(listen_fd);

    /* TODO 2: conn_fd: the connection with the client that comes first. */
    /* BEGIN SOLUTION 2 */
    conn_fd = accept(listen_fd, NULL, NULL);
    if (conn_fd == -1)
        die("accept");
    /* END SOLUTION 2 */
    puts("new client connected...");

    /*
     * TODO 3: in the chapter a second client waits in the backlog, for nothing.
     * Here its connect shall be refused, from now on, while the first is served.
     */
    /* BEGIN SOLUTION 3 */
    close(listen_fd);
    /* END SOLUTION 3 */
    echo_client(conn_fd);

    /* TODO 4: the client has sent its end of file. Let it have ours. */
    /* BEGIN SOLUTION 4 */
    close(conn_fd);
    /* END SOLUTION 4 */
    puts("client disconnected...");
    return 0;
}
