/*
 * tests/lib/clients.c - many named TCP clients, driven line by line.
 *
 * A test writes one command a line to standard input and reads exactly one
 * line back for it: "ok ..." or "error COMMAND NAME: what: why". Nothing else
 * is printed on standard output. End of input, or quit, ends the program;
 * whatever is still connected is then closed by the kernel.
 *
 *   connect NAME PORT [ADDRESS]        ok LOCAL_PORT       (ADDRESS: 127.0.0.1)
 *   connect-many PREFIX COUNT PORT [ADDRESS]  ok COUNT     names PREFIX1, PREFIX2, ...
 *   send NAME TEXT                     ok BYTES            TEXT knows \n \r \t \0 \\ \xHH
 *   expect NAME TEXT                   ok BYTES            reads exactly this text
 *   echo NAME TEXT                     ok BYTES            send, then expect
 *   receive NAME COUNT                 ok TEXT             reads COUNT bytes (at most 4096)
 *   exchange NAME BYTES SEED [CHUNK]   ok BYTES            see below
 *   exchange-many PREFIX BYTES SEED    ok CONNECTIONS      all at the same time
 *   visit COUNT PORT BYTES SEED [ADDRESS]  ok COUNT        one after another: connect,
 *                                                          exchange, close
 *   push NAME SEED [BYTES]             ok TOTAL            see below
 *   drain NAME                         ok TOTAL
 *   half-close NAME                    ok                  shutdown(SHUT_WR)
 *   half-close-many PREFIX             ok CONNECTIONS
 *   expect-eof NAME [MS]               ok                  end of file, and no byte before it
 *   expect-eof-many PREFIX [MS]        ok CONNECTIONS
 *   expect-reset NAME [MS]             ok                  ECONNRESET, whatever came before
 *   no-eof NAME MS                     ok                  for MS: no byte, no end, no error
 *   end NAME [MS]                      ok eof|reset BYTES  how it ended, after how much data
 *   state NAME                         ok ESTABLISHED|...  our side's TCP state
 *   port NAME                          ok LOCAL_PORT
 *   names [PREFIX]                     ok COUNT NAME ...
 *   close NAME / close-many PREFIX     ok / ok CONNECTIONS
 *   reset NAME / reset-many PREFIX     ok / ok CONNECTIONS close with RST (SO_LINGER 0)
 *   deadline MS                        ok MS               for all commands that follow
 *   segment BYTES                      ok BYTES            the longest segment that servers may
 *                                                          send us, for connections that
 *                                                          follow; 0: the kernel's choice
 *   quit                               ok
 *
 * -many takes every NAME that is PREFIX followed by digits only.
 *
 * exchange sends BYTES random bytes made from SEED (every 61st is NUL) and
 * reads while it sends; what comes back must be the same bytes and not one
 * more. With CHUNK never more than CHUNK bytes are on their way: 1 is one byte
 * at a time. push sends such bytes without reading, as many as the kernel
 * takes now, and a later push goes on where it stopped; drain then reads until
 * as many came back. A deadline runs from the last byte that moved, and a
 * command as a whole may take ten of them.
 *
 * Whoever knows that nothing will come any more tells us by SIGUSR1. When a command has
 * been told so twice, and nothing could be sent or received between the two, its time is
 * up. Only a connect goes on to its deadline, since the kernel tries it again by a clock.
 *
 * Exit status: 0, 1 when a signal cannot be caught, or 2 for wrong usage. Rests on socket(7), tcp(7),
 * poll(2).
 */
#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { NAME_SIZE = 64, TEXT_SIZE = 4096, PIECE = 16384, MAX_WORDS = 6 };

struct conn {
    char name[NAME_SIZE];
    int fd;
    /* The random payload under way: bytes 0..goal of the sequence of `seed`. */
    uint64_t seed;
    uint64_t goal;     /* send up to here */
    uint64_t sent;     /* received <= sent <= goal */
    uint64_t received; /* compared and found equal up to here */
};

static struct conn *conns; /* in the order of connecting */
static size_t conn_count, conn_room;
static long deadline_ms = 10000;
static int segment_size; /* 0: the kernel's choice */

/* The command being answered, for error lines. */
static const char *command_now = "";

/* ---- answers ---- */

static void ok(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int fail(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void ok(const char *format, ...)
{
    va_list args;

    fputs("ok ", stdout);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

static void ok_alone(void)
{
    puts("ok");
}

/* Answer with an error. Returns -1, so that a function can `return fail(...)`. */
static int fail(const char *name, const char *format, ...)
{
    va_list args;

    printf("error %s %s: ", command_now, name);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    return -1;
}

/* ---- time ---- */

static long now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static volatile sig_atomic_t told; /* how often we were told that nothing will come */
static int told_when_moved;        /* how often by the time something could move */
static int in_vain;                /* the command being answered waits for nothing */
static sigset_t no_signals;        /* SIGUSR1 is let in by ppoll only */

static void on_told(int sig)
{
    (void)sig;
    told++;
}

static int catch_told(void)
{
    struct sigaction act = {.sa_handler = on_told};
    sigset_t usr1;

    sigemptyset(&no_signals);
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    return sigaction(SIGUSR1, &act, NULL) == 0 && sigprocmask(SIG_BLOCK, &usr1, NULL) == 0 ? 0 : -1;
}

/*
 * poll(2) until `end`: how many of the `count` are ready; 0: time is up. Sets in_vain where that is
 * because we were told so.
 */
static int poll_until(struct pollfd *polled, nfds_t count, long end)
{
    for (;;) {
        long left = end - now_ms() > 0 ? end - now_ms() : 0;
        struct timespec limit = {.tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000};
        int ready = ppoll(polled, count, &limit, &no_signals);
        in_vain = ready == -1 && told - told_when_moved >= 2;
        if (in_vain) {
            /* What has come meanwhile is a reason to go on. */
            ready = poll(polled, count, 0);
            in_vain = ready == 0;
        }
        if (ready > 0)
            told_when_moved = told;
        if (ready >= 0 || errno != EINTR)
            return ready > 0 ? ready : 0;
    }
}

/* Wait until one of `events` holds for fd, or its end or an error. 0: time is up. */
static int wait_for(int fd, short events, long end)
{
    struct pollfd polled = {.fd = fd, .events = events};

    return poll_until(&polled, 1, end) > 0;
}

/* The same for a connect: no other way to end it than its deadline. */
static int wait_for_connect(int fd, long end)
{
    while (now_ms() < end)
        if (wait_for(fd, POLLOUT, end))
            return 1;
    return 0;
}

/* ---- text and payload ---- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

/* Decode the escapes of `text` into `out`. Returns the length, -1 for a bad escape. */
static ssize_t decode(const char *text, char *out, size_t room)
{
    size_t n = 0;

    for (; *text != '\0' && n < room; text++) {
        if (*text != '\\') {
            out[n++] = *text;
            continue;
        }
        switch (*++text) {
        case 'n':
            out[n++] = '\n';
            break;
        case 'r':
            out[n++] = '\r';
            break;
        case 't':
            out[n++] = '\t';
            break;
        case '0':
            out[n++] = '\0';
            break;
        case '\\':
            out[n++] = '\\';
            break;
        case 'x':
            if (hex_value(text[1]) == -1 || hex_value(text[2]) == -1)
                return -1;
            out[n++] = (char)(hex_value(text[1]) * 16 + hex_value(text[2]));
            text += 2;
            break;
        default:
            return -1;
        }
    }
    return *text == '\0' ? (ssize_t)n : -1;
}

/* The other way round, at most 4 characters a byte. Returns `out`. */
static char *encode(const char *data, size_t size, char *out)
{
    char *p = out;

    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)data[i];
        if (c == '\n')
            p += sprintf(p, "\\n");
        else if (c == '\\')
            p += sprintf(p, "\\\\");
        else if (c >= ' ' && c <= '~')
            *p++ = (char)c;
        else
            p += sprintf(p, "\\x%02x", c);
    }
    *p = '\0';
    return out;
}

/*
 * Bytes `from` and on of the random sequence of `seed`. There is no state, so
 * that any part can be made again. One 64-bit word, mixed as splitmix64 does it,
 * gives eight bytes.
 */
static void fill_payload(char *data, size_t size, uint64_t seed, uint64_t from)
{
    uint64_t word = 0;

    for (size_t i = 0; i < size; i++) {
        uint64_t k = from + i;
        if (i == 0 || k % 8 == 0) {
            word = seed * 0x9e3779b97f4a7c15U + (k >> 3) + 1;
            word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9U;
            word = (word ^ (word >> 27)) * 0x94d049bb133111ebU;
            word ^= word >> 31;
        }
        data[i] = (char)(k % 61 == 7 ? 0 : word >> (k % 8 * 8));
    }
}

/* ---- connections ---- */

static struct conn *find(const char *name)
{
    for (size_t i = 0; i < conn_count; i++)
        if (strcmp(conns[i].name, name) == 0)
            return &conns[i];
    return NULL;
}

/* Does `name` consist of `prefix` and then digits only? */
static int matches(const char *name, const char *prefix)
{
    size_t n = strlen(prefix);
    return strncmp(name, prefix, n) == 0 && name[n] != '\0' &&
           name[n + strspn(name + n, "0123456789")] == '\0';
}

/* Close with FIN, or with RST. The slot is filled by the ones behind it: order is kept. */
static void drop(struct conn *c, int with_reset)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    size_t at = (size_t)(c - conns);

    if (with_reset)
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(c->fd);
    memmove(c, c + 1, (conn_count - at - 1) * sizeof *c);
    conn_count--;
}

static int local_port(int fd)
{
    struct sockaddr_storage addr;
    socklen_t size = sizeof addr;

    if (getsockname(fd, (struct sockaddr *)&addr, &size) == -1)
        return -1;
    if (addr.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)(void *)&addr)->sin6_port);
    return ntohs(((struct sockaddr_in *)(void *)&addr)->sin_port);
}

/* Connect within the deadline. Returns the descriptor, or -1 with the reason in `why`. */
static int connect_within(const char *address, const char *port, const char **why)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *to;
    int error = getaddrinfo(address, port, &hints, &to);
    int on = 1;

    if (error != 0) {
        *why = gai_strerror(error);
        return -1;
    }
    int fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    /* Before connect, which tells it to the other side. Errors leave the kernel's choice. */
    if (fd != -1 && segment_size > 0)
        setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment_size, sizeof segment_size);
    error = fd != -1 && connect(fd, to->ai_addr, to->ai_addrlen) == 0 ? 0 : errno;
    freeaddrinfo(to);
    if (fd != -1 && error == EINPROGRESS) {
        socklen_t size = sizeof error;
        if (!wait_for_connect(fd, now_ms() + deadline_ms))
            error = ETIMEDOUT;
        else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == -1)
            error = errno;
    }
    if (error != 0) {
        if (fd != -1)
            close(fd);
        *why = strerror(error);
        return -1;
    }
    /* Each send leaves at once: one byte at a time shall be one byte at a time. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

/* Returns 0, or -1 with the reason in `why`. */
static int add(const char *name, const char *address, const char *port, const char **why)
{
    if (strlen(name) >= NAME_SIZE || find(name) != NULL) {
        *why = strlen(name) >= NAME_SIZE ? "name too long" : "there is one of this name";
        return -1;
    }
    if (conn_count == conn_room) {
        size_t room = conn_room * 2 + 16;
        struct conn *more = realloc(conns, room * sizeof *more);
        if (more == NULL) {
            *why = "out of memory";
            return -1;
        }
        conns = more;
        conn_room = room;
    }
    int fd = connect_within(address, port, why);
    if (fd == -1)
        return -1;
    struct conn *c = &conns[conn_count++];
    memset(c, 0, sizeof *c);
    strcpy(c->name, name);
    c->fd = fd;
    return 0;
}

/* ---- sending and receiving ---- */

/* Read up to `size` bytes within the deadline. What `recv` returned, or -2: time is up. */
static ssize_t receive_some(int fd, char *data, size_t size, long end)
{
    for (;;) {
        if (!wait_for(fd, POLLIN, end))
            return -2;
        ssize_t got = recv(fd, data, size, MSG_DONTWAIT);
        if (got >= 0 || (errno != EAGAIN && errno != EINTR))
            return got;
    }
}

/* "end of file", "timed out" or the error, for what receive_some returned. */
static const char *reason(ssize_t got)
{
    return got == 0 ? "end of file" : got == -2 ? "timed out" : strerror(errno);
}

static int send_all(const struct conn *c, const char *data, size_t size)
{
    long end = now_ms() + deadline_ms;

    for (size_t done = 0; done < size;) {
        if (!wait_for(c->fd, POLLOUT, end))
            return fail(c->name, "timed out: %zu of %zu bytes sent", done, size);
        ssize_t n = send(c->fd, data + done, size - done, MSG_NOSIGNAL);
        if (n == -1 && errno != EAGAIN)
            return fail(c->name, "%s: %zu of %zu bytes sent", strerror(errno), done, size);
        if (n > 0)
            done += (size_t)n;
    }
    return 0;
}

/* Read exactly `size` bytes. On an error what had come is shown. */
static int receive_all(const struct conn *c, char *data, size_t size)
{
    char shown[TEXT_SIZE * 4 + 1];
    long end = now_ms() + deadline_ms;

    for (size_t done = 0; done < size;) {
        ssize_t got = receive_some(c->fd, data + done, size - done, end);
        if (got <= 0)
            return fail(c->name, "%s: %zu of %zu bytes received: \"%s\"", reason(got), done, size,
                        encode(data, done, shown));
        done += (size_t)got;
    }
    return 0;
}

static int expect_text(const struct conn *c, const char *text, size_t size)
{
    char data[TEXT_SIZE];

    if (receive_all(c, data, size) == -1)
        return -1;
    if (memcmp(data, text, size) != 0) {
        char found[TEXT_SIZE * 4 + 1], expected[TEXT_SIZE * 4 + 1];
        return fail(c->name, "expected \"%s\", found \"%s\"", encode(text, size, expected),
                    encode(data, size, found));
    }
    return 0;
}

/* Send the next bytes of the payload, as many as the kernel takes. -1: answered with an error. */
static int send_payload(struct conn *c, uint64_t limit)
{
    char data[PIECE];
    size_t size = limit - c->sent < PIECE ? (size_t)(limit - c->sent) : PIECE;

    fill_payload(data, size, c->seed, c->sent);
    ssize_t n = send(c->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n == -1 && errno != EAGAIN && errno != EINTR)
        return fail(c->name, "send: %s: %ju of %ju bytes sent, %ju came back", strerror(errno),
                    (uintmax_t)c->sent, (uintmax_t)c->goal, (uintmax_t)c->received);
    if (n > 0)
        c->sent += (uint64_t)n;
    return n > 0;
}

/* Read what has come back and compare it. 1: some came, 0: none, -1: answered with an error. */
static int check_payload(struct conn *c)
{
    char data[PIECE], expected[PIECE];
    ssize_t got = recv(c->fd, data, sizeof data, MSG_DONTWAIT);

    if (got == -1 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (got <= 0)
        return fail(c->name, "%s: %ju of %ju bytes sent, %ju came back", reason(got),
                    (uintmax_t)c->sent, (uintmax_t)c->goal, (uintmax_t)c->received);
    if ((uint64_t)got > c->sent - c->received)
        return fail(c->name, "more came back (%ju bytes) than was sent (%ju)",
                    (uintmax_t)c->received + (uintmax_t)got, (uintmax_t)c->sent);
    fill_payload(expected, (size_t)got, c->seed, c->received);
    for (size_t i = 0; i < (size_t)got; i++)
        if (data[i] != expected[i])
            return fail(c->name, "byte %ju of %ju differs: expected 0x%02x, found 0x%02x",
                        (uintmax_t)c->received + i, (uintmax_t)c->goal, (unsigned char)expected[i],
                        (unsigned char)data[i]);
    c->received += (uint64_t)got;
    return 1;
}

/*
 * Move the payloads of conns[which[..]] until each has come back whole. `chunk`
 * is the most that may be on its way, 0 for no limit. -1: answered with an error.
 */
static int move_payloads(const size_t *which, size_t count, uint64_t chunk)
{
    long start = now_ms(), last = start;
    struct pollfd *watch = calloc(count + 1, sizeof *watch);
    int result = -1;

    if (watch == NULL)
        return fail("", "out of memory");
    for (;;) {
        size_t unfinished = 0;
        int late =
            in_vain || now_ms() - last >= deadline_ms || now_ms() - start >= deadline_ms * 10;
        for (size_t i = 0; i < count; i++) {
            struct conn *c = &conns[which[i]];
            uint64_t window =
                chunk > 0 && c->goal - c->received > chunk ? c->received + chunk : c->goal;
            watch[i].fd = c->received < c->goal ? c->fd : -1;
            watch[i].events = (short)(c->sent < window ? POLLIN | POLLOUT : POLLIN);
            unfinished += c->received < c->goal;
            if (late && c->received < c->goal) {
                fail(c->name, "timed out: %ju of %ju bytes sent, %ju came back", (uintmax_t)c->sent,
                     (uintmax_t)c->goal, (uintmax_t)c->received);
                goto out;
            }
        }
        if (unfinished == 0)
            break;
        poll_until(watch, (nfds_t)count, last + deadline_ms);
        for (size_t i = 0; i < count; i++) {
            struct conn *c = &conns[which[i]];
            uint64_t window =
                chunk > 0 && c->goal - c->received > chunk ? c->received + chunk : c->goal;
            int moved = 0, came = 0;
            /* Read first: an error that follows data shall not hide the data. */
            if (watch[i].fd != -1 && watch[i].revents != 0 && (came = check_payload(c)) == -1)
                goto out;
            if (watch[i].fd != -1 && (watch[i].revents & POLLOUT) != 0 && c->sent < window &&
                (moved = send_payload(c, window)) == -1)
                goto out;
            if (came || moved)
                last = now_ms();
        }
    }
    for (size_t i = 0; i < count; i++) {
        char more;
        const struct conn *c = &conns[which[i]];
        if (recv(c->fd, &more, 1, MSG_DONTWAIT | MSG_PEEK) == 1) {
            fail(c->name, "more came back than the %ju bytes sent", (uintmax_t)c->goal);
            goto out;
        }
    }
    result = 0;
out:
    free(watch);
    return result;
}

/* Start a new payload on `c`: nothing of it sent yet. */
static void set_payload(struct conn *c, uint64_t seed, uint64_t goal)
{
    c->seed = seed;
    c->goal = goal;
    c->sent = c->received = 0;
}

/* 0: end of file and nothing before it. -1: answered with an error. */
static int expect_eof(const struct conn *c, long ms)
{
    char data[64];
    ssize_t got = receive_some(c->fd, data, sizeof data, now_ms() + ms);

    if (got == -2)
        return fail(c->name, "expected end of file, found the connection open");
    if (got == -1)
        return fail(c->name, "expected end of file, found: %s", strerror(errno));
    if (got > 0) {
        char shown[64 * 4 + 1];
        return fail(c->name, "expected end of file, found data: \"%s\"",
                    encode(data, (size_t)got, shown));
    }
    return 0;
}

/* Read to the end. 0: end of file, 1: reset, -1: answered with an error. Counts into `bytes`. */
static int read_to_end(const struct conn *c, long ms, uintmax_t *bytes)
{
    char data[PIECE];
    long end = now_ms() + ms;

    *bytes = 0;
    /* The clock is looked at here too: endless data never makes receive_some wait. */
    while (now_ms() < end && !in_vain) {
        ssize_t got = receive_some(c->fd, data, sizeof data, end);
        if (got == 0)
            return 0;
        if (got == -1 && (errno == ECONNRESET || errno == EPIPE))
            return 1;
        if (got == -1)
            return fail(c->name, "%s", strerror(errno));
        if (got > 0)
            *bytes += (uintmax_t)got;
    }
    return fail(c->name, "the connection is open, %ju bytes came", *bytes);
}

/* ---- commands: each answers with exactly one line ---- */

/* The words of the command line; absent ones are NULL. `rest` is the text behind the name. */
struct line {
    char *word[MAX_WORDS];
    const char *rest;
};

/* A decimal number, or `otherwise` when the word is absent. -1: not a number. */
static long number(const char *word, long otherwise)
{
    char *end;

    if (word == NULL)
        return otherwise;
    errno = 0;
    long value = strtol(word, &end, 10);
    return *word == '\0' || *end != '\0' || value < 0 || errno != 0 ? -1 : value;
}

static void do_connect(const struct line *l)
{
    const char *why = "";
    if (add(l->word[1], l->word[3] ? l->word[3] : "127.0.0.1", l->word[2], &why) == -1)
        fail(l->word[1], "port %s: %s", l->word[2], why);
    else
        ok("%d", local_port(conns[conn_count - 1].fd));
}

static void do_connect_many(const struct line *l)
{
    long count = number(l->word[2], -1);
    const char *why = "";
    char name[NAME_SIZE + 24];

    for (long i = 1; i <= count; i++) {
        snprintf(name, sizeof name, "%.63s%ld", l->word[1], i);
        if (add(name, l->word[4] ? l->word[4] : "127.0.0.1", l->word[3], &why) == -1) {
            fail(l->word[1], "port %s: %ld of %ld connected: %s", l->word[3], i - 1, count, why);
            return;
        }
    }
    ok("%ld", count);
}

static void do_visit(const struct line *l)
{
    long count = number(l->word[1], -1), bytes = number(l->word[3], -1);
    long seed = number(l->word[4], -1);
    const char *why = "";

    if (count < 0 || bytes < 0 || seed < 0) {
        fail(l->word[1], "not a number");
        return;
    }
    for (long i = 0; i < count; i++) {
        if (add("visitor", l->word[5] ? l->word[5] : "127.0.0.1", l->word[2], &why) == -1) {
            fail(l->word[1], "port %s: %ld served: %s", l->word[2], i, why);
            return;
        }
        size_t which = conn_count - 1;
        set_payload(&conns[which], (uint64_t)seed * 1000003 + (uint64_t)i, (uint64_t)bytes);
        int result = move_payloads(&which, 1, 0);
        drop(&conns[which], 0);
        if (result == -1)
            return;
    }
    ok("%ld", count);
}

static void do_names(const struct line *l)
{
    size_t count = 0;

    for (size_t i = 0; i < conn_count; i++)
        count += l->word[1] == NULL || matches(conns[i].name, l->word[1]);
    printf("ok %zu", count);
    for (size_t i = 0; i < conn_count; i++)
        if (l->word[1] == NULL || matches(conns[i].name, l->word[1]))
            printf(" %s", conns[i].name);
    putchar('\n');
}

static void do_deadline(const struct line *l)
{
    long ms = number(l->word[1], -1);
    if (ms <= 0) {
        fail(l->word[1], "not a number of milliseconds");
        return;
    }
    deadline_ms = ms;
    ok("%ld", ms);
}

static void do_segment(const struct line *l)
{
    long size = number(l->word[1], -1);

    if (size < 0 || size > INT_MAX) {
        fail(l->word[1], "not a number of bytes");
        return;
    }
    segment_size = (int)size;
    ok("%ld", size);
}

/* send, expect and echo: the two steps, and a command for each choice of them. */
static void talk(const struct conn *c, const char *escaped, int sends, int expects)
{
    char text[TEXT_SIZE];
    ssize_t size = decode(escaped, text, sizeof text);

    if (size == -1)
        fail(c->name, "bad escape, or longer than %d bytes: \"%s\"", TEXT_SIZE, escaped);
    else if ((!sends || send_all(c, text, (size_t)size) == 0) &&
             (!expects || expect_text(c, text, (size_t)size) == 0))
        ok("%zd", size);
}

static void do_send(struct conn *c, const struct line *l)
{
    talk(c, l->rest, 1, 0);
}

static void do_expect(struct conn *c, const struct line *l)
{
    talk(c, l->rest, 0, 1);
}

static void do_echo(struct conn *c, const struct line *l)
{
    talk(c, l->rest, 1, 1);
}

static void do_receive(struct conn *c, const struct line *l)
{
    char data[TEXT_SIZE], shown[TEXT_SIZE * 4 + 1];
    long count = number(l->word[2], -1);

    if (count < 1 || count > TEXT_SIZE)
        fail(c->name, "give a count from 1 to %d", TEXT_SIZE);
    else if (receive_all(c, data, (size_t)count) == 0)
        ok("%s", encode(data, (size_t)count, shown));
}

static void do_exchange(struct conn *c, const struct line *l)
{
    long bytes = number(l->word[2], -1), seed = number(l->word[3], -1);
    long chunk = number(l->word[4], 0);
    size_t which = (size_t)(c - conns);

    if (bytes < 0 || seed < 0 || chunk < 0) {
        fail(c->name, "not a number");
        return;
    }
    set_payload(c, (uint64_t)seed, (uint64_t)bytes);
    if (move_payloads(&which, 1, (uint64_t)chunk) == 0)
        ok("%ld", bytes);
}

static void do_push(struct conn *c, const struct line *l)
{
    long seed = number(l->word[2], -1), bytes = number(l->word[3], 1L << 40);

    if (seed < 0 || bytes < 0) {
        fail(c->name, "not a number");
        return;
    }
    if (c->seed != (uint64_t)seed || c->received == c->goal)
        set_payload(c, (uint64_t)seed, 0);
    c->goal = c->sent + (uint64_t)bytes;
    int moved = 1;
    while (moved == 1 && c->sent < c->goal)
        moved = send_payload(c, c->goal);
    c->goal = c->sent;
    if (moved != -1)
        ok("%ju", (uintmax_t)c->sent);
}

static void do_drain(struct conn *c, const struct line *l)
{
    size_t which = (size_t)(c - conns);

    (void)l;
    if (move_payloads(&which, 1, 0) == 0)
        ok("%ju", (uintmax_t)c->received);
}

static void do_half_close(struct conn *c, const struct line *l)
{
    (void)l;
    if (shutdown(c->fd, SHUT_WR) == -1)
        fail(c->name, "%s", strerror(errno));
    else
        ok_alone();
}

static void do_expect_eof(struct conn *c, const struct line *l)
{
    if (expect_eof(c, number(l->word[2], deadline_ms)) == 0)
        ok_alone();
}

static void do_expect_reset(struct conn *c, const struct line *l)
{
    uintmax_t bytes;
    int how = read_to_end(c, number(l->word[2], deadline_ms), &bytes);

    if (how == 0)
        fail(c->name, "expected a reset, found end of file after %ju bytes", bytes);
    else if (how == 1)
        ok_alone();
}

static void do_end(struct conn *c, const struct line *l)
{
    uintmax_t bytes;
    int how = read_to_end(c, number(l->word[2], deadline_ms), &bytes);

    if (how != -1)
        ok("%s %ju", how == 0 ? "eof" : "reset", bytes);
}

static void do_no_eof(struct conn *c, const struct line *l)
{
    char data[64];
    ssize_t got = receive_some(c->fd, data, sizeof data, now_ms() + number(l->word[2], 0));

    if (got > 0) {
        char shown[64 * 4 + 1];
        fail(c->name, "expected a silent connection, found data: \"%s\"",
             encode(data, (size_t)got, shown));
    } else if (got != -2) {
        fail(c->name, "expected an open connection, found: %s", reason(got));
    } else {
        ok_alone();
    }
}

static void do_state(struct conn *c, const struct line *l)
{
    /* In the order of the kernel's numbers, see include/net/tcp_states.h there. */
    static const char *const names[] = {"?",          "ESTABLISHED", "SYN_SENT",  "SYN_RECV",
                                        "FIN_WAIT1",  "FIN_WAIT2",   "TIME_WAIT", "CLOSE",
                                        "CLOSE_WAIT", "LAST_ACK",    "LISTEN",    "CLOSING"};
    struct tcp_info info;
    socklen_t size = sizeof info;

    (void)l;
    if (getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &size) == -1)
        fail(c->name, "getsockopt: %s", strerror(errno));
    else
        ok("%s", names[info.tcpi_state < sizeof names / sizeof *names ? info.tcpi_state : 0]);
}

static void do_port(struct conn *c, const struct line *l)
{
    (void)l;
    ok("%d", local_port(c->fd));
}

static void do_close(struct conn *c, const struct line *l)
{
    (void)l;
    drop(c, 0);
    ok_alone();
}

static void do_reset(struct conn *c, const struct line *l)
{
    (void)l;
    drop(c, 1);
    ok_alone();
}

/* The indices of all connections that match a prefix. */
struct set {
    size_t count;
    size_t *at;
};

static void do_exchange_many(const struct set *s, const struct line *l)
{
    long bytes = number(l->word[2], -1), seed = number(l->word[3], -1);

    if (bytes < 0 || seed < 0) {
        fail(l->word[1], "not a number");
        return;
    }
    /* Each its own bytes: a server that mixes its clients up is found out. */
    for (size_t i = 0; i < s->count; i++)
        set_payload(&conns[s->at[i]], (uint64_t)seed * 1000003 + i, (uint64_t)bytes);
    if (move_payloads(s->at, s->count, 0) == 0)
        ok("%zu", s->count);
}

static void do_half_close_many(const struct set *s, const struct line *l)
{
    (void)l;
    for (size_t i = 0; i < s->count; i++)
        if (shutdown(conns[s->at[i]].fd, SHUT_WR) == -1) {
            fail(conns[s->at[i]].name, "%s", strerror(errno));
            return;
        }
    ok("%zu", s->count);
}

static void do_expect_eof_many(const struct set *s, const struct line *l)
{
    for (size_t i = 0; i < s->count; i++)
        if (expect_eof(&conns[s->at[i]], number(l->word[2], deadline_ms)) == -1)
            return;
    ok("%zu", s->count);
}

static void drop_many(const struct set *s, int with_reset)
{
    /* From behind: dropping one moves those after it. */
    for (size_t i = s->count; i > 0; i--)
        drop(&conns[s->at[i - 1]], with_reset);
    ok("%zu", s->count);
}

static void do_close_many(const struct set *s, const struct line *l)
{
    (void)l;
    drop_many(s, 0);
}

static void do_reset_many(const struct set *s, const struct line *l)
{
    (void)l;
    drop_many(s, 1);
}

/* A command runs alone, on one connection, or on all that match a prefix. */
struct command {
    const char *name;
    int words; /* at least so many, the name included */
    void (*alone)(const struct line *);
    void (*one)(struct conn *, const struct line *);
    void (*many)(const struct set *, const struct line *);
};

static const struct command commands[] = {
    {"connect", 3, do_connect, NULL, NULL},
    {"connect-many", 4, do_connect_many, NULL, NULL},
    {"visit", 5, do_visit, NULL, NULL},
    {"names", 1, do_names, NULL, NULL},
    {"segment", 2, do_segment, NULL, NULL},
    {"deadline", 2, do_deadline, NULL, NULL},
    {"send", 3, NULL, do_send, NULL},
    {"expect", 3, NULL, do_expect, NULL},
    {"echo", 3, NULL, do_echo, NULL},
    {"receive", 3, NULL, do_receive, NULL},
    {"exchange", 4, NULL, do_exchange, NULL},
    {"push", 3, NULL, do_push, NULL},
    {"drain", 2, NULL, do_drain, NULL},
    {"half-close", 2, NULL, do_half_close, NULL},
    {"expect-eof", 2, NULL, do_expect_eof, NULL},
    {"expect-reset", 2, NULL, do_expect_reset, NULL},
    {"no-eof", 3, NULL, do_no_eof, NULL},
    {"end", 2, NULL, do_end, NULL},
    {"state", 2, NULL, do_state, NULL},
    {"port", 2, NULL, do_port, NULL},
    {"close", 2, NULL, do_close, NULL},
    {"reset", 2, NULL, do_reset, NULL},
    {"exchange-many", 4, NULL, NULL, do_exchange_many},
    {"half-close-many", 2, NULL, NULL, do_half_close_many},
    {"expect-eof-many", 2, NULL, NULL, do_expect_eof_many},
    {"close-many", 2, NULL, NULL, do_close_many},
    {"reset-many", 2, NULL, NULL, do_reset_many},
};

static void run_one(const struct command *command, const struct line *l)
{
    struct conn *c = find(l->word[1]);

    if (c == NULL)
        fail(l->word[1], "no connection of this name");
    else
        command->one(c, l);
}

static void run_many(const struct command *command, const struct line *l)
{
    struct set s = {.count = 0, .at = calloc(conn_count + 1, sizeof *s.at)};

    if (s.at == NULL) {
        fail(l->word[1], "out of memory");
        return;
    }
    for (size_t i = 0; i < conn_count; i++)
        if (matches(conns[i].name, l->word[1]))
            s.at[s.count++] = i;
    command->many(&s, l);
    free(s.at);
}

/* Answer one line. */
static void obey(const char *text)
{
    const struct command *command = NULL;
    struct line l = {.rest = ""};
    int words = 0;

    char *copy = strdup(text);

    if (copy == NULL) {
        fail("", "out of memory");
        return;
    }
    for (char *p = copy; words < MAX_WORDS && *p != '\0';) {
        /* The text of send, expect and echo is all that stands behind the name. */
        if (words == 2)
            l.rest = text + (p - copy);
        l.word[words++] = p;
        p += strcspn(p, " ");
        if (*p != '\0')
            *p++ = '\0';
    }
    command_now = words > 0 ? l.word[0] : "";
    /* What was meant for the command before is taken first. */
    ppoll(NULL, 0, &(const struct timespec){.tv_sec = 0}, &no_signals);
    told_when_moved = told;
    in_vain = 0;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(command_now, commands[i].name) == 0)
            command = &commands[i];

    if (command == NULL)
        fail(words > 1 ? l.word[1] : "", "no such command");
    else if (words < command->words)
        fail(words > 1 ? l.word[1] : "", "%d words given, %d needed", words, command->words);
    else if (command->alone != NULL)
        command->alone(&l);
    else if (command->one != NULL)
        run_one(command, &l);
    else
        run_many(command, &l);
    free(copy);
}

int main(int argc, char *argv[])
{
    char *text = NULL;
    size_t room = 0;
    ssize_t size;
    struct rlimit files;

    if (argc > 2 || (argc == 2 && (deadline_ms = number(argv[1], -1)) <= 0)) {
        fputs("usage: clients [DEADLINE_MS]   (commands on standard input)\n", stderr);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (catch_told() == -1) {
        perror("clients: sigaction");
        return 1;
    }
    /* As many connections as we are allowed to raise the limit for. */
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    while ((size = getline(&text, &room, stdin)) != -1) {
        if (size > 0 && text[size - 1] == '\n')
            text[size - 1] = '\0';
        if (strcmp(text, "quit") == 0) {
            ok_alone();
            break;
        }
        obey(text);
    }
    for (size_t i = 0; i < conn_count; i++)
        close(conns[i].fd);
    free(conns);
    free(text);
    return 0;
}
