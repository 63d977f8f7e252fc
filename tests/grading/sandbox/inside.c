/*
 * inside.c - process 1 of the sandbox.
 *
 * It sets the limits, starts the program as its child, and then only waits: for the
 * program, and for whatever is left behind by it, which the kernel gives to process 1.
 * So the sandbox lives as long as anything in it does, also when the server has become
 * a daemon or its parent was killed. Signals from inside do not reach process 1
 * (pid_namespaces(7)); it is not dumpable, so that nothing inside can trace it.
 */
#define _GNU_SOURCE

#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

void limits_write(const struct limits *l, char *text)
{
    sprintf(text, "%ld,%ld,%ld,%ld,%ld,%ld,%ld,%ld", l->processes, l->memory_mib, l->total_mib,
            l->cpu_seconds, l->file_kib, l->descriptors, l->wall_seconds, l->output_kib);
}

int limits_read(struct limits *l, const char *text)
{
    return sscanf(text, "%ld,%ld,%ld,%ld,%ld,%ld,%ld,%ld", &l->processes, &l->memory_mib,
                  &l->total_mib, &l->cpu_seconds, &l->file_kib, &l->descriptors, &l->wall_seconds,
                  &l->output_kib) == 8
               ? 0
               : -1;
}

static int limit(__rlimit_resource_t resource, rlim_t soft, rlim_t hard)
{
    struct rlimit old, both = {.rlim_cur = soft, .rlim_max = hard};

    /* Where this machine's own is lower it holds: only root may raise it, setrlimit(2). */
    if (getrlimit(resource, &old) == 0 && old.rlim_max < hard)
        both.rlim_max = old.rlim_max;
    if (both.rlim_cur > both.rlim_max)
        both.rlim_cur = both.rlim_max;
    return setrlimit(resource, &both);
}

static int limit_all(const struct limits *l)
{
    rlim_t memory = (rlim_t)l->memory_mib << 20;

    return limit(RLIMIT_STACK, 8 << 20, 8 << 20) == -1 || limit(RLIMIT_AS, memory, memory) == -1 ||
                   limit(RLIMIT_CORE, 0, 0) == -1 ||
                   limit(RLIMIT_CPU, (rlim_t)l->cpu_seconds, (rlim_t)l->cpu_seconds + 1) == -1 ||
                   limit(RLIMIT_FSIZE, (rlim_t)l->file_kib << 10, (rlim_t)l->file_kib << 10) ==
                       -1 ||
                   limit(RLIMIT_NOFILE, (rlim_t)l->descriptors, (rlim_t)l->descriptors) == -1 ||
                   limit(RLIMIT_MSGQUEUE, 0, 0) == -1 || limit(RLIMIT_MEMLOCK, 0, 0) == -1 ||
                   limit(RLIMIT_NPROC, (rlim_t)l->processes, (rlim_t)l->processes) == -1
               ? -1
               : 0;
}

/* The child: an own session, default signals, the limits, then the program. */
static _Noreturn void start(const struct limits *limits, char **argv)
{
    sigset_t none;

    setsid();
    for (int sig = 1; sig < NSIG; sig++)
        signal(sig, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (limit_all(limits) == -1)
        dprintf(INSIDE_REPORT, "failed limits: %s\n", strerror(errno));
    else {
        fcntl(INSIDE_REPORT, F_SETFD, FD_CLOEXEC);
        execvp(argv[0], argv);
        dprintf(INSIDE_REPORT, "failed %s: %s\n", argv[0], strerror(errno));
    }
    _exit(127);
}

/* Of so many it is told how they ended: a report is read again and again. */
enum { MAX_TOLD = 1000 };

/* Without a sandbox nothing ends with us: end every descendant, again until none is left. */
static void end_descendants(void)
{
    struct census census;

    while (census_take(&census, getpid()) == 0 && census.count > 0) {
        for (size_t i = 0; i < census.count; i++)
            kill(census.member[i].pid, SIGKILL);
        census_free(&census);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            continue;
    }
}

static void on_sigterm(int sig)
{
    (void)sig;
    end_descendants();
    _exit(0);
}

/* How a child of ours ended: "PREFIX exit N" or "PREFIX signal N". */
static void report_end(const char *prefix, int status)
{
    if (WIFEXITED(status))
        dprintf(INSIDE_REPORT, "%s exit %d\n", prefix, WEXITSTATUS(status));
    else
        dprintf(INSIDE_REPORT, "%s signal %d\n", prefix, WTERMSIG(status));
}

int inside_run(const struct limits *limits, int unsandboxed, char **argv)
{
    int status, told = 0;
    pid_t pid, done;

    if (unsandboxed) {
        /* What bwrap does otherwise: be the one that orphans come to. */
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        signal(SIGTERM, on_sigterm);
    }
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    pid = fork();
    if (pid == -1) {
        dprintf(INSIDE_REPORT, "failed fork: %s\n", strerror(errno));
        return 1;
    }
    if (pid == 0)
        start(limits, argv);
    /* The program's output ends when the program has ended: hold nothing of it. */
    close(STDOUT_FILENO);
    close(STDERR_FILENO);
    while ((done = waitpid(-1, &status, 0)) > 0 || errno == EINTR) {
        if (told++ < MAX_TOLD) {
            char prefix[32];
            snprintf(prefix, sizeof prefix, "left %d", (int)done);
            report_end(prefix, status);
        }
        if (done == pid)
            report_end("ended", status);
    }
    return 0;
}
