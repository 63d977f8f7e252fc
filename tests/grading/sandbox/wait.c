/*
 * wait.c - look inside, and wait for a condition.
 *
 *   sandbox look INIT [PORT]
 *   sandbox wait REPORT PORT SECONDS CONDITION
 *   sandbox hurry PID REPORT...
 *
 * look prints, and wait prints when it ends, whichever way:
 *
 *   init PID
 *   listening PORT INODE loopback|anywhere      a listening socket that someone inside holds
 *   server PID                                  who holds the one of PORT, the eldest
 *   process PID PARENT STATE THREADS TICKS LISTENERS SOCKETS DESCRIPTORS
 *   alive N, zombies N, asleep N                counts over all processes inside
 *
 * A wait ends when the condition holds (status 0); when it cannot hold any more, since
 * everything is over; when SECONDS have passed; when nothing inside has moved for
 * QUIET_MS, or only for STUCK_MS and all sleep in calls that no clock ends, unless that is
 * what is waited for; or when too much processor time has been used, see limit_of (status
 * 1, first line: `late WHY`). Nothing inside has moved: all asleep, process 1 too, and no
 * processor time used. On a busy machine a process that has work is ready, not asleep, so
 * that being slow is never taken for being done; and where we were not looking for longer
 * than MOST_GAP_MS, since we or the machine stood still, only that much counts.
 *
 * hurry is for whoever waits outside for something from inside, such as tests/lib/clients.c:
 * it sends SIGUSR1 to PID each time when nothing inside any of the sandboxes can move any
 * more, as long as PID catches that. It ends when everything is over.
 */
#define _GNU_SOURCE

#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum {
    MAX_LISTENERS = 256,
    SETTLED_MS = 60, /* all that was to be done at once is done */
    REST_MS = 200,   /* also what was put off for a moment */
    QUIET_MS = 2500, /* a clock that wakes somebody later than this is not waited for */
    STUCK_MS = 500,  /* no clock wakes anybody, and for the last WATCH_MS nobody has run */
    WATCH_MS = 200,
    MOST_GAP_MS = 50 /* between two looks, as it counts */
};

/*
 * Seconds of the processor, after which a wait is given up. Not of the clock: on a busy machine
 * all takes longer. And less than the limit that ends a process, since nobody shall get what he
 * waits for by that. Two waits for rest and one for a condition may follow each other.
 */
enum { REST_SECONDS = 1, CONDITION_SECONDS = 2, LISTEN_SECONDS = 6 };
_Static_assert(2 * REST_SECONDS + CONDITION_SECONDS < CPU_SECONDS / 2, "a limit would end a wait");
_Static_assert(LISTEN_SECONDS < (int)CPU_SECONDS, "a limit would end a wait for a listener");

/* One look: the processes and the listeners. */
struct look {
    struct census census;
    struct listener listener[MAX_LISTENERS];
    int listeners;
    long alive, zombies, asleep;
    unsigned long ticks;
    pid_t server; /* 0: nobody holds a listening socket of the port */
};

static long now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int is_member(const struct look *l, pid_t pid, int holding)
{
    for (size_t i = 0; i < l->census.count; i++)
        if (l->census.member[i].pid == pid)
            return !holding || l->census.member[i].listeners > 0;
    return 0;
}

/* The eldest that holds the listening socket: its parent does not hold it. */
static void find_server(struct look *l)
{
    for (size_t i = 0; i < l->census.count && l->server == 0; i++) {
        const struct member *m = &l->census.member[i];
        if (m->listeners > 0 && !is_member(l, m->parent, 1))
            l->server = m->pid;
    }
}

/* `port` 0: descriptors are counted, no listener is asked for. */
static int take_look(struct look *l, pid_t init, int port, int descriptors)
{
    unsigned inode[MAX_LISTENERS];
    size_t inodes = 0;

    memset(l, 0, sizeof *l);
    if (census_take(&l->census, init) == -1)
        return -1;
    for (size_t i = 0; i < l->census.count; i++) {
        const struct member *m = &l->census.member[i];
        int zombie = m->state == 'Z' || m->state == 'X';
        l->zombies += zombie;
        l->alive += !zombie;
        l->asleep += m->state == 'S' || m->state == 'T' || m->state == 't';
        l->ticks += m->ticks;
    }
    if (!descriptors)
        return 0;
    l->listeners = listeners_list(l->listener, MAX_LISTENERS);
    for (int i = 0; i < l->listeners; i++)
        if (l->listener[i].port == port)
            inode[inodes++] = l->listener[i].inode;
    census_descriptors(&l->census, inode, inodes);
    find_server(l);
    return 0;
}

static void print_look(const struct look *l, pid_t init)
{
    printf("init %d\n", (int)init);
    for (int i = 0; i < l->listeners; i++)
        printf("listening %d %u %s\n", l->listener[i].port, l->listener[i].inode,
               l->listener[i].loopback ? "loopback" : "anywhere");
    if (l->server != 0)
        printf("server %d\n", (int)l->server);
    for (size_t i = 0; i < l->census.count; i++) {
        const struct member *m = &l->census.member[i];
        printf("process %d %d %c %ld %lu %d %d %d\n", (int)m->pid, (int)m->parent, m->state,
               m->threads, m->ticks, m->listeners, m->sockets, m->descriptors);
    }
    printf("alive %ld\nzombies %ld\nasleep %ld\n", l->alive, l->zombies, l->asleep);
}

/* A whole number from 0 on, or -1. */
static long number(const char *text)
{
    char *end;

    errno = 0;
    long value = strtol(text, &end, 10);
    return *text == '\0' || *end != '\0' || errno != 0 || value < 0 ? -1 : value;
}

int look_command(int argc, char **argv)
{
    struct look l;
    long init = argc > 1 ? number(argv[1]) : -1, port = argc > 2 ? number(argv[2]) : 0;

    if (init <= 0 || port < 0 || argc > 3) {
        fputs("sandbox: look INIT [PORT]\n", stderr);
        return 2;
    }
    if (take_look(&l, (pid_t)init, (int)port, 1) == -1) {
        fprintf(stderr, "sandbox: /proc: %s\n", strerror(errno));
        return 1;
    }
    print_look(&l, (pid_t)init);
    census_free(&l.census);
    return 0;
}

/* ---- waiting ---- */

enum what {
    LISTENING,
    CLOSED,
    OVER,
    ALIVE,
    ZOMBIES,
    STOPPED,
    GONE,
    SETTLED,
    REST,
    IDLE,
    IN_VAIN,
    IDLE_IN_VAIN,
    STUCK /* of hurry only: nobody names it */
};

struct condition {
    enum what what;
    char relation; /* '<' for <=, '>' for >=, '=' for == */
    long value;
};

static int parse_condition(const char *text, struct condition *c)
{
    static const char *const names[] = {"listening", "closed",  "over",    "alive",
                                        "zombies",   "stopped", "gone",    "settled",
                                        "rest",      "idle",    "in-vain", "idle-in-vain"};
    size_t size = strcspn(text, "<>=");

    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strlen(names[i]) != size || strncmp(names[i], text, size) != 0)
            continue;
        int bare = i == LISTENING || i == CLOSED || i == OVER || i == SETTLED || i == REST ||
                   i == IDLE || i == IN_VAIN || i == IDLE_IN_VAIN;
        *c = (struct condition){.what = (enum what)i, .relation = text[size]};
        if (bare)
            return text[size] == '\0' ? 0 : -1;
        if (text[size] == '\0' || text[size + 1] != '=')
            return -1;
        c->value = number(text + size + 2);
        return c->value < 0 ? -1 : 0;
    }
    return -1;
}

static int compare(const struct condition *c, long found)
{
    return c->relation == '<'   ? found <= c->value
           : c->relation == '>' ? found >= c->value
                                : found == c->value;
}

/* `still_ms`: how long nothing has moved. */
static int holds(const struct condition *c, const struct look *l, long still_ms)
{
    switch (c->what) {
    case LISTENING:
        return l->server != 0;
    case CLOSED:
        return l->server == 0;
    case ALIVE:
        return compare(c, l->alive);
    case ZOMBIES:
        return compare(c, l->zombies);
    case SETTLED:
        return still_ms >= SETTLED_MS;
    case REST:
        /* Who sleeps for a time, as in sleep, may still be preparing. */
        return still_ms >= REST_MS || (still_ms >= SETTLED_MS && clock_none(&l->census));
    case STOPPED:
    case GONE:
        for (size_t i = 0; i < l->census.count; i++) {
            const struct member *m = &l->census.member[i];
            if (m->pid == (pid_t)c->value)
                return c->what == STOPPED ? m->state == 'T' : m->state == 'Z' || m->state == 'X';
        }
        return c->what == GONE;
    case IDLE:    /* idle.c */
    case IN_VAIN: /* clock.c */
    case IDLE_IN_VAIN:
    case STUCK:
    case OVER:
        break;
    }
    return 0;
}

/* What the report says by now. */
struct report {
    pid_t init;
    int over, failed;
};

static void read_report(const char *path, struct report *r)
{
    char line[256];
    FILE *file = fopen(path, "re");
    int pid;

    memset(r, 0, sizeof *r);
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "started %d", &pid) == 1)
            r->init = pid;
        r->over |= strcmp(line, "over\n") == 0;
        r->failed |= strncmp(line, "failed ", 7) == 0;
    }
    if (file != NULL)
        fclose(file);
}

static int end_wait(const struct report *r, int port, const char *why)
{
    struct look l;

    if (why != NULL)
        printf("late %s\n", why);
    if (r->init > 0 && take_look(&l, r->init, port, 1) == 0) {
        print_look(&l, r->init);
        census_free(&l.census);
    }
    return why != NULL;
}

/* Between two looks: short at first, since most conditions hold at once. */
static void pause_for(long waited_ms)
{
    struct timespec t = {.tv_nsec = waited_ms < 50    ? 1000000
                                    : waited_ms < 500 ? 5000000
                                                      : 20000000};

    nanosleep(&t, NULL);
}

/* How many of these seconds all together may use while one waits for it; 0: any number. */
static unsigned long limit_of(enum what what)
{
    switch (what) {
    case REST:
    case SETTLED:
        return REST_SECONDS;
    case ALIVE:
    case ZOMBIES:
    case STOPPED:
    case GONE:
    case CLOSED:
    case IN_VAIN:
        return CONDITION_SECONDS;
    case LISTENING: /* see hardest_worker */
    case OVER:
    case IDLE: /* idle.c finds it by itself */
    case IDLE_IN_VAIN:
    case STUCK:
        break;
    }
    return 0;
}

/*
 * The most that one process inside has used of the processor. Who does not listen by LISTEN_SECONDS never will. If
 * the wait went on, how busy the machine is would decide which comes first, its end or the limit of the process.
 */
static unsigned long hardest_worker(const struct census *census)
{
    unsigned long most = 0;

    for (size_t i = 0; i < census->count; i++)
        if (census->member[i].ticks > most)
            most = census->member[i].ticks;
    return most;
}

/* Process 1 inside, bwrap and the supervisor, which reap and take what is printed. Have they nothing to do? */
static int keepers_sleep(pid_t init)
{
    struct member m = {.parent = init};

    for (int i = 0; i < 3 && m.parent > 0; i++)
        if (process_read(m.parent, &m) == -1 || m.state != 'S')
            return 0;
    return 1;
}

/* What a wait has seen so far. */
struct wait {
    long start, last;           /* when it began, and its last look */
    long still_ms;              /* for how long nothing has moved */
    unsigned long ticks, first; /* of the processor: by the last look, and the least of all looks */
    int seen;                   /* there has been somebody inside */
    struct idle idle, rounds;   /* idle.c, clock.c */
    long watched_ms;            /* still_ms when is_stuck began to watch; 0: it does not */
    unsigned long sleeps;       /* of all inside by then */
};

static void note_look(struct wait *w, const struct look *l, pid_t init, long now)
{
    struct member m;
    /* While the sandbox is being made nobody is there who could move. Process 1 moves when it has to reap. */
    int moves = !w->seen || l->ticks != w->ticks || l->asleep != l->alive ||
                process_read(init, &m) == -1 || m.state != 'S';
    long gap = now - w->last < MOST_GAP_MS ? now - w->last : MOST_GAP_MS;

    w->still_ms = moves ? 0 : w->still_ms + gap;
    w->last = now;
    w->ticks = l->ticks;
    /* What has ended takes its ticks along. */
    if (!w->seen || l->ticks < w->first)
        w->first = l->ticks;
    w->seen |= l->census.count > 0;
}

/* Nothing has moved, and no clock will change that; or each has slept for a while and gone on as before. */
static int in_vain(struct wait *w, const struct census *census)
{
    long ms = w->last - w->start;

    return (w->still_ms >= SETTLED_MS && clock_none(census)) ||
           (clock_look(&w->rounds, census, ms) && ms >= REST_MS);
}

/*
 * Nothing inside can move any more, unless something from outside moves it. At last it is watched whether anybody
 * runs, for however short a time: who has run has gone to sleep once more.
 */
static int is_stuck(struct wait *w, const struct look *l, pid_t init)
{
    unsigned long sleeps = 0;

    if (l->alive == 0 || w->still_ms < STUCK_MS - WATCH_MS) {
        w->watched_ms = 0;
        return 0;
    }
    for (size_t i = 0; i < l->census.count; i++)
        sleeps += sleeps_of(l->census.member[i].pid);
    if (w->watched_ms == 0 || sleeps != w->sleeps) {
        w->watched_ms = w->still_ms;
        w->sleeps = sleeps;
    }
    return w->still_ms - w->watched_ms >= WATCH_MS && clock_none(&l->census) && keepers_sleep(init);
}

/* 1: the condition holds; 0: it does not, or not yet; -1: a process never sleeps, so it never will. */
static int judge(const struct condition *c, struct wait *w, const struct look *l, int stuck)
{
    int idle, vain;

    /* While the sandbox is being made nothing holds; whether all is over the report tells. */
    if (!w->seen || c->what == OVER)
        return 0;
    switch (c->what) {
    case IDLE:
        return idle_look(&w->idle, &l->census, w->last - w->start, w->still_ms);
    case IN_VAIN:
        return in_vain(w, &l->census);
    case IDLE_IN_VAIN: /* both count, and are asked at each look */
        idle = idle_look(&w->idle, &l->census, w->last - w->start, w->still_ms);
        vain = in_vain(w, &l->census);
        return idle == 1 ? vain : idle;
    case STUCK:
        return stuck;
    default:
        return holds(c, l, w->still_ms);
    }
}

/*
 * Wait until the condition holds, or for `limit_ms`; -1: for ever. `r`: what the report says by then. Returns
 * NULL, or why it does not hold.
 */
static const char *wait_for(const char *path, int port, long limit_ms, const struct condition *c,
                            struct report *r)
{
    const unsigned long second = (unsigned long)sysconf(_SC_CLK_TCK);
    const int by_itself =
        c->what == IN_VAIN || c->what == IDLE_IN_VAIN; /* when all sleep it holds */
    struct wait w = {.start = now_ms()};

    w.last = w.start;
    for (;;) {
        struct look l;
        long now = now_ms();
        read_report(path, r);
        if (r->over && (c->what == OVER || c->what == GONE))
            return NULL;
        if (r->over)
            return "everything has ended";
        if (r->init > 0) {
            if (take_look(&l, r->init, port, c->what == LISTENING || c->what == CLOSED) == -1)
                return "/proc cannot be read";
            note_look(&w, &l, r->init, now);
            int stuck = !by_itself && is_stuck(&w, &l, r->init);
            int done = judge(c, &w, &l, stuck);
            unsigned long most = c->what == LISTENING ? hardest_worker(&l.census) : 0;
            census_free(&l.census);
            if (done == -1)
                return "a process never sleeps";
            if (done)
                return NULL;
            if ((limit_of(c->what) != 0 && w.ticks >= w.first + limit_of(c->what) * second) ||
                most >= LISTEN_SECONDS * second)
                return "it does not come to rest";
            if (stuck)
                return "nothing can move any more";
            if (!by_itself && c->what != STUCK && w.still_ms >= QUIET_MS)
                return "nothing moves any more";
        }
        if (limit_ms >= 0 && now - w.start >= limit_ms)
            return "the time is over";
        pause_for(now - w.start);
    }
}

int wait_command(int argc, char **argv)
{
    struct condition c;
    long port = argc == 5 ? number(argv[2]) : -1, seconds = argc == 5 ? number(argv[3]) : -1;
    struct report r;

    if (port < 0 || seconds < 0 || parse_condition(argv[4], &c) == -1) {
        fputs("sandbox: wait REPORT PORT SECONDS CONDITION; sandbox --help tells more\n", stderr);
        return 2;
    }
    return end_wait(&r, (int)port, wait_for(argv[1], (int)port, seconds * 1000, &c, &r));
}

int hurry_command(int argc, char **argv)
{
    const struct condition stuck = {.what = STUCK};
    long pid = argc > 2 ? number(argv[1]) : -1;
    pid_t parent = getppid();

    if (pid <= 0) {
        fputs("sandbox: hurry PID REPORT...; sandbox --help tells more\n", stderr);
        return 2;
    }
    /* Whoever started us waits for PID; who has ended waits no more. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (getppid() == parent) {
        int over = 0;
        for (int i = 2; i < argc; i++) {
            struct report r;
            const char *why = wait_for(argv[i], 0, -1, &stuck, &r);
            if (why != NULL && !r.over) {
                fprintf(stderr, "sandbox: hurry: %s\n", why);
                return 1;
            }
            over += r.over;
        }
        if (over == argc - 2)
            return 0;
        /* Another process may get the number when this one has ended, but hardly one that catches SIGUSR1. */
        if (catches((pid_t)pid, SIGUSR1))
            kill((pid_t)pid, SIGUSR1);
    }
    return 0;
}
