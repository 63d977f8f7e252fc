/*
 * tests/hostile/shared-memory-hog.c - the same with memory that children share, and files in memory.
 * Graded as 02: 1 of 10 points.
 */
#define _GNU_SOURCE

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int main(void)
{
    for (int i = 0; i < 1000; i++) {
        int fd = memfd_create("hog", 0);
        char *more = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (fd != -1 && ftruncate(fd, 1 << 20) == 0 && more != MAP_FAILED)
            memset(more, 1, 1 << 20);
    }
    pause();
    return 0;
}
