/*
 * tests/hostile/exit-at-once.c - says that all is well, and ends.
 * Graded as 02: 1 of 10 points.
 */
#define _GNU_SOURCE

int main(void)
{
    return 0;
}
