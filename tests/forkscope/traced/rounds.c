/* rounds.c - a server with a child for every client, and its clients, one after the other. */
#include "net.h"

#include <sys/wait.h>

/* Connects COUNT times, sends a line each time and waits for it to come back. */
static int clients(const struct sockaddr_in *addr, int count)
{
    char buf[8];

    for (int i = 0; i < count; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(fd, (const struct sockaddr *)addr, sizeof *addr) == -1 ||
            write(fd, "hello\n", 6) != 6 || read(fd, buf, sizeof buf) != 6)
            return 1;
        close(fd);
    }
    return 0;
}

int main(int argc, char *argv[])
{
    int count = argc > 1 ? atoi(argv[1]) : 3, status = 0;
    int listen_fd = listener("0");
    struct sockaddr_in addr;
    socklen_t size = sizeof addr;

    getsockname(listen_fd, (struct sockaddr *)&addr, &size);
    if (fork() == 0) {
        close(listen_fd);
        _exit(clients(&addr, count));
    }
    for (int i = 0; i < count; i++) {
        int conn_fd = accept(listen_fd, NULL, NULL);
        if (fork() == 0) {
            close(listen_fd);
            echo(conn_fd);
            _exit(0);
        }
        close(conn_fd);
    }
    for (int i = 0; i < count + 1; i++)
        wait(&status);
    return 0;
}
