/* zombie.c - a child ends and nobody waits. */
#include <unistd.h>

int main(void)
{
    if (fork() == 0)
        _exit(3);
    pause();
    return 0;
}
