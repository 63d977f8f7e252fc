/*
 * tests/hostile/huge-array.c - a program file of two gigabytes.
 * Graded as 02: 0 of 10 points.
 */
static char huge[1UL << 31] = {1};

int main(void)
{
    return huge[12345];
}
