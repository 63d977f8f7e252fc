/*
 * tests/hostile/endless-output.c - prints for ever.
 * Graded as 02: 1 of 10 points, limit output.
 */
#define _GNU_SOURCE

#include <unistd.h>

int main(void)
{
    for (;;)
        if (write(1, "all work and no play\n", 21) == -1)
            return 1;
}
