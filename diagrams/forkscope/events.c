/* events.c - ptrace(2): wait and classify. */
#include "events.h"
#include "model.h"
#include "regs.h"
#include "stage.h"

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

int event_seize(pid_t tid)
{
    const unsigned long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                                  PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT |
                                  PTRACE_O_EXITKILL;

    return ptrace(PTRACE_SEIZE, tid, NULL, (void *)options) == -1 ? -1 : 0;
}

static void classify_call(pid_t tid, struct event *e)
{
    struct __ptrace_syscall_info info;

    memset(&info, 0, sizeof info);
    e->kind = EVENT_GONE;
    if (ptrace(PTRACE_GET_SYSCALL_INFO, tid, (void *)sizeof info, &info) <= 0)
        return;
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
        e->kind = EVENT_ENTRY;
        e->number = (long)info.entry.nr;
        for (int i = 0; i < 6; i++)
            e->args[i] = info.entry.args[i];
    } else {
        e->kind = EVENT_EXIT;
        e->result = info.exit.rval;
    }
}

static pid_t event_message(pid_t tid)
{
    unsigned long message = 0;

    return ptrace(PTRACE_GETEVENTMSG, tid, NULL, &message) == -1 ? 0 : (pid_t)message;
}

static void classify_signal(pid_t tid, int signal, struct event *e)
{
    siginfo_t info;

    e->kind = EVENT_SIGNAL;
    e->signal = signal;
    if (ptrace(PTRACE_GETSIGINFO, tid, NULL, &info) == -1)
        return;
    e->code = info.si_code;
    /* A breakpoint is SI_KERNEL on x86-64 and TRAP_BRKPT on aarch64; a single step TRAP_TRACE. */
    if (signal == SIGTRAP && info.si_code > 0)
        e->kind = EVENT_BREAK;
}

static struct event classify(pid_t tid, int status)
{
    struct event e = {.kind = EVENT_ENDED, .status = status};

    if (!WIFSTOPPED(status))
        return e;
    int signal = WSTOPSIG(status);
    switch (status >> 16) {
    case PTRACE_EVENT_FORK:
    case PTRACE_EVENT_CLONE:
    case PTRACE_EVENT_VFORK:
        e.kind = status >> 16 == PTRACE_EVENT_VFORK ? EVENT_VFORK : EVENT_FORK;
        e.child = event_message(tid);
        return e;
    case PTRACE_EVENT_EXEC:
        e.kind = EVENT_EXEC;
        e.former = event_message(tid);
        return e;
    case PTRACE_EVENT_EXIT:
        e.kind = EVENT_ENDING;
        return e;
    case PTRACE_EVENT_STOP:
        e.kind = signal == SIGTRAP ? EVENT_TRAP : EVENT_STOPPED;
        e.signal = signal;
        return e;
    }
    if (signal == (SIGTRAP | 0x80))
        classify_call(tid, &e);
    else
        classify_signal(tid, signal, &e);
    return e;
}

static struct event look(pid_t tid)
{
    siginfo_t info = {0};
    int status;

    /* Look first: the end of a process must be seen and not taken away. */
    while (waitid(P_PID, (id_t)tid, &info, WEXITED | WSTOPPED | WNOWAIT | WNOHANG | __WALL) == -1) {
        if (errno != EINTR)
            return (struct event){.kind = EVENT_GONE};
    }
    if (info.si_pid == 0)
        return (struct event){.kind = EVENT_NONE};
    if (info.si_code == CLD_EXITED)
        return (struct event){.kind = EVENT_ENDED, .status = (info.si_status & 0xff) << 8};
    if (info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED)
        return (struct event){.kind = EVENT_ENDED, .status = info.si_status};
    if (waitpid(tid, &status, __WALL | WNOHANG) <= 0)
        return (struct event){.kind = EVENT_NONE};
    return classify(tid, status);
}

static double give_up_at = INFINITY;

void event_deadline(double when)
{
    give_up_at = when;
}

void event_breathe(unsigned long round)
{
    enum { YIELDS = 120 };

    if (round < YIELDS)
        sched_yield();
    else
        nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
}

struct event event_of(pid_t tid, bool wait)
{
    enum { SPINS = 30, LAST_SECONDS = 5 };

    for (unsigned long round = 0;; round++) {
        struct event e = look(tid);
        if (e.kind != EVENT_NONE || !wait)
            return e;
        if (round < SPINS)
            continue;
        if (stage_interrupted && give_up_at > stage_seconds() + LAST_SECONDS)
            give_up_at = stage_seconds() + LAST_SECONDS;
        if (stage_seconds() > give_up_at)
            return (struct event){.kind = EVENT_GONE};
        event_breathe(round);
    }
}

void event_resume(pid_t tid, enum event_resume how, int signal)
{
    /* ESRCH: it was killed meanwhile; its end is the next event. */
    (void)ptrace(how == RESUME_TO_CALL ? PTRACE_SYSCALL
                 : how == RESUME_FREE  ? PTRACE_CONT
                                       : PTRACE_SINGLESTEP,
                 tid, NULL, (void *)(long)signal);
}

bool event_read(pid_t pid, uint64_t address, void *to, size_t size)
{
    struct iovec here = {to, size}, there = {(void *)address, size};

    return process_vm_readv(pid, &here, 1, &there, 1, 0) == (ssize_t)size;
}

bool event_write(pid_t pid, uint64_t address, const void *from, size_t size)
{
    struct iovec here = {(void *)(uintptr_t)from, size}, there = {(void *)address, size};

    return process_vm_writev(pid, &here, 1, &there, 1, 0) == (ssize_t)size;
}

bool event_read_text(pid_t pid, uint64_t address, char *text, size_t size)
{
    char raw[512];
    size_t length = 0;

    /* Not over the end of a page at once: the next one may not be there. */
    while (length + 1 < sizeof raw) {
        size_t piece = 64 - (address + length) % 64;
        if (piece > sizeof raw - 1 - length)
            piece = sizeof raw - 1 - length;
        if (!event_read(pid, address + length, raw + length, piece))
            return false;
        if (memchr(raw + length, '\0', piece) != NULL)
            break;
        length += piece;
    }
    raw[sizeof raw - 1] = '\0';
    text_copy(text, size, raw);
    return true;
}

/* A child that nobody is to follow: it stops at once, as all that we trace, and runs on from there. */
static void let_go(pid_t child)
{
    if (event_of(child, true).kind == EVENT_TRAP)
        (void)ptrace(PTRACE_DETACH, child, NULL, NULL);
}

/* Wait for thread `tid` to stop as `wanted`, resuming it after anything else. */
static int run_until(pid_t tid, enum event_kind wanted, enum event_resume how, bool *forked)
{
    event_resume(tid, how, 0);
    for (;;) {
        struct event e = event_of(tid, true);
        if (e.kind == wanted)
            return 0;
        if (e.kind == EVENT_FORK || e.kind == EVENT_VFORK) {
            /* It may wait for that child before it gets where we want it. */
            let_go(e.child);
            *forked = true;
        }
        if (e.kind == EVENT_ENDED || e.kind == EVENT_GONE || e.kind == EVENT_ENDING ||
            e.kind == EVENT_EXEC)
            return -1;
        event_resume(tid, how, e.kind == EVENT_SIGNAL ? e.signal : 0);
    }
}

int event_run_to(pid_t tid, uint64_t address, bool *forked)
{
    struct regs regs;

    errno = 0;
    long word = ptrace(PTRACE_PEEKTEXT, tid, (void *)address, NULL);
    if (errno != 0 || ptrace(PTRACE_POKETEXT, tid, (void *)address,
                             (void *)regs_breakpoint((uint64_t)word)) == -1)
        return -1;
    if (run_until(tid, EVENT_BREAK, RESUME_FREE, forked) == -1)
        return -1;
    if (ptrace(PTRACE_POKETEXT, tid, (void *)address, (void *)word) == -1 ||
        regs_get(tid, &regs) == -1)
        return -1;
    regs_set_pc(&regs, regs_break_pc(&regs));
    return regs_set(tid, &regs);
}

uint64_t event_call(pid_t tid, uint64_t function)
{
    enum { MOST_STEPS = 200 };
    struct regs saved, regs;
    uint64_t result = 0;
    bool forked = false; /* it never does: it makes no system call */

    if (regs_get(tid, &saved) == -1)
        return 0;
    regs = saved;
    if (regs_call_function(tid, &regs, function, regs_pc(&saved)) == -1)
        return 0;
    for (int i = 0; i < MOST_STEPS; i++) {
        if (run_until(tid, EVENT_BREAK, RESUME_SINGLE, &forked) == -1 || regs_get(tid, &regs) == -1)
            return 0;
        if (regs_pc(&regs) == regs_pc(&saved)) {
            result = (uint64_t)regs_result(&regs);
            break;
        }
    }
    return regs_set(tid, &saved) == -1 ? 0 : result;
}
