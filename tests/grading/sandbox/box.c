/*
 * box.c - the supervisor: start bwrap, keep the output, end everything.
 *
 * Report lines, each written whole, so that a reader sees a line or does not:
 *
 *   started PID NAMESPACE      init's pid as seen out here, its pid namespace's inode
 *   left PID exit N | signal N the program itself, or an orphan; PID is the one inside
 *   ended exit N | signal N    the program itself; its children may live on
 *   limit processes | memory | time | output | cpu     reached, each said once
 *   failed WHAT: WHY           the program could not be started; failed output: what it wrote, or a
 *                              line of this report, could not be kept
 *   over                       nothing of it exists any more; the last line
 */
#define _GNU_SOURCE

#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_EVERY_MS = 200, FIRST_FILE = 20 };

/* What the loop below watches. */
struct watch {
    const struct box *box;
    int report, ended;  /* the report file; a pipe from init */
    int from[2], to[2]; /* stdout and stderr: pipe and file */
    long kept[2];       /* bytes still to be kept of each */
    pid_t bwrap, init;
    int lost;      /* something that was to be written is not */
    unsigned said; /* a bit for each limit that was reported */
};

static int complain(const char *what)
{
    fprintf(stderr, "sandbox: %s: %s\n", what, strerror(errno));
    return -1;
}

/* A disk that is full takes a part, and refuses the rest: write(2). */
static int write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t put = write(fd, data, size);
        if (put == -1)
            return -1;
        data += put;
        size -= (size_t)put;
    }
    return 0;
}

static void say(struct watch *w, const char *line)
{
    /* The report cannot tell when this fails: the reader's deadline does, and our status. */
    if (w->report != -1 && write_all(w->report, line, strlen(line)) == -1)
        w->lost = 1;
}

/* What was to be kept is lost, and whoever judged by the rest would judge wrong. */
static void say_lost(struct watch *w)
{
    char line[128];

    if (!w->lost) {
        snprintf(line, sizeof line, "failed output: %s\n", strerror(errno));
        w->lost = 1;
        say(w, line);
    }
}

static void say_limit(struct watch *w, const char *name)
{
    static const char *const names[] = {"processes", "memory", "time", "output", "cpu"};
    char line[32];

    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], name) != 0 || (w->said >> i & 1) != 0)
            continue;
        w->said |= 1U << i;
        snprintf(line, sizeof line, "limit %s\n", name);
        say(w, line);
    }
}

/* ---- in the child that becomes bwrap ---- */

/* Word by word, so that the list can be read as one. */
struct words {
    char *word[160];
    size_t count;
};

static void add(struct words *words, const char *text)
{
    if (words->count + 1 < sizeof words->word / sizeof words->word[0])
        words->word[words->count++] = strdup(text);
}

static void add_all(struct words *words, const char *const *list)
{
    for (; *list != NULL; list++)
        add(words, *list);
}

/* Read-only, where this system has it; a link stays a link (/lib -> usr/lib). */
static void add_system(struct words *words, const char *path)
{
    char target[256];
    ssize_t size = readlink(path, target, sizeof target - 1);

    if (size > 0) {
        target[size] = '\0';
        add_all(words, (const char *const[]){"--symlink", target, path, NULL});
    } else {
        add_all(words, (const char *const[]){"--ro-bind-try", path, path, NULL});
    }
}

/* Empty inside. A link may lead anywhere, and what it leads to is seen or not seen by itself. */
static void hide(struct words *words, const char *path)
{
    struct stat status;

    if (lstat(path, &status) == 0 && S_ISDIR(status.st_mode))
        add_all(words, (const char *const[]){"--tmpfs", path, "--remount-ro", path, NULL});
}

static void make_command(const struct box *box, struct words *words, int info_fd)
{
    static const char *const system[] = {"/usr", "/lib", "/lib64", "/lib32", "/bin", "/sbin"};
    /*
     * Locally installed things, and the sources that somebody keeps here, the lab's perhaps, are no
     * part of the system that a server or the compiler needs. Both lists are also in ../check.
     */
    static const char *const hidden[] = {"/usr/local", "/usr/src"};
    static const char *const fixed[] = {
        "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try",
        "--disable-userns", "--die-with-parent", "--new-session", "--as-pid-1", "--uid", "65534",
        "--gid", "65534", "--hostname", "sandbox", "--clearenv", "--setenv", "PATH",
        "/usr/bin:/bin", "--setenv", "LC_ALL", "C.UTF-8", "--setenv", "HOME", "/tmp", "--proc",
        "/proc", "--dev", "/dev", "--remount-ro", "/dev", "--size", "8388608", "--tmpfs", "/tmp",
        /* Locally installed things are no part of the system that a server needs. */
        "--tmpfs", "/usr/local", "--remount-ro", "/usr/local",
        /* The linker's cache and the choice of compiler; nothing else of /etc. */
        "--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache", "--ro-bind-try",
        "/etc/alternatives", "/etc/alternatives", NULL};
    char number[24], limits[160];

    add(words, "bwrap");
    for (size_t i = 0; i < sizeof system / sizeof system[0]; i++)
        add_system(words, system[i]);
    add_all(words, fixed);
    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++)
        hide(words, hidden[i]);
    /* So that what is left running, if ever, can be told to be of this run. */
    const char *mark = getenv("FORKLAB_RUN");
    if (mark != NULL)
        add_all(words, (const char *const[]){"--setenv", "FORKLAB_RUN", mark, NULL});
    for (int i = 0; i <= box->file_count; i++) {
        snprintf(number, sizeof number, "%d", FIRST_FILE + i);
        add_all(words,
                (const char *const[]){"--perms", "0555", "--ro-bind-data", number,
                                      i < box->file_count ? box->files[i].to : "/init", NULL});
    }
    snprintf(number, sizeof number, "%d", info_fd);
    limits_write(&box->limits, limits);
    add_all(words, (const char *const[]){"--remount-ro", "/", "--chdir", "/tmp", "--info-fd",
                                         number, "--", "/init", "inside", limits, NULL});
    for (char **word = box->argv; *word != NULL; word++)
        add(words, *word);
    words->word[words->count] = NULL;
}

/* Open a file as `at`. Opened before root is given up, so that it may be anyone's. */
static int open_as(const char *path, int at)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd == -1 || dup2(fd, at) == -1)
        return complain(path);
    close(fd);
    return 0;
}

/* The child: `out`, `err`, `ended` and `info` are pipes to the supervisor. */
static _Noreturn void become_bwrap(const struct box *box, int out, int err, int ended, int info)
{
    enum { INFO = 4 };
    struct words words = {.count = 0};
    sigset_t none;
    int null = open("/dev/null", O_RDONLY);
    int keep_out = fcntl(out, F_DUPFD, 40), keep_err = fcntl(err, F_DUPFD, 40);
    int keep_ended = fcntl(ended, F_DUPFD, 40), keep_info = fcntl(info, F_DUPFD, 40);

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    /* Messages of ours and of bwrap are for the supervisor's stderr until the last moment. */
    for (int i = 0; i < box->file_count; i++)
        if (open_as(box->files[i].from, FIRST_FILE + i) == -1)
            _exit(1);
    if (open_as("/proc/self/exe", FIRST_FILE + box->file_count) == -1)
        _exit(1);
    if (drop_privileges() == -1) {
        complain("cannot become an ordinary user");
        _exit(1);
    }
    /* The supervisor may be killed: nothing may outlive it. After the ids, which reset it. */
    prctl(PR_SET_PDEATHSIG, box->unsandboxed ? SIGTERM : SIGKILL, 0, 0, 0);
    dup2(null, STDIN_FILENO);
    dup2(keep_out, STDOUT_FILENO);
    dup2(keep_err, STDERR_FILENO);
    dup2(keep_ended, INSIDE_REPORT);
    dup2(keep_info, INFO);
    for (int fd = INFO + 1; fd < 64; fd++)
        if (fd < FIRST_FILE || fd > FIRST_FILE + box->file_count)
            close(fd);
    if (box->unsandboxed) {
        char limits[160];
        limits_write(&box->limits, limits);
        close(INFO);
        add_all(&words, (const char *const[]){"sandbox", "bare", limits, NULL});
        for (char **word = box->argv; *word != NULL; word++)
            add(&words, *word);
        words.word[words.count] = NULL;
        fexecve(FIRST_FILE + box->file_count, words.word, environ);
    } else {
        make_command(box, &words, INFO);
        execvp("bwrap", words.word);
    }
    dprintf(INSIDE_REPORT, "failed bwrap: %s\n", strerror(errno));
    _exit(1);
}

/* ---- the supervisor ---- */

/* bwrap writes {"child-pid": N, ..., "pid-namespace": N}. Returns 0 when both are there. */
static int read_info(int fd, pid_t *init, unsigned long *namespace)
{
    char text[1024];
    size_t have = 0;
    ssize_t got;

    while (have < sizeof text - 1 && (got = read(fd, text + have, sizeof text - 1 - have)) > 0)
        have += (size_t)got;
    text[have] = '\0';
    const char *pid = strstr(text, "\"child-pid\": "), *ns = strstr(text, "\"pid-namespace\": ");
    if (pid == NULL || ns == NULL)
        return -1;
    *init = (pid_t)strtol(pid + strlen("\"child-pid\": "), NULL, 10);
    *namespace = strtoul(ns + strlen("\"pid-namespace\": "), NULL, 10);
    return *init > 0 ? 0 : -1;
}

/* One of the outputs has something, or has ended. Keeps what may be kept. */
static void take_output(struct watch *w, int i)
{
    char data[16384];
    ssize_t got = read(w->from[i], data, sizeof data);

    if (got <= 0) {
        if (got == -1 && (errno == EINTR || errno == EAGAIN))
            return;
        close(w->from[i]);
        w->from[i] = -1;
        return;
    }
    ssize_t keep = got < w->kept[i] ? got : w->kept[i];
    w->kept[i] -= keep;
    if (keep > 0 && write_all(w->to[i], data, (size_t)keep) == -1)
        say_lost(w);
    /* What is not kept is still read: a program that only talks much shall not stop. */
    if (got > keep)
        say_limit(w, "output");
}

static void look_at_use(struct watch *w)
{
    struct census census;
    long pages = 0;
    long limit = w->box->limits.total_mib * (1024 * 1024 / sysconf(_SC_PAGESIZE));

    if (w->init <= 0 || census_take(&census, w->init) == -1)
        return;
    for (size_t i = 0; i < census.count; i++)
        pages += census.member[i].rss_pages;
    /* Init counts too. */
    if ((long)census.count + 1 >= w->box->limits.processes)
        say_limit(w, "processes");
    census_free(&census);
    if (pages > limit) {
        say_limit(w, "memory");
        kill(w->init, w->box->unsandboxed ? SIGTERM : SIGKILL);
    }
}

/* What init says of the program and of orphans; a processor limit can be read from it. */
static void take_ended(struct watch *w)
{
    char line[4096];
    ssize_t got = read(w->ended, line, sizeof line - 1);

    if (got <= 0) {
        close(w->ended);
        w->ended = -1;
        return;
    }
    line[got] = '\0';
    say(w, line);
    if (strstr(line, "ended signal 24\n") != NULL) /* SIGXCPU */
        say_limit(w, "cpu");
}

static long now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void end_all(const struct watch *w)
{
    /* Process 1 of a namespace takes every other one with it. */
    if (w->init > 0)
        kill(w->init, w->box->unsandboxed ? SIGTERM : SIGKILL);
    else
        kill(w->bwrap, SIGKILL);
}

/* Until bwrap has ended and the pipes are empty. Returns its wait status. */
static int watch_over(struct watch *w, int signals)
{
    long end = now_ms() + w->box->limits.wall_seconds * 1000, next = now_ms() + LOOK_EVERY_MS;
    int status = 0, running = 1;

    while (running || w->from[0] != -1 || w->from[1] != -1 || w->ended != -1) {
        struct pollfd p[] = {{.fd = w->from[0], .events = POLLIN},
                             {.fd = w->from[1], .events = POLLIN},
                             {.fd = w->ended, .events = POLLIN},
                             {.fd = signals, .events = POLLIN}};
        long now = now_ms(), left = next - now;
        if (now >= end && running) {
            say_limit(w, "time");
            end_all(w);
            end = now + 3600 * 1000;
        }
        if (left <= 0) {
            look_at_use(w);
            next = now_ms() + LOOK_EVERY_MS;
            left = LOOK_EVERY_MS;
        }
        if (poll(p, 4, (int)left) == -1 && errno != EINTR)
            break;
        for (int i = 0; i < 2; i++)
            if (w->from[i] != -1 && p[i].revents != 0)
                take_output(w, i);
        if (w->ended != -1 && p[2].revents != 0)
            take_ended(w);
        if (p[3].revents != 0) {
            struct signalfd_siginfo info;
            if (read(signals, &info, sizeof info) == sizeof info && info.ssi_signo != SIGCHLD) {
                look_at_use(w);
                end_all(w);
            }
        }
        if (running && waitpid(w->bwrap, &status, WNOHANG) == w->bwrap)
            running = 0;
    }
    return status;
}

static int open_pipes(int pipes[4][2])
{
    for (int i = 0; i < 4; i++)
        if (pipe2(pipes[i], O_CLOEXEC) == -1)
            return complain("pipe");
    return 0;
}

static int open_file(const char *path, int flags)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);

    if (fd == -1)
        complain(path);
    return fd;
}

int box_run(const struct box *box)
{
    enum { OUT, ERR, ENDED, INFO };
    struct watch w = {.box = box, .report = -1, .init = -1};
    int pipes[4][2], status;
    unsigned long namespace = 0;
    char line[80];
    sigset_t mask;

    /* What we inherited is nobody's business inside, and bats waits for its own. */
    syscall(SYS_close_range, 3U, ~0U, 0U);
    prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGINT);
    sigaddset(&mask, SIGCHLD);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    signal(SIGPIPE, SIG_IGN);

    if (open_pipes(pipes) == -1)
        return 1;
    w.to[0] = open_file(box->out, O_TRUNC);
    w.to[1] = strcmp(box->out, box->err) == 0 ? w.to[0] : open_file(box->err, O_TRUNC);
    if (box->report != NULL)
        w.report = open_file(box->report, O_TRUNC | O_APPEND);
    int signals = signalfd(-1, &mask, SFD_CLOEXEC);
    if (w.to[0] == -1 || w.to[1] == -1 || signals == -1 || (box->report && w.report == -1))
        return 1;
    w.bwrap = fork();
    if (w.bwrap == -1)
        return complain("fork"), 1;
    if (w.bwrap == 0)
        become_bwrap(box, pipes[OUT][1], pipes[ERR][1], pipes[ENDED][1], pipes[INFO][1]);
    for (int i = 0; i < 4; i++)
        close(pipes[i][1]);
    w.from[0] = pipes[OUT][0];
    w.from[1] = pipes[ERR][0];
    w.ended = pipes[ENDED][0];
    w.kept[0] = w.kept[1] = box->limits.output_kib * 1024;

    if (box->unsandboxed)
        w.init = w.bwrap;
    else if (read_info(pipes[INFO][0], &w.init, &namespace) == -1)
        w.init = -1;
    if (w.init > 0) {
        snprintf(line, sizeof line, "started %d %lu\n", (int)w.init, namespace);
        say(&w, line);
    }
    status = watch_over(&w, signals);
    if (w.init == -1) {
        say(&w, "failed bwrap: this system does not let it make a sandbox\n");
        fprintf(stderr, "sandbox: bwrap: this system does not let it make a sandbox (status %d)\n",
                WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    }
    say(&w, "over\n");
    if (w.lost)
        fputs("sandbox: the output could not be kept: is the disk full?\n", stderr);
    return w.lost ? LOST : w.init == -1;
}
