/* signalfd_server.c - SIGCHLD is read from a descriptor, in one loop with the clients that come. */
#include "net.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

int main(int argc, char *argv[])
{
    int listen_fd = listener(argc > 1 ? argv[1] : "0");
    sigset_t chld;

    sigemptyset(&chld);
    sigaddset(&chld, SIGCHLD);
    sigprocmask(SIG_BLOCK, &chld, NULL);
    int signal_fd = signalfd(-1, &chld, SFD_CLOEXEC);
    for (;;) {
        struct pollfd ready[] = {{.fd = listen_fd, .events = POLLIN},
                                 {.fd = signal_fd, .events = POLLIN}};
        struct signalfd_siginfo info;
        if (poll(ready, 2, -1) == -1)
            return 1;
        if (ready[1].revents != 0 && read(signal_fd, &info, sizeof info) > 0)
            while (waitpid(-1, NULL, WNOHANG) > 0)
                ;
        if (ready[0].revents == 0)
            continue;
        int conn_fd = accept(listen_fd, NULL, NULL);
        if (fork() == 0) {
            close(listen_fd);
            close(signal_fd);
            echo(conn_fd);
            _exit(0);
        }
        close(conn_fd);
    }
}
