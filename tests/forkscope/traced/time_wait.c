/* time_wait.c - a server that leaves many connections in TIME_WAIT, and then forks. */
#include "net.h"

#include <sys/wait.h>

enum { CONNECTIONS = 60 };

int main(int argc, char *argv[])
{
    int listen_fd = listener(argc > 1 ? argv[1] : "0");
    struct sockaddr_in addr;
    socklen_t size = sizeof addr;

    getsockname(listen_fd, (struct sockaddr *)&addr, &size);
    for (int i = 0; i < CONNECTIONS; i++) {
        int client = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(client, (struct sockaddr *)&addr, sizeof addr) == -1)
            return 1;
        int conn_fd = accept(listen_fd, NULL, NULL);
        close(conn_fd); /* first, so that our end stays in TIME_WAIT */
        close(client);
    }
    if (fork() == 0)
        _exit(0);
    wait(NULL);
    return 0;
}
