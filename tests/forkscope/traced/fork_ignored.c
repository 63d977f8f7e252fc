/*
 * fork_ignored.c - fork works once, then no more, and nobody looks. How it goes on is the argument:
 * "child" takes -1 for a child, "wait" waits for one, "kill" sends it a signal, "checked" is right.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* From here on every fork fails with EAGAIN, as when there are too many processes. */
static void no_more_forks(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAGAIN),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof filter[0], .filter = filter};

    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

int main(int argc, char *argv[])
{
    const char *how = argc > 1 ? argv[1] : "";

    for (int i = 0; i < 2; i++) {
        pid_t child = fork();
        if (child == 0 || (child == -1 && strcmp(how, "child") == 0)) {
            close(dup(0));
            _exit(0);
        }
        if (child == -1 && strcmp(how, "checked") == 0)
            _exit(write(STDERR_FILENO, "fork failed\n", 12) == 12 ? 1 : 2);
        /* Of -1 it would reach everybody. Signal 0 does nothing, so that we may try it. */
        if (strcmp(how, "kill") == 0)
            kill(child, 0);
        wait(NULL);
        no_more_forks();
    }
    return 0;
}
