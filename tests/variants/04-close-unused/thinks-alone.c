/*
 * tests/variants/04-close-unused/thinks-alone.c - a child whose parent has gone thinks before it answers.
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

/* Send to out_fd whatever comes from in_fd, until end of file or an error. */
static void echo_client(int in_fd, int out_fd)
{
    char buf[4096];
    ssize_t got;
    pid_t parent = getppid();

    /* 0 is end of file; -1 is a client that vanished. Both end this client. */
    while ((got = read(in_fd, buf, sizeof buf)) > 0) {
        /* Our server is gone: we are in no hurry now. */
        if (getppid() != parent)
            sleep(3);
        /* send may take less than it is given: go on where it stopped. */
        for (ssize_t sent = 0; sent < got;) {
            /* MSG_NOSIGNAL: a client that left is EPIPE here, not a SIGPIPE. */
            ssize_t n = send(out_fd, buf + sent, (size_t)(got - sent), MSG_NOSIGNAL);
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

    for (;;) {
        int in_fd = accept(listen_fd, NULL, NULL);
        if (in_fd == -1)
            die("accept");
        /* One connection, two descriptors: one to read from, one to write to. */
        int out_fd = dup(in_fd);
        if (out_fd == -1)
            die("dup");
        puts("new client connected...");

        pid_t pid = fork();
        if (pid == -1)
            die("fork");
        if (pid == 0) {
            /*
             * TODO 1: the child will never accept. When the parent is gone, a new
             * server must get the port, though this child still serves its client.
             */
            /* BEGIN SOLUTION 1 */
            close(listen_fd);
            /* END SOLUTION 1 */
            echo_client(in_fd, out_fd);
            puts("client disconnected...");
            /* _exit, not return: the child must never reach the accept loop. */
            _exit(EXIT_SUCCESS);
        }
        /*
         * TODO 2: the parent will never read nor write. When the child has ended, the
         * client must get its end of file; and no later child may inherit this client.
         */
        /* BEGIN SOLUTION 2 */
        close(in_fd);
        close(out_fd);
        /* END SOLUTION 2 */
    }
}
