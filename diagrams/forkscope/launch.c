/* launch.c - namespaces, exec, and the end of all children. */
#include "launch.h"
#include "proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd == -1)
        return;
    /* A refusal that matters shows right after: the loopback interface cannot be brought up. */
    if (write(fd, text, strlen(text)) == -1) {
        close(fd);
        return;
    }
    close(fd);
}

static bool loopback_up(void)
{
    struct ifreq request = {.ifr_name = "lo"};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool up = false;

    if (fd == -1)
        return false;
    if (ioctl(fd, SIOCGIFFLAGS, &request) == 0) {
        request.ifr_flags |= IFF_UP;
        up = ioctl(fd, SIOCSIFFLAGS, &request) == 0;
    }
    close(fd);
    return up;
}

/*
 * A FIN that had to be sent twice, as on a machine under load, is answered with a RST by a
 * kernel that has forgotten the connection, and by default a RST ends TIME_WAIT (RFC 1337).
 * Then the same run would show another state. Where the setting is refused, it stays rare.
 */
static void keep_time_wait(void)
{
    write_text("/proc/sys/net/ipv4/tcp_rfc1337", "1");
}

static bool enter_private_network(void)
{
    uid_t uid = getuid();
    gid_t gid = getgid();
    char map[64];

    if (unshare(CLONE_NEWNET) == 0) {
        keep_time_wait();
        return loopback_up();
    }
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) == -1)
        return false;
    write_text("/proc/self/setgroups", "deny");
    snprintf(map, sizeof map, "%u %u 1", uid, uid);
    write_text("/proc/self/uid_map", map);
    snprintf(map, sizeof map, "%u %u 1", gid, gid);
    write_text("/proc/self/gid_map", map);
    keep_time_wait();
    return loopback_up();
}

/*
 * There is no way back out of a namespace whose loopback cannot be brought up, as where
 * AppArmor takes the privileges of a new user namespace away. So a child tries it first.
 */
bool launch_private_network(void)
{
    int status;
    pid_t trial = fork();

    if (trial == 0)
        _exit(enter_private_network() ? 0 : 1);
    while (trial != -1 && waitpid(trial, &status, 0) == -1)
        if (errno != EINTR)
            return false;
    return trial != -1 && WIFEXITED(status) && WEXITSTATUS(status) == 0 && enter_private_network();
}

/* In the child: become the program. Only async-signal-safe calls; failure is told by errno. */
static void become(char *const argv[], int output, int report, int gate)
{
    sigset_t none;
    char go;
    int null = open("/dev/null", O_RDONLY);

    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* if we are killed, the program does not stay behind */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    /* The call itself: libc refuses to touch the two signals it keeps for threads. */
    static const unsigned long default_action[8];
    for (int sig = 1; sig < NSIG; sig++)
        syscall(SYS_rt_sigaction, sig, default_action, NULL, 8);
    if (null == -1 || dup2(null, 0) == -1 || dup2(output, 1) == -1 || dup2(output, 2) == -1 ||
        dup2(report, 3) == -1 || fcntl(3, F_SETFD, FD_CLOEXEC) == -1)
        _exit(127);
    /* The numbers below 4 are taken now, and gate lies above: see launch_program. */
    if (gate != -1) {
        personality(ADDR_NO_RANDOMIZE);
        while (read(gate, &go, 1) == -1 && errno == EINTR)
            ;
    }
    /* Whatever was open here must not show up in the program's descriptor table. */
    close_range(4, ~0U, 0);
    execvp(argv[0], argv);
    int why = errno;
    if (write(3, &why, sizeof why) == -1)
        _exit(126);
    _exit(127);
}

/* Give up on a program that was not started: close what there is, and return -1. */
static pid_t give_up(pid_t pid, int *ends, size_t count)
{
    int status;

    if (pid > 0)
        kill(pid, SIGKILL);
    /* One that is traced stops once more on its way out. */
    while (pid > 0 && waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status))
        ptrace(PTRACE_CONT, pid, NULL, NULL);
    for (size_t i = 0; i < count; i++)
        if (ends[i] != -1)
            close(ends[i]);
    return -1;
}

/* pipe2(2), with both ends above what become() overwrites. */
static int high_pipe(int *ends)
{
    int low[2];

    if (pipe2(low, O_CLOEXEC) == -1)
        return -1;
    for (int i = 0; i < 2; i++) {
        ends[i] = fcntl(low[i], F_DUPFD_CLOEXEC, 10);
        close(low[i]);
    }
    return ends[0] == -1 || ends[1] == -1 ? -1 : 0;
}

pid_t launch_program(char *const argv[], int (*seize)(pid_t pid, struct error *err), int *output,
                     struct error *err)
{
    enum { TEXT, TEXT_END, REPORT, REPORT_END, GATE, GATE_END, ENDS };
    int ends[ENDS] = {-1, -1, -1, -1, -1, -1}, why;

    prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (high_pipe(&ends[TEXT]) == -1 || high_pipe(&ends[REPORT]) == -1 ||
        (seize != NULL && high_pipe(&ends[GATE]) == -1)) {
        fail(err, "pipe: %s", strerror(errno));
        return give_up(0, ends, ENDS);
    }
    pid_t pid = fork();
    if (pid == 0) {
        /* Or the child would wait for ever at its own gate. */
        if (seize != NULL)
            close(ends[GATE_END]);
        become(argv, ends[TEXT_END], ends[REPORT_END], ends[GATE]);
    }
    if (pid == -1) {
        fail(err, "fork: %s", strerror(errno));
        return give_up(0, ends, ENDS);
    }
    setpgid(pid, pid);
    if (seize != NULL && seize(pid, err) == -1)
        return give_up(pid, ends, ENDS);
    for (int i = 0; i < ENDS; i++)
        if (i != TEXT && i != REPORT && ends[i] != -1) {
            close(ends[i]); /* the gate opens with its end */
            ends[i] = -1;
        }
    /* The report pipe closes by itself when exec succeeds. */
    ssize_t got = read(ends[REPORT], &why, sizeof why);
    close(ends[REPORT]);
    ends[REPORT] = -1;
    if (got == (ssize_t)sizeof why) {
        fail(err, "%s: %s", argv[0], strerror(why));
        return give_up(pid, ends, ENDS);
    }
    fcntl(ends[TEXT], F_SETFL, O_NONBLOCK);
    *output = ends[TEXT];
    return pid;
}

/* One that is traced stops once more on its way out, in each of its threads: ptrace(2). */
static void let_threads_end(pid_t pid)
{
    char path[32];
    const struct dirent *entry;

    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *dir = opendir(path);
    while (dir != NULL && (entry = readdir(dir)) != NULL)
        (void)ptrace(PTRACE_CONT, (pid_t)strtol(entry->d_name, NULL, 10), NULL, NULL);
    if (dir != NULL)
        closedir(dir);
}

void launch_end_all(void)
{
    int status;

    /* A killed parent hands its children to us, so another round finds those. */
    for (;;) {
        struct pid_list children = {0};
        if (proc_children(getpid(), 1, &children) == -1 || children.count == 0) {
            free(children.items);
            return;
        }
        for (size_t i = 0; i < children.count; i++)
            kill(children.items[i], SIGKILL);
        for (size_t i = 0; i < children.count; i++)
            let_threads_end(children.items[i]);
        free(children.items);
        pid_t pid = waitpid(-1, &status, __WALL);
        if (pid == -1 && errno != EINTR)
            return;
        if (pid > 0 && WIFSTOPPED(status))
            ptrace(PTRACE_CONT, pid, NULL, NULL);
    }
}
