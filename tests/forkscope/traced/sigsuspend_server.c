/*
 * sigsuspend_server.c - the handler runs in sigsuspend only, so nothing can be half done when it
 * comes: it may call printf.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t left = 2;

static void on_sigchld(int sig)
{
    (void)sig;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        left--;
    printf("%d left\n", (int)left);
    fflush(stdout);
}

int main(void)
{
    struct sigaction act = {.sa_handler = on_sigchld};
    sigset_t chld, none;

    sigemptyset(&none);
    sigemptyset(&chld);
    sigaddset(&chld, SIGCHLD);
    sigprocmask(SIG_BLOCK, &chld, NULL);
    sigaction(SIGCHLD, &act, NULL);
    for (int i = 0; i < 2; i++)
        if (fork() == 0)
            _exit(0);
    while (left > 0)
        sigsuspend(&none);
    return 0;
}
