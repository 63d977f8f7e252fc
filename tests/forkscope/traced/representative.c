/*
 * representative.c - one open file description that goes from hand to hand. The descriptor by
 * which it was known first is closed, several times over; it stays the same object.
 */
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
    int first = open("/dev/null", O_RDWR), other = open("/dev/null", O_RDWR);

    if (first == -1 || other == -1)
        return 1;
    int second = dup(first);
    close(first);
    if (fork() == 0) {
        int third = dup(second);
        close(second);
        if (fork() == 0) {
            close(dup(third));
            _exit(0);
        }
        close(third);
        wait(NULL);
        _exit(0);
    }
    close(second);
    first = dup(other);
    wait(NULL);
    close(other);
    return 0;
}
