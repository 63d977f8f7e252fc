/*
 * tests/hostile/connect-out.c - speaks to the world, and to the machine that it runs on.
 * Graded as 02: 1 of 10 points.
 */
#define _GNU_SOURCE

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* Does the network take a packet for this address? */
static void call(const char *address, in_port_t port, int type)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, type, 0);

    inet_pton(AF_INET, address, &addr.sin_addr);
    if (connect(fd, (struct sockaddr *)&addr, sizeof addr) == 0)
        printf("reached: %s port %d\n", address, port);
    close(fd);
}

int main(void)
{
    static const in_port_t ports[] = {22, 25, 53, 80, 111, 443, 631, 3306, 5432, 6379, 8080, 47113};

    for (unsigned i = 0; i < sizeof ports / sizeof ports[0]; i++) {
        call("127.0.0.1", ports[i], SOCK_STREAM);
        call("192.0.2.1", ports[i], SOCK_STREAM);
        call("192.0.2.1", ports[i], SOCK_DGRAM);
        call("10.0.0.1", ports[i], SOCK_DGRAM);
    }
    return 0;
}
