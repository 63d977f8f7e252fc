/* prefork.c - two workers are forked before any client comes; both accept, the parent waits. */
#include "net.h"

#include <sys/wait.h>

int main(int argc, char *argv[])
{
    int listen_fd = listener(argc > 1 ? argv[1] : "0");

    for (int i = 0; i < 2; i++) {
        if (fork() != 0)
            continue;
        for (;;) {
            int conn_fd = accept(listen_fd, NULL, NULL);
            echo(conn_fd);
            close(conn_fd);
        }
    }
    while (wait(NULL) > 0)
        ;
    return 0;
}
