/*
 * tests/hostile/include-shadow.c - lets the compiler read files that it prints in its errors.
 * Graded as 02: 0 of 10 points.
 */
#include "/etc/shadow"
#include "/etc/passwd"
#include "/etc/hostname"
#include "../../tests/grading/02-one-at-a-time.bats"

int main(void)
{
    return 0;
}
