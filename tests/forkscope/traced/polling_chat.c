/* polling_chat.c - one process serves all: a line of one client goes to every client. */
#include "net.h"

#include <poll.h>

enum { MAX_CLIENTS = 8 };

int main(int argc, char *argv[])
{
    struct pollfd ready[1 + MAX_CLIENTS] = {
        {.fd = listener(argc > 1 ? argv[1] : "0"), .events = POLLIN}};
    nfds_t count = 1;
    char buf[512];

    for (;;) {
        if (poll(ready, count, -1) == -1)
            return 1;
        for (nfds_t i = count - 1; i >= 1; i--) {
            if (ready[i].revents == 0)
                continue;
            ssize_t got = read(ready[i].fd, buf, sizeof buf);
            for (nfds_t k = 1; got > 0 && k < count; k++)
                (void)!send(ready[k].fd, buf, (size_t)got, MSG_NOSIGNAL);
            if (got > 0)
                continue;
            close(ready[i].fd);
            ready[i] = ready[--count];
        }
        if (ready[0].revents != 0 && count <= MAX_CLIENTS)
            ready[count++] =
                (struct pollfd){.fd = accept(ready[0].fd, NULL, NULL), .events = POLLIN};
    }
}
