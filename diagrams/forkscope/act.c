/* act.c - what an event of a thread means, and which steps it makes. */
#include "tracer.h"
#include "proc.h"
#include "regs.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

/* ---- where it stands ---- */

static void stand(struct task *task, const struct trace *trace, const char *call)
{
    const char *signals[16];
    size_t count = 0;

    for (size_t i = task->handler_count; i > 0 && count < 16; i--)
        signals[count++] = task->handlers[i - 1].signal;
    struct stand where = {.tid = task->tid,
                          .trace = trace,
                          .restorer = task->image->restorer,
                          .signals = signals,
                          .signal_count = count,
                          .call = call};
    free(task->at.frames);
    size_t found = unwind(task->image->source, &where, &task->at);
    /* A handler that was left by longjmp is not on the stack any more. */
    if (task->at.count > 0 && found < task->handler_count)
        task->handler_count = found;
}

void act_stand(struct tracer *t, struct task *task)
{
    stand(task, &t->trace, task->call.name);
}

bool act_interrupted(const struct tracer *t, const struct task *task)
{
    struct proc_signals signals;
    uint64_t early = act_early_alarm(t, task) != NULL ? UINT64_C(1) << (SIGALRM - 1) : 0;

    return proc_signals(task->tid, &signals) == 0 &&
           (signals.pending & ~signals.blocked & signals.caught & ~early) != 0;
}

struct task *act_early_alarm(const struct tracer *t, const struct task *task)
{
    for (size_t i = 0; i < t->task_count; i++)
        if (t->tasks[i]->pid == task->pid && !t->tasks[i]->alarm_due && t->tasks[i]->alarm > t->now)
            return t->tasks[i];
    return NULL;
}

/* ---- calls ---- */

/*
 * Put the name of the handler into the text of sigaction, remember where handlers return to, and
 * whether it is as it was: posix_spawn() sets each signal that is at its default once more.
 */
static void name_handler(struct task *task)
{
    struct {
        uint64_t handler;
        uint64_t flags;
        uint64_t restorer;
    } action;
    struct proc_signals set;
    char name[48], whole[256];
    char *mark = strchr(task->call.text, '%');

    task->changes_nothing = task->call.args[1] == 0;
    if (task->call.args[1] == 0 ||
        !event_read(task->tid, task->call.args[1], &action, sizeof action))
        return;
    if (action.handler <= 1 && proc_signals(task->tid, &set) == 0) {
        uint64_t bit = UINT64_C(1) << (task->call.args[0] - 1) % 64;
        task->changes_nothing =
            !(set.caught & bit) && !(set.ignored & bit) == (action.handler == 0);
    }
    if (action.handler > 1 && action.restorer != 0)
        task->image->restorer = action.restorer;
    if (mark == NULL)
        return;
    source_name(task->image->source, action.handler, name, sizeof name);
    snprintf(whole, sizeof whole, "%.*s%s%s", (int)(mark - task->call.text), task->call.text,
             name[0] != '\0' ? name : "a handler", mark + 1);
    text_copy(task->call.text, sizeof task->call.text, whole);
}

#ifdef SYS_select
static const long select_call = SYS_select;
#else
static const long select_call = SYS_pselect6; /* aarch64 has no other */
#endif

/* The descriptor sets of select(2) in the program: keep what they hold, or put it back. */
static void copy_sets(struct task *task, bool back)
{
    uint64_t bits = task->call.args[0] < FD_SETSIZE ? task->call.args[0] : FD_SETSIZE;
    size_t size = (size_t)(bits + 63) / 64 * 8; /* the kernel reads and writes whole words */

    if (task->call.number != select_call && task->call.number != SYS_pselect6)
        return;
    for (size_t i = 0; i < 3; i++) {
        uint64_t at = task->call.args[1 + i];
        if (at != 0 && back)
            (void)event_write(task->tid, at, task->sets[i], size);
        else if (at != 0)
            (void)event_read(task->tid, at, task->sets[i], size);
    }
}

bool act_ran_out(const struct tracer *t, struct task *task, const struct event *e)
{
    struct regs regs;
    int64_t empty = task->call.number == SYS_rt_sigtimedwait ? -EAGAIN
                    : task->call.number == SYS_futex         ? -ETIMEDOUT
                                                             : 0;

    if (e->kind != EVENT_EXIT || !task->in_call || task->call.class != CALL_QUIET ||
        task->call.timeout <= 0 || task->deadline <= t->now || e->result != empty)
        return false;
    copy_sets(task, true);
    /* As when we had stopped it while it waited: it is entered again, or a signal ends it. */
    if (regs_get(task->tid, &regs) == 0) {
        regs_set_result(&regs, -EINTR);
        (void)regs_set(task->tid, &regs);
    }
    task->state = TASK_BLOCKED;
    task->result = -EINTR;
    return true;
}

static int on_entry(struct tracer *t, struct task *task, const struct event *e)
{
    /* The same call once more, after a stop or a handler: nothing new. */
    if (task->in_call && task->call.number == e->number)
        return 0;
    task->in_call = true;
    task->told = task->changes_nothing = false;
    call_enter(task->tid, e, tracer_name, t, &task->call);
    task->deadline = task->call.timeout > 0 ? t->now + task->call.timeout : -1;
    copy_sets(task, false);
    if (e->number == SYS_rt_sigaction)
        name_handler(task);
    if (call_executes(&task->call) || e->number == SYS_exit_group || e->number == SYS_exit)
        act_stand(t, task);
    if (e->number == SYS_exit_group) {
        snprintf(task->ending, sizeof task->ending, "%s", task->call.text);
        if (task->at.count == 0)
            source_end_of_main(task->image->source, &t->trace, &task->at);
    }
    return 0;
}

/* The object that a descriptor refers to, as the last step showed it; NULL when it is not known. */
static const struct object *object_of(const struct tracer *t, const struct task *task, int fd)
{
    const struct snapshot *now = &t->last.now;

    for (size_t i = 0; i < now->process_count; i++) {
        const struct process *p = &now->processes[i];
        if (strcmp(p->name, task->name) != 0)
            continue;
        if (p->shares >= 0)
            p = &now->processes[p->shares];
        int object = descriptor_object(p, fd);
        return object < 0 ? NULL : &now->objects[object];
    }
    return NULL;
}

/* Is a call that has returned a step? */
static bool shown(const struct tracer *t, const struct task *task, int64_t result)
{
    const struct object *o = task->call.fd >= 0 ? object_of(t, task, task->call.fd) : NULL;
    bool plain = o != NULL && (o->standard || o->kind == OBJECT_FILE);

    if (task->told && task->call.class != CALL_QUIET)
        return true;
    switch (task->call.class) {
    case CALL_QUIET:
        return task->told;
    case CALL_DATA:
        if (result < 0 && result != -EAGAIN)
            return true;
        /* Output is told with the next step; but a handler that prints is a step of its own. */
        return o != NULL && (!plain || task->handler_count > 0);
    case CALL_FILE:
        return !task->changes_nothing && (task->image->has_lines || (o != NULL && !plain));
    case CALL_SHOWN:
        return true;
    }
    return true;
}

/*
 * Is it a library's own affair: the signals that system() and posix_spawn() set, files that are
 * read on the way, the folders of PATH where a program is not? Asked where the thread stands.
 */
static bool own_affair(struct tracer *t, const struct task *task, int64_t result)
{
    bool direct =
        task->at.count > 0 && (task->at.frames[0].file != -1 || task->at.frames[0].signal);

    if (direct)
        return false;
    if (task->call.number == SYS_execve && result == -ENOENT && task->at.count > 0 &&
        strcmp(task->at.frames[0].function, "execve") != 0) {
        tracer_note(t,
                    "%s looks for the program in every folder of PATH; where it is not, that "
                    "is no step",
                    task->at.frames[0].function);
        return true;
    }
    return task->call.number == SYS_rt_sigaction &&
           (task->at.count == 0 ||
            strstr(task->at.frames[0].function, "signal") == NULL); /* bsd_signal, ssignal */
}

static int64_t nanoseconds(struct timeval time)
{
    return (int64_t)time.tv_sec * 1000000000 + (int64_t)time.tv_usec * 1000;
}

/* A process has one such timer, whichever of its threads sets it. in: nanoseconds, 0 for never. */
static void set_alarm(struct tracer *t, struct task *task, int64_t in, int64_t interval)
{
    for (size_t i = 0; i < t->task_count; i++)
        if (t->tasks[i]->pid == task->pid) {
            t->tasks[i]->alarm = -1;
            t->tasks[i]->alarm_due = t->tasks[i]->alarm_early = false;
        }
    task->alarm = in == 0 ? -1 : t->now + in;
    task->alarm_interval = interval;
}

/* Timers of the process that end a wait. */
static void watch_timers(struct tracer *t, struct task *task, int64_t result)
{
    struct {
        struct timeval interval;
        struct timeval value;
    } timer;

    if (result < 0)
        return;
#ifdef SYS_alarm
    if (task->call.number == SYS_alarm)
        set_alarm(t, task, (int64_t)(unsigned)task->call.args[0] * 1000000000, 0);
#endif
    /* The other timers of setitimer(2) count what is computed, and that is nothing for who waits. */
    if (task->call.number == SYS_setitimer && task->call.args[0] == ITIMER_REAL &&
        task->call.args[1] != 0 && event_read(task->tid, task->call.args[1], &timer, sizeof timer))
        set_alarm(t, task, nanoseconds(timer.value), nanoseconds(timer.interval));
}

/*
 * Process ids that are printed are told as names, because they differ from run to run. So does the
 * number of their digits: bytes are counted as they are told.
 */
static void count_as_told(struct tracer *t, struct task *task, int64_t *result)
{
    const struct object *o = object_of(t, task, task->call.fd);
    char printed[4096];

    if (task->call.number != SYS_write || o == NULL || !(o->standard || o->kind == OBJECT_FILE) ||
        *result <= 0 || (uint64_t)*result != task->call.args[2] ||
        task->call.args[2] > sizeof printed ||
        !event_read(task->tid, task->call.args[1], printed, (size_t)*result))
        return;
    *result = (int64_t)look_shown_size(t, printed, (size_t)*result);
    snprintf(task->call.text, sizeof task->call.text, "write(%d, %lld bytes)", task->call.fd,
             (long long)*result);
}

int act_told(struct tracer *t, struct task *task, int64_t result, struct error *err)
{
    char text[64];

    count_as_told(t, task, &result);
    call_result(task->tid, &task->call, result, tracer_name, t, text, sizeof text);
    return look_step(t, STEP_CALL, task->name, task, task->call.text, text, NULL, err);
}

static int on_exit_of_call(struct tracer *t, struct task *task, const struct event *e,
                           struct error *err)
{
    if (task->in_call && task->call.number == SYS_rt_sigreturn) {
        task->in_call = false;
        return act_return(t, task, err);
    }
    /* Interrupted, to be entered again or to end with EINTR: the signal that did it comes next. */
    if (!task->in_call || (e->result <= -512 && e->result >= -516))
        return 0;
    task->in_call = false;
    /* A thread that was held is asked for its futex anew when it was woken: a 0 for anyone else. */
    int64_t result =
        task->call.number == SYS_futex && task->told && e->result == -EAGAIN ? 0 : e->result;
    watch_timers(t, task, result);
    if (call_found_nothing(&task->call, result)) {
        task->polls++;
        if (strcmp(task->nothing, task->call.text) == 0)
            return 0;
        snprintf(task->nothing, sizeof task->nothing, "%s", task->call.text);
    } else if (task->call.class != CALL_QUIET) {
        task->polls = 0;
        task->nothing[0] = '\0';
    }
    tracer_stir(t);
    if (task->call.number == SYS_sched_yield)
        task->polls++;
    if (!shown(t, task, result))
        return 0;
    act_stand(t, task);
    if (own_affair(t, task, result))
        return 0;
    return act_told(t, task, result, err);
}

int act_blocked(struct tracer *t, struct task *task, struct error *err)
{
    if (!task->in_call || task->told)
        return 0;
    task->told = true;
    act_stand(t, task);
    return look_step(t, STEP_BLOCK, task->name, task, task->call.text, "", NULL, err);
}

int act(struct tracer *t, struct task *task, const struct event *e, struct error *err)
{
    switch (e->kind) {
    case EVENT_ENTRY:
        return on_entry(t, task, e);
    case EVENT_EXIT:
        return on_exit_of_call(t, task, e, err);
    case EVENT_FORK:
    case EVENT_VFORK:
        return act_fork(t, task, e, err);
    case EVENT_EXEC:
        return act_exec(t, task, e, err);
    case EVENT_ENDING:
        return act_ending(t, task, err);
    case EVENT_ENDED:
        return act_ended(t, task, e->status, err);
    case EVENT_SIGNAL:
        return act_signal(t, task, e, err);
    case EVENT_STOPPED:
        return act_stopped(t, task, e, err);
    case EVENT_BREAK:
        task->signal = SIGTRAP; /* a breakpoint of the program's own */
        return 0;
    case EVENT_GONE:
        return act_gone(t, task);
    case EVENT_TRAP:
    case EVENT_NONE:
        return 0;
    }
    return 0;
}
