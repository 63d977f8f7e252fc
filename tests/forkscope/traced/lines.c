/* lines.c - a line of a header of ours, one of a library's callback, and a function without a name. */
#include "net.h"

#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    /* The library called us, and we call it again. */
    close(dup(0));
    return *(const int *)a - *(const int *)b;
}

int main(int argc, char *argv[])
{
    int numbers[] = {2, 1};

    qsort(numbers, 2, sizeof numbers[0], compare);
    close(listener(argc > 1 ? argv[1] : "0"));
    return 0;
}
