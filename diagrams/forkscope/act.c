/* act.c - what an event of a thread means: which step it makes, and what is known afterwards. */
#include "tracer.h"
#include "proc.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a system call gives, inside the kernel, when it is to be entered again. */
enum { RESTARTSYS = 512, RESTART_BLOCK = 516 };
enum { RESTORER = 0x04000000 }; /* SA_RESTORER: the third word of a sigaction is set */

static bool was_interrupted(int64_t result)
{
    return result <= -RESTARTSYS && result >= -RESTART_BLOCK;
}

/* ---- where it stands ---- */

void act_stand(struct tracer *t, struct task *task)
{
    const char *signals[64];
    size_t count = 0;

    free(task->at.frames);
    task->at = (struct chain){0};
    if (task->image == NULL || task->image->source == NULL)
        return;
    for (size_t i = task->handler_count; i > 0 && count < 64; i--)
        signals[count++] = task->handlers[i - 1].signal;
    struct stand stand = {.tid = task->tid,
                          .trace = &t->trace,
                          .restorer = task->image->restorer,
                          .signals = signals,
                          .signal_count = count,
                          .call = task->in_call ? task->call.name : NULL};
    size_t found = unwind(task->image->source, &stand, &task->at);
    /* A handler that was left by longjmp is over. */
    while (task->handler_count > found)
        task->handler_count--;
}

static int errno_of(const struct task *task)
{
    struct regs regs;
    int value = 0;

    if (!task->image->errno_known || regs_get(task->tid, &regs) == -1)
        return -1;
    uint64_t at = regs_thread_pointer(task->tid, &regs) + task->image->errno_at;
    return event_read(task->tid, at, &value, sizeof value) ? value : -1;
}

/* ---- signals ---- */

static bool ignored_by_default(int signal)
{
    return signal == SIGCHLD || signal == SIGURG || signal == SIGWINCH || signal == SIGCONT;
}

static bool stops_by_default(int signal)
{
    return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

static uint64_t bit(int signal)
{
    return UINT64_C(1) << (signal - 1);
}

bool act_interrupted(const struct task *task)
{
    struct proc_signals s;

    if (proc_signals(task->tid, &s) == -1)
        return true;
    for (int signal = 1; signal <= 64; signal++) {
        if (!(s.pending & ~s.blocked & bit(signal)) || (s.ignored & bit(signal)))
            continue;
        if ((s.caught & bit(signal)) || !ignored_by_default(signal))
            return true;
    }
    return false;
}

static void push_handler(struct task *task, const char *signal, const char *name, size_t step)
{
    struct handler *h;

    task->handlers = grown(task->handlers, task->handler_count, sizeof *h);
    h = &task->handlers[task->handler_count++];
    snprintf(h->signal, sizeof h->signal, "%s", signal);
    snprintf(h->name, sizeof h->name, "%s", name);
    h->in_call = task->in_call && task->interrupted;
    h->call = task->call;
    h->errno_before = errno_of(task);
    h->step = step;
}

static int act_signal(struct tracer *t, struct task *task, const struct event *event,
                      struct error *err)
{
    struct proc_signals s = {0};
    char name[16], handler[48] = "";

    task->signal = event->signal;
    call_signal_name(event->signal, name, sizeof name);
    (void)proc_signals(task->tid, &s);
    if (s.ignored & bit(event->signal))
        return 0;
    bool caught = s.caught & bit(event->signal);
    if (!caught && ignored_by_default(event->signal))
        return 0;
    act_stand(t, task);
    if (!caught) {
        task->in_call = task->in_call && stops_by_default(event->signal);
        return look_step(t, STEP_SIGNAL, task->name, task, name,
                         stops_by_default(event->signal) ? "stops it" : "ends it", NULL, err);
    }
    if (task->image->source != NULL)
        source_name(task->image->source, task->actions[event->signal], handler, sizeof handler);
    if (look_step(t, STEP_SIGNAL, task->name, task, name, handler, NULL, err) == -1)
        return -1;
    push_handler(task, name, handler, t->trace.step_count - 1);
    task->in_call = false;
    task->interrupted = false;
    return 0;
}

static int signal_number(const char *name)
{
    char text[16];

    for (int signal = 1; signal <= 64; signal++) {
        call_signal_name(signal, text, sizeof text);
        if (strcmp(text, name) == 0)
            return signal;
    }
    return 0;
}

/*
 * The handler is about to return. Its frame has gone already: it is put back by its address, on
 * top of what it interrupted, which the step that delivered the signal knows.
 */
static void stand_in_handler(struct tracer *t, struct task *task, const struct handler *h)
{
    const struct chain *below = &t->trace.steps[h->step].chain;
    const struct frame *own =
        task->image->source == NULL
            ? NULL
            : source_frame(task->image->source, &t->trace, task->actions[signal_number(h->signal)]);
    struct chain chain = {.frames = zeroed(below->count + 2, sizeof *chain.frames)};

    if (own != NULL && own->file >= 0)
        chain.frames[chain.count++] = *own;
    snprintf(chain.frames[chain.count].function, sizeof chain.frames->function, "%s", h->signal);
    chain.frames[chain.count].file = -1;
    chain.frames[chain.count++].signal = true;
    if (below->count > 0)
        memcpy(chain.frames + chain.count, below->frames, below->count * sizeof *below->frames);
    chain.count += below->count;
    free(task->at.frames);
    task->at = chain;
}

static int act_return(struct tracer *t, struct task *task, struct error *err)
{
    struct handler h = task->handlers[task->handler_count - 1];
    int now = errno_of(task);

    task->in_call = false;
    stand_in_handler(t, task, &h);
    if (look_step(t, STEP_RETURN, task->name, task, h.signal, h.name, NULL, err) == -1)
        return -1;
    struct step *step = &t->trace.steps[t->trace.step_count - 1];
    if (step->kind == STEP_RETURN && now >= 0 && h.errno_before >= 0 && now != h.errno_before) {
        call_errno_name(h.errno_before, step->errno_from, sizeof step->errno_from);
        call_errno_name(now, step->errno_to, sizeof step->errno_to);
    }
    return 0;
}

/* rt_sigreturn has put the registers back: was a call interrupted, and does it say so? */
static int act_returned(struct tracer *t, struct task *task, int64_t result, struct error *err)
{
    struct handler h;

    task->in_call = false;
    if (task->handler_count == 0)
        return 0;
    h = task->handlers[--task->handler_count];
    if (!h.in_call || result != -EINTR)
        return 0;
    task->call = h.call;
    task->in_call = true;
    act_stand(t, task);
    task->in_call = false;
    return look_step(t, STEP_CALL, task->name, task, h.call.text, "-1 EINTR", NULL, err);
}

static void act_sigaction(struct tracer *t, struct task *task)
{
    uint64_t act[3] = {0};
    char name[48] = "", text[sizeof task->call.text];
    int signal = (int)task->call.args[0];

    if (task->call.args[1] == 0 || signal < 1 || signal > 64 ||
        !event_read(task->tid, task->call.args[1], act, sizeof act))
        return;
    for (size_t i = 0; i < t->task_count; i++)
        if (t->tasks[i]->pid == task->pid)
            t->tasks[i]->actions[signal] = act[0];
    if (signal == SIGCHLD)
        tracer_process(t, task->pid)->no_zombies = (act[1] & SA_NOCLDWAIT) != 0;
    if (act[1] & RESTORER)
        task->image->restorer = act[2];
    char *mark = strchr(task->call.text, '%');
    if (mark == NULL)
        return;
    if (task->image->source != NULL)
        source_name(task->image->source, act[0], name, sizeof name);
    snprintf(text, sizeof text, "%.*s%s%.60s", (int)(mark - task->call.text), task->call.text,
             name[0] != '\0' ? name : "a handler", mark + 1);
    memcpy(task->call.text, text, sizeof text);
}

/* ---- calls ---- */

/* Do the bytes of this call go through something that a picture shows? */
static bool is_shown_data(const struct task *task)
{
    char path[64], target[64];

    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)task->pid, task->call.fd);
    ssize_t size = readlink(path, target, sizeof target - 1);
    if (size <= 0)
        return false;
    target[size] = '\0';
    return strncmp(target, "socket:", 7) == 0 || strncmp(target, "pipe:", 5) == 0;
}

static bool makes_step(const struct task *task, int64_t result)
{
    if (task->told)
        return true;
    switch (task->call.class) {
    case CALL_QUIET:
        return false;
    case CALL_DATA:
        return result < 0 || is_shown_data(task);
    case CALL_FILE:
        return task->image != NULL && task->image->has_lines;
    case CALL_SHOWN:
        /* Asking again and again for what is not there yet is told once. */
        return !call_found_nothing(&task->call, result) || task->polls <= 1;
    }
    return true;
}

static int act_entry(struct tracer *t, struct task *task, const struct event *event,
                     struct error *err)
{
    bool again = task->interrupted && task->call.number == event->number && task->told;

    if (event->number == SYS_rt_sigreturn && task->handler_count > 0) {
        if (act_return(t, task, err) == -1)
            return -1;
        task->call = (struct call){.number = event->number, .fd = -1, .timeout = -1};
        task->in_call = true;
        return 0;
    }
    int64_t deadline = task->deadline;
    call_enter(task->tid, event, tracer_name, t, &task->call);
    if (event->number == SYS_restart_syscall)
        return 0;
    task->in_call = true;
    task->interrupted = false;
    task->told = again;
    task->deadline = again ? deadline : task->call.timeout < 0 ? -1 : t->now + task->call.timeout;
    if (event->number == SYS_rt_sigaction)
        act_sigaction(t, task);
    if (event->number == SYS_exit_group || event->number == SYS_exit) {
        act_stand(t, task);
        snprintf(task->ending, sizeof task->ending, "%s", task->call.text);
    }
    return 0;
}

static int act_exit(struct tracer *t, struct task *task, const struct event *event,
                    struct error *err)
{
    char result[64];

    if (task->call.number == SYS_rt_sigreturn)
        return act_returned(t, task, event->result, err);
    if (!task->in_call)
        return 0;
    if (was_interrupted(event->result)) {
        task->interrupted = true;
        return 0;
    }
    task->polls = call_found_nothing(&task->call, event->result) ? task->polls + 1 : 0;
    bool step = makes_step(task, event->result);
    act_stand(t, task);
    task->in_call = false;
    task->told = false;
    task->interrupted = false;
    if (!step)
        return 0;
    call_result(task->tid, &task->call, event->result, tracer_name, t, result, sizeof result);
    return look_step(t, STEP_CALL, task->name, task, task->call.text, result, NULL, err);
}

int act_blocked(struct tracer *t, struct task *task, struct error *err)
{
    if (task->told)
        return 0;
    task->told = true;
    if (task->state != TASK_LIVE)
        act_stand(t, task);
    return look_step(t, STEP_BLOCK, task->name, task, task->call.text, "", NULL, err);
}

int act_born(struct tracer *t, struct task *task, struct error *err)
{
    task->born = true;
    /* A thread is no process: it has no first step of its own. */
    if (task->tid != task->pid)
        return 0;
    task->in_call = true;
    snprintf(task->call.name, sizeof task->call.name, "fork");
    act_stand(t, task);
    task->in_call = false;
    return look_step(t, STEP_BORN, task->name, task, "fork()", "0", NULL, err);
}

/* ---- processes ---- */

static int act_fork(struct tracer *t, struct task *task, const struct event *event,
                    struct error *err)
{
    struct event first = event_of(event->child, true);
    struct proc_signals s = {.group = event->child};

    (void)err;
    if (first.kind == EVENT_GONE)
        return 0;
    (void)proc_signals(event->child, &s);
    bool thread = s.group != event->child;
    char name[NAME_SIZE];
    snprintf(name, sizeof name, "%s", thread ? task->name : history_born(t->history, event->child));
    struct task *child = tracer_add(t, event->child, s.group, name);
    child->image = task->image;
    if (child->image != NULL)
        child->image->users++;
    memcpy(child->actions, task->actions, sizeof child->actions);
    for (size_t i = 0; i < task->handler_count; i++) {
        child->handlers = grown(child->handlers, i, sizeof *child->handlers);
        child->handlers[i] = task->handlers[i];
    }
    child->handler_count = task->handler_count;
    if (first.kind != EVENT_TRAP)
        child->pending = first;
    if (event->kind == EVENT_VFORK) {
        task->state = TASK_VFORK;
        task->vfork_child = event->child;
        event_resume(task->tid, RESUME_TO_CALL, 0);
    } else if (t->options->order == ORDER_CHILD_FIRST && !thread) {
        t->next = child;
    }
    tracer_stir(t);
    return 0;
}

/* Whoever waits in vfork for this process can go on: wait until it has noticed. */
static void release_vfork(struct tracer *t, pid_t child)
{
    for (size_t i = 0; i < t->task_count; i++) {
        struct task *parent = t->tasks[i];
        if (parent->state != TASK_VFORK || parent->vfork_child != child)
            continue;
        parent->pending = event_of(parent->tid, true);
        parent->state = TASK_HELD;
        parent->vfork_child = 0;
        parent->idle = false;
    }
}

static int act_exec(struct tracer *t, struct task *task, const struct event *event,
                    struct error *err)
{
    struct image *image;

    /* The other threads are gone; this one has got the process's number. */
    if (event->former != 0 && event->former != task->tid)
        for (size_t i = 0; i < t->task_count; i++)
            if (t->tasks[i]->tid == event->former)
                t->tasks[i]->state = TASK_ENDED;
    release_vfork(t, task->pid);
    image = image_open(t, task->pid, err);
    if (image == NULL)
        return -1;
    image_release(task->image);
    task->image = image;
    task->handler_count = 0;
    for (int i = 0; i < 65; i++)
        if (task->actions[i] > 1)
            task->actions[i] = 0;
    char text[sizeof task->call.text];
    snprintf(text, sizeof text, "%s", task->call.text);
    task->in_call = false;
    task->told = false;
    if (image_enter(t, task, err) == -1)
        return -1;
    act_stand(t, task);
    return look_step(
        t, STEP_CALL, task->name, task, text, "0",
        image->has_lines ? NULL : "this program has no debug information: its lines are not known",
        err);
}

static bool parent_ignores(struct tracer *t, pid_t pid)
{
    struct proc_stat stat;
    struct proc_signals s;
    struct task *parent = NULL;

    if (proc_stat(pid, &stat) == -1)
        return true;
    if (stat.parent == getpid())
        return pid != t->program;
    parent = tracer_process(t, stat.parent);
    if (parent == NULL || proc_signals(stat.parent, &s) == -1)
        return true;
    return (s.ignored & bit(SIGCHLD)) != 0 || parent->no_zombies;
}

static int act_ended(struct tracer *t, struct task *task, const struct event *event,
                     struct error *err)
{
    bool process = task->tid == task->pid;

    task->state = TASK_ENDED;
    if (WIFSIGNALED(event->status))
        snprintf(task->how, sizeof task->how, "signal %d", WTERMSIG(event->status));
    else
        snprintf(task->how, sizeof task->how, "exit %d", WEXITSTATUS(event->status));
    for (size_t i = 0; i < t->task_count && process; i++)
        if (t->tasks[i]->pid == task->pid)
            t->tasks[i]->state = TASK_ENDED;
    release_vfork(t, task->pid);
    image_release(task->image);
    task->image = NULL;
    if (!process) {
        waitpid(task->tid, NULL, __WALL);
        tracer_stir(t);
        return 0;
    }
    bool vanishes = parent_ignores(t, task->pid);
    history_exit(t->history, task->pid, task->how);
    if (task->pid != t->program && vanishes)
        waitpid(task->pid, NULL, __WALL);
    if (task->at.count == 0 && t->trace.file_count > 0 && task->pid == t->program &&
        t->main_end.count > 0) {
        task->at.frames = zeroed(t->main_end.count, sizeof *task->at.frames);
        memcpy(task->at.frames, t->main_end.frames, t->main_end.count * sizeof *task->at.frames);
        task->at.count = t->main_end.count;
    }
    if (look_step(t, STEP_EXIT, task->name, task,
                  task->ending[0] != '\0' ? task->ending : task->how, "", NULL, err) == -1)
        return -1;
    /* Only now does its parent hear of it. */
    if (task->pid != t->program && !vanishes)
        waitpid(task->pid, NULL, __WALL);
    tracer_stir(t);
    return 0;
}

int act(struct tracer *t, struct task *task, const struct event *event, struct error *err)
{
    switch (event->kind) {
    case EVENT_NONE:
        return 0;
    case EVENT_ENTRY:
        return act_entry(t, task, event, err);
    case EVENT_EXIT:
        return act_exit(t, task, event, err);
    case EVENT_FORK:
    case EVENT_VFORK:
        return act_fork(t, task, event, err);
    case EVENT_EXEC:
        return act_exec(t, task, event, err);
    case EVENT_ENDING:
        if (task->ending[0] == '\0')
            act_stand(t, task);
        return 0;
    case EVENT_ENDED:
        return act_ended(t, task, event, err);
    case EVENT_SIGNAL:
    case EVENT_BREAK:
        return act_signal(t, task, event, err);
    case EVENT_STOPPED:
        ptrace(PTRACE_LISTEN, task->tid, NULL, NULL);
        task->state = TASK_STOPPED;
        task->idle = true;
        tracer_stir(t);
        task->idle = true;
        return 0;
    case EVENT_TRAP:
        return 0;
    case EVENT_GONE:
        task->state = TASK_ENDED;
        tracer_stir(t);
        return 0;
    }
    return 0;
}
