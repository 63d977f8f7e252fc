/* accept_loop.c - a child that has served its client goes back into its parent's loop. */
#include "net.h"

#include <signal.h>

int main(int argc, char *argv[])
{
    int listen_fd = listener(argc > 1 ? argv[1] : "0");

    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        int conn_fd = accept(listen_fd, NULL, NULL);
        if (fork() == 0)
            echo(conn_fd);
        close(conn_fd);
    }
}
