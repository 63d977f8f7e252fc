/*
 * tests/hostile/many-errors.c - makes the compiler say a great deal.
 * Graded as 02: 0 of 10 points.
 */
#define Y0 a b;
#define Y1 Y0 Y0 Y0 Y0 Y0 Y0 Y0 Y0 Y0 Y0
#define Y2 Y1 Y1 Y1 Y1 Y1 Y1 Y1 Y1 Y1 Y1
#define Y3 Y2 Y2 Y2 Y2 Y2 Y2 Y2 Y2 Y2 Y2
#define Y4 Y3 Y3 Y3 Y3 Y3 Y3 Y3 Y3 Y3 Y3
#define Y5 Y4 Y4 Y4 Y4 Y4 Y4 Y4 Y4 Y4 Y4
#define Y6 Y5 Y5 Y5 Y5 Y5 Y5 Y5 Y5 Y5 Y5
#define Y7 Y6 Y6 Y6 Y6 Y6 Y6 Y6 Y6 Y6 Y6

Y7
