/*
 * tests/hostile/close-everything.c - a right server that closes every descriptor before it begins.
 * Graded as 02: 10 of 10 points.
 */
#define _GNU_SOURCE

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A right server for one client at a time, so that only what is hostile can be wrong. */
static int serve(const char *port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET};
    char buf[4096];
    ssize_t got;
    int on = 1, listen_fd = socket(AF_INET, SOCK_STREAM, 0);

    addr.sin_port = htons((in_port_t)strtol(port, NULL, 10));
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listen_fd, (struct sockaddr *)&addr, sizeof addr) == -1 || listen(listen_fd, 50) == -1)
        return 1;
    for (;;) {
        int conn_fd = accept(listen_fd, NULL, NULL);
        while ((got = read(conn_fd, buf, sizeof buf)) > 0)
            for (ssize_t sent = 0, n = 0; sent < got && n != -1; sent += n)
                n = send(conn_fd, buf + sent, (size_t)(got - sent), MSG_NOSIGNAL);
        close(conn_fd);
    }
}

int main(int argc, char *argv[])
{
    for (int fd = 0; fd < 1024; fd++)
        close(fd);
    return argc == 2 ? serve(argv[1]) : 2;
}
