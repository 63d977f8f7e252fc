/* ignore.c - SIGCHLD is ignored: the kernel reaps the children itself, and no zombie is ever there. */
#include <signal.h>
#include <unistd.h>

int main(void)
{
    signal(SIGCHLD, SIG_IGN);
    if (fork() == 0)
        _exit(3);
    pause();
    return 0;
}
