/* net.h - the lines that every server of these tests has alike. */
#ifndef TRACED_NET_H
#define TRACED_NET_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* A socket that listens on PORT of 127.0.0.1, closed by exec. */
static inline int listener(const char *port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons((in_port_t)atoi(port))};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd == -1 || bind(fd, (struct sockaddr *)&addr, sizeof addr) == -1 || listen(fd, 8) == -1)
        exit(1);
    return fd;
}

/* Send everything back until the client's end of file. */
static inline void echo(int fd)
{
    char buf[512];
    ssize_t got;

    while ((got = read(fd, buf, sizeof buf)) > 0)
        if (send(fd, buf, (size_t)got, MSG_NOSIGNAL) != got)
            return;
}

#endif
