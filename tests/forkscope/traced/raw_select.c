/* raw_select.c - the call select(2) takes microseconds, where pselect(2) takes nanoseconds. */
#include <poll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
    struct timeval longer = {.tv_usec = 900000};

    if (fork() == 0) {
        poll(NULL, 0, 100);
        _exit(0);
    }
#ifdef SYS_select
    syscall(SYS_select, 0, NULL, NULL, NULL, &longer);
#else
    select(0, NULL, NULL, NULL, &longer);
#endif
    wait(NULL);
    return 0;
}
