/*
 * brief.c - it waits for a microsecond only, and its child has something to say. Time stands still
 * while anyone can go on: however busy the machine is, the child comes first; then nobody comes.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const struct timespec brief = {.tv_nsec = 1000};
static sigset_t told;

/* Wait in one of several ways for a byte in pipe `fd`; 0 when the time is over. */
static int wait_for(int way, int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    struct epoll_event event = {.events = EPOLLIN};
    struct timeval value = {.tv_usec = 1};
    fd_set set;

    FD_ZERO(&set);
    FD_SET(fd, &set);
    switch (way) {
    case 0:
        return select(fd + 1, &set, NULL, NULL, &value) + FD_ISSET(fd, &set) - 1;
    case 1:
        return pselect(fd + 1, &set, NULL, NULL, &brief, NULL) + FD_ISSET(fd, &set) - 1;
    case 2:
        return poll(&p, 1, 1);
    case 3:
        return ppoll(&p, 1, &brief, NULL);
    case 4: {
        int epoll_fd = epoll_create1(0);
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
        int count = epoll_wait(epoll_fd, &event, 1, 1);
        close(epoll_fd);
        return count;
    }
    default:
        return sigtimedwait(&told, NULL, &brief) == SIGUSR1;
    }
}

int main(void)
{
    int fds[2];
    char byte;

    sigemptyset(&told);
    sigaddset(&told, SIGUSR1);
    sigprocmask(SIG_BLOCK, &told, NULL);
    if (pipe(fds) == -1)
        return 1;
    for (int way = 0; way < 6; way++) {
        pid_t pid = fork();
        if (pid == 0) {
            kill(getppid(), SIGUSR1);
            _exit(write(fds[1], "x", 1) != 1);
        }
        int first = wait_for(way, fds[0]);
        if (read(fds[0], &byte, 1) != 1)
            return 1;
        waitpid(pid, NULL, 0);
        if (way < 5)
            sigtimedwait(&told, NULL, &brief);
        printf("way %d: %d\n", way, first);
    }
    nanosleep(&brief, NULL);
    return wait_for(2, fds[0]);
}
