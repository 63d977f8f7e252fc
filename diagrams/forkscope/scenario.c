/* scenario.c - the grammar of scenario files, and what each client action is in calls. */
#include "scenario.h"
#include "stage.h"

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
#include <unistd.h>

/* What follows a verb. */
enum shape { TEXT, NAME, NAME_TEXT, NAME_NUMBER, MOMENT };

static const struct {
    const char *word;
    enum verb verb;
    enum shape shape;
} grammar[] = {
    {"title", DO_TITLE, TEXT},
    {"say", DO_SAY, TEXT},
    {"connect", DO_CONNECT, NAME},
    {"send", DO_SEND, NAME_TEXT},
    {"receive", DO_RECEIVE, NAME_TEXT},
    {"half-close", DO_HALF_CLOSE, NAME},
    {"close", DO_CLOSE, NAME},
    {"reset", DO_RESET, NAME},
    {"stop", DO_STOP, NAME},
    {"continue", DO_CONTINUE, NAME},
    {"signal", DO_SIGNAL, NAME_TEXT},
    {"limit", DO_LIMIT, NAME_NUMBER},
    {"until", DO_UNTIL, NAME_NUMBER},
    {"picture", DO_PICTURE, NAME_TEXT},
    {"at", DO_AT, MOMENT},
};
enum { VERBS = sizeof grammar / sizeof grammar[0] };

/* A line while it is read: what is left of it, and where that stands. */
struct cursor {
    const char *path;
    int line;
    const char *start;
    const char *at;
};

static int wrong(const struct cursor *c, struct error *err, const char *what)
{
    return fail(err, "%s:%d:%d: %s", c->path, c->line, (int)(c->at - c->start) + 1, what);
}

/* Copy the next word and step behind it. Returns false when there is none or it is too long. */
static bool next_word(struct cursor *c, char *word, size_t size)
{
    size_t length = strcspn(c->at, " \t");

    if (length == 0 || length >= size)
        return false;
    memcpy(word, c->at, length);
    word[length] = '\0';
    c->at += length;
    c->at += strspn(c->at, " \t");
    return true;
}

/* The number of the signal called `name`, 0 if a scenario may not send it. */
static size_t signal_number(const char *name)
{
    static const struct {
        const char *name;
        int number;
    } signals[] = {{"HUP", SIGHUP},   {"INT", SIGINT},   {"KILL", SIGKILL}, {"TERM", SIGTERM},
                   {"USR1", SIGUSR1}, {"USR2", SIGUSR2}, {"CHLD", SIGCHLD}};

    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        if (strcmp(signals[i].name, name) == 0)
            return (size_t)signals[i].number;
    return 0;
}

/* Is this client connected at this point of the scenario? */
static bool connected(const struct scenario *s, const char *name)
{
    bool open = false;

    for (size_t i = 0; i < s->count; i++) {
        if (strcmp(s->actions[i].name, name) != 0)
            continue;
        if (s->actions[i].verb == DO_CONNECT)
            open = true;
        if (s->actions[i].verb == DO_CLOSE || s->actions[i].verb == DO_RESET)
            open = false;
    }
    return open;
}

/* The moment that an action names, or an empty text. */
static const char *moment_of(const struct action *a)
{
    return a->verb == DO_PICTURE ? a->name : a->moment;
}

static int check(const struct scenario *s, const struct action *a, struct cursor *c,
                 struct error *err)
{
    c->at = c->start + strspn(c->start, " \t");
    switch (a->verb) {
    case DO_CONNECT:
        if (!plain_name(a->name))
            return wrong(c, err, "a client is named by letters, digits and _");
        for (size_t i = 0; i < s->count; i++)
            if (s->actions[i].verb == DO_CONNECT && strcmp(s->actions[i].name, a->name) == 0)
                return wrong(c, err, "this client has connected before; use another name");
        return 0;
    case DO_SEND:
    case DO_RECEIVE:
    case DO_RECEIVE_EOF:
    case DO_RECEIVE_RESET:
    case DO_HALF_CLOSE:
    case DO_CLOSE:
    case DO_RESET:
        return connected(s, a->name) ? 0 : wrong(c, err, "this client is not connected");
    case DO_UNTIL:
        if (strcmp(a->name, "processes") != 0 && strcmp(a->name, "zombies") != 0 &&
            strcmp(a->name, "backlog") != 0)
            return wrong(c, err, "until counts processes, zombies or backlog");
        return 0;
    case DO_PICTURE:
    case DO_AT:
        if (moment_of(a)[strspn(moment_of(a), "abcdefghijklmnopqrstuvwxyz0123456789-")] != '\0')
            return wrong(c, err, "a moment is named by a-z, 0-9 and - (it becomes a file name)");
        for (size_t i = 0; i < s->count; i++)
            if (strcmp(moment_of(&s->actions[i]), moment_of(a)) == 0)
                return wrong(c, err, "this moment has been recorded before; use another name");
        return 0;
    case DO_SIGNAL:
        return a->number != 0 ? 0
                              : wrong(c, err, "signals: HUP, INT, KILL, TERM, USR1, USR2, CHLD");
    case DO_TITLE:
    case DO_SAY:
    case DO_STOP:
    case DO_CONTINUE:
    case DO_LIMIT:
        return 0;
    }
    return 0;
}

/* "MOMENT WHO CALL[#N]", up to the caption. */
static int read_moment(struct cursor *c, struct action *a, struct error *err)
{
    if (!next_word(c, a->moment, sizeof a->moment))
        return wrong(c, err, "the name of a moment is missing here (or longer than 63 characters)");
    if (!next_word(c, a->name, sizeof a->name))
        return wrong(c, err, "the name of a process is missing here");
    struct cursor call = *c;
    if (!next_word(c, a->call, sizeof a->call))
        return wrong(c, err, "a call is missing here: as fork, accept=EINTR, close#2, exit");
    char *times = strchr(a->call, '#');
    a->number = 1;
    if (times != NULL) {
        *times++ = '\0';
        a->number = strtoul(times, NULL, 10);
        if (times[0] == '\0' || times[strspn(times, "0123456789")] != '\0' || a->number == 0)
            return wrong(&call, err, "behind # stands how often it happens, from 1 on");
    }
    return 0;
}

static int read_line(struct cursor *c, struct action *a, struct error *err)
{
    char word[NAME_SIZE];
    size_t verb = 0;
    struct cursor start = *c;

    a->line = c->line;
    if (!next_word(c, word, sizeof word))
        return wrong(&start, err, "no such action");
    while (verb < VERBS && strcmp(word, grammar[verb].word) != 0)
        verb++;
    if (verb == VERBS)
        return wrong(&start, err, "no such action");
    a->verb = grammar[verb].verb;
    if (grammar[verb].shape == MOMENT && read_moment(c, a, err) == -1)
        return -1;
    if (grammar[verb].shape != TEXT && grammar[verb].shape != MOMENT &&
        !next_word(c, a->name, sizeof a->name))
        return wrong(c, err, "a name is missing here (or longer than 23 characters)");
    if (grammar[verb].shape == NAME_NUMBER) {
        if (*c->at == '\0' || c->at[strspn(c->at, "0123456789")] != '\0' || strlen(c->at) > 6)
            return wrong(c, err, "a number is missing here");
        a->number = strtoul(c->at, NULL, 10);
        return 0;
    }
    if (grammar[verb].shape == NAME && *c->at != '\0')
        return wrong(c, err, "nothing may follow here");
    if (grammar[verb].shape != NAME && *c->at == '\0')
        return wrong(c, err, "text is missing here");
    if (strlen(c->at) >= sizeof a->text)
        return wrong(c, err, "text longer than 511 bytes");
    strcpy(a->text, c->at);
    if (a->verb == DO_SIGNAL)
        a->number = signal_number(a->text);
    if (a->verb == DO_RECEIVE && strcmp(a->text, "eof") == 0)
        a->verb = DO_RECEIVE_EOF;
    if (a->verb == DO_RECEIVE && strcmp(a->text, "reset") == 0)
        a->verb = DO_RECEIVE_RESET;
    return 0;
}

int scenario_read(const char *path, struct scenario *scenario, struct error *err)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    int result = 0;
    FILE *in = fopen(path, "re");

    memset(scenario, 0, sizeof *scenario);
    if (in == NULL)
        return fail(err, "%s: %s", path, strerror(errno));
    for (int number = 1; result == 0 && (length = getline(&line, &room, in)) != -1; number++) {
        while (length > 0 && isspace((unsigned char)line[length - 1]))
            line[--length] = '\0';
        struct cursor c = {path, number, line, line + strspn(line, " \t")};
        if (*c.at == '\0' || *c.at == '#')
            continue;
        struct action a = {0};
        if (read_line(&c, &a, err) == -1 || check(scenario, &a, &c, err) == -1) {
            result = -1;
            break;
        }
        scenario->actions = grown(scenario->actions, scenario->count, sizeof a);
        scenario->actions[scenario->count++] = a;
    }
    if (result == 0 && ferror(in))
        result = fail(err, "%s: %s", path, strerror(errno));
    free(line);
    fclose(in);
    if (result == -1)
        scenario_free(scenario);
    return result;
}

void scenario_free(struct scenario *scenario)
{
    free(scenario->actions);
    memset(scenario, 0, sizeof *scenario);
}

/* connect(2) has failed, with errno. Returns -1 with err filled. */
static int connect_failed(const struct peer *peer, uint16_t port, struct error *err)
{
    return fail(err, "client %s: connect to port %u: %s", peer->name, (unsigned)port,
                strerror(errno));
}

/* Wait for the end of a connect(2) that goes on. Returns 0, or -1 with err filled. */
static int finish_connect(struct peer *peer, uint16_t port, double seconds, struct error *err)
{
    struct pollfd watch = {.fd = peer->fd, .events = POLLOUT};
    double deadline = stage_seconds() + seconds;
    int failed = 0;
    socklen_t size = sizeof failed;

    while (poll(&watch, 1, 0) != 1) {
        int late = stage_wait(deadline, err);
        if (late == 1)
            fail(err, "client %s: not connected to port %u after %g s: a full backlog?", peer->name,
                 (unsigned)port, seconds);
        if (late != 0)
            return -1;
    }
    if (getsockopt(peer->fd, SOL_SOCKET, SO_ERROR, &failed, &size) == -1)
        failed = errno;
    errno = failed;
    return failed == 0 ? 0 : connect_failed(peer, port, err);
}

int peer_connect(struct peer *peer, const char *name, uint16_t port, double seconds,
                 struct error *err)
{
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons(port)}, here;
    socklen_t size = sizeof here;

    memset(peer, 0, sizeof *peer);
    snprintf(peer->name, sizeof peer->name, "%s", name);
    there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    peer->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (peer->fd == -1)
        return fail(err, "socket: %s", strerror(errno));
    if (connect(peer->fd, (struct sockaddr *)&there, sizeof there) == -1) {
        if (errno != EINPROGRESS)
            return connect_failed(peer, port, err);
        if (finish_connect(peer, port, seconds, err) == -1)
            return -1;
    }
    if (getsockname(peer->fd, (struct sockaddr *)&here, &size) == -1)
        return fail(err, "getsockname: %s", strerror(errno));
    peer->key = (struct tcp_socket){.family = AF_INET,
                                    .here = {here.sin_addr.s_addr},
                                    .there = {there.sin_addr.s_addr},
                                    .port = ntohs(here.sin_port),
                                    .peer_port = port};
    return 0;
}

int peer_send(struct peer *peer, const char *text, struct error *err)
{
    char line[600];
    int length = snprintf(line, sizeof line, "%s\n", text);

    /* A line fits into any socket buffer, so a short write is a failure here. */
    if (send(peer->fd, line, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT) != length)
        return fail(err, "client %s: send: %s", peer->name, strerror(errno));
    return 0;
}

int peer_receive(struct peer *peer, const char *text, struct error *err)
{
    while (peer->failed == 0) {
        ssize_t got = recv(peer->fd, peer->received + peer->length,
                           sizeof peer->received - peer->length, MSG_DONTWAIT);
        if (got == -1 && errno != EAGAIN)
            peer->failed = errno;
        if (got == 0 && peer->length < sizeof peer->received)
            peer->end_of_file = true;
        if (got <= 0)
            break;
        peer->length += (size_t)got;
    }
    if (text == NULL) {
        if (peer->length > 0)
            return fail(err, "client %s: %zu bytes came instead of end of file", peer->name,
                        peer->length);
        if (peer->failed != 0)
            return fail(err, "client %s: recv: %s", peer->name, strerror(peer->failed));
        return peer->end_of_file ? 1 : 0;
    }
    size_t wanted = strlen(text) + 1;
    size_t there = peer->length < wanted ? peer->length : wanted;
    if (memcmp(peer->received, text, there < wanted ? there : wanted - 1) != 0 ||
        (there == wanted && peer->received[wanted - 1] != '\n')) {
        char received[sizeof peer->received + 1];
        /* It may hold anything, a newline too: the message stays one line. */
        snprintf(received, sizeof received, "%.*s", (int)there, peer->received);
        received[strcspn(received, "\n")] = '\0';
        return fail(err, "client %s: expected '%s', received '%.100s'", peer->name, text, received);
    }
    if (there < wanted && peer->failed != 0)
        return fail(err, "client %s: recv: %s", peer->name, strerror(peer->failed));
    if (there < wanted && peer->end_of_file)
        return fail(err, "client %s: end of file instead of '%s'", peer->name, text);
    if (there < wanted)
        return 0;
    peer->length -= wanted;
    memmove(peer->received, peer->received + wanted, peer->length);
    return 1;
}

int peer_is_reset(struct peer *peer, struct error *err)
{
    while (peer->failed == 0) {
        char unwanted[4096];
        ssize_t got = recv(peer->fd, unwanted, sizeof unwanted, MSG_DONTWAIT);
        if (got == -1 && errno == EAGAIN)
            return 0;
        if (got == -1)
            peer->failed = errno;
        if (got == 0)
            return fail(err, "client %s: end of file instead of a reset", peer->name);
    }
    if (peer->failed == ECONNRESET)
        return 1;
    return fail(err, "client %s: recv: %s", peer->name, strerror(peer->failed));
}

int peer_half_close(struct peer *peer, struct error *err)
{
    if (shutdown(peer->fd, SHUT_WR) == -1)
        return fail(err, "client %s: shutdown: %s", peer->name, strerror(errno));
    return 0;
}

void peer_close(struct peer *peer, bool reset)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};

    /* If the option fails a FIN goes out instead: the next picture shows it. */
    if (reset)
        setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(peer->fd);
    peer->fd = -1;
}
