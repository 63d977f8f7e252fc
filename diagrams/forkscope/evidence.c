/* evidence.c - one walk over the steps: lives, holdings, moments of rest. */
#include "evidence.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- words ---- */

struct called called(const char *text)
{
    struct called c = {.fd = -1};
    size_t length = strcspn(text, "(");
    char *end;

    snprintf(c.name, sizeof c.name, "%.*s", (int)(length < 31 ? length : 31), text);
    if (text[length] == '(' && isdigit((unsigned char)text[length + 1])) {
        long fd = strtol(text + length + 1, &end, 10);
        if (*end == ',' || *end == ')')
            c.fd = (int)fd;
    }
    return c;
}

static bool is_one_of(const char *name, const char *const *list)
{
    for (; *list != NULL; list++)
        if (strcmp(name, *list) == 0)
            return true;
    return false;
}

bool is_accept(const char *name)
{
    return is_one_of(name, (const char *const[]){"accept", "accept4", NULL});
}

bool is_wait(const char *name)
{
    return is_one_of(name,
                     (const char *const[]){"wait", "waitpid", "wait3", "wait4", "waitid", NULL});
}

bool is_fork(const char *name)
{
    return is_one_of(name, (const char *const[]){"fork", "vfork", "clone", "clone3", NULL});
}

bool is_poll(const char *name)
{
    return is_one_of(name,
                     (const char *const[]){"poll", "ppoll", "select", "pselect", "pselect6",
                                           "epoll_wait", "epoll_pwait", "epoll_pwait2", NULL});
}

bool is_transfer(const char *name)
{
    return is_one_of(name, (const char *const[]){"read",     "readv",    "pread",    "pread64",
                                                 "recv",     "recvfrom", "recvmsg",  "recvmmsg",
                                                 "write",    "writev",   "pwrite",   "pwrite64",
                                                 "send",     "sendto",   "sendmsg",  "sendmmsg",
                                                 "sendfile", "splice",   "shutdown", NULL});
}

bool has_failed(const struct step *step)
{
    return strncmp(step->result, "-1 E", 4) == 0;
}

/* ---- look up ---- */

int process_at(const struct snapshot *now, const char *name)
{
    for (size_t i = 0; i < now->process_count; i++)
        if (strcmp(now->processes[i].name, name) == 0)
            return (int)i;
    return -1;
}

int object_at(const struct snapshot *now, const char *name)
{
    for (size_t i = 0; i < now->object_count; i++)
        if (strcmp(now->objects[i].name, name) == 0)
            return (int)i;
    return -1;
}

int life_of(const struct evidence *evidence, const char *name)
{
    for (size_t i = 0; i < evidence->life_count; i++)
        if (strcmp(evidence->lives[i].name, name) == 0)
            return (int)i;
    return -1;
}

const struct holding *holding_at(const struct evidence *evidence, int process, int fd, long at)
{
    for (size_t i = 0; i < evidence->holding_count; i++) {
        const struct holding *h = &evidence->holdings[i];
        if (h->process == process && h->fd == fd && h->from <= at && (h->to == NEVER || h->to > at))
            return h;
    }
    return NULL;
}

bool lives_at(const struct life *life, long at)
{
    return life->born <= at && (life->ended == NEVER || life->ended > at);
}

const struct frame *user_frame(const struct chain *chain)
{
    for (size_t i = 0; i < chain->count; i++)
        if (chain->frames[i].file >= 0 && !chain->frames[i].signal)
            return &chain->frames[i];
    return NULL;
}

int signal_frame(const struct chain *chain)
{
    for (size_t i = 0; i < chain->count; i++)
        if (chain->frames[i].signal)
            return (int)i;
    return -1;
}

/* ---- the walk ---- */

/* What is open at the moment: for each life, its holdings by index, in ascending order of fd. */
struct open {
    int *holdings;
    size_t count;
};

struct walk {
    struct evidence *evidence;
    struct open *open; /* one for each life */
};

static struct holding *open_holding(struct walk *w, int life, int fd)
{
    struct open *o = &w->open[life];

    for (size_t i = 0; i < o->count; i++)
        if (w->evidence->holdings[o->holdings[i]].fd == fd)
            return &w->evidence->holdings[o->holdings[i]];
    return NULL;
}

static void used(struct walk *w, int life, int fd, long at)
{
    struct holding *h = life >= 0 && fd >= 0 ? open_holding(w, life, fd) : NULL;

    if (h == NULL)
        return;
    if (h->first_use == NEVER)
        h->first_use = at;
    h->last_use = at;
}

/* What the process says it does: the descriptor it waits for is one it uses. */
static void look_at_call(struct walk *w, int life, const char *text, long at)
{
    struct called c = called(text);

    if (is_transfer(c.name) || is_accept(c.name))
        used(w, life, c.fd, at);
    if (is_poll(c.name))
        w->evidence->lives[life].polls = true;
}

/* A step of a process, told by what was open before it. */
static void look_at_step(struct walk *w, long at)
{
    const struct step *step = &w->evidence->trace->steps[at];
    int life = life_of(w->evidence, step->who);
    struct called c = called(step->call);

    if (life == -1 || (step->kind != STEP_CALL && step->kind != STEP_BLOCK))
        return;
    look_at_call(w, life, step->call, at);
    struct life *l = &w->evidence->lives[life];
    if (is_accept(c.name)) {
        l->accepts++;
        l->last_accept = at;
    } else if (is_wait(c.name)) {
        l->waits++;
        l->last_wait = at;
        l->wait_in_handler |= signal_frame(&step->chain) >= 0;
    }
}

static void add_life(struct walk *w, const struct snapshot *now, int index, long at)
{
    struct evidence *e = w->evidence;
    const struct process *p = &now->processes[index];
    const struct step *step = &e->trace->steps[at];
    int parent = p->parent >= 0 ? life_of(e, now->processes[p->parent].name) : -1;

    w->open = grown(w->open, e->life_count, sizeof *w->open);
    e->lives = grown(e->lives, e->life_count, sizeof *e->lives);
    struct life *l = &e->lives[e->life_count++];
    *l = (struct life){.born = at,
                       .forked = NEVER,
                       .ended = NEVER,
                       .reaped = NEVER,
                       .last_wait = NEVER,
                       .last_accept = NEVER,
                       .parent = parent};
    snprintf(l->name, sizeof l->name, "%s", p->name);
    /* The child is there with its parent's call, or with its own first step before it. */
    if (l->parent >= 0 && strcmp(step->who, e->lives[l->parent].name) == 0)
        l->forked = at;
}

/* A fork that returned after its child was seen: then this step is the one that made it. */
static void note_fork(struct walk *w, long at)
{
    const struct step *step = &w->evidence->trace->steps[at];
    struct called c = called(step->call);
    int child =
        step->kind == STEP_CALL && is_fork(c.name) ? life_of(w->evidence, step->result) : -1;

    if (child >= 0)
        w->evidence->lives[child].forked = at;
}

static void add_holding(struct walk *w, int life, const struct snapshot *now,
                        const struct descriptor *d, long at)
{
    struct evidence *e = w->evidence;
    const struct object *o = &now->objects[d->object];
    struct open *open = &w->open[life];

    open->holdings = grown(open->holdings, open->count, sizeof *open->holdings);
    open->holdings[open->count++] = (int)e->holding_count;
    e->holdings = grown(e->holdings, e->holding_count, sizeof *e->holdings);
    struct holding *h = &e->holdings[e->holding_count++];
    *h = (struct holding){.process = life,
                          .fd = d->fd,
                          .kind = o->kind,
                          .inherited = e->lives[life].born == at && at > 0,
                          .from = at,
                          .to = NEVER,
                          .first_use = NEVER,
                          .last_use = NEVER};
    snprintf(h->object, sizeof h->object, "%s", o->name);
}

/* Compare what a process had with what it has now. */
static void look_at_descriptors(struct walk *w, int life, const struct snapshot *now,
                                const struct process *p, long at)
{
    struct open *open = &w->open[life];
    bool alive = p->state != PROCESS_ZOMBIE && p->state != PROCESS_GONE;
    size_t kept = 0;

    if (alive && (p->hidden || p->shares >= 0))
        return;
    for (size_t i = 0; i < open->count; i++) {
        struct holding *h = &w->evidence->holdings[open->holdings[i]];
        int object = alive ? descriptor_object(p, h->fd) : -1;
        if (object >= 0 && strcmp(now->objects[object].name, h->object) == 0) {
            open->holdings[kept++] = open->holdings[i];
        } else {
            h->to = at;
            h->closed = alive;
        }
    }
    /* grown() makes room by the count alone: what was dropped has to be given back in whole. */
    if (kept != open->count) {
        int *fewer = NULL;
        for (size_t i = 0; i < kept; i++) {
            fewer = grown(fewer, i, sizeof *fewer);
            fewer[i] = open->holdings[i];
        }
        free(open->holdings);
        *open = (struct open){fewer, kept};
    }
    for (size_t i = 0; alive && i < p->descriptor_count; i++)
        if (!now->objects[p->descriptors[i].object].standard &&
            open_holding(w, life, p->descriptors[i].fd) == NULL)
            add_holding(w, life, now, &p->descriptors[i], at);
}

static bool is_at_rest(const struct snapshot *now)
{
    for (size_t i = 0; i < now->process_count; i++) {
        enum process_state state = now->processes[i].state;
        if (state != PROCESS_BLOCKED && state != PROCESS_STOPPED && state != PROCESS_ZOMBIE &&
            state != PROCESS_GONE)
            return false;
    }
    return true;
}

static void look_at_snapshot(struct walk *w, long at)
{
    const struct trace *trace = w->evidence->trace;
    const struct snapshot *now = &trace->steps[at].now;

    for (size_t i = 0; i < now->process_count; i++) {
        const struct process *p = &now->processes[i];
        int life = life_of(w->evidence, p->name);
        if (life == -1) {
            add_life(w, now, (int)i, at);
            life = (int)w->evidence->life_count - 1;
        }
        struct life *l = &w->evidence->lives[life];
        bool ended = p->state == PROCESS_ZOMBIE || p->state == PROCESS_GONE;
        if (ended && l->ended == NEVER)
            l->ended = at;
        if (p->state == PROCESS_GONE && l->reaped == NEVER)
            l->reaped = at;
        if (p->threads > l->threads)
            l->threads = p->threads;
        look_at_descriptors(w, life, now, p, at);
        if (p->state == PROCESS_BLOCKED)
            look_at_call(w, life, p->doing, at);
    }
    bool last = at + 1 == (long)trace->step_count;
    enum step_kind next = last ? STEP_CLIENT : trace->steps[at + 1].kind;
    if ((next == STEP_CLIENT || next == STEP_TELL) && is_at_rest(now)) {
        w->evidence->rests =
            grown(w->evidence->rests, w->evidence->rest_count, sizeof *w->evidence->rests);
        w->evidence->rests[w->evidence->rest_count++] = at;
    }
}

void evidence_make(struct evidence *evidence, const struct trace *trace)
{
    struct walk w = {.evidence = evidence};

    *evidence = (struct evidence){.trace = trace};
    for (size_t i = 0; i < trace->step_count; i++) {
        look_at_step(&w, (long)i);
        look_at_snapshot(&w, (long)i);
        note_fork(&w, (long)i);
    }
    for (size_t i = 0; i < evidence->life_count; i++)
        free(w.open[i].holdings);
    free(w.open);
}

void evidence_free(struct evidence *evidence)
{
    free(evidence->holdings);
    free(evidence->lives);
    free(evidence->rests);
    *evidence = (struct evidence){0};
}
