/* parting.c - answers, and closes with bytes unread: its client gets a line, and then a reset. */
#include "net.h"

int main(int argc, char *argv[])
{
    int listen_fd = listener(argc > 1 ? argv[1] : "0");
    int conn_fd = accept(listen_fd, NULL, NULL);
    char byte;

    if (read(conn_fd, &byte, 1) != 1 || write(conn_fd, "bye\n", 4) != 4)
        return 1;
    close(conn_fd);
    return 0;
}
