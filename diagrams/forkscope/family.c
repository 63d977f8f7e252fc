/* family.c - a process is born, executes another program, ends. */
#include "tracer.h"
#include "proc.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* ---- processes ---- */

int act_fork(struct tracer *t, struct task *task, const struct event *e, struct error *err)
{
    struct proc_signals ids;
    struct event first = event_of(e->child, true);

    /* It stops at once, before its first instruction; unless it was killed that early. */
    if (first.kind == EVENT_GONE)
        return 0;
    pid_t pid = proc_signals(e->child, &ids) == 0 ? ids.group : e->child;
    bool thread = pid == task->pid;
    struct task *child =
        tracer_add(t, e->child, pid, thread ? task->name : history_born(t->history, e->child));
    if (first.kind != EVENT_TRAP)
        child->pending = first;
    child->born = thread;
    child->image = task->image;
    child->image->users++;
    child->call = task->call;
    for (size_t i = 0; i < task->handler_count; i++) {
        child->handlers = grown(child->handlers, i, sizeof *child->handlers);
        child->handlers[child->handler_count++] = task->handlers[i];
    }
    act_stand(t, child);
    if (t->options->order == ORDER_CHILD_FIRST && !thread)
        t->next = child; /* even before its parent's fork has returned */
    if (e->kind != EVENT_VFORK)
        return 0;
    task->vfork_child = e->child;
    task->state = TASK_VFORK;
    task->told = true;
    act_stand(t, task);
    return look_step(t, STEP_BLOCK, task->name, task, task->call.text, "",
                     "it waits until its child has executed another program or ended", err);
}

/* Whoever waited in vfork for this child goes on. */
static void release_vfork(struct tracer *t, pid_t child)
{
    for (size_t i = 0; i < t->task_count; i++)
        if (t->tasks[i]->state == TASK_VFORK && t->tasks[i]->vfork_child == child) {
            t->tasks[i]->state = TASK_HELD;
            t->tasks[i]->idle = false;
        }
}

int act_born(struct tracer *t, struct task *task, struct error *err)
{
    char call[sizeof task->call.text];

    task->born = true;
    snprintf(call, sizeof call, "%s", task->call.text);
    return look_step(t, STEP_BORN, task->name, task, call, "0", NULL, err);
}

int act_exec(struct tracer *t, struct task *task, const struct event *e, struct error *err)
{
    /* All other threads are gone, and the one that did it has the process id now. */
    if (e->former != task->tid) {
        struct task *former = tracer_task(t, e->former);
        if (former != NULL) {
            task->call = former->call;
            former->state = TASK_ENDED;
            former->reaped = true;
        }
    }
    for (size_t i = 0; i < t->task_count; i++)
        if (t->tasks[i]->pid == task->pid && t->tasks[i] != task)
            t->tasks[i]->state = TASK_ENDED;
    task->state = TASK_HELD;
    task->in_call = false;
    task->handler_count = 0;
    release_vfork(t, task->tid);
    tracer_stir(t);
    if (look_step(t, STEP_CALL, task->name, task, task->call.text, "0", NULL, err) == -1)
        return -1;
    struct image *old = task->image;
    task->image = image_open(t, task->pid, err);
    if (task->image == NULL) {
        task->image = old;
        return -1;
    }
    image_release(old);
    free(task->at.frames);
    task->at = (struct chain){0};
    if (image_enter(t, task, err) == -1)
        return -1;
    if (!task->image->has_lines)
        tracer_note(t, "%s has no debug information: its calls are shown without lines",
                    task->image->name);
    return 0;
}

/* ---- the end ---- */

/* Let all threads of a process end, its first one last. Returns its status. */
static int end_threads(struct tracer *t, pid_t pid)
{
    struct event e = {0};

    for (size_t i = 0; i < t->task_count; i++)
        if (t->tasks[i]->pid == pid && !t->tasks[i]->reaped)
            event_resume(t->tasks[i]->tid, RESUME_FREE, 0);
    for (size_t i = 0; i < t->task_count; i++) {
        struct task *task = t->tasks[i];
        if (task->pid != pid || task->reaped || task->tid == pid)
            continue;
        while ((e = event_of(task->tid, true)).kind != EVENT_ENDED && e.kind != EVENT_GONE)
            event_resume(task->tid, RESUME_FREE, 0);
        (void)waitpid(task->tid, NULL, __WALL | WNOHANG);
        task->state = TASK_ENDED;
        task->reaped = true;
    }
    while ((e = event_of(pid, true)).kind != EVENT_ENDED && e.kind != EVENT_GONE)
        event_resume(pid, RESUME_FREE, 0);
    return e.kind == EVENT_ENDED ? e.status : 0;
}

int act_ended(struct tracer *t, struct task *task, int status, struct error *err)
{
    /* Killed, and passed by where it was about to end: so are the other threads. */
    if (tracer_others_live(t, task))
        status = end_threads(t, task->pid);
    return act_end(t, task, status, err);
}

int act_gone(struct tracer *t, struct task *task)
{
    struct task *first = tracer_task(t, task->pid);

    task->state = TASK_ENDED;
    task->reaped = true;
    /* By execve(2) in another thread than the first this one has become the first. */
    if (call_executes(&task->call) && task->in_call && first != NULL && first != task) {
        first->pending = event_of(first->tid, true);
        first->state = TASK_HELD;
        first->reaped = first->idle = false;
        t->next = first;
    }
    return 0;
}

int act_end(struct tracer *t, struct task *task, int status, struct error *err)
{
    struct task *first = tracer_task(t, task->pid);
    struct proc_stat stat = {0};
    const char *note = NULL;
    char call[128], name[32];

    if (first == NULL)
        first = task;
    if (WIFSIGNALED(status))
        snprintf(first->how, sizeof first->how, "signal %d", WTERMSIG(status));
    else
        snprintf(first->how, sizeof first->how, "exit %d", WEXITSTATUS(status));
    snprintf(call, sizeof call, "%s", task->ending);
    if (WIFSIGNALED(status)) {
        call_signal_name(WTERMSIG(status), name, sizeof name);
        snprintf(call, sizeof call, "%s", name);
        if (WTERMSIG(status) == SIGKILL)
            task->at.count = 0;
    }
    history_exit(t->history, task->pid, first->how);
    for (size_t i = 0; i < t->task_count; i++)
        if (t->tasks[i]->pid == task->pid)
            t->tasks[i]->state = TASK_ENDED;
    release_vfork(t, task->pid);
    tracer_stir(t);
    t->orphans = true;
    (void)proc_stat(task->pid, &stat);
    bool ours = tracer_process(t, stat.parent) == NULL;
    /*
     * The parent is told only when its tracer has waited. Its own zombie then stays until it
     * waits too, unless it ignores SIGCHLD. Where there is no parent but us, look first.
     */
    if (!ours)
        (void)waitpid(task->pid, NULL, __WALL);
    if (!ours && proc_stat(task->pid, &stat) == -1)
        note = "its parent ignores SIGCHLD: the kernel keeps no zombie";
    int result = look_step(t, STEP_EXIT, task->name, task, call, "", note, err);
    if (ours)
        (void)waitpid(task->pid, NULL, __WALL);
    first->reaped = true;
    return result;
}

int act_ending(struct tracer *t, struct task *task, struct error *err)
{
    struct event e;

    if (task->in_call && task->call.number == SYS_exit && tracer_others_live(t, task)) {
        /* Only this thread ends. Of the first one a zombie stays until all have. */
        event_resume(task->tid, RESUME_FREE, 0);
        task->state = TASK_ENDED;
        tracer_stir(t);
        if (task->tid == task->pid)
            return 0;
        while ((e = event_of(task->tid, true)).kind != EVENT_ENDED && e.kind != EVENT_GONE)
            event_resume(task->tid, RESUME_FREE, 0);
        (void)waitpid(task->tid, NULL, __WALL | WNOHANG);
        task->reaped = true;
        return 0;
    }
    if (task->in_call && task->call.number == SYS_exit)
        snprintf(task->ending, sizeof task->ending, "exit(%d)", (int)task->call.args[0]);
    return act_end(t, task, end_threads(t, task->pid), err);
}
