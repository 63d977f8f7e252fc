/* signals.c - what a signal does to a thread, and what its handler leaves behind. */
#include "tracer.h"
#include "proc.h"
#include "regs.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>

/* errno of a stopped thread, or -1 when it is not known where that is. */
static int act_errno(const struct task *task)
{
    struct regs regs;
    int value;

    if (!task->image->errno_known || regs_get(task->tid, &regs) == -1 ||
        !event_read(task->tid, regs_thread_pointer(task->tid, &regs) + task->image->errno_at,
                    &value, sizeof value))
        return -1;
    return value;
}

static bool ignored_by_default(int signal)
{
    return signal == SIGCHLD || signal == SIGCONT || signal == SIGURG || signal == SIGWINCH;
}

static int push_handler(struct tracer *t, struct task *task, const char *signal, struct error *err)
{
    task->handlers = grown(task->handlers, task->handler_count, sizeof *task->handlers);
    struct handler *h = &task->handlers[task->handler_count];
    text_copy(h->signal, sizeof h->signal, signal);
    h->in_call = task->in_call;
    h->call = task->call;
    h->errno_before = act_errno(task);
    act_stand(t, task);
    int result = look_step(t, STEP_SIGNAL, task->name, task, signal, "handled", NULL, err);
    task->handler_count++;
    task->in_call = false;
    task->told = false;
    return result;
}

/*
 * Is it the kernel's timer, too early? In the trace no time has passed; schedule_time sends the signal
 * when it has. Or is it in time?
 */
static bool held_back(const struct tracer *t, struct task *task, const struct event *e)
{
    struct task *early = e->code == SI_KERNEL ? act_early_alarm(t, task) : NULL;

    if (early != NULL) {
        early->alarm_early = true;
        task->signal = 0;
        return true;
    }
    for (size_t i = 0; i < t->task_count; i++)
        if (t->tasks[i]->pid == task->pid)
            t->tasks[i]->alarm_due = false;
    return false;
}

int act_signal(struct tracer *t, struct task *task, const struct event *e, struct error *err)
{
    struct proc_signals set;
    char name[32];
    uint64_t bit = UINT64_C(1) << (e->signal - 1);

    task->signal = e->signal;
    if (e->signal == SIGALRM && held_back(t, task, e))
        return 0;
    call_signal_name(e->signal, name, sizeof name);
    if (proc_signals(task->tid, &set) == -1)
        return 0;
    if (set.caught & bit)
        return push_handler(t, task, name, err);
    bool ignored = (set.ignored & bit) != 0;
    /* An untraced process would not even wake for these. */
    if ((ignored || ignored_by_default(e->signal)) &&
        (e->signal == SIGCHLD || e->signal == SIGCONT))
        return 0;
    if (e->signal == SIGSTOP || e->signal == SIGTSTP || e->signal == SIGTTIN ||
        e->signal == SIGTTOU)
        return 0; /* told when it has stopped */
    act_stand(t, task);
    return look_step(t, STEP_SIGNAL, task->name, task, name,
                     ignored                         ? "ignored"
                     : ignored_by_default(e->signal) ? "no effect"
                                                     : "ends it",
                     NULL, err);
}

/* rt_sigreturn is done: the handler's last words, and what becomes of the interrupted call. */
int act_return(struct tracer *t, struct task *task, struct error *err)
{
    struct regs regs;

    if (task->handler_count == 0 || regs_get(task->tid, &regs) == -1)
        return 0;
    struct handler h = task->handlers[--task->handler_count];
    int now = act_errno(task);
    tracer_stir(t);
    task->call = h.call;
    act_stand(t, task);
    char text[64];
    snprintf(text, sizeof text, "%s", h.signal);
    t->errno_from = h.errno_before;
    t->errno_to = now;
    if (look_step(t, STEP_RETURN, task->name, task, text, "", NULL, err) == -1)
        return -1;
    t->errno_from = t->errno_to = -1;
    if (!h.in_call)
        return 0;
    if (regs_result(&regs) == -EINTR)
        return act_told(t, task, -EINTR, err);
    /* SA_RESTART: the call is entered again, and if it waits, that is told again. */
    task->in_call = true;
    return 0;
}

int act_stopped(struct tracer *t, struct task *task, const struct event *e, struct error *err)
{
    char name[32];

    task->state = TASK_STOPPED;
    task->idle = true;
    call_signal_name(e->signal, name, sizeof name);
    act_stand(t, task);
    tracer_stir(t);
    if (ptrace(PTRACE_LISTEN, task->tid, NULL, NULL) == -1)
        return 0; /* killed meanwhile: the next event */
    if (task->tid != task->pid)
        return 0; /* told once for the process */
    return look_step(t, STEP_SIGNAL, task->name, task, name, "stopped", NULL, err);
}
