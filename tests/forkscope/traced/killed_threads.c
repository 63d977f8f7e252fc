/* killed_threads.c - a process of three threads is killed by its parent, while all of them wait. */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void *sleeper(void *unused)
{
    pause();
    return unused;
}

int main(void)
{
    int ready[2], status;
    char byte;

    if (pipe(ready) == -1)
        return 1;
    pid_t child = fork();
    if (child == 0) {
        pthread_t thread;
        for (int i = 0; i < 2; i++)
            if (pthread_create(&thread, NULL, sleeper, NULL) != 0)
                _exit(1);
        if (write(ready[1], "x", 1) == 1)
            pause();
        _exit(2);
    }
    if (read(ready[0], &byte, 1) != 1 || kill(child, SIGKILL) == -1 ||
        waitpid(child, &status, 0) != child)
        return 2;
    return WIFSIGNALED(status) ? WTERMSIG(status) : 3;
}
