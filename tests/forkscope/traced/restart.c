/* restart.c - read is interrupted by a handler: with SA_RESTART (an argument) it goes on by itself. */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

static void on_signal(int sig)
{
    (void)sig;
}

int main(int argc, char *argv[])
{
    struct sigaction act = {.sa_handler = on_signal};
    int ends[2];
    char byte;

    (void)argv;
    act.sa_flags = argc > 1 ? SA_RESTART : 0;
    sigaction(SIGUSR1, &act, NULL);
    if (pipe(ends) == -1)
        return 1;
    if (fork() == 0) {
        kill(getppid(), SIGUSR1);
        _exit(write(ends[1], "x", 1) == 1 ? 0 : 1);
    }
    int interrupted = 0;
    while (read(ends[0], &byte, 1) == -1 && errno == EINTR)
        interrupted++;
    return 10 + interrupted;
}
