/*
 * same_port.c - two listening sockets of one port (SO_REUSEPORT): a child connects, and the kernel
 * chooses one of them. Then both are closed, a new one takes the port, and a child connects again.
 */
#include "net.h"

#include <poll.h>
#include <sys/wait.h>

static int one_more(in_port_t *port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(*port)};
    socklen_t size = sizeof addr;
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == -1 ||
        bind(fd, (struct sockaddr *)&addr, sizeof addr) == -1 || listen(fd, 8) == -1 ||
        getsockname(fd, (struct sockaddr *)&addr, &size) == -1)
        exit(2);
    *port = ntohs(addr.sin_port);
    return fd;
}

/* A child connects, sends a byte and stays until we have taken it from the backlog it is in. */
static void come(struct pollfd *listening, nfds_t count, in_port_t port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port)};
    char byte;

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fork() == 0) {
        int own = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(own, (struct sockaddr *)&addr, sizeof addr) == -1 || write(own, "x", 1) != 1)
            _exit(4);
        _exit(read(own, &byte, 1) == 0 ? 0 : 5);
    }
    if (poll(listening, count, -1) != 1)
        exit(6);
    int conn = accept(listening[listening[0].revents == 0].fd, NULL, NULL);
    if (conn == -1 || read(conn, &byte, 1) != 1)
        exit(7);
    close(conn);
    wait(NULL);
}

int main(void)
{
    in_port_t port = 0;
    struct pollfd both[2] = {{.events = POLLIN}, {.events = POLLIN}};

    both[0].fd = one_more(&port);
    both[1].fd = one_more(&port);
    come(both, 2, port);
    close(both[0].fd);
    close(both[1].fd);
    both[0].fd = one_more(&port);
    come(both, 1, port);
    return 0;
}
