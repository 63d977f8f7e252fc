/*
 * tests/lib/fault.c - run a program whose accept or fork fails when a test wants it.
 *
 *   fault DIRECTORY PROGRAM [WORD]...
 *
 * As long as the file DIRECTORY/accept (or DIRECTORY/fork) holds the name of an
 * error, ENFILE say, that call fails with it; when the file is gone or empty,
 * the kernel answers as usual. With the word SLOW in it the call takes a tenth of
 * a second longer and succeeds, as on a slow machine. Each call that was made to
 * fail, or slow, adds one byte to DIRECTORY/accept.count (or fork.count). Works for
 * static programs too, and the program keeps the pid of this one.
 *
 * Rests on seccomp_unotify(2): a helper process, no child of the program, is
 * asked by the kernel about these calls. It ends with the program and its
 * children. Exit status 77: this system does not allow it.
 */
#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SLOW = -1 }; /* no error */

static const struct {
    const char *name;
    int number;
} errors[] = {
    {"SLOW", SLOW},
    {"EMFILE", EMFILE},
    {"ENFILE", ENFILE},
    {"ENOBUFS", ENOBUFS},
    {"ENOMEM", ENOMEM},
    {"EAGAIN", EAGAIN},
    {"ECONNABORTED", ECONNABORTED},
    {"EPROTO", EPROTO},
    {"EHOSTUNREACH", EHOSTUNREACH},
    {"EPERM", EPERM},
    {"EINTR", EINTR},
    {"EINVAL", EINVAL},
};

static _Noreturn void refuse(const char *call)
{
    fprintf(stderr, "fault: %s: %s\n", call, strerror(errno));
    _exit(77);
}

/* The error that DIRECTORY/CALL asks for, or 0. */
static int wanted_error(const char *call)
{
    char text[32];
    int fd = open(call, O_RDONLY);
    if (fd == -1)
        return 0;
    ssize_t size = read(fd, text, sizeof text - 1);
    close(fd);
    if (size <= 0)
        return 0;
    text[size] = '\0';
    text[strcspn(text, "\n")] = '\0';
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        if (strcmp(errors[i].name, text) == 0)
            return errors[i].number;
    }
    return 0;
}

static void count_failure(const char *path)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT, 0666);
    if (fd == -1 || write(fd, "x", 1) != 1)
        perror("fault: count");
    if (fd != -1)
        close(fd);
}

/* Answer the kernel's questions until nobody is left who could ask. */
static _Noreturn void supervise(int listener)
{
    for (;;) {
        struct pollfd p = {.fd = listener, .events = POLLIN};
        struct seccomp_notif ask;
        struct seccomp_notif_resp answer;

        if (poll(&p, 1, -1) == -1 && errno != EINTR)
            _exit(1);
        if (p.revents & POLLHUP)
            _exit(0);
        memset(&ask, 0, sizeof ask);
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &ask) == -1)
            continue; /* it was killed meanwhile */
        int is_accept = ask.data.nr == SYS_accept || ask.data.nr == SYS_accept4;
        int error = wanted_error(is_accept ? "accept" : "fork");
        memset(&answer, 0, sizeof answer);
        answer.id = ask.id;
        if (error == SLOW)
            poll(NULL, 0, 100);
        if (error == 0 || error == SLOW)
            answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
        else
            answer.error = -error;
        if (error != 0)
            count_failure(is_accept ? "accept.count" : "fork.count");
        ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
    }
}

/* Ask about these calls from here on; the descriptor that the questions come to. */
static int install_filter(void)
{
    static const unsigned calls[] = {
        SYS_accept, SYS_accept4, SYS_clone, SYS_clone3,
#ifdef SYS_fork
        SYS_fork,
#endif
    };
    enum { CALLS = sizeof calls / sizeof calls[0] };
    struct sock_filter code[CALLS + 3];
    struct sock_fprog program = {.len = CALLS + 3, .filter = code};

    code[0] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (unsigned i = 0; i < CALLS; i++)
        code[1 + i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i],
                                                   (unsigned char)(CALLS - i), 0);
    code[CALLS + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[CALLS + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
        refuse("prctl");
    int listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                                SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
    if (listener == -1)
        refuse("seccomp");
    return listener;
}

int main(int argc, char *argv[])
{
    int number[2], taken[2], listener;

    if (argc < 3) {
        fputs("usage: fault DIRECTORY PROGRAM [WORD]...\n", stderr);
        exit(2);
    }
    if (pipe(number) == -1 || pipe(taken) == -1)
        refuse("pipe");
    /*
     * The helper shares our table of descriptors (CLONE_FILES), so that it sees
     * the one the filter gives us, and has no parent that could meet its end.
     */
    pid_t middle = (pid_t)syscall(SYS_clone, (unsigned long)(CLONE_FILES | SIGCHLD), 0, 0, 0, 0);
    if (middle == -1)
        refuse("clone");
    if (middle == 0) {
        pid_t helper =
            (pid_t)syscall(SYS_clone, (unsigned long)(CLONE_FILES | SIGCHLD), 0, 0, 0, 0);
        if (helper != 0)
            _exit(helper == -1);
        /* The end of the pipe says nothing: the program, too, could still write into it. */
        if (read(number[0], &listener, sizeof listener) != sizeof listener ||
            unshare(CLONE_FILES) == -1 || chdir(argv[1]) == -1) {
            perror("fault: helper");
            _exit(write(taken[1], "f", 1) == 1);
        }
        if (write(taken[1], "t", 1) != 1)
            _exit(1);
        /* What is left open here would keep files and pipes of the test alive. */
        for (int fd = 0; fd < 64; fd++) {
            if (fd != listener && fd != STDERR_FILENO)
                close(fd);
        }
        supervise(listener);
    }

    char c = 'f';
    int status;
    if (waitpid(middle, &status, 0) != middle || status != 0) {
        fputs("fault: the helper could not be started\n", stderr);
        _exit(77);
    }
    listener = install_filter();
    if (write(number[1], &listener, sizeof listener) != sizeof listener ||
        read(taken[0], &c, 1) != 1)
        refuse("helper");
    /* It has said why. */
    if (c != 't')
        _exit(77);
    close(listener);
    close(number[0]);
    close(number[1]);
    close(taken[0]);
    close(taken[1]);
    execvp(argv[2], argv + 2);
    refuse("exec");
}
