/*
 * undisturbed.c - signals that are ignored, by default or by choice, interrupt nothing. A traced
 * process wakes for them all the same, and must not notice.
 */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

static void on_usr1(int sig)
{
    (void)sig;
}

int main(void)
{
    struct sigaction act = {.sa_handler = on_usr1};
    int ends[2];
    char byte;

    signal(SIGUSR2, SIG_IGN);
    sigaction(SIGUSR1, &act, NULL);
    if (pipe(ends) == -1)
        return 1;
    if (fork() == 0) {
        kill(getppid(), SIGWINCH);
        kill(getppid(), SIGUSR2);
        kill(getppid(), SIGUSR1);
        kill(getppid(), SIGURG);
        _exit(write(ends[1], "x", 1) == 1 ? 0 : 1);
    }
    /* Only SIGUSR1 has a handler: one EINTR, not four. */
    int interrupted = 0;
    while (read(ends[0], &byte, 1) == -1 && errno == EINTR)
        interrupted++;
    return interrupted;
}
