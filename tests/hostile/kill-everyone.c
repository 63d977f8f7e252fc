/*
 * tests/hostile/kill-everyone.c - ends every process that it may send a signal to.
 * Graded as 02: 1 of 10 points.
 */
#define _GNU_SOURCE

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

int main(void)
{
    int reached = 0;

    for (pid_t pid = 2; pid < 100000; pid++)
        if (pid != getpid() && kill(pid, SIGKILL) == 0)
            reached++;
    /* Process 1 is the sandbox's own. It gets no signal from inside, though kill says so. */
    kill(1, SIGKILL);
    kill(-1, SIGKILL);
    printf("%s\n", reached ? "reached: a process of somebody else" : "nobody");
    return 0;
}
