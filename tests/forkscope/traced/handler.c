/* handler.c - a handler in a handler; each calls a function of its own. */
#include <signal.h>
#include <unistd.h>

static void note(const char *text)
{
    if (write(STDOUT_FILENO, text, 1) != 1)
        _exit(1);
}

static void on_usr2(int sig)
{
    (void)sig;
    note("2");
}

static void on_usr1(int sig)
{
    (void)sig;
    note("1");
    raise(SIGUSR2);
}

int main(void)
{
    struct sigaction first = {.sa_handler = on_usr1}, second = {.sa_handler = on_usr2};

    sigaction(SIGUSR1, &first, NULL);
    sigaction(SIGUSR2, &second, NULL);
    raise(SIGUSR1);
    note("0");
    return 0;
}
