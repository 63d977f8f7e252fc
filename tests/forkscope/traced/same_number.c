/* same_number.c - a child gets the number of one that has ended before, and has a child itself. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
    pid_t first = fork();
    if (first == 0)
        _exit(0);
    waitpid(first, NULL, 0);

    /* The kernel gives the next process the number after this one: pid_namespaces(7). */
    FILE *last = fopen("/proc/sys/kernel/ns_last_pid", "w");
    if (last == NULL || fprintf(last, "%d", (int)first - 1) < 0 || fclose(last) == EOF)
        return 2;
    pid_t second = fork();
    if (second == 0) {
        if (fork() == 0)
            _exit(0);
        wait(NULL);
        _exit(0);
    }
    waitpid(second, NULL, 0);
    return second == first ? 0 : 3;
}
