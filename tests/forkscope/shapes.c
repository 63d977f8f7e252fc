/*
 * tests/forkscope/shapes.c - a program of every shape that forkscope has to see.
 *
 *   shapes MODE [ARGUMENT]
 *
 * Sets MODE's shape up, prints "ready" and waits until it is killed, it and all
 * its children. Descriptors above 2 are numbered from 3 in the order named here.
 *
 *   pipe             a pipe, read end and write end; one child has both too
 *   files PATH       PATH opened twice, and the second one again by dup
 *   socketpair       a pair of UNIX stream sockets
 *   udp              a UDP socket, bound
 *   tcp              a TCP socket, not connected to anything
 *   loop             a TCP connection to itself: listening socket, client's end, server's end
 *   many COUNT       COUNT pipes, both ends open
 *   closed           a listening socket as descriptor 0; 1 and 2 are closed. Prints nothing.
 *   listen [ADDRESS] listens on ADDRESS (default 127.0.0.1; also ::1 and ::), prints
 *                    "listening on port N" instead, and accepts one client after another
 *   threads          a listening socket and three more threads
 *   share            a listening socket and a child by clone(CLONE_FILES)
 *   vfork            a listening socket and a child by vfork that does not end
 *   apart            a listening socket; the child has closed it and opened a file instead
 *   generations      a listening socket, a child, and the child's child
 *   children COUNT   a listening socket and COUNT children
 *   daemon           a listening socket, held also by a process of a session of its
 *                    own whose parent has ended; it and we ignore SIGTERM
 *   killed           a child that was killed and not waited for
 *   quiet            nothing, not even "ready"
 *   unfinished       prints "no newline" without one
 *   spin             runs for ever
 *   flood BYTES PORT prints BYTES bytes, then is as listen with that port
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *what)
{
    fprintf(stderr, "shapes: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void wait_for_ever(void)
{
    for (;;)
        pause();
}

static void *thread_main(void *unused)
{
    wait_for_ever();
    return unused;
}

static int clone_main(void *unused)
{
    (void)unused;
    wait_for_ever();
    return 0;
}

static pid_t must_fork(void)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == -1)
        die("fork");
    return pid;
}

/* A child that only waits. */
static void idle_child(void)
{
    if (must_fork() == 0)
        wait_for_ever();
}

/* A listening TCP socket. Returns its descriptor; *port is set to where it listens. */
static int listener(const char *address, const char *service, unsigned *port)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *at;
    struct sockaddr_storage bound;
    socklen_t size = sizeof bound;

    if (getaddrinfo(address, service, &hints, &at) != 0) {
        fprintf(stderr, "shapes: %s: not an address\n", address);
        exit(1);
    }
    int fd = socket(at->ai_family, SOCK_STREAM, 0);
    if (fd == -1 || bind(fd, at->ai_addr, at->ai_addrlen) == -1 || listen(fd, 16) == -1 ||
        getsockname(fd, (struct sockaddr *)&bound, &size) == -1)
        die(address);
    freeaddrinfo(at);
    if (bound.ss_family == AF_INET6)
        *port = ntohs(((struct sockaddr_in6 *)(void *)&bound)->sin6_port);
    else
        *port = ntohs(((struct sockaddr_in *)(void *)&bound)->sin_port);
    return fd;
}

static int any_listener(void)
{
    unsigned port;
    return listener("127.0.0.1", "0", &port);
}

static void serve(const char *address, const char *service)
{
    unsigned port;
    int fd = listener(address, service, &port);

    printf("listening on port %u\n", port);
    fflush(stdout);
    for (;;)
        if (accept(fd, NULL, NULL) == -1)
            die("accept");
}

static void pipes(const char *count)
{
    struct rlimit limit;

    /* As many descriptors as are permitted at all. */
    if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
        die("getrlimit");
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) == -1)
        die("setrlimit");
    for (int i = atoi(count); i > 0; i--) {
        int ends[2];
        if (pipe(ends) == -1)
            die("pipe");
    }
}

static void files(const char *path)
{
    if (open(path, O_RDONLY) == -1)
        die(path);
    int again = open(path, O_RDONLY);
    if (again == -1 || dup(again) == -1)
        die(path);
}

static void connect_to_self(void)
{
    struct sockaddr_in at;
    socklen_t size = sizeof at;
    int fd = any_listener();
    int client = socket(AF_INET, SOCK_STREAM, 0);

    if (client == -1 || getsockname(fd, (struct sockaddr *)&at, &size) == -1 ||
        connect(client, (struct sockaddr *)&at, sizeof at) == -1 || accept(fd, NULL, NULL) == -1)
        die("loop");
}

static void start_threads(void)
{
    pthread_t thread;

    for (int i = 0; i < 3; i++)
        if (pthread_create(&thread, NULL, thread_main, NULL) != 0)
            die("pthread_create");
}

static void share_table(void)
{
    enum { STACK = 65536 };
    char *stack = malloc(STACK);

    if (stack == NULL || clone(clone_main, stack + STACK, CLONE_FILES | SIGCHLD, NULL) == -1)
        die("clone");
}

static void make_daemon(void)
{
    signal(SIGTERM, SIG_IGN);
    if (must_fork() == 0) {
        if (setsid() == -1)
            die("setsid");
        if (must_fork() == 0)
            wait_for_ever();
        _exit(0);
    }
    if (wait(NULL) == -1)
        die("wait");
}

static void kill_child(void)
{
    pid_t child = must_fork();

    if (child == 0)
        wait_for_ever();
    siginfo_t info;
    if (kill(child, SIGKILL) == -1 || waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) == -1)
        die("kill");
}

/* From here on nothing is printed, since nothing can be. */
static void close_streams(void)
{
    close(0);
    close(1);
    close(2);
    any_listener();
    wait_for_ever();
}

int main(int argc, char *argv[])
{
    const char *mode = argc > 1 ? argv[1] : "", *argument = argc > 2 ? argv[2] : "";
    int ends[2];
    volatile unsigned turns = 0;

    if (strcmp(mode, "pipe") == 0) {
        if (pipe(ends) == -1)
            die("pipe");
        idle_child();
    } else if (strcmp(mode, "files") == 0) {
        files(argument);
    } else if (strcmp(mode, "socketpair") == 0) {
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == -1)
            die("socketpair");
    } else if (strcmp(mode, "udp") == 0) {
        struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
        int fd = socket(AF_INET, SOCK_DGRAM, 0);
        if (fd == -1 || bind(fd, (struct sockaddr *)&at, sizeof at) == -1)
            die("udp");
    } else if (strcmp(mode, "tcp") == 0) {
        if (socket(AF_INET, SOCK_STREAM, 0) == -1)
            die("tcp");
    } else if (strcmp(mode, "loop") == 0) {
        connect_to_self();
    } else if (strcmp(mode, "many") == 0) {
        pipes(argument);
    } else if (strcmp(mode, "closed") == 0) {
        close_streams();
    } else if (strcmp(mode, "listen") == 0) {
        serve(argc > 2 ? argument : "127.0.0.1", "0");
    } else if (strcmp(mode, "threads") == 0) {
        any_listener();
        start_threads();
    } else if (strcmp(mode, "share") == 0) {
        any_listener();
        share_table();
    } else if (strcmp(mode, "vfork") == 0) {
        any_listener();
        puts("ready");
        fflush(stdout);
        if (vfork() == 0)
            for (;;)
                pause();
    } else if (strcmp(mode, "apart") == 0) {
        int fd = any_listener();
        if (must_fork() == 0) {
            if (close(fd) == -1 || open("/dev/null", O_RDONLY) == -1)
                die("apart");
            wait_for_ever();
        }
    } else if (strcmp(mode, "generations") == 0) {
        any_listener();
        if (must_fork() == 0) {
            idle_child();
            wait_for_ever();
        }
    } else if (strcmp(mode, "children") == 0) {
        any_listener();
        for (int i = atoi(argument); i > 0; i--)
            idle_child();
    } else if (strcmp(mode, "daemon") == 0) {
        any_listener();
        make_daemon();
    } else if (strcmp(mode, "killed") == 0) {
        kill_child();
    } else if (strcmp(mode, "quiet") == 0) {
        wait_for_ever();
    } else if (strcmp(mode, "unfinished") == 0) {
        printf("no newline");
        fflush(stdout);
        serve("127.0.0.1", "9000");
    } else if (strcmp(mode, "spin") == 0) {
        for (;;)
            turns++;
    } else if (strcmp(mode, "flood") == 0 && argc > 3) {
        for (long left = atol(argument); left > 0; left--)
            putchar(left % 80 == 1 ? '\n' : '.');
        serve("127.0.0.1", argv[3]);
    } else {
        fprintf(stderr, "shapes: there is no mode '%s'\n", mode);
        return 2;
    }
    puts("ready");
    fflush(stdout);
    wait_for_ever();
}
