/* trace.c - a whole trace: begin, go on until nothing can happen any more, end. */
#include "tracer.h"
#include "findings.h"
#include "launch.h"
#include "proc.h"
#include "regs.h"
#include "stage.h"

#include <errno.h>
#include <elf.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

struct task *tracer_task(const struct tracer *t, pid_t tid)
{
    /* From the end: a number that is used again is the younger's. */
    for (size_t i = t->task_count; i > 0; i--)
        if (t->tasks[i - 1]->tid == tid)
            return t->tasks[i - 1];
    return NULL;
}

struct task *tracer_add(struct tracer *t, pid_t tid, pid_t pid, const char *name)
{
    struct task *task = zeroed(1, sizeof *task);

    task->tid = tid;
    task->pid = pid;
    task->deadline = task->alarm = -1;
    snprintf(task->name, sizeof task->name, "%s", name);
    t->tasks = grown(t->tasks, t->task_count, sizeof *t->tasks);
    t->tasks[t->task_count++] = task;
    return task;
}

struct task *tracer_process(const struct tracer *t, pid_t pid)
{
    struct task *best = NULL;

    for (size_t i = 0; i < t->task_count; i++) {
        struct task *task = t->tasks[i];
        /* One that can go on says more of its process than one that waits. */
        if (task->pid == pid && task->state != TASK_ENDED &&
            (best == NULL || (best->state != TASK_HELD && task->state == TASK_HELD)))
            best = task;
    }
    return best;
}

const char *tracer_name(void *data, pid_t pid)
{
    const struct task *task = tracer_task(data, pid);

    return task != NULL ? task->name : NULL;
}

bool tracer_others_live(const struct tracer *t, const struct task *task)
{
    for (size_t i = 0; i < t->task_count; i++)
        if (t->tasks[i] != task && t->tasks[i]->pid == task->pid &&
            t->tasks[i]->state != TASK_ENDED)
            return true;
    return false;
}

void tracer_stir(struct tracer *t)
{
    for (size_t i = 0; i < t->task_count; i++)
        if (!t->tasks[i]->computing)
            t->tasks[i]->idle = false;
}

void tracer_note(struct tracer *t, const char *format, ...)
{
    char text[256], clean[256];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    text_copy(clean, sizeof clean, text);
    for (size_t i = 0; i < t->trace.note_count; i++)
        if (strcmp(t->trace.notes[i], clean) == 0)
            return;
    t->trace.notes = grown(t->trace.notes, t->trace.note_count, sizeof *t->trace.notes);
    t->trace.notes[t->trace.note_count++] = strdup(clean);
}

/* ---- images ---- */

struct image *image_open(struct tracer *t, pid_t pid, struct error *err)
{
    struct image *image = zeroed(1, sizeof *image);
    char path[64], exe[PATH_MAX];

    (void)t;
    image->users = 1;
    image->source = source_open(pid, err);
    if (image->source == NULL) {
        free(image);
        return NULL;
    }
    snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    ssize_t length = readlink(path, exe, sizeof exe - 1);
    exe[length > 0 ? length : 0] = '\0';
    const char *slash = strrchr(exe, '/');
    text_copy(image->name, sizeof image->name, slash != NULL ? slash + 1 : exe);
    image->has_lines = source_main(image->source) != 0;
    return image;
}

void image_release(struct image *image)
{
    if (image == NULL || --image->users > 0)
        return;
    source_close(image->source);
    free(image);
}

/* Where a program's first instruction is: AT_ENTRY of getauxval(3); 0 when it is not told. */
static uint64_t entry_of(pid_t pid)
{
    char path[64];
    uint64_t pair[2], entry = 0;

    snprintf(path, sizeof path, "/proc/%d/auxv", (int)pid);
    FILE *in = fopen(path, "re");
    while (in != NULL && entry == 0 && fread(pair, sizeof pair, 1, in) == 1)
        if (pair[0] == AT_ENTRY)
            entry = pair[1];
    if (in != NULL)
        fclose(in);
    return entry;
}

int image_enter(struct tracer *t, struct task *task, struct error *err)
{
    struct image *image = task->image;
    uint64_t to = image->has_lines ? source_main(image->source) : entry_of(task->pid);
    struct regs regs;
    bool forked = false;

    if (to == 0 || event_run_to(task->tid, to, &forked) == -1)
        return 0; /* it ended on the way: the next event says how */
    if (forked)
        tracer_note(t, "%s forks before its main begins: that child is not followed", image->name);
    if (source_refresh(image->source, task->pid, err) == -1)
        return -1;
    if (!image->has_lines)
        return 0;
    /* errno is thread-local: where it lies is the same distance from every thread's pointer. */
    uint64_t function = source_function(image->source, "__errno_location");
    uint64_t at = function != 0 ? event_call(task->tid, function) : 0;
    if (at != 0 && regs_get(task->tid, &regs) == 0) {
        image->errno_at = at - regs_thread_pointer(task->tid, &regs);
        image->errno_known = true;
    } else {
        tracer_note(t,
                    "%s: it could not be found where errno is, so handlers that change it go "
                    "unseen",
                    image->name);
    }
    return 0;
}

/* ---- begin ---- */

static int seize(pid_t pid, struct error *err)
{
    if (event_seize(pid) == 0)
        return 0;
    if (errno == EPERM)
        return fail(err, "trace: not permitted: the system forbids tracing here, or another "
                         "tracer (strace, gdb) holds this program already");
    return fail(err, "trace: %s", strerror(errno));
}

static int begin(struct tracer *t, struct error *err)
{
    const char *slash = strrchr(t->options->argv[0], '/');
    struct trace *trace = &t->trace;

    t->program = launch_program(t->options->argv, seize, &t->output, err);
    if (t->program == -1)
        return -1;
    history_program(t->history, t->program);
    struct task *task = tracer_add(t, t->program, t->program, "P");
    struct event e = event_of(t->program, true);
    while (e.kind != EVENT_EXEC && e.kind != EVENT_ENDED && e.kind != EVENT_GONE) {
        event_resume(t->program, RESUME_FREE, 0);
        e = event_of(t->program, true);
    }
    if (e.kind != EVENT_EXEC)
        return fail(err, "%s: it ended before it began", t->options->argv[0]);
    task->born = true;
    task->image = image_open(t, t->program, err);
    if (task->image == NULL)
        return -1;
    if (!task->image->has_lines)
        return fail(err, "%s: no debug information of a main: compile with -g -O0",
                    t->options->argv[0]);
    text_copy(trace->program, sizeof trace->program,
              slash != NULL ? slash + 1 : t->options->argv[0]);
    for (char *const *a = t->options->argv + 1; *a != NULL; a++) {
        char clean[256];
        text_copy(clean, sizeof clean, *a);
        trace->arguments = grown(trace->arguments, trace->argument_count, sizeof *trace->arguments);
        trace->arguments[trace->argument_count++] = strdup(clean);
    }
    snprintf(trace->title, sizeof trace->title, "%s", t->title);
    if (t->options->order == ORDER_RANDOM)
        snprintf(trace->order, sizeof trace->order, "random=%llu",
                 (unsigned long long)t->options->seed);
    else
        snprintf(trace->order, sizeof trace->order, "%s",
                 t->options->order == ORDER_PARENT_FIRST ? "parent-first" : "child-first");
    source_files(task->image->source, trace);
    if (trace->file_count == 0)
        tracer_note(t, "the source files could not be read: only functions are shown");
    if (source_optimised(task->image->source))
        tracer_note(t, "compiled with optimisation: lines may be wrong; compile with -g -O0");
    if (trace_write_header(t->options->out, trace, err) == -1 || image_enter(t, task, err) == -1)
        return -1;
    act_stand(t, task);
    return look_step(t, STEP_START, "P", task, "main", "", NULL, err);
}

/* ---- go on ---- */

static bool all_ended(const struct tracer *t)
{
    for (size_t i = 0; i < t->task_count; i++)
        if (t->tasks[i]->state != TASK_ENDED)
            return false;
    return true;
}

/* Nothing that the scenario waits for can come any more. */
static int stuck(const struct tracer *t, struct error *err)
{
    const struct action *a = &t->scenario.actions[t->next_action];
    const char *path = t->options->scenario;

    if (a->verb == DO_CONNECT)
        return fail(err, "%s:%d: the program listens on no port", path, a->line);
    if (a->verb == DO_UNTIL)
        return fail(err, "%s:%d: there are never %zu %s: everything waits", path, a->line,
                    a->number, a->name);
    return fail(err, "%s:%d: client %s does not receive '%.100s': every process waits", path,
                a->line, a->name, a->text);
}

static int go_on(struct tracer *t, struct error *err)
{
    while (!t->over) {
        int result = schedule(t, err);
        if (result == 0 && !t->over) {
            int played = play(t, err);
            result = played == 1 ? 1 : played;
            if (played == 2 || (played == 0 && t->options->scenario == NULL)) {
                result = schedule_time(t, err);
                if (played == 2 && result == 0 && !t->over)
                    return stuck(t, err);
            }
            if (result == 0)
                break;
        }
        if (result == -1)
            return -1;
    }
    return 0;
}

/* ---- end ---- */

static int say_end(struct tracer *t, struct error *err)
{
    struct trace *trace = &t->trace;

    for (size_t i = 0; i < t->moment_count && !t->over; i++)
        if (t->moments[i].left > 0)
            return fail(err, "%s:%d: the moment '%s' never came", t->options->scenario,
                        t->moments[i].action->line, t->moments[i].action->moment);
    if (stage_interrupted)
        snprintf(trace->end, sizeof trace->end, "interrupted");
    else if (t->over && t->step_count >= t->options->max_steps)
        snprintf(trace->end, sizeof trace->end, "stopped after %zu steps (--max-steps)",
                 t->step_count);
    else if (t->over)
        snprintf(trace->end, sizeof trace->end, "stopped after %g seconds (--deadline)",
                 t->options->deadline);
    else if (all_ended(t))
        snprintf(trace->end, sizeof trace->end, "every process has ended");
    else if (t->options->scenario != NULL)
        snprintf(trace->end, sizeof trace->end, "the scenario is over");
    else
        snprintf(trace->end, sizeof trace->end,
                 "every process waits, and nothing here will wake one");
    look_drain(t);
    if (t->printed_size > 0 && t->last_set && !t->over &&
        look_step(t, STEP_TELL, "P", NULL, "what was printed after that", "", NULL, err) == -1)
        return -1;
    if (look_flush(t, err) == -1)
        return -1;
    look_keep(t);
    findings_make(trace);
    if (trace_write_end(t->options->out, trace, err) == -1)
        return -1;
    struct table_style style = {.colour = t->options->colour};
    return t->options->findings == NULL ? 0
                                        : findings_print(t->options->findings, trace, &style, err);
}

/* Wait until a killed thread has ended. */
static void see_off(const struct task *task)
{
    struct event e;

    /* It may stand in a stop that we know of already. */
    event_resume(task->tid, RESUME_FREE, 0);
    while ((e = event_of(task->tid, true)).kind != EVENT_ENDED && e.kind != EVENT_GONE)
        event_resume(task->tid, RESUME_FREE, 0);
    (void)waitpid(task->tid, NULL, __WALL | WNOHANG);
}

static void clean_up(struct tracer *t)
{
    for (size_t i = 0; i < t->peer_count; i++)
        if (t->peers[i].fd != -1)
            close(t->peers[i].fd);
    /* Killed while stopped by us, each stops once more on its way out. */
    for (size_t i = 0; i < t->task_count; i++)
        if (t->tasks[i]->state != TASK_ENDED)
            kill(t->tasks[i]->pid, SIGKILL);
    for (size_t i = 0; i < t->task_count; i++)
        if (t->tasks[i]->state != TASK_ENDED && t->tasks[i]->tid != t->tasks[i]->pid)
            see_off(t->tasks[i]);
    /* The first thread of a process ends last. */
    for (size_t i = 0; i < t->task_count; i++)
        if (t->tasks[i]->state != TASK_ENDED && t->tasks[i]->tid == t->tasks[i]->pid)
            see_off(t->tasks[i]);
    launch_end_all();
    for (size_t i = 0; i < t->task_count; i++) {
        image_release(t->tasks[i]->image);
        free(t->tasks[i]->handlers);
        free(t->tasks[i]->at.frames);
        free(t->tasks[i]);
    }
    free(t->tasks);
    if (t->output != -1)
        close(t->output);
    free(t->printed);
    free(t->files);
    free(t->sockets.items);
    free(t->peers);
    free(t->moments);
    step_free(&t->last);
    history_free(t->history);
    tcp_close(t->tcp);
    scenario_free(&t->scenario);
    trace_free(&t->trace);
}

int trace_program(const struct trace_options *options, struct error *err)
{
    enum { GRACE_SECONDS = 5 }; /* to stop everybody, when the trace's own time is over */
    struct tracer t = {.options = options, .output = -1, .errno_from = -1, .errno_to = -1};
    int result = 0;

    if (options->scenario != NULL && scenario_read(options->scenario, &t.scenario, err) == -1)
        return -1;
    t.random = options->seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    t.started = stage_seconds();
    event_deadline(t.started + options->deadline + GRACE_SECONDS);
    for (size_t i = 0; i < t.scenario.count && t.title[0] == '\0'; i++)
        if (t.scenario.actions[i].verb == DO_TITLE)
            text_copy(t.title, sizeof t.title, t.scenario.actions[i].text);
    /* Where it is not permitted the ports are shared with others. */
    t.sockets.alone = !options->shared_network && launch_private_network();
    signal(SIGPIPE, SIG_IGN);
    stage_catch_signals();
    t.history = history_new();
    t.tcp = tcp_open(err);
    if (t.tcp == NULL || begin(&t, err) == -1 || go_on(&t, err) == -1 || say_end(&t, err) == -1)
        result = -1;
    clean_up(&t);
    return result;
}
