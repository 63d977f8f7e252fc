/*
 * thread_exec.c - execve(2) ends all other threads and waits until they have ended. The argument says
 * which thread does it: "first", or "other", which then becomes the first.
 */
#include <pthread.h>
#include <string.h>
#include <unistd.h>

static void *again(void *unused)
{
    execl("/proc/self/exe", "again", (char *)NULL);
    return unused;
}

static void *sleeper(void *unused)
{
    pause();
    return unused;
}

int main(int argc, char *argv[])
{
    pthread_t thread;

    if (argc < 2)
        return 3;
    if (pthread_create(&thread, NULL, sleeper, NULL) != 0)
        return 1;
    if (strcmp(argv[1], "first") == 0)
        again(NULL);
    else if (pthread_create(&thread, NULL, again, NULL) == 0)
        pthread_join(thread, NULL);
    return 2;
}
