/* must fail: it ends with status 0 when its client has left */
/*
 * tests/mutants/01-single-client/daemon-never-ends.c - it becomes a daemon, and never ends; the process that was started has.
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

/* Go on in a child; the process that was started ends. */
static void become_daemon(void)
{
    pid_t pid = fork();

    if (pid == -1)
        die("fork");
    if (pid > 0)
        _exit(EXIT_SUCCESS);
    setsid();
}

int main(int argc, char *argv[])
{
    if (argc != 2) {
        fputs("usage: server PORT\n", stderr);
        exit(2);
    }
    /* Each line leaves at once, also into a file or a pipe. */
    setvbuf(stdout, NULL, _IOLBF, 0);
    become_daemon();
    int listen_fd = open_listener(parse_port(argv[1]));
    int conn_fd = -1;
    print_port(listen_fd);

    conn_fd = accept(listen_fd, NULL, NULL);
    if (conn_fd == -1)
        die("accept");
    puts("new client connected...");

    close(listen_fd);
    echo_client(conn_fd);

    close(conn_fd);
    puts("client disconnected...");
    for (;;)
        pause();
}
