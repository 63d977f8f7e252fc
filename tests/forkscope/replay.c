/*
 * tests/forkscope/replay.c - does a trace measure what its calls must lead to?
 *
 *   replay < TRACE
 *
 * A model of processes and descriptors, as fork(2), dup(2), close(2), execve(2), wait(2) and
 * their like define them, is moved on by the text of each call alone. After every step it is
 * held against what forkscope has measured: which processes there are and in which state,
 * which descriptors each has, which of them refer to the same object, how many refer to each.
 * It shares no code with forkscope. Prints the number of steps and of references compared.
 *
 * Exit status: 0 they agree, 1 they do not (what and where is told), 2 not a trace.
 */
#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DESCRIPTORS = 4096, PROCESSES = 1024, OBJECTS = 65536, STANDARD = 3 };

struct table {
    int object[DESCRIPTORS]; /* 0: not open */
    bool cloexec[DESCRIPTORS];
};

enum state { LIVES, ZOMBIE, REAPED };

struct process {
    const char *name;
    int parent; /* -1: the root */
    enum state state;
    struct table *table; /* shared after clone(CLONE_FILES) */
    bool ignores_children;
    bool may_be_reaped; /* its parent has ended, or waits in a way that does not say for whom */
};

static struct process processes[PROCESSES];
static int process_count;
static int object_count;
static char *object_names[OBJECTS];
static json_t *steps;
static long at; /* number of the step that is looked at */
static long compared;
static bool mismatch;

static void differ(const char *format, ...)
{
    va_list args;

    mismatch = true;
    fprintf(stderr, "step %ld: ", at);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

static const char *text_of(const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));

    return text != NULL ? text : "";
}

static int find(const char *name)
{
    for (int i = 0; i < process_count; i++)
        if (strcmp(processes[i].name, name) == 0)
            return i;
    return -1;
}

static struct process *add(const char *name, int parent)
{
    if (process_count == PROCESSES) {
        fputs("replay: more processes than it has room for\n", stderr);
        exit(2);
    }
    struct process *p = &processes[process_count++];
    *p = (struct process){.name = name, .parent = parent, .table = calloc(1, sizeof *p->table)};
    if (p->table == NULL)
        exit(2);
    return p;
}

static int new_object(void)
{
    if (object_count + 1 == OBJECTS) {
        fputs("replay: more objects than it has room for\n", stderr);
        exit(2);
    }
    return ++object_count;
}

static void set(struct process *p, long fd, int object, bool cloexec)
{
    if (fd < 0 || fd >= DESCRIPTORS) {
        differ("%s gets descriptor %ld, which no model expects", p->name, fd);
        return;
    }
    p->table->object[fd] = object;
    p->table->cloexec[fd] = cloexec;
}

static int get(const struct process *p, long fd)
{
    return fd < 0 || fd >= DESCRIPTORS ? 0 : p->table->object[fd];
}

/* The call that makes `child` names its parent; a parent killed meanwhile is named by the step. */
static int parent_of(const char *child, const json_t *step)
{
    size_t i;
    json_t *other;

    json_array_foreach (steps, i, other) {
        const char *call = text_of(other, "call");
        if (strcmp(text_of(other, "result"), child) == 0 &&
            (strncmp(call, "fork(", 5) == 0 || strncmp(call, "vfork(", 6) == 0 ||
             strncmp(call, "clone(", 6) == 0))
            return find(text_of(other, "who"));
    }
    json_array_foreach (json_object_get(step, "processes"), i, other) {
        if (strcmp(text_of(other, "name"), child) == 0)
            return find(text_of(other, "parent"));
    }
    return -1;
}

/* fork copies the table; the parent's cannot have changed since, because it is still in fork. */
static void born(const char *name, const json_t *step, const char *call)
{
    int parent = parent_of(name, step);

    if (find(name) >= 0)
        return;
    if (parent == -1) {
        differ("%s has no parent that made it", name);
        return;
    }
    struct process *p = add(name, parent);
    p->ignores_children = processes[parent].ignores_children;
    if (strstr(call, "CLONE_FILES") != NULL) {
        free(p->table);
        p->table = processes[parent].table;
    } else {
        *p->table = *processes[parent].table;
    }
}

/* A parent waits in vfork, and its child is there: its name comes with the call's end. */
static void vfork_begun(const char *who, const json_t *step)
{
    size_t i;
    json_t *other;

    json_array_foreach (steps, i, other) {
        if (json_integer_value(json_object_get(other, "step")) > at &&
            strcmp(text_of(other, "who"), who) == 0 &&
            strncmp(text_of(other, "call"), "vfork(", 6) == 0 &&
            text_of(other, "result")[0] != '\0') {
            born(text_of(other, "result"), step, "");
            return;
        }
    }
}

static void execute(struct process *p)
{
    /* A table that was shared is no longer. */
    struct table *own = malloc(sizeof *own);

    if (own == NULL)
        exit(2);
    *own = *p->table;
    p->table = own;
    for (int fd = 0; fd < DESCRIPTORS; fd++)
        if (p->table->cloexec[fd])
            set(p, fd, 0, false);
}

static void end(int index)
{
    struct process *p = &processes[index];
    bool orphan = p->parent >= 0 && processes[p->parent].state != LIVES;

    if (p->state != LIVES)
        return;
    p->table = calloc(1, sizeof *p->table);
    if (p->table == NULL)
        exit(2);
    p->state = p->parent >= 0 && !orphan && processes[p->parent].ignores_children ? REAPED : ZOMBIE;
    p->may_be_reaped = orphan || p->parent < 0; /* the root is waited for by forkscope */
    for (int i = 0; i < process_count; i++)
        if (processes[i].parent == index)
            processes[i].may_be_reaped = true;
}

/* One call that has returned and not failed. */
static void call_done(struct process *p, const json_t *step, const char *call, const char *result)
{
    static const char *const makers[] = {
        "socket",       "accept",       "accept4",  "open",           "creat",
        "epoll_create", "eventfd",      "signalfd", "timerfd_create", "pidfd_open",
        "inotify_init", "memfd_create", NULL};
    char name[32];
    long first = -1, second = -1;
    size_t length = strcspn(call, "(");

    snprintf(name, sizeof name, "%.*s", (int)length, call);
    bool cloexec = strstr(call, "CLOEXEC") != NULL;
    long value = strtol(result, NULL, 10);
    (void)sscanf(call + length, "(%ld, %ld", &first, &second);
    for (const char *const *maker = makers; *maker != NULL; maker++)
        if (strcmp(name, *maker) == 0)
            set(p, value, new_object(), cloexec);
    if (strcmp(name, "pipe") == 0 || strcmp(name, "socketpair") == 0) {
        long one = -1, other = -1;
        if (sscanf(result, "%ld, %ld", &one, &other) != 2)
            differ("%s tells no two descriptors: %s", name, result);
        set(p, one, new_object(), cloexec);
        set(p, other, new_object(), cloexec);
    } else if (strcmp(name, "dup") == 0) {
        set(p, value, get(p, first), false);
    } else if (strcmp(name, "dup2") == 0) {
        if (first != second)
            set(p, second, get(p, first), cloexec);
    } else if (strcmp(name, "fcntl") == 0 && strstr(call, "F_DUPFD") != NULL) {
        set(p, value, get(p, first), cloexec);
    } else if (strcmp(name, "fcntl") == 0 && strstr(call, "F_SETFD") != NULL) {
        p->table->cloexec[first] = cloexec;
    } else if (strcmp(name, "close") == 0) {
        set(p, first, 0, false);
    } else if (strcmp(name, "close_range") == 0) {
        for (long fd = first; fd < DESCRIPTORS && (second < 0 || fd <= second); fd++)
            set(p, fd, 0, false);
    } else if (strcmp(name, "fork") == 0 || strcmp(name, "vfork") == 0 ||
               strcmp(name, "clone") == 0) {
        born(result, step, call);
    } else if (strcmp(name, "execve") == 0) {
        execute(p);
    } else if (strcmp(name, "sigaction") == 0 && strncmp(call + length, "(SIGCHLD", 8) == 0) {
        p->ignores_children =
            strstr(call, "SIG_IGN") != NULL || strstr(call, "SA_NOCLDWAIT") != NULL;
    } else if (strncmp(name, "wait", 4) == 0) {
        int child = find(result);
        if (child >= 0)
            processes[child].state = REAPED;
        /* waitid that was not asked for whom. */
        for (int i = 0;
             i < process_count && strcmp(name, "waitid") == 0 && strcmp(result, "0") == 0; i++)
            processes[i].may_be_reaped |=
                &processes[processes[i].parent < 0 ? 0 : processes[i].parent] == p;
    }
}

static void move_on(const json_t *step)
{
    const char *kind = text_of(step, "kind"), *who = text_of(step, "who"),
               *call = text_of(step, "call"), *result = text_of(step, "result");
    int index = find(who);

    if (strcmp(kind, "start") == 0) {
        struct process *p = add(who, -1);
        /* 0 is /dev/null, 1 and 2 the same pipe: see launch.h. */
        set(p, 0, new_object(), false);
        set(p, 1, new_object(), false);
        set(p, 2, object_count, false);
    } else if (index >= 0 && strcmp(kind, "block") == 0 && strncmp(call, "vfork(", 6) == 0) {
        vfork_begun(who, step);
    } else if (strcmp(kind, "born") == 0) {
        born(who, step, call);
    } else if (index >= 0 && strcmp(kind, "call") == 0 && strncmp(result, "-1 E", 4) != 0) {
        call_done(&processes[index], step, call, result);
    } else if (index >= 0 && strcmp(kind, "exit") == 0) {
        end(index);
    }
}

/* ---- compare ---- */

static void compare_state(const struct process *p, const char *measured)
{
    bool zombie = strcmp(measured, "zombie") == 0, reaped = strcmp(measured, "reaped") == 0;

    if (p->state == LIVES  ? zombie || reaped
        : p->may_be_reaped ? !zombie && !reaped
                           : zombie != (p->state == ZOMBIE))
        differ("%s: the calls make it %s, measured is %s", p->name,
               p->state == LIVES    ? "live"
               : p->state == ZOMBIE ? "a zombie"
                                    : "reaped",
               measured);
}

/* An object keeps its name as long as it is there, and no two have the same. */
static void compare_object(const struct process *p, int fd, const char *name)
{
    int object = get(p, fd);

    compared++;
    if (object == 0) {
        differ("%s: descriptor %d is measured (%s), but the calls leave none", p->name, fd, name);
        return;
    }
    if (object_names[object] == NULL) {
        for (int i = 1; i <= object_count; i++)
            if (object_names[i] != NULL && strcmp(object_names[i], name) == 0)
                differ("%s: descriptor %d is measured as %s, which is another object", p->name, fd,
                       name);
        object_names[object] = strdup(name);
    } else if (strcmp(object_names[object], name) != 0) {
        differ("%s: descriptor %d is measured as %s, the calls say %s", p->name, fd, name,
               object_names[object]);
    }
}

static void compare_process(const json_t *json, const struct process *p)
{
    bool measured[DESCRIPTORS] = {false};
    json_t *item;
    size_t i;

    compare_state(p, text_of(json, "state"));
    if (p->state != LIVES || json_object_get(json, "shares_table_of") != NULL)
        return;
    if (json_object_get(json, "hidden") != NULL)
        differ("%s: its descriptors were not measured", p->name);
    json_array_foreach (json_object_get(json, "standard"), i, item) {
        int fd = (int)json_integer_value(item);
        measured[fd] = true;
        if (get(p, fd) == 0 || get(p, fd) >= STANDARD)
            differ("%s: descriptor %d is measured as inherited, but the calls changed it", p->name,
                   fd);
    }
    json_array_foreach (json_object_get(json, "descriptors"), i, item) {
        int fd = (int)json_integer_value(json_object_get(item, "fd"));
        if (fd >= 0 && fd < DESCRIPTORS)
            measured[fd] = true;
        compare_object(p, fd, text_of(item, "object"));
    }
    for (int fd = 0; fd < DESCRIPTORS; fd++)
        if (get(p, fd) != 0 && !measured[fd])
            differ("%s: the calls leave descriptor %d open, but it is not measured", p->name, fd);
}

static int model_references(const char *name)
{
    int count = 0;

    for (int i = 0; i < process_count; i++) {
        bool shared = false;
        for (int k = 0; k < i; k++)
            shared |= processes[k].table == processes[i].table;
        for (int fd = 0; fd < DESCRIPTORS && !shared; fd++) {
            int object = processes[i].table->object[fd];
            count += object > 0 && object_names[object] != NULL &&
                     strcmp(object_names[object], name) == 0;
        }
    }
    return count;
}

static void compare(const json_t *step)
{
    json_t *item;
    size_t i;
    int seen = 0;

    json_array_foreach (json_object_get(step, "processes"), i, item) {
        int index = find(text_of(item, "name"));
        if (index == -1)
            differ("%s is measured, but no call has made it", text_of(item, "name"));
        else
            compare_process(item, &processes[index]);
        seen += index >= 0;
    }
    if (seen != process_count)
        differ("%d processes by the calls, %d measured", process_count, seen);
    json_array_foreach (json_object_get(step, "objects"), i, item) {
        int refs = (int)json_integer_value(json_object_get(item, "refs"));
        int model = model_references(text_of(item, "name"));
        if (refs != model)
            differ("%s: %d references measured, %d by the calls", text_of(item, "name"), refs,
                   model);
    }
}

int main(void)
{
    char *line = NULL;
    size_t room = 0, i;
    json_t *step;

    steps = json_array();
    while (getline(&line, &room, stdin) != -1) {
        json_error_t where;
        json_t *json = json_loads(line, 0, &where);
        if (json == NULL) {
            fprintf(stderr, "replay: %s\n", where.text);
            return 2;
        }
        if (json_object_get(json, "step") != NULL)
            json_array_append_new(steps, json);
    }
    if (json_array_size(steps) == 0) {
        fputs("replay: no step in the trace\n", stderr);
        return 2;
    }
    json_array_foreach (steps, i, step) {
        at = (long)json_integer_value(json_object_get(step, "step"));
        move_on(step);
        compare(step);
        /* What follows from a difference is one more difference each step: the first says it. */
        if (mismatch)
            return 1;
    }
    printf("%zu steps, %ld references\n", json_array_size(steps), compared);
    return 0;
}
