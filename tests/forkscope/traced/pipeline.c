/* pipeline.c - echo | wc | cat, as a shell does it: pipe, fork, dup2, close, exec. */
#include <sys/wait.h>
#include <unistd.h>

static void run(int in, int out, const int unused[2], char *const words[])
{
    if (fork() != 0)
        return;
    if (in != STDIN_FILENO) {
        dup2(in, STDIN_FILENO);
        close(in);
    }
    if (out != STDOUT_FILENO) {
        dup2(out, STDOUT_FILENO);
        close(out);
    }
    for (int i = 0; unused != NULL && i < 2; i++)
        if (unused[i] > 2 && unused[i] != in && unused[i] != out)
            close(unused[i]);
    execv(words[0], words);
    _exit(127);
}

int main(void)
{
    int one[2], two[2];

    if (pipe(one) == -1)
        return 1;
    run(STDIN_FILENO, one[1], one, (char *[]){"/bin/echo", "one two", NULL});
    close(one[1]);
    if (pipe(two) == -1)
        return 1;
    run(one[0], two[1], two, (char *[]){"/usr/bin/wc", "-w", NULL});
    close(one[0]);
    close(two[1]);
    run(two[0], STDOUT_FILENO, NULL, (char *[]){"/bin/cat", NULL});
    close(two[0]);
    while (wait(NULL) > 0)
        ;
    return 0;
}
