/* ignoring_server.c - a child for every client, and SIGCHLD ignored: nobody has to wait. */
#include "net.h"

#include <signal.h>

int main(int argc, char *argv[])
{
    int listen_fd = listener(argc > 1 ? argv[1] : "0");

    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        int conn_fd = accept(listen_fd, NULL, NULL);
        if (fork() == 0) {
            close(listen_fd);
            echo(conn_fd);
            _exit(0);
        }
        close(conn_fd);
    }
}
