/* schedule.c - one thread runs, until it waits; then another one's turn comes. */
#include "tracer.h"
#include "proc.h"
#include "regs.h"
#include "stage.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/ptrace.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a system call gives, inside the kernel, when it is to be entered again. */
enum { RESTARTSYS = 512, RESTARTNOINTR = 513, RESTARTNOHAND = 514, RESTART_BLOCK = 516 };

enum { MOST_POLLS = 8, COMPUTING_SECONDS = 1 };

enum outcome {
    DID,      /* something: see the event */
    WAITS,    /* blocked in a call */
    COMPUTES, /* runs, for long, and makes no call */
    TOO_LONG, /* the deadline of the trace has come, or we are to end */
};

/*
 * Does the thread wait in its call? Exactly, without a time: it sleeps, the call has not
 * begun to return, and it sleeps still.
 */
static bool waits(const struct task *task)
{
    struct proc_stat stat;
    char call[24];
    int fd;
    pid_t child;

    return task->in_call && proc_stat(task->tid, &stat) == 0 && stat.state == 'S' &&
           proc_call(task->tid, call, sizeof call, &fd, &child) == 0 &&
           proc_stat(task->tid, &stat) == 0 && stat.state == 'S';
}

static unsigned long computed(const struct task *task)
{
    struct proc_stat stat = {0};

    return proc_stat(task->tid, &stat) == 0 ? stat.cpu : 0;
}

/* A connect over loopback sleeps only for a moment: it waits when it still does after this. */
static bool may_be_brief(const struct task *task)
{
    return task->call.number == SYS_connect;
}

static bool too_late(const struct tracer *t)
{
    return stage_interrupted || stage_seconds() > t->started + t->options->deadline;
}

/* execve(2) ends all other threads of the process, and returns when they have ended: let them. */
static void let_others_end(struct tracer *t, const struct task *task)
{
    for (size_t i = 0; i < t->task_count; i++) {
        struct task *other = t->tasks[i];
        if (other == task || other->pid != task->pid || other->state == TASK_ENDED)
            continue;
        struct event e = event_of(other->tid, false);
        if (e.kind == EVENT_ENDING) {
            event_resume(other->tid, RESUME_FREE, 0);
        } else if (e.kind == EVENT_ENDED) {
            (void)waitpid(other->tid, NULL, __WALL | WNOHANG);
            other->state = TASK_ENDED;
            other->reaped = true;
        } else if (e.kind != EVENT_NONE && e.kind != EVENT_GONE) {
            other->pending = e; /* something of its own, before */
            other->state = TASK_HELD;
        }
    }
}

/* The first thread of a process that was killed is not told of while others stand. */
static bool is_zombie(const struct tracer *t, const struct task *task)
{
    struct proc_stat stat;

    return tracer_others_live(t, task) && proc_stat(task->tid, &stat) == 0 && stat.state == 'Z';
}

/*
 * SIGKILL ends our stop: each thread of the process runs on to one more, where it ends. That must not
 * be passed by, because the others have to be let go there, too.
 */
static bool was_killed(const struct tracer *t, const struct task *task, struct event *event)
{
    struct proc_stat stat;

    if (task->state == TASK_LIVE || !tracer_others_live(t, task))
        return false;
    for (unsigned long round = 0; !too_late(t); round++) {
        /* In this order: if it stands, what it stands for has been told. */
        bool stands = proc_stat(task->tid, &stat) == -1 || stat.state == 't';
        *event = event_of(task->tid, false);
        if (event->kind == EVENT_NONE && is_zombie(t, task))
            event->kind = EVENT_ENDING;
        if (event->kind != EVENT_NONE || stands)
            return event->kind != EVENT_NONE;
        event_breathe(round);
    }
    return false;
}

/* Wait for what the thread does. time: it may also sleep as long as it likes. */
static enum outcome await(struct tracer *t, const struct task *task, bool time, struct event *event)
{
    enum { SPINS = 30, BRIEF = 400 };
    unsigned long ticks = (unsigned long)sysconf(_SC_CLK_TCK), before = 0;

    for (unsigned long round = 0;; round++) {
        *event = event_of(task->tid, false);
        if (event->kind != EVENT_NONE)
            return DID;
        if (task->in_call && call_executes(&task->call))
            let_others_end(t, task);
        if (round < SPINS)
            continue;
        if (round % 256 == 0 && is_zombie(t, task)) {
            event->kind = EVENT_ENDING;
            return DID;
        }
        if (round == SPINS)
            before = computed(task);
        if (waits(task)) {
            /* For room in the pipe that we read, perhaps. */
            if (look_drain(t))
                continue;
            if (!time && (!may_be_brief(task) || round > BRIEF))
                return WAITS;
        } else if (round % 256 == 0 && computed(task) > before + COMPUTING_SECONDS * ticks) {
            return COMPUTES;
        }
        if (too_late(t))
            return TOO_LONG;
        event_breathe(round);
    }
}

static bool was_interrupted(int64_t result)
{
    return result == -EINTR || (result <= -RESTARTSYS && result >= -RESTART_BLOCK);
}

/*
 * Stop a thread that waits, where it is. The stop at the exit of its call takes the place of
 * the one that was asked for. If the call has returned meanwhile, that is acted on later.
 */
static void freeze(struct task *task)
{
    if (ptrace(PTRACE_INTERRUPT, task->tid, NULL, NULL) == -1)
        return;
    struct event e = event_of(task->tid, true);
    task->state = TASK_HELD;
    if (e.kind == EVENT_EXIT && was_interrupted(e.result)) {
        task->state = TASK_BLOCKED;
        task->result = e.result;
    } else if (e.kind != EVENT_TRAP) {
        task->pending = e;
    }
}

static void resume(const struct tracer *t, struct task *task)
{
    struct regs regs;

    /*
     * The kernel enters most calls again by itself. Those that would end with EINTR for our
     * stop, or would sleep only for the rest of their time while the others were held, are
     * begun anew: time stands still for whoever is stopped.
     */
    if (task->state == TASK_BLOCKED && (task->result == -EINTR || task->result == -RESTART_BLOCK) &&
        !act_interrupted(t, task) && regs_get(task->tid, &regs) == 0)
        (void)regs_call_again(task->tid, &regs, task->call.number, task->call.args[0]);
    task->state = TASK_HELD;
    event_resume(task->tid, RESUME_TO_CALL, task->signal);
    task->signal = 0;
}

/* It has stopped, waits or computes: hold it, and tell what there is to tell. */
static int put_aside(struct tracer *t, struct task *task, enum outcome outcome, struct error *err)
{
    if (outcome == WAITS && task->call.partial) {
        task->state = TASK_LIVE;
    } else {
        freeze(task);
        if (task->pending.kind != EVENT_NONE)
            return 0;
    }
    task->idle = true;
    if (outcome == TOO_LONG) {
        t->over = true;
        return 0;
    }
    if (outcome == COMPUTES) {
        task->computing = true;
        tracer_note(t, "%s computes for long without a call, so that others had to go on beside it",
                    task->name);
        return 0;
    }
    return act_blocked(t, task, err);
}

/* Has another one's turn come, after these steps? */
static bool turn_over(const struct tracer *t, const struct task *task, size_t steps_before)
{
    if (t->next != NULL && t->next != task)
        return true;
    return t->options->order == ORDER_RANDOM && t->step_count > steps_before;
}

static int run(struct tracer *t, struct task *task, bool time, struct error *err)
{
    size_t steps = t->step_count;

    t->current = task;
    if (t->next == task)
        t->next = NULL;
    task->computing = false;
    task->polls = 0;
    for (;;) {
        struct event event = task->pending;
        task->pending.kind = EVENT_NONE;
        if (event.kind == EVENT_NONE) {
            if (!task->born && act_born(t, task, err) == -1)
                return -1;
            if (turn_over(t, task, steps))
                return 1;
            enum outcome outcome = DID;
            if (!was_killed(t, task, &event)) {
                if (task->state != TASK_LIVE)
                    resume(t, task);
                outcome = await(t, task, time, &event);
            }
            if (outcome != DID) {
                if (put_aside(t, task, outcome, err) == -1)
                    return -1;
                if (task->pending.kind == EVENT_NONE)
                    return 1;
                continue;
            }
            task->state = TASK_HELD;
            time = time && event.kind == EVENT_ENTRY;
        }
        if (act_ran_out(t, task, &event)) {
            task->idle = true;
            return act_blocked(t, task, err) == -1 ? -1 : 1;
        }
        if (act(t, task, &event, err) == -1)
            return -1;
        if (task->state != TASK_HELD || t->over || turn_over(t, task, steps))
            return 1;
        if (task->polls > MOST_POLLS) {
            task->idle = true;
            return 1;
        }
    }
}

/* Can it be let run, as far as is known? */
static bool runnable(struct task *task)
{
    if (task->idle || task->state == TASK_ENDED)
        return false;
    if ((task->state == TASK_STOPPED || task->state == TASK_VFORK) &&
        task->pending.kind == EVENT_NONE) {
        /* SIGCONT or SIGKILL have made it run, up to its next stop, or nothing has happened. */
        struct proc_stat stat = {.state = 'R'};
        while ((task->pending = event_of(task->tid, false)).kind == EVENT_NONE &&
               stat.state != 'T' && stat.state != 't' && proc_stat(task->tid, &stat) == 0)
            sched_yield();
        task->idle = task->pending.kind == EVENT_NONE;
        if (!task->idle)
            task->state = TASK_HELD;
    }
    return !task->idle;
}

/* xorshift64: the same numbers for the same seed, everywhere. */
static size_t random_below(struct tracer *t, size_t count)
{
    t->random ^= t->random << 13;
    t->random ^= t->random >> 7;
    t->random ^= t->random << 17;
    return (size_t)(t->random % count);
}

static struct task *pick(struct tracer *t)
{
    struct task *first = NULL, *last = NULL;
    size_t count = 0;

    if (t->next != NULL && runnable(t->next))
        return t->next;
    t->next = NULL;
    if (t->options->order != ORDER_RANDOM && t->current != NULL && runnable(t->current))
        return t->current;
    for (size_t i = 0; i < t->task_count; i++)
        if (runnable(t->tasks[i])) {
            first = first == NULL ? t->tasks[i] : first;
            last = t->tasks[i];
            count++;
        }
    if (count == 0 || t->options->order == ORDER_PARENT_FIRST)
        return first;
    if (t->options->order == ORDER_CHILD_FIRST)
        return last;
    size_t wanted = random_below(t, count);
    for (size_t i = 0; i < t->task_count; i++)
        if (runnable(t->tasks[i]) && wanted-- == 0)
            return t->tasks[i];
    return first;
}

int schedule(struct tracer *t, struct error *err)
{
    struct task *task = pick(t);

    if (stage_interrupted)
        t->over = true;
    return task == NULL || t->over ? 0 : run(t, task, false, err);
}

/* When time would make it go on by itself, or -1. */
static int64_t wakes_at(const struct tracer *t, const struct task *task)
{
    if (task->state == TASK_HELD)
        return t->now; /* it computes, or asks again and again */
    if (task->state != TASK_BLOCKED && task->state != TASK_LIVE)
        return -1;
    if (task->alarm >= 0 && (task->deadline < 0 || task->alarm < task->deadline))
        return task->alarm;
    return task->deadline;
}

int schedule_time(struct tracer *t, struct error *err)
{
    struct task *chosen = NULL;

    for (size_t i = 0; i < t->task_count; i++) {
        struct task *task = t->tasks[i];
        if (task->state == TASK_ENDED || wakes_at(t, task) < 0)
            continue;
        /* Those that only compute or ask again come last: time is what they wait for. */
        bool held = task->state == TASK_HELD;
        bool chosen_held = chosen != NULL && chosen->state == TASK_HELD;
        if (chosen == NULL || held < chosen_held ||
            (held == chosen_held && wakes_at(t, task) < wakes_at(t, chosen)))
            chosen = task;
    }
    if (chosen == NULL)
        return 0;
    if (wakes_at(t, chosen) > t->now)
        t->now = wakes_at(t, chosen);
    chosen->idle = false;
    if (chosen->alarm >= 0 && chosen->alarm <= t->now) {
        chosen->alarm = chosen->alarm_interval > 0 ? chosen->alarm + chosen->alarm_interval : -1;
        chosen->alarm_due = true;
        if (chosen->alarm_early)
            (void)syscall(SYS_tgkill, chosen->pid, chosen->tid, SIGALRM);
        chosen->alarm_early = false;
    }
    return run(t, chosen, chosen->state != TASK_HELD, err);
}
