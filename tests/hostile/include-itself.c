/*
 * tests/hostile/include-itself.c - a text that has no end for the compiler.
 * Graded as 02: 0 of 10 points.
 */
#include "/dev/zero"
#include __FILE__
#include __FILE__

int main(void)
{
    return 0;
}
