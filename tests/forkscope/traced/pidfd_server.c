/* pidfd_server.c - children are watched by descriptors that stand for them. */
#include "net.h"

#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { MAX_CHILDREN = 8 };

int main(int argc, char *argv[])
{
    struct pollfd ready[1 + MAX_CHILDREN] = {
        {.fd = listener(argc > 1 ? argv[1] : "0"), .events = POLLIN}};
    pid_t children[1 + MAX_CHILDREN];
    nfds_t count = 1;

    for (;;) {
        if (poll(ready, count, -1) == -1)
            return 1;
        for (nfds_t i = 1; i < count; i++) {
            if (ready[i].revents == 0)
                continue;
            waitpid(children[i], NULL, 0);
            close(ready[i].fd);
            ready[i] = ready[--count];
            children[i] = children[count];
        }
        if (ready[0].revents == 0 || count > MAX_CHILDREN)
            continue;
        int conn_fd = accept(ready[0].fd, NULL, NULL);
        children[count] = fork();
        if (children[count] == 0) {
            for (nfds_t i = 0; i < count; i++)
                close(ready[i].fd);
            echo(conn_fd);
            _exit(0);
        }
        ready[count] = (struct pollfd){.fd = (int)syscall(SYS_pidfd_open, children[count], 0),
                                       .events = POLLIN};
        count++;
        close(conn_fd);
    }
}
