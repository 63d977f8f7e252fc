/* threads.c - a thread for every client, in one process with one table of descriptors. */
#include "net.h"

#include <pthread.h>

static void *serve(void *fd)
{
    echo(*(int *)fd);
    close(*(int *)fd);
    free(fd);
    return NULL;
}

int main(int argc, char *argv[])
{
    int listen_fd = listener(argc > 1 ? argv[1] : "0");

    for (;;) {
        pthread_t thread;
        int *fd = malloc(sizeof *fd);
        if (fd == NULL || (*fd = accept(listen_fd, NULL, NULL)) == -1 ||
            pthread_create(&thread, NULL, serve, fd) != 0)
            return 1;
        pthread_detach(thread);
    }
}
