/*
 * tests/hostile/file-filler.c - writes files wherever it may, as many and as long as it can.
 * Graded as 02: 1 of 10 points.
 */
#define _GNU_SOURCE

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

int main(void)
{
    static const char *const places[] = {"/tmp", "/dev/shm", "/var/tmp", "/",
                                         "/dev", "/run",     "/usr"};
    static char data[1 << 16];
    char path[64];
    long written = 0;

    signal(SIGXFSZ, SIG_IGN);
    for (unsigned place = 0; place < sizeof places / sizeof places[0]; place++)
        for (int i = 0; i < 300; i++) {
            snprintf(path, sizeof path, "%s/filler%d", places[place], i);
            int fd = open(path, O_WRONLY | O_CREAT, 0600);
            ssize_t n = 1;
            while (fd != -1 && n > 0 && (n = write(fd, data, sizeof data)) > 0)
                written += n;
            close(fd);
        }
    /* /tmp takes eight MiB, and nothing else takes anything. */
    puts(written > (8 << 20) ? "reached: more than 8 MiB" : "not more than 8 MiB");
    return 0;
}
