/*
 * tests/lib/peak.c - how much memory did a command need?
 *
 *   peak COMMAND [WORD]...
 *
 * Runs the command and then prints, as one more line on standard output, the
 * largest resident set in KiB of any single process that was waited for below
 * it. Exit status: the command's; 127 when it cannot be run, 2 for wrong usage.
 * Rests on getrusage(2), whose RUSAGE_CHILDREN counts grandchildren too.
 */
#define _XOPEN_SOURCE 700

#include <stdio.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct rusage usage;
    int status;

    if (argc < 2) {
        fprintf(stderr, "usage: peak COMMAND [WORD]...\n");
        return 2;
    }
    pid_t child = fork();
    if (child == 0) {
        execvp(argv[1], argv + 1);
        perror(argv[1]);
        _exit(127);
    }
    if (child == -1 || waitpid(child, &status, 0) == -1 ||
        getrusage(RUSAGE_CHILDREN, &usage) == -1) {
        perror("peak");
        return 127;
    }
    printf("%ld\n", usage.ru_maxrss);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
