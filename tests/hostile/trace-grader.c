/*
 * tests/hostile/trace-grader.c - takes over every process that it may trace, and gets privileges where it can.
 * Graded as 02: 1 of 10 points.
 */
#define _GNU_SOURCE

#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <unistd.h>

int main(void)
{
    for (pid_t pid = 1; pid < 32768; pid++)
        if (pid != getpid() && ptrace(PTRACE_ATTACH, pid, NULL, NULL) == 0)
            printf("reached: process %d\n", (int)pid);
    if (unshare(CLONE_NEWUSER) == 0)
        puts("reached: a user namespace, and root in it");
    if (setuid(0) == 0)
        puts("reached: root");
    if (mount("none", "/tmp", "tmpfs", 0, NULL) == 0)
        puts("reached: mount");
    if (sethostname("mine", 4) == 0)
        puts("reached: the name of the machine");
    return 0;
}
