/* wake.c - two children sleep in read; one write wakes both, and each must be held where it wakes. */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
    int pipes[2][2];
    char byte;

    for (int i = 0; i < 2; i++) {
        if (pipe(pipes[i]) == -1)
            return 1;
        if (fork() == 0) {
            close(pipes[i][1]);
            if (read(pipes[i][0], &byte, 1) != 1)
                _exit(1);
            _exit(read(pipes[i][0], &byte, 1) == 0 ? 0 : 2);
        }
    }
    for (int i = 0; i < 2; i++)
        if (write(pipes[i][1], "x", 1) != 1)
            return 1;
    /* The second child has inherited the first one's write end: end it first. */
    close(pipes[1][1]);
    wait(NULL);
    close(pipes[0][1]);
    wait(NULL);
    return 0;
}
