/* double_fork.c - the child forks the server of a client and ends, so that nobody has to wait long. */
#include "net.h"

#include <sys/wait.h>

int main(int argc, char *argv[])
{
    int listen_fd = listener(argc > 1 ? argv[1] : "0");

    for (;;) {
        int conn_fd = accept(listen_fd, NULL, NULL);
        pid_t child = fork();
        if (child == 0) {
            close(listen_fd);
            if (fork() == 0)
                echo(conn_fd);
            _exit(0);
        }
        close(conn_fd);
        waitpid(child, NULL, 0);
    }
}
