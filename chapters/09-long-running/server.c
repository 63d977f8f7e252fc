/*
 * chapters/09-long-running/server.c - a server that one may leave alone.
 *
 * New here:    it outlives a lack of descriptors or processes, limits its
 *              children, gives up silent clients, stops without cutting one off.
 * Still wrong: nothing of this ladder; the README names the honest limits.
 * Try:         make diff-09, make run-09, make bench, and make soak
 */
#define _GNU_SOURCE /* ppoll */

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_CHILDREN 10000
#define REST_MS 100 /* how long to leave the backlog alone after a shortage */

/*
 * The children that have not been reaped yet. Only the parent's main loop
 * changes this, never a handler: the count is right whenever it is read.
 */
static pid_t children[MAX_CHILDREN];
static int child_count;
static int shortage;            /* of descriptors or processes: accept or fork failed */
static int max_children = 1000; /* -c */
static int idle_limit;          /* -t, in seconds; 0 is none */
static int grace = 10;          /* -g, in seconds */

/* Blocked except in ppoll and let_signals_in: no handler runs between two lines. */
static const int signals[] = {SIGCHLD, SIGTERM, SIGINT, SIGALRM};
static sigset_t handled, none;
static volatile sig_atomic_t stop_signals; /* how often one came that is no SIGCHLD */

static const char usage[] =
    "usage: server [-b ADDRESS] [-c N] [-t SECONDS] [-g SECONDS] [-h] PORT\n"
    "  -b ADDRESS  listen on this IPv4 or IPv6 address (127.0.0.1)\n"
    "  -c N        serve at most N clients at a time, 1 to 10000; the rest wait (1000)\n"
    "  -t SECONDS  hang up on one that neither sends nor reads so long; 0: never (0)\n"
    "  -g SECONDS  on SIGTERM or SIGINT, the time clients have to finish (10)\n"
    "  -h          print this text; PORT 0 asks the kernel for a free one\n";

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

/* The number after an option, from MIN to MAX; anything else: status 2. */
static int parse_option(int option, const char *text, int min, int max)
{
    char *end;
    long number = strtol(text, &end, 10);

    if (!isdigit((unsigned char)text[0]) || *end != '\0' || number < min || number > max) {
        fprintf(stderr, "server: -%c '%s': give a number from %d to %d\n", option, text, min, max);
        exit(2);
    }
    return (int)number;
}

/*
 * One line to a log that must never stop the server. Without a reader (EPIPE) or
 * with a full disk (ENOSPC) the line is lost. So it is when the reader stands
 * still and its pipe is full: we would stand still with it.
 */
static void say(int fd, const char *format, ...)
{
    struct pollfd log = {.fd = fd, .events = POLLOUT};
    char line[200]; /* longer than every line of ours */
    va_list values;

    va_start(values, format);
    int size = vsnprintf(line, sizeof line, format, values);
    va_end(values);
    if (poll(&log, 1, 0) == 0 || write(fd, line, (size_t)size) == -1)
        return;
}

/* A socket that listens on PORT of ADDRESS. Port 0: the kernel picks one. */
static int open_listener(const char *address, in_port_t port)
{
    struct sockaddr_in in4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct sockaddr *addr = (struct sockaddr *)&in4;
    socklen_t size = sizeof in4;
    int on = 1;

    if (inet_pton(AF_INET, address, &in4.sin_addr) != 1) {
        addr = (struct sockaddr *)&in6;
        size = sizeof in6;
        if (inet_pton(AF_INET6, address, &in6.sin6_addr) != 1) {
            fprintf(stderr, "server: '%s' is not an IPv4 or IPv6 address\n", address);
            exit(2);
        }
    }
    /* Non-blocking: accept must not wait when the client has left the backlog. */
    int listen_fd = socket(addr->sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (listen_fd == -1)
        die("socket");
    /*
     * When a server ends, connections it closed stay in TIME_WAIT for a minute.
     * Without SO_REUSEADDR they keep the port: a restart fails with EADDRINUSE.
     */
    if (setsockopt(listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == -1)
        die("setsockopt");
    /* Every connection inherits this: a peer without power is noticed in the end. */
    if (setsockopt(listen_fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) == -1)
        die("setsockopt");
    if (bind(listen_fd, addr, size) == -1)
        die("bind");
    /* The kernel cuts INT_MAX down to the longest backlog it allows. */
    if (listen(listen_fd, INT_MAX) == -1)
        die("listen");
    if (getsockname(listen_fd, addr, &size) == -1)
        die("getsockname");
    say(STDOUT_FILENO, "listening on port %d\n",
        ntohs(addr->sa_family == AF_INET ? in4.sin_port : in6.sin6_port));
    return listen_fd;
}

/* Send back whatever the client sends, until its end of file or an error. */
static void echo_client(int conn_fd)
{
    static char buf[65536]; /* static: on the stack it would push later frames to new pages */
    ssize_t got;

    /* read and send fail when nothing moves for so long; 0 is for ever. */
    struct timeval limit = {.tv_sec = idle_limit};
    if (setsockopt(conn_fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == -1 ||
        setsockopt(conn_fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == -1)
        return;

    /* 0 is end of file; -1 is a client that vanished. Both end this client. */
    while ((got = read(conn_fd, buf, sizeof buf)) != 0) {
        /* With a time limit set, stop and continue (Ctrl-Z, fg) is an EINTR. */
        if (got == -1 && errno == EINTR)
            continue;
        if (got == -1)
            return;
        /* send may take less than it is given: go on where it stopped. */
        for (ssize_t sent = 0; sent < got;) {
            /* MSG_NOSIGNAL: a client that left is EPIPE here, not a SIGPIPE. */
            ssize_t n = send(conn_fd, buf + sent, (size_t)(got - sent), MSG_NOSIGNAL);
            if (n == -1 && errno != EINTR)
                return;
            if (n > 0)
                sent += n;
        }
    }
}

/* All that is done at a signal's own time: waking ppoll, and counting stops. */
static void on_signal(int sig)
{
    if (sig != SIGCHLD)
        stop_signals++;
}

static void catch_signals(void)
{
    struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_NOCLDSTOP};

    sigemptyset(&none);
    sigemptyset(&handled);
    for (int i = 0; i < 4; i++)
        sigaddset(&handled, signals[i]);
    sigprocmask(SIG_SETMASK, &handled, NULL);
    act.sa_mask = handled;
    for (int i = 0; i < 4; i++) {
        if (sigaction(signals[i], &act, NULL) == -1)
            die("sigaction");
    }
    signal(SIGPIPE, SIG_IGN); /* the log has no reader: an error, not our end */
    signal(SIGXFSZ, SIG_IGN); /* it is as large as is allowed: likewise */
}

/* ppoll lets no signal in while a client is ready: under load, never. This does. */
static void let_signals_in(void)
{
    sigprocmask(SIG_SETMASK, &none, NULL);
    sigprocmask(SIG_SETMASK, &handled, NULL);
}

/* Reap one ended child; false when there is none. OPTIONS as for waitpid. */
static int reap_child(int options)
{
    pid_t done = waitpid(-1, NULL, options);

    if (done <= 0)
        return 0;
    /* A child that the program before exec left us is in no slot, and not counted. */
    for (int i = 0; i < child_count; i++) {
        if (children[i] == done) {
            children[i] = children[--child_count];
            say(STDOUT_FILENO, "remove proc id %d\n", (int)done);
            break;
        }
    }
    return 1;
}

/*
 * Take one client out of the backlog and give it a child; false when none came.
 * `shortage` is set when something is used up that only time brings back. A
 * client that is not accepted is not lost: it waits in the backlog.
 */
static int serve_next(int listen_fd)
{
    int conn_fd = accept(listen_fd, NULL, NULL);

    if (conn_fd == -1) {
        /* Nobody there, or somebody who left while waiting: no reason to rest. */
        if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED || errno == EPROTO) {
            shortage = 0;
            return 0;
        }
        if (errno == EINVAL)
            die("accept"); /* the socket listens no more: nothing will mend that */
        /* EMFILE, ENFILE, ENOBUFS, ENOMEM. Whatever else it is: never spin on it. */
        if (!shortage)
            say(STDERR_FILENO, "server: accept: %s; clients wait\n", strerror(errno));
        shortage = 1;
        return 0;
    }
    say(STDOUT_FILENO, "new client connected...\n");

    pid_t pid = fork();
    if (pid == 0) {
        /* The child never accepts: the parent alone keeps the port. */
        close(listen_fd);
        /* Signals stay blocked: Ctrl-C reaches us too, and our client may finish. */
        echo_client(conn_fd);
        /* Now: _exit closes too, but only after it has taken our memory down. */
        close(conn_fd);
        say(STDOUT_FILENO, "client disconnected...\n");
        /* _exit, not return: the child must never reach the accept loop. */
        _exit(EXIT_SUCCESS);
    }
    if (pid == -1) {
        if (!shortage)
            say(STDERR_FILENO, "server: fork: %s; client sent away\n", strerror(errno));
        shortage = 1;
        /* End of file first. close alone is a reset when there are unread bytes. */
        shutdown(conn_fd, SHUT_WR);
    } else {
        shortage = 0;
        children[child_count++] = pid;
    }
    /* The parent never reads: with the child's end the connection ends. */
    close(conn_fd);
    return 1;
}

/* SIGALRM ends the grace. It is blocked, so once it has come it is pending. */
static int grace_is_over(void)
{
    sigset_t pending;

    return grace == 0 || (sigpending(&pending) == 0 && sigismember(&pending, SIGALRM));
}

/* Let the children finish, until the grace is over or one more stop signal comes. */
static void finish_children(void)
{
    /* timeout(1) sends SIGTERM twice in a row: what comes together is one stop. */
    if (child_count > 0)
        poll(NULL, 0, REST_MS);
    /* In seconds, and at least 1 as long as SIGALRM has not come: it cannot get lost here. */
    unsigned left = alarm(0);
    let_signals_in();
    stop_signals = left > 0 ? 1 : 2;
    alarm(left); /* its SIGALRM counts like one more SIGTERM */
    for (;;) {
        /* Before ppoll, too: let_signals_in may have taken the SIGCHLD it would wait for. */
        while (reap_child(WNOHANG))
            ;
        if (child_count == 0 || stop_signals >= 2)
            break;
        ppoll(NULL, 0, NULL, &none);
    }
    /* A pid is not given to another process before we reap it: no stranger is hit. */
    for (int i = 0; i < child_count; i++)
        kill(children[i], SIGKILL);
    while (child_count > 0 && reap_child(0))
        ;
}

int main(int argc, char *argv[])
{
    const char *address = "127.0.0.1";
    int option, wrong = 0;

    while (!wrong && (option = getopt(argc, argv, "b:c:t:g:h")) != -1) {
        if (option == 'b')
            address = optarg;
        else if (option == 'c')
            max_children = parse_option(option, optarg, 1, MAX_CHILDREN);
        else if (option == 't')
            idle_limit = parse_option(option, optarg, 0, INT_MAX);
        else if (option == 'g')
            grace = parse_option(option, optarg, 0, INT_MAX);
        else if (option == 'h')
            return fputs(usage, stdout) == EOF;
        else
            wrong = 1;
    }
    if (wrong || optind != argc - 1) {
        fputs(usage, stderr);
        exit(2);
    }
    in_port_t port = parse_port(argv[optind]);

    /* Were 0, 1 or 2 closed, a connection would get that number, and our log. */
    int fd;
    while ((fd = open("/dev/null", O_RDWR)) != -1 && fd <= STDERR_FILENO)
        ;
    close(fd);

    catch_signals();
    int listen_fd = open_listener(address, port);

    while (stop_signals == 0) {
        /* Do not look at the backlog when we could take nobody out of it. */
        struct pollfd backlog = {.fd = listen_fd, .events = POLLIN};
        struct timespec rest = {.tv_nsec = REST_MS * 1000000L};
        nfds_t looking = !shortage && child_count < max_children;
        int ready = ppoll(&backlog, looking, shortage ? &rest : NULL, &none);
        if (ready == -1 && errno != EINTR)
            shortage = 1;
        let_signals_in();
        while (reap_child(WNOHANG))
            ;
        if ((ready > 0 || shortage) && child_count < max_children)
            serve_next(listen_fd);
    }
    /*
     * To those in the backlog the kernel has said "connected": take them along, as many as
     * there are now. Whoever comes later must not keep us here, and finds no room to queue.
     * Nor must a slow machine: the grace begins before the first of them.
     */
    struct tcp_info info = {.tcpi_unacked = (unsigned)max_children};
    socklen_t size = sizeof info;
    alarm((unsigned)grace);
    (void)listen(listen_fd, 0);
    /* For a listening socket tcpi_unacked counts the backlog. Refused: take all we may. */
    (void)getsockopt(listen_fd, IPPROTO_TCP, TCP_INFO, &info, &size);
    while (info.tcpi_unacked-- > 0 && child_count < max_children && !grace_is_over()) {
        if (!serve_next(listen_fd))
            break;
    }
    close(listen_fd);
    finish_children();
    return 0;
}
