/* pipe_leak.c - the parent forgets its write end, so the reader never gets end of file. */
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
    int ends[2];
    char byte;

    if (pipe(ends) == -1)
        return 1;
    if (fork() == 0) {
        close(ends[0]);
        _exit(write(ends[1], "x", 1) == 1 ? 0 : 1);
    }
    if (fork() == 0) {
        close(ends[1]);
        while (read(ends[0], &byte, 1) > 0)
            ;
        _exit(0);
    }
    close(ends[0]);
    while (wait(NULL) > 0)
        ;
    return 0;
}
