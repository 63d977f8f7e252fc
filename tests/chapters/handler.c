/*
 * tests/chapters/handler.c - looks into the server of chapter 07 or 08.
 *
 * Compiled with -I chapters/NN-slug, so that "server.c" is that chapter's
 * program: its main is renamed, and two of its calls go through functions here.
 *
 *   handler errno     what errno is after the handler ran and found no child
 *   handler stdio     half a line in stdout's buffer when the handler prints
 *   handler serve PORT   the server itself; tells of each accept that fails and
 *                        of each waitpid, hence of each time the handler runs
 *
 * Rests on signal-safety(7), signal(7), accept(2).
 */
#define _XOPEN_SOURCE 700

#include <sys/socket.h>
#include <sys/wait.h>

static int watched_accept(int fd, struct sockaddr *addr, socklen_t *size);
static pid_t watched_waitpid(pid_t pid, int *status, int options);

#define main server_main
#define accept watched_accept
#define waitpid watched_waitpid
#include "server.c"
#undef waitpid
#undef accept
#undef main

static int serving;

/* waitpid(2), and a line on standard output in `serve`. */
static pid_t watched_waitpid(pid_t pid, int *status, int options)
{
    pid_t done = waitpid(pid, status, options);
    int saved_errno = errno;

    if (serving)
        dprintf(STDOUT_FILENO, "waitpid: %d\n", (int)done);
    errno = saved_errno;
    return done;
}

/* accept(2), and a line on standard output when it fails. */
static int watched_accept(int fd, struct sockaddr *addr, socklen_t *size)
{
    int conn_fd = accept(fd, addr, size);
    int saved_errno = errno;

    if (conn_fd == -1)
        dprintf(STDOUT_FILENO, "accept: %s\n", strerror(saved_errno));
    errno = saved_errno;
    return conn_fd;
}

static void install(void)
{
    struct sigaction act = {.sa_handler = on_sigchld};

    sigemptyset(&act.sa_mask);
    if (sigaction(SIGCHLD, &act, NULL) == -1)
        die("sigaction");
}

static int show_errno(void)
{
    int after;

    install();
    /* Any value that the handler has no reason to set. The signal comes before kill returns. */
    errno = EXDEV;
    kill(getpid(), SIGCHLD);
    after = errno;
    printf("errno after the handler: %s\n", strerror(after));
    return 0;
}

static int show_stdio(void)
{
    siginfo_t ended;
    sigset_t chld;

    setvbuf(stdout, NULL, _IOLBF, 0);
    install();
    /* The signal waits until a child has ended and half a line is in the buffer. */
    sigemptyset(&chld);
    sigaddset(&chld, SIGCHLD);
    sigprocmask(SIG_BLOCK, &chld, NULL);
    pid_t pid = fork();
    if (pid == -1)
        die("fork");
    if (pid == 0)
        _exit(EXIT_SUCCESS);
    if (waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOWAIT) == -1)
        die("waitid");
    fputs("half ", stdout);
    sigprocmask(SIG_UNBLOCK, &chld, NULL);
    puts("a line");
    return 0;
}

int main(int argc, char *argv[])
{
    if (argc == 2 && strcmp(argv[1], "errno") == 0)
        return show_errno();
    if (argc == 2 && strcmp(argv[1], "stdio") == 0)
        return show_stdio();
    if (argc == 3 && strcmp(argv[1], "serve") == 0) {
        serving = 1;
        return server_main(argc - 1, argv + 1);
    }
    fputs("usage: handler errno | stdio | serve PORT\n", stderr);
    return 2;
}
