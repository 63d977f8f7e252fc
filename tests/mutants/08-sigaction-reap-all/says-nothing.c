/* must fail: each child that has ended is told of once */
/*
 * tests/mutants/08-sigaction-reap-all/says-nothing.c - children are collected, and nobody is told.
 */
#define _XOPEN_SOURCE 700

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Name the call that failed and why, then end with status 1. */
static _Noreturn void die(const char *call)
{
    fprintf(stderr, "server: %s: %s\n", call, strerror(errno));
    exit(EXIT_FAILURE);
}

/* Digits only, 0 to 65535. Anything else ends the program with status 2. */
static in_port_t parse_port(const char *text)
{
    char *end;
    long port = strtol(text, &end, 10);

    if (!isdigit((unsigned char)text[0]) || *end != '\0' || port > 65535) {
        fprintf(stderr, "server: '%s' is not a port: give a number from 0 to 65535\n", text);
        exit(2);
    }
    return (in_port_t)port;
}

/* A socket that listens on PORT of 127.0.0.1, and on which accept never waits. */
static int open_listener(in_port_t port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port)};
    socklen_t size = sizeof addr;
    int on = 1;
    int listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    if (listen_fd == -1)
        die("socket");
    /*
     * When a server ends, connections it closed stay in TIME_WAIT for a minute.
     * Without SO_REUSEADDR they keep the port: a restart fails with EADDRINUSE.
     */
    if (setsockopt(listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == -1)
        die("setsockopt");
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listen_fd, (struct sockaddr *)&addr, sizeof addr) == -1)
        die("bind");
    /* From here on the kernel completes connections by itself and queues them. */
    if (listen(listen_fd, SOMAXCONN) == -1)
        die("listen");
    if (getsockname(listen_fd, (struct sockaddr *)&addr, &size) == -1)
        die("getsockname");
    printf("listening on port %d\n", ntohs(addr.sin_port));
    return listen_fd;
}

/* Send back whatever the client sends, until its end of file or an error. */
static void echo_client(int conn_fd)
{
    char buf[4096];
    ssize_t got;

    /* 0 is end of file; -1 is a client that vanished. Both end this client. */
    while ((got = read(conn_fd, buf, sizeof buf)) > 0) {
        /* send may take less than it is given: go on where it stopped. */
        for (ssize_t sent = 0; sent < got;) {
            /* MSG_NOSIGNAL: a client that left is EPIPE here, not a SIGPIPE. */
            ssize_t n = send(conn_fd, buf + sent, (size_t)(got - sent), MSG_NOSIGNAL);
            if (n == -1)
                return;
            sent += n;
        }
    }
}

/* printf("remove proc id %d\n", pid), of async-signal-safe calls only. */
static void print_removed(pid_t pid)
{
    char line[40];
    char *start = line + sizeof line;

    *--start = '\n';
    for (; pid > 0; pid /= 10)
        *--start = (char)('0' + pid % 10);
    start -= strlen("remove proc id ");
    memcpy(start, "remove proc id ", strlen("remove proc id "));
    /* When nobody reads our lines any more, reaping still matters. */
    if (write(STDOUT_FILENO, start, (size_t)(line + sizeof line - start)) == -1)
        return;
}

/* The kernel calls this when a child has ended, and let_sigchld_in lets it. */
static void on_sigchld(int sig)
{
    (void)sig;
    int saved_errno = errno;
    pid_t done;
    while ((done = waitpid(-1, NULL, WNOHANG)) > 0) {
        if (done == 1)
            print_removed(done);
    }
    errno = saved_errno;
}

/* The set with SIGCHLD alone. */
static sigset_t only_sigchld(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    return set;
}

/* SIGCHLD is blocked everywhere else: one that is pending is handled here. */
static void let_sigchld_in(void)
{
    sigset_t sigchld = only_sigchld();

    sigprocmask(SIG_UNBLOCK, &sigchld, NULL);
    sigprocmask(SIG_BLOCK, &sigchld, NULL);
}

/*
 * Wait until a client is there or a SIGCHLD is pending. A blocked signal wakes nobody, but
 * a signalfd can be read while one is pending. We never read it: the signal stays pending.
 */
static void wait_for_work(int listen_fd, int pending_fd)
{
    struct pollfd work[2] = {{.fd = listen_fd, .events = POLLIN},
                             {.fd = pending_fd, .events = POLLIN}};

    poll(work, 2, -1);
}

int main(int argc, char *argv[])
{
    if (argc != 2) {
        fputs("usage: server PORT\n", stderr);
        exit(2);
    }
    /* Each line leaves at once, also into a file or a pipe. */
    setvbuf(stdout, NULL, _IOLBF, 0);

    let_sigchld_in(); /* and from here on it is blocked */
    struct sigaction act = {.sa_handler = on_sigchld};
    sigemptyset(&act.sa_mask);
    act.sa_flags = SA_RESTART | SA_NOCLDSTOP;
    if (sigaction(SIGCHLD, &act, NULL) == -1)
        die("sigaction");
    int listen_fd = open_listener(parse_port(argv[1]));
    sigset_t sigchld = only_sigchld();
    int pending_fd = signalfd(-1, &sigchld, 0);
    if (pending_fd == -1)
        die("signalfd");
    int number = 0;

    for (;;) {
        wait_for_work(listen_fd, pending_fd);
        int conn_fd = accept(listen_fd, NULL, NULL);
        if (conn_fd == -1) {
            /* The first place: accept has failed, and nobody has looked at errno yet. */
            let_sigchld_in();
            if (errno == EAGAIN)
                continue;
            die("accept");
        }
        /* The second place: half a line is in the buffer of stdout. */
        printf("client number %d ", ++number);
        let_sigchld_in();
        puts("connected");

        pid_t pid = fork();
        if (pid == -1)
            die("fork");
        if (pid == 0) {
            /* The child never accepts: the parent alone keeps the port. */
            close(listen_fd);
            close(pending_fd);
            echo_client(conn_fd);
            puts("client disconnected...");
            /* _exit, not return: the child must never reach the accept loop. */
            _exit(EXIT_SUCCESS);
        }
        /* The parent never reads: with the child's end the connection ends. */
        close(conn_fd);
    }
}
