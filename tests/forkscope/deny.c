/*
 * tests/forkscope/deny.c - run a program to which the kernel refuses some calls.
 *
 *   deny EPERM|ENOSYS|PTRACE PROGRAM [ARGUMENT...]
 *
 * kcmp(2) and pidfd_getfd(2) fail with that error, as under the seccomp filter of a
 * container, where other calls work as ever. PTRACE: instead ptrace(2) fails, with EPERM.
 * seccomp(2), raw BPF.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char *argv[])
{
    bool no_ptrace = argc > 1 && strcmp(argv[1], "PTRACE") == 0;

    if (argc < 3 ||
        (!no_ptrace && strcmp(argv[1], "EPERM") != 0 && strcmp(argv[1], "ENOSYS") != 0)) {
        fputs("usage: deny EPERM|ENOSYS|PTRACE PROGRAM [ARGUMENT...]\n", stderr);
        return 2;
    }
    unsigned error = strcmp(argv[1], "ENOSYS") == 0 ? ENOSYS : EPERM;
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, no_ptrace ? SYS_ptrace : SYS_kcmp, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, no_ptrace ? SYS_ptrace : SYS_pidfd_getfd, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof filter[0], .filter = filter};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == -1) {
        fprintf(stderr, "deny: seccomp: %s\n", strerror(errno));
        return 1;
    }
    execvp(argv[2], argv + 2);
    fprintf(stderr, "deny: %s: %s\n", argv[2], strerror(errno));
    return 1;
}
