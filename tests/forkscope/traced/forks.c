/* forks.c - fork(); fork(); each process returns from main. */
#include <unistd.h>

static void twice(void)
{
    fork();
    fork();
}

int main(void)
{
    twice();
    return 0;
}
