/*
 * closed_peer.c - answers twice, although its client has gone. The argument says what it does about
 * that: "dies" nothing, SIGPIPE ends it; "goes-on" ignores errors; "stops" looks at them.
 */
#include "net.h"

#include <signal.h>
#include <string.h>

int main(int argc, char *argv[])
{
    const char *how = argc > 2 ? argv[2] : "";
    int listen_fd = listener(argc > 1 ? argv[1] : "0");
    char byte;

    if (strcmp(how, "dies") != 0)
        signal(SIGPIPE, SIG_IGN);
    for (;;) {
        int conn_fd = accept(listen_fd, NULL, NULL);
        if (read(conn_fd, &byte, 1) != 1)
            return 1;
        /* Waits until the client resets the connection. */
        while (read(conn_fd, &byte, 1) == 1)
            ;
        for (int i = 0; i < 3; i++)
            if (write(conn_fd, "x", 1) == -1 && strcmp(how, "stops") == 0)
                break;
        close(conn_fd);
    }
}
