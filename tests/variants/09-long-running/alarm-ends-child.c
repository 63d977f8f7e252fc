/*
 * tests/variants/09-long-running/alarm-ends-child.c - its clock is a child that an alarm ends, since nobody catches it.
 */
#define _GNU_SOURCE /* ppoll */

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t stopping; /* we have been told to stop */

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

/* It wakes ppoll, and the main loop does the rest. */
static void on_sigchld(int sig)
{
    (void)sig;
}

/* We are asked to stop. */
static void on_sigterm(int sig)
{
    (void)sig;
    /* TODO 1: have the main loop end. Nothing else: a handler is the wrong place for it. */
    /* BEGIN SOLUTION 1 */
    stopping = 1;
    /* END SOLUTION 1 */
}

/* Both signals are blocked, except in ppoll and in let_signals_in. */
static sigset_t blocked, none;

static void catch_signals(void)
{
    struct sigaction act = {.sa_handler = on_sigchld, .sa_flags = SA_NOCLDSTOP};

    sigemptyset(&none);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGCHLD);
    sigaddset(&blocked, SIGTERM);
    sigprocmask(SIG_SETMASK, &blocked, NULL);
    act.sa_mask = blocked;
    if (sigaction(SIGCHLD, &act, NULL) == -1)
        die("sigaction");
    act.sa_handler = on_sigterm;
    if (sigaction(SIGTERM, &act, NULL) == -1)
        die("sigaction");
}

/* ppoll lets no signal in while a client is ready: under load, never. This does. */
static void let_signals_in(void)
{
    sigprocmask(SIG_SETMASK, &none, NULL);
    sigprocmask(SIG_SETMASK, &blocked, NULL);
}

/* Take one client out of the backlog, if there is one, and give it a child. */
static void serve_next(int listen_fd)
{
    int conn_fd = accept(listen_fd, NULL, NULL);

    if (conn_fd == -1) {
        /* Nobody is there, or has left while waiting. */
        if (errno == EAGAIN || errno == ECONNABORTED)
            return;
        /*
         * TODO 2: no descriptor or no memory is free, for us (EMFILE) or on this machine
         * (ENFILE, ENOBUFS, ENOMEM). The client waits in the backlog, so ppoll will
         * return at once, again and again. Go on, serve the client as soon as
         * that is possible, and use next to no CPU time until then.
         */
        /* BEGIN SOLUTION 2 */
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            poll(NULL, 0, 100);
            return;
        }
        /* END SOLUTION 2 */
        die("accept");
    }
    puts("new client connected...");

    pid_t pid = fork();
    if (pid == 0) {
        /* The child never accepts: the parent alone keeps the port. */
        close(listen_fd);
        /* Signals stay blocked: who stops us all must not cut our client off. */
        echo_client(conn_fd);
        puts("client disconnected...");
        /* _exit, not return: the child must never reach the accept loop. */
        _exit(EXIT_SUCCESS);
    }
    if (pid == -1) {
        /*
         * TODO 3: no process is free (EAGAIN, ENOMEM). Send this client away, with an
         * end of file though it may have sent something already, and go on.
         */
        /* BEGIN SOLUTION 3 */
        if (errno == EAGAIN || errno == ENOMEM) {
            /* close alone is a reset when there are bytes that nobody has read. */
            shutdown(conn_fd, SHUT_WR);
            close(conn_fd);
            return;
        }
        /* END SOLUTION 3 */
        die("fork");
    }
    /* The parent never reads: with the child's end the connection ends. */
    close(conn_fd);
}

static pid_t ticker = -1;

/* A child that the alarm ends in three seconds: its SIGCHLD is our clock. */
static void start_ticker(int listen_fd)
{
    ticker = fork();
    if (ticker == 0) {
        close(listen_fd);
        signal(SIGTERM, SIG_IGN);
        sigprocmask(SIG_SETMASK, &none, NULL);
        alarm(3);
        for (;;)
            pause();
    }
}

int main(int argc, char *argv[])
{
    if (argc != 2) {
        fputs("usage: server PORT\n", stderr);
        exit(2);
    }
    /* Each line leaves at once, also into a file or a pipe. */
    setvbuf(stdout, NULL, _IOLBF, 0);
    catch_signals();
    int listen_fd = open_listener(parse_port(argv[1]));

    while (!stopping) {
        struct pollfd backlog = {.fd = listen_fd, .events = POLLIN};
        ppoll(&backlog, 1, NULL, &none);
        let_signals_in();
        for (pid_t pid; (pid = waitpid(-1, NULL, WNOHANG)) > 0;)
            if (pid == ticker)
                ticker = -1;
        if (ticker == -1)
            start_ticker(listen_fd);
        serve_next(listen_fd);
    }
    /*
     * TODO 4: from now on a connect is refused. The clients that are there are served
     * to their end, and only then do we end.
     */
    /* BEGIN SOLUTION 4 */
    close(listen_fd);
    while (waitpid(-1, NULL, 0) > 0)
        ;
    /* END SOLUTION 4 */
    puts("server ended");
    return 0;
}
