/* trace.c - begin a trace, go on until nothing can happen any more, end it. */
#include "findings.h"
#include "launch.h"
#include "proc.h"
#include "stage.h"
#include "tracer.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- tasks ---- */

struct task *tracer_task(const struct tracer *t, pid_t tid)
{
    for (size_t i = t->task_count; i > 0; i--)
        if (t->tasks[i - 1]->tid == tid && t->tasks[i - 1]->state != TASK_ENDED)
            return t->tasks[i - 1];
    return NULL;
}

struct task *tracer_process(const struct tracer *t, pid_t pid)
{
    for (size_t i = 0; i < t->task_count; i++)
        if (t->tasks[i]->pid == pid && t->tasks[i]->state != TASK_ENDED)
            return t->tasks[i];
    return NULL;
}

struct task *tracer_add(struct tracer *t, pid_t tid, pid_t pid, const char *name)
{
    t->tasks = grown(t->tasks, t->task_count, sizeof(struct task *));
    struct task *task = zeroed(1, sizeof *task);
    t->tasks[t->task_count++] = task;
    task->tid = tid;
    task->pid = pid;
    task->deadline = -1;
    task->alarm = -1;
    task->call.fd = -1;
    snprintf(task->name, sizeof task->name, "%s", name);
    return task;
}

const char *tracer_name(void *data, pid_t pid)
{
    const struct tracer *t = data;

    for (size_t i = t->task_count; i > 0; i--)
        if (t->tasks[i - 1]->pid == pid)
            return t->tasks[i - 1]->name;
    return NULL;
}

void tracer_stir(struct tracer *t)
{
    for (size_t i = 0; i < t->task_count; i++)
        t->tasks[i]->idle = t->tasks[i]->computing;
}

void tracer_note(struct tracer *t, const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (size_t i = 0; i < t->trace.note_count; i++)
        if (strcmp(t->trace.notes[i], text) == 0)
            return;
    t->trace.notes = grown(t->trace.notes, t->trace.note_count, sizeof *t->trace.notes);
    t->trace.notes[t->trace.note_count++] = strdup(text);
}

/* ---- programs ---- */

struct image *image_open(struct tracer *t, pid_t pid, struct error *err)
{
    struct image *image = zeroed(1, sizeof *image);

    (void)t;
    image->users = 1;
    image->source = source_open(pid, err);
    if (image->source == NULL) {
        free(image);
        return NULL;
    }
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

int image_enter(struct tracer *t, struct task *task, struct error *err)
{
    struct regs regs;
    uint64_t where;

    (void)t;
    if (!task->image->has_lines)
        return 0;
    if (event_run_to(task->tid, source_main(task->image->source)) == -1)
        return fail(err, "the program ended before its main");
    if (source_refresh(task->image->source, task->pid, err) == -1)
        return -1;
    uint64_t function = source_function(task->image->source, "__errno_location");
    if (function != 0 && (where = event_call(task->tid, function)) != 0 &&
        regs_get(task->tid, &regs) == 0) {
        task->image->errno_at = where - regs_thread_pointer(task->tid, &regs);
        task->image->errno_known = true;
    }
    return 0;
}

/* ---- the whole ---- */

static int seize(pid_t pid, struct error *err)
{
    if (event_seize(pid) == 0)
        return 0;
    if (errno == EPERM)
        return fail(err, "not permitted to trace: is a debugger, strace or another forkscope "
                         "around this one?");
    return fail(err, "ptrace: %s", strerror(errno));
}

static const char *order_name(const struct trace_options *o, char *text, size_t size)
{
    if (o->order == ORDER_RANDOM)
        snprintf(text, size, "random=%llu", (unsigned long long)o->seed);
    else
        snprintf(text, size, o->order == ORDER_CHILD_FIRST ? "child-first" : "parent-first");
    return text;
}

/* From execve to the first line of main; then the header can be written, and the first step. */
static int begin(struct tracer *t, struct error *err)
{
    const struct trace_options *o = t->options;
    const char *slash = strrchr(o->argv[0], '/');

    t->program = launch_program(o->argv, seize, &t->output, err);
    if (t->program == -1)
        return -1;
    /* It stops once in execve. */
    struct event e = event_of(t->program, true);
    while (e.kind != EVENT_EXEC) {
        if (e.kind == EVENT_ENDED || e.kind == EVENT_GONE)
            return fail(err, "%s: ended before it began", o->argv[0]);
        event_resume(t->program, RESUME_FREE, e.kind == EVENT_SIGNAL ? e.signal : 0);
        e = event_of(t->program, true);
    }
    history_program(t->history, t->program);
    struct task *task = tracer_add(t, t->program, t->program, "P");
    task->born = true;
    task->image = image_open(t, t->program, err);
    if (task->image == NULL)
        return -1;
    if (!task->image->has_lines)
        return fail(err, "%s: no debug information: compile with -g -O0", o->argv[0]);
    if (image_enter(t, task, err) == -1)
        return -1;
    snprintf(t->trace.program, sizeof t->trace.program, "%s",
             slash != NULL ? slash + 1 : o->argv[0]);
    for (char *const *argument = o->argv + 1; *argument != NULL; argument++) {
        t->trace.arguments =
            grown(t->trace.arguments, t->trace.argument_count, sizeof *t->trace.arguments);
        t->trace.arguments[t->trace.argument_count++] = strdup(*argument);
    }
    order_name(o, t->trace.order, sizeof t->trace.order);
    for (size_t i = 0; i < t->scenario.count; i++)
        if (t->scenario.actions[i].verb == DO_TITLE && t->trace.title[0] == '\0')
            text_copy(t->trace.title, sizeof t->trace.title, t->scenario.actions[i].text);
    source_files(task->image->source, &t->trace);
    source_end_of_main(task->image->source, &t->trace, &t->main_end);
    if (source_optimised(task->image->source))
        tracer_note(t, "the program was compiled with optimisation: lines may be wrong (use -O0)");
    if (trace_write_header(o->out, &t->trace, err) == -1)
        return -1;
    t->current = task;
    act_stand(t, task);
    return look_step(t, STEP_START, "P", task, "", "", NULL, err);
}

static void say_end(struct tracer *t, const char *text)
{
    if (t->trace.end[0] == '\0')
        snprintf(t->trace.end, sizeof t->trace.end, "%s", text);
}

static bool anybody_lives(const struct tracer *t)
{
    for (size_t i = 0; i < t->task_count; i++)
        if (t->tasks[i]->state != TASK_ENDED)
            return true;
    return false;
}

static int go_on(struct tracer *t, struct error *err)
{
    for (;;) {
        int result = schedule(t, err);
        if (result == -1 || t->over)
            return result == -1 ? -1 : 0;
        if (result == 1)
            continue;
        result = play(t, err);
        if (result == -1)
            return -1;
        if (result == 1)
            continue;
        if (!anybody_lives(t)) {
            say_end(t, "every process has ended");
            return result == 2 ? -1 : 0;
        }
        if (result == 0 && t->scenario.count > 0) {
            say_end(t, "the scenario is over, and everything waits");
            return 0;
        }
        int passed = schedule_time(t, err);
        if (passed == -1 || t->over)
            return passed == -1 ? -1 : 0;
        if (passed == 0 && result == 2)
            return -1;
        if (passed == 0) {
            say_end(t, "everything waits");
            return 0;
        }
    }
}

/* Kill everybody. Each stops once more on its way out, and its children become ours. */
static void end_all(const struct tracer *t)
{
    int status;
    pid_t pid;

    for (size_t i = 0; i < t->task_count; i++)
        if (t->tasks[i]->state != TASK_ENDED)
            kill(t->tasks[i]->pid, SIGKILL);
    while ((pid = waitpid(-1, &status, __WALL)) > 0 || (pid == -1 && errno == EINTR)) {
        if (pid > 0 && WIFSTOPPED(status)) {
            kill(pid, SIGKILL);
            event_resume(pid, RESUME_FREE, 0);
        }
    }
}

static void release(struct tracer *t)
{
    for (size_t i = 0; i < t->peer_count; i++)
        if (t->peers[i].fd != -1)
            close(t->peers[i].fd);
    free(t->peers);
    for (size_t i = 0; i < t->task_count; i++) {
        image_release(t->tasks[i]->image);
        free(t->tasks[i]->at.frames);
        free(t->tasks[i]->handlers);
        free(t->tasks[i]);
    }
    free(t->tasks);
    free(t->printed);
    free(t->files);
    free(t->main_end.frames);
    trace_free(&t->trace);
    history_free(t->history);
    tcp_close(t->tcp);
    scenario_free(&t->scenario);
    if (t->output != -1)
        close(t->output);
}

int trace_program(const struct trace_options *options, struct error *err)
{
    struct tracer t = {.options = options, .output = -1, .random = options->seed * 2654435769U + 1};
    struct table_style style = {.colour = options->colour};
    int result = 0;

    if (options->scenario != NULL && scenario_read(options->scenario, &t.scenario, err) == -1)
        return -1;
    if (!options->shared_network)
        (void)launch_private_network();
    signal(SIGPIPE, SIG_IGN);
    stage_catch_signals();
    t.started = stage_seconds();
    t.history = history_new();
    t.tcp = tcp_open(err);
    result = t.tcp == NULL ? -1 : begin(&t, err);
    if (result == 0)
        result = go_on(&t, err);
    if (result == 0 && stage_interrupted)
        say_end(&t, "interrupted");
    if (result == 0 && t.over)
        say_end(&t, "the time is over");
    struct error unused;
    if (t.last_set && look_flush(&t, result == 0 ? err : &unused) == -1)
        result = -1;
    end_all(&t);
    if (result == 0) {
        findings_make(&t.trace);
        result = trace_write_end(options->out, &t.trace, err);
    }
    if (result == 0 && options->progress != NULL)
        result = findings_print(options->progress, &t.trace, &style, err);
    release(&t);
    return result;
}
