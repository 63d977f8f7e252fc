/* errno.c - a handler whose waitpid finds no child, and says so in errno. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void on_sigchld(int sig)
{
    (void)sig;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
}

int main(void)
{
    struct sigaction act = {.sa_handler = on_sigchld, .sa_flags = SA_RESTART};

    sigaction(SIGCHLD, &act, NULL);
    if (fork() == 0)
        _exit(0);
    pause();
    return 0;
}
