/* must fail: a fourth client waits until one of the three has left, whichever */
/*
 * tests/mutants/06-polling-wait/waits-for-a-socket.c - with three children it waits for a second for bytes that nobody sends, and then takes the next client all the same.
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
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* So many clients are served at a time. Others wait in the backlog. */
enum { MAX_CHILDREN = 3 };

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

/* A socket from which a read returns after a second, since nobody writes to its other end. */
static void open_pair(int pair[2])
{
    struct timeval second = {.tv_sec = 1};

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1 ||
        setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second) == -1)
        die("socketpair");
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
    int pair[2];
    open_pair(pair);
    int children = 0; /* made, and not collected yet */

    for (;;) {
        /* "if" where it had to be "while". And a recv is a call that no clock seems to end. */
        char byte;
        if (children >= MAX_CHILDREN && recv(pair[0], &byte, 1, 0) == 1)
            fputs("server: a byte that nobody has sent\n", stderr);
        int conn_fd = accept(listen_fd, NULL, NULL);
        if (conn_fd == -1)
            die("accept");

        while (waitpid(-1, NULL, WNOHANG) > 0)
            children--;
        printf("new client connected, beside %d others...\n", children);

        pid_t pid = fork();
        if (pid == -1)
            die("fork");
        if (pid == 0) {
            /* The child never accepts: the parent alone keeps the port. */
            close(listen_fd);
            close(pair[0]);
            close(pair[1]);
            echo_client(conn_fd);
            puts("client disconnected...");
            /* _exit, not return: the child must never reach the accept loop. */
            _exit(EXIT_SUCCESS);
        }
        /* The parent never reads: with the child's end the connection ends. */
        close(conn_fd);
        children++;
    }
}
