/*
 * timers.c - the argument says which: "again" goes off three times; "late" is set for a second, and the
 * trace needs longer than that until somebody waits; "computing" does not run while one waits.
 */
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

static volatile sig_atomic_t count;

static void on_alarm(int sig)
{
    (void)sig;
    count++;
}

int main(int argc, char *argv[])
{
    const char *how = argc > 1 ? argv[1] : "";
    struct itimerval every = {{0, 300000}, {0, 300000}};

    signal(SIGALRM, on_alarm);
    if (strcmp(how, "again") == 0) {
        setitimer(ITIMER_REAL, &every, NULL);
        while (count < 3)
            pause();
    } else if (strcmp(how, "late") == 0) {
        alarm(1);
        for (int i = 0; i < 30000; i++)
            getppid();
        pause();
    } else {
        setitimer(ITIMER_VIRTUAL, &every, NULL);
        pause();
    }
    return count;
}
