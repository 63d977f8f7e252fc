/*
 * tests/hostile/busy-loop.c - works for ever and does nothing.
 * Graded as 02: 1 of 10 points.
 */
#define _GNU_SOURCE

int main(void)
{
    for (volatile unsigned long i = 0;; i++)
        continue;
}
