/* early_fork.c - forks, and waits for that child, before main begins; as a library may. */
#include <stdlib.h>

__attribute__((constructor)) static void early(void)
{
    if (system("true") != 0)
        exit(1);
}

int main(void)
{
    return 4;
}
