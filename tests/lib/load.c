/*
 * tests/lib/load.c - many clients at once, for make bench and make soak.
 *
 *   load churn PORT MS WORKERS           connect, one line each way, close, for MS
 *                                        milliseconds: connections/s, and how many
 *   load flood PORT MS WORKERS           connect and reset, waiting for nothing: connections/s
 *   load trips PORT WORKERS MS           round trips of 64 bytes for MS milliseconds: trips/s
 *   load bytes PORT MS                   one connection, full speed both ways: bytes/s echoed
 *   load floor COUNT                     fork, exit, wait: microseconds of CPU each
 *   load hold PORT COUNT                 COUNT idle connections until standard input ends
 *   load soak PORT COUNT WORKERS PID     polite, half-closing, resetting and killed clients,
 *                                        while the server PID is sampled; one closing line
 *
 * Each worker is a process with blocking sockets: what a client on another
 * machine would do, and nothing of it can be mistaken for the server's work.
 * Exit status: 0; 1 when a client was not answered as it must be; 2 for usage.
 */
#define _GNU_SOURCE

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_WORKERS = 256, ANSWER_SECONDS = 30, KINDS = 4 };

static const char *const kind_names[KINDS] = {"polite", "half-closing", "resetting", "killed"};

/* Shared by all workers; survives the killed ones. */
struct shared {
    atomic_long taken; /* connections begun, never more than wanted */
    atomic_long done;  /* connections that ended as they must */
    atomic_long kinds[KINDS];
    atomic_long failed;  /* connections that did not */
    atomic_llong amount; /* round trips or bytes */
};
static struct shared *shared;

static in_port_t port;

static _Noreturn void die(const char *call)
{
    fprintf(stderr, "load: %s: %s\n", call, strerror(errno));
    exit(1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- one client ---- */

/* A connected socket, or -1. Waits when this machine is out of client ports. */
static int connect_client(void)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct timeval limit = {.tv_sec = ANSWER_SECONDS};
    double end = now() + ANSWER_SECONDS;

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (;;) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (fd == -1)
            die("socket");
        /* A server that does not answer is a failure and not a hang. */
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
        if (connect(fd, (struct sockaddr *)&addr, sizeof addr) == 0)
            return fd;
        int why = errno;
        close(fd);
        errno = why;
        /* All client ports are in TIME_WAIT: the kernel frees them by the second. */
        if (why != EADDRNOTAVAIL || now() > end)
            return -1;
        poll(NULL, 0, 20);
    }
}

static int send_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = send(fd, data, size, MSG_NOSIGNAL);
        if (n <= 0)
            return -1;
        data += n;
        size -= (size_t)n;
    }
    return 0;
}

static int receive_same(int fd, const char *data, size_t size)
{
    char buf[4096];

    while (size > 0) {
        ssize_t n = recv(fd, buf, size < sizeof buf ? size : sizeof buf, 0);
        if (n <= 0 || memcmp(buf, data, (size_t)n) != 0)
            return -1;
        data += n;
        size -= (size_t)n;
    }
    return 0;
}

static int receive_eof(int fd)
{
    char c;
    return recv(fd, &c, 1, 0) == 0 ? 0 : -1;
}

/* Send a line, get it back, say goodbye, see the server's goodbye. */
static int polite(void)
{
    static const char line[] = "Hello, is there anybody?\n";
    int fd = connect_client();
    int bad = fd == -1 || send_all(fd, line, sizeof line - 1) == -1 ||
              receive_same(fd, line, sizeof line - 1) == -1 || shutdown(fd, SHUT_WR) == -1 ||
              receive_eof(fd) == -1;

    if (fd != -1)
        close(fd);
    return bad ? -1 : 0;
}

/* Send much, half-close, and only then read: all of it must still come back. */
static int half_closing(unsigned seed)
{
    char data[3000];
    int fd = connect_client();

    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (char)(i * 7 + seed);
    int bad = fd == -1 || send_all(fd, data, sizeof data) == -1 || shutdown(fd, SHUT_WR) == -1 ||
              receive_same(fd, data, sizeof data) == -1 || receive_eof(fd) == -1;
    if (fd != -1)
        close(fd);
    return bad ? -1 : 0;
}

/* Send, and leave with a reset in mid-transfer, the answer unread. */
static int resetting(void)
{
    static const char data[2000];
    struct linger hard = {.l_onoff = 1, .l_linger = 0};
    int fd = connect_client();

    if (fd == -1)
        return -1;
    int bad = send_all(fd, data, sizeof data) == -1 ||
              setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard) == -1;
    close(fd);
    return bad ? -1 : 0;
}

/* A process with COUNT connections in mid-transfer is killed: how many it had, or -1. */
static int killed(long count)
{
    int ready[2];
    char c;

    if (pipe(ready) == -1)
        die("pipe");
    pid_t pid = fork();
    if (pid == -1)
        die("fork");
    if (pid == 0) {
        static const char data[500];
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (long i = 0; i < count; i++) {
            int fd = connect_client();
            if (fd == -1 || send_all(fd, data, sizeof data) == -1)
                _exit(1);
        }
        if (write(ready[1], "r", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    int good = read(ready[0], &c, 1) == 1;
    close(ready[0]);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return good ? 0 : -1;
}

/* ---- workers ---- */

/* Take up to `most` of the connections still to be made; 0 when all are taken. */
static long take(long wanted, long most)
{
    long before = atomic_fetch_add(&shared->taken, most);
    if (before >= wanted)
        return 0;
    return wanted - before < most ? wanted - before : most;
}

static void count(int kind, long n, int bad)
{
    if (bad) {
        atomic_fetch_add(&shared->failed, n);
        return;
    }
    atomic_fetch_add(&shared->kinds[kind], n);
    atomic_fetch_add(&shared->done, n);
}

static void churn(int worker, long milliseconds)
{
    double end = now() + (double)milliseconds / 1000;

    (void)worker;
    while (now() < end)
        count(0, 1, polite() == -1);
}

/* Faster than any server can fork, so that its backlog is never empty. */
static void flood(int worker, long milliseconds)
{
    double end = now() + (double)milliseconds / 1000;

    (void)worker;
    while (now() < end)
        count(2, 1, resetting() == -1);
}

/* Of twelve clients five are polite, two half-close, two reset, three are killed. */
static void soak(int worker, long wanted)
{
    unsigned turn = (unsigned)worker;
    for (;;) {
        unsigned what = turn++ % 10;
        long n = take(wanted, what == 9 ? 3 : 1);
        if (n == 0)
            return;
        if (what < 5)
            count(0, n, polite() == -1);
        else if (what < 7)
            count(1, n, half_closing(turn) == -1);
        else if (what < 9)
            count(2, n, resetting() == -1);
        else
            count(3, n, killed(n) == -1);
    }
}

static void trips(int worker, long milliseconds)
{
    static const char data[64] = "tick";
    double end = now() + (double)milliseconds / 1000;
    int fd = connect_client();
    long long n = 0;

    (void)worker;
    while (fd != -1 && now() < end) {
        if (send_all(fd, data, sizeof data) == -1 || receive_same(fd, data, sizeof data) == -1) {
            fd = -1;
            break;
        }
        n++;
    }
    atomic_fetch_add(&shared->amount, n);
    count(0, 1, fd == -1);
}

/* Worker 0 sends, a child of it receives. Counted is what came back. */
static void bytes(int worker, long milliseconds)
{
    static char data[65536];
    double end = now() + (double)milliseconds / 1000;
    struct timeval limit = {.tv_sec = milliseconds / 1000, .tv_usec = milliseconds % 1000 * 1000};
    int fd = connect_client();
    long long n = 0;

    (void)worker;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    pid_t sender = fd == -1 ? -1 : fork();
    if (sender == 0) {
        while (send(fd, data, sizeof data, MSG_NOSIGNAL) > 0)
            ;
        _exit(0);
    }
    while (sender != -1 && now() < end) {
        ssize_t got = recv(fd, data, sizeof data, 0);
        if (got <= 0) {
            count(0, 1, 1);
            break;
        }
        n += got;
    }
    if (sender > 0) {
        kill(sender, SIGKILL);
        waitpid(sender, NULL, 0);
    }
    atomic_fetch_add(&shared->amount, n);
    count(0, 1, sender == -1);
}

static void start_workers(int workers, void (*job)(int, long), long argument)
{
    for (int i = 0; i < workers; i++) {
        pid_t pid = fork();
        if (pid == -1)
            die("fork");
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            job(i, argument);
            _exit(0);
        }
    }
}

/* ---- the server from outside ---- */

struct sample {
    long zombies, children, descriptors, kilobytes;
};

static long count_descriptors(pid_t pid)
{
    char path[64];
    long n = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *dir = opendir(path);
    if (dir == NULL)
        return -1;
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        n += e->d_name[0] != '.';
    closedir(dir);
    return n;
}

/* The server's own memory that nobody shares, in kB; -1 when it is gone. */
static long count_kilobytes(pid_t pid)
{
    char path[64], line[256];
    long n = -1;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return -1;
    while (fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "VmRSS: %ld", &n) == 1)
            break;
    }
    fclose(file);
    return n;
}

static struct sample look_at(pid_t server)
{
    struct sample s = {.descriptors = count_descriptors(server),
                       .kilobytes = count_kilobytes(server)};
    DIR *dir = opendir("/proc");
    if (dir == NULL)
        die("/proc");
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        char path[300], text[512], state = '?';
        int parent = 0;
        if (e->d_name[0] < '1' || e->d_name[0] > '9')
            continue;
        snprintf(path, sizeof path, "/proc/%s/stat", e->d_name);
        FILE *file = fopen(path, "r");
        if (file == NULL)
            continue;
        size_t n = fread(text, 1, sizeof text - 1, file);
        fclose(file);
        text[n] = '\0';
        /* The name in brackets may hold anything: look behind the last bracket. */
        char *after = strrchr(text, ')');
        if (after == NULL || sscanf(after + 1, " %c %d", &state, &parent) != 2)
            continue;
        if (parent == server) {
            s.children++;
            s.zombies += state == 'Z';
        }
    }
    closedir(dir);
    return s;
}

/* ---- the jobs ---- */

/* Wait for every worker. True when nothing failed. */
static int all_well(void)
{
    while (wait(NULL) > 0)
        ;
    return atomic_load(&shared->failed) == 0;
}

static int run_soak(long wanted, int workers, pid_t server)
{
    struct sample first = look_at(server), most = first, s;
    double start = now();
    int tty = isatty(STDERR_FILENO);
    long step = 0;

    start_workers(workers, soak, wanted);
    for (;;) {
        while (waitpid(-1, NULL, WNOHANG) > 0)
            workers--;
        long done = atomic_load(&shared->done);
        s = look_at(server);
        most.zombies = s.zombies > most.zombies ? s.zombies : most.zombies;
        most.children = s.children > most.children ? s.children : most.children;
        most.descriptors = s.descriptors > most.descriptors ? s.descriptors : most.descriptors;
        most.kilobytes = s.kilobytes > most.kilobytes ? s.kilobytes : most.kilobytes;
        if (tty || done * 20 / wanted > step || workers == 0) {
            step = done * 20 / wanted;
            double seconds = now() - start;
            fprintf(stderr,
                    "%ssoak: %ld of %ld, %.0f a second, %ld children, %ld zombies, "
                    "%ld descriptors, %ld kB%s",
                    tty ? "\r\033[K" : "", done, wanted, (double)done / seconds, s.children,
                    s.zombies, s.descriptors, s.kilobytes, tty ? "" : "\n");
        }
        if (workers == 0 || s.descriptors == -1)
            break;
        poll(NULL, 0, 100);
    }
    if (tty)
        fputc('\n', stderr);
    /* The last clients have gone; their children, and whom the backlog holds, may be on their way. */
    double end = now() + ANSWER_SECONDS;
    while (((s = look_at(server)).children > 0 || s.descriptors != first.descriptors) &&
           now() < end)
        poll(NULL, 0, 20);

    long failed = atomic_load(&shared->failed);
    printf("soak: %ld connections in %.0f s (", atomic_load(&shared->done), now() - start);
    for (int i = 0; i < KINDS; i++)
        printf("%s%ld %s", i > 0 ? ", " : "", atomic_load(&shared->kinds[i]), kind_names[i]);
    printf("), %ld failed; descriptors %ld to %ld, memory %ld to %ld kB (at most %ld), "
           "zombies at most %ld, children left %ld\n",
           failed, first.descriptors, s.descriptors, first.kilobytes, s.kilobytes, most.kilobytes,
           most.zombies, s.children);
    return failed == 0 && s.children == 0 && s.descriptors == first.descriptors &&
           atomic_load(&shared->done) == wanted;
}

static int run_hold(long wanted)
{
    static const char line[] = "holding\n";
    for (long i = 0; i < wanted; i++) {
        int fd = connect_client();
        if (fd == -1 || send_all(fd, line, sizeof line - 1) == -1 ||
            receive_same(fd, line, sizeof line - 1) == -1)
            die("client");
    }
    puts("holding");
    fflush(stdout);
    while (getchar() != EOF)
        ;
    return 1;
}

/* What no fork server can do without. */
static int run_floor(long wanted)
{
    double spent = 0;

    for (long i = 0; i < wanted; i++) {
        pid_t pid = fork();
        if (pid == -1)
            die("fork");
        if (pid == 0)
            _exit(0);
        waitpid(pid, NULL, 0);
    }
    for (int who = RUSAGE_CHILDREN; who <= RUSAGE_SELF; who++) {
        struct rusage used;
        getrusage(who, &used);
        spent += (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
                 (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
    }
    printf("%.1f\n", spent / (double)wanted);
    return 1;
}

static _Noreturn void usage(void)
{
    fputs("usage: load churn|flood PORT MS WORKERS | trips PORT WORKERS MS | bytes PORT MS |\n"
          "       floor COUNT | hold PORT COUNT | soak PORT COUNT WORKERS PID\n",
          stderr);
    exit(2);
}

int main(int argc, char *argv[])
{
    const char *job = argc > 1 ? argv[1] : "";
    long arg[4] = {0};

    if (argc < 3 || argc > 6)
        usage();
    for (int i = 2; i < argc; i++)
        arg[i - 2] = atol(argv[i]);
    port = (in_port_t)arg[0];
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        die("mmap");

    int well = 0;
    double start = now();
    if ((strcmp(job, "churn") == 0 || strcmp(job, "flood") == 0) && argc == 5) {
        start_workers((int)arg[2], *job == 'c' ? churn : flood, arg[1]);
        well = all_well();
        long done = atomic_load(&shared->done);
        printf("%.0f %ld\n", (double)done / (now() - start), done);
    } else if (strcmp(job, "floor") == 0 && argc == 3) {
        well = run_floor(arg[0]);
    } else if (strcmp(job, "trips") == 0 && argc == 5) {
        start_workers((int)arg[1], trips, arg[2]);
        well = all_well();
        printf("%.0f\n", (double)atomic_load(&shared->amount) / (now() - start));
    } else if (strcmp(job, "bytes") == 0 && argc == 4) {
        start_workers(1, bytes, arg[1]);
        well = all_well();
        printf("%.0f\n", (double)atomic_load(&shared->amount) / (now() - start));
    } else if (strcmp(job, "hold") == 0 && argc == 4) {
        well = run_hold(arg[1]);
    } else if (strcmp(job, "soak") == 0 && argc == 6) {
        well = run_soak(arg[1], (int)arg[2], (pid_t)arg[3]);
    } else {
        usage();
    }
    return well ? 0 : 1;
}
