/* spawn.c - every way to make a process or a thread that is not plain fork. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void *in_a_thread(void *fd)
{
    close(*(int *)fd);
    return NULL;
}

static int in_a_clone(void *fd)
{
    close(*(int *)fd);
    return 7;
}

int main(void)
{
    static char stack[65536];
    char *words[] = {"true", NULL};
    pthread_t thread;
    pid_t child;
    int first = dup(0), second = dup(0), status = 0;

    if ((child = vfork()) == 0)
        _exit(4);
    waitpid(child, &status, 0);
    if (posix_spawn(&child, "/bin/true", NULL, NULL, words, environ) != 0)
        return 1;
    waitpid(child, &status, 0);
    if (system("exit 6") == -1)
        return 2;
    if (pthread_create(&thread, NULL, in_a_thread, &first) != 0)
        return 3;
    pthread_join(thread, NULL);
    /* It shares our descriptors: what it closes is closed here too. */
    child = clone(in_a_clone, stack + sizeof stack, CLONE_FILES | CLONE_VM | SIGCHLD, &second);
    waitpid(child, &status, 0);
    return WEXITSTATUS(status);
}
