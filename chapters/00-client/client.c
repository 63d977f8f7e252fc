/*
 * chapters/00-client/client.c - the client used in every chapter.
 *
 * New here:    connect, send lines, shutdown, print until end of file.
 * Still wrong: nothing; the servers are what this lab mends.
 * Try:         make run-02, and in another terminal: make client
 *
 * What the server sends goes to standard output, byte for byte. What happens
 * to the connection is told on standard error.
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
    fprintf(stderr, "client: %s: %s\n", call, strerror(errno));
    exit(EXIT_FAILURE);
}

/* Digits only, 1 to 65535. Anything else ends the program with status 2. */
static in_port_t parse_port(const char *text)
{
    char *end;
    long port = strtol(text, &end, 10);

    if (!isdigit((unsigned char)text[0]) || *end != '\0' || port < 1 || port > 65535) {
        fprintf(stderr, "client: '%s' is not a port: give a number from 1 to 65535\n", text);
        exit(2);
    }
    return (in_port_t)port;
}

/* A socket connected to PORT on this machine. The kernel picks our own port. */
static int connect_to(in_port_t port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port)};
    socklen_t size = sizeof addr;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd == -1)
        die("socket");
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&addr, sizeof addr) == -1)
        die("connect");
    if (getsockname(fd, (struct sockaddr *)&addr, &size) == -1)
        die("getsockname");
    fprintf(stderr, "client: connected to port %d from port %d\n", port, ntohs(addr.sin_port));
    return fd;
}

/* write(2) may take less than it is given: go on until all is printed. */
static void print_all(const char *data, size_t size)
{
    while (size > 0) {
        ssize_t done = write(STDOUT_FILENO, data, size);
        if (done == -1)
            die("write");
        data += done;
        size -= (size_t)done;
    }
}

/*
 * Standard input to the server, the server to standard output, both at once.
 * Both at once, because an echo server that waits for us to read stops
 * reading: a client that first sends everything would wait for it forever.
 */
static void talk(int fd)
{
    char out[4096]; /* read from standard input, not yet sent */
    char in[4096];
    size_t start = 0, end = 0; /* out[start..end) is still to be sent */
    int input_open = 1;

    for (;;) {
        int want = POLLIN;
        if (start < end)
            want |= POLLOUT;
        /* A negative descriptor is one that poll leaves alone. */
        struct pollfd watch[2] = {
            {.fd = input_open && start == end ? STDIN_FILENO : -1, .events = POLLIN},
            {.fd = fd, .events = (short)want},
        };
        if (poll(watch, 2, -1) == -1)
            die("poll");

        if (watch[0].revents != 0) {
            ssize_t got = read(STDIN_FILENO, out, sizeof out);
            if (got == -1)
                die("read");
            start = 0;
            end = (size_t)got;
            if (got == 0) {
                /* Half-close: we send no more, and can still receive. */
                input_open = 0;
                if (shutdown(fd, SHUT_WR) == -1 && errno != ENOTCONN)
                    die("shutdown");
                fputs("client: sent end of file, waiting for the server's\n", stderr);
            }
        }
        if (watch[1].revents & POLLOUT) {
            /* MSG_NOSIGNAL: a server that left is an error here, not a SIGPIPE. */
            ssize_t sent = send(fd, out + start, end - start, MSG_DONTWAIT | MSG_NOSIGNAL);
            if (sent == -1 && errno != EAGAIN)
                die("send");
            if (sent > 0)
                start += (size_t)sent;
        }
        if (watch[1].revents & (POLLIN | POLLHUP | POLLERR)) {
            ssize_t got = recv(fd, in, sizeof in, MSG_DONTWAIT);
            if (got == -1 && errno != EAGAIN)
                die("recv");
            if (got == 0)
                break;
            if (got > 0)
                print_all(in, (size_t)got);
        }
    }
    fputs("client: end of file from the server\n", stderr);
}

int main(int argc, char *argv[])
{
    if (argc != 2) {
        fputs("usage: client PORT\n", stderr);
        exit(2);
    }
    int fd = connect_to(parse_port(argv[1]));
    talk(fd);
    close(fd);
    return 0;
}
