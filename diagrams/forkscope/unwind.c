/* unwind.c - frames by libdw, with registers and memory by ptrace(2). */
#include "unwind.h"
#include "regs.h"

#include <elfutils/libdwfl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

enum { STACK = 4096, MOST_FRAMES = 64 };

/* The thread that is being unwound; there is only ever one. */
static struct {
    pid_t tid;
    struct regs regs;
    uint64_t stack_from;
    size_t stack_size;
    unsigned char stack[STACK]; /* its innermost part, read at once */
} thread;

static pid_t next_thread(Dwfl *dwfl, void *data, void **found)
{
    (void)dwfl, (void)data;
    if (*found != NULL)
        return 0;
    *found = &thread;
    return thread.tid;
}

static bool get_thread(Dwfl *dwfl, pid_t tid, void *data, void **found)
{
    (void)dwfl, (void)data, (void)tid;
    *found = &thread;
    return true;
}

static bool memory_read(Dwfl *dwfl, Dwarf_Addr address, Dwarf_Word *result, void *data)
{
    (void)dwfl, (void)data;
    /* A program may have overwritten what we go by: any address may be asked for. */
    if (address >= thread.stack_from && thread.stack_size >= sizeof *result &&
        address - thread.stack_from <= thread.stack_size - sizeof *result) {
        memcpy(result, thread.stack + (address - thread.stack_from), sizeof *result);
        return true;
    }
    errno = 0;
    long word = ptrace(PTRACE_PEEKDATA, thread.tid, (void *)address, NULL);
    *result = (Dwarf_Word)word;
    return word != -1 || errno == 0;
}

static bool set_registers(Dwfl_Thread *of, void *data)
{
    Dwarf_Word words[33];
    bool pc_apart;
    unsigned count = regs_dwarf(&thread.regs, words, &pc_apart);

    (void)data;
    if (pc_apart)
        dwfl_thread_state_register_pc(of, regs_pc(&thread.regs));
    return dwfl_thread_state_registers(of, 0, count, words);
}

static const Dwfl_Thread_Callbacks thread_callbacks = {.next_thread = next_thread,
                                                       .get_thread = get_thread,
                                                       .memory_read = memory_read,
                                                       .set_initial_registers = set_registers};

/* A chain while it grows. */
struct walk {
    struct source *source;
    const struct stand *stand;
    struct chain *chain;
    size_t frames;
    size_t signals;
    bool exact; /* the next frame was interrupted: its address is of no call */
    bool done;
};

static void add_frame(struct walk *w, const struct frame *frame)
{
    w->chain->frames = grown(w->chain->frames, w->chain->count, sizeof *w->chain->frames);
    w->chain->frames[w->chain->count++] = *frame;
}

/*
 * A frame of the program has called what stands before it in the chain. That may have no name, or
 * another one: system() goes on in a function of libc's own. The call instruction tells.
 */
static void name_called(struct walk *w, uint64_t back, struct frame *library)
{
    uint64_t called = regs_called(thread.tid, back);
    const struct frame *named;

    if (called == 0)
        return;
    named = source_frame(w->source, w->stand->trace, called);
    if (named->file == -1 && named->function[0] != '?')
        *library = *named;
}

static int one_frame(Dwfl_Frame *state, void *data)
{
    struct walk *w = data;
    Dwarf_Addr pc;
    bool activation;

    if (!dwfl_frame_pc(state, &pc, &activation) || ++w->frames > MOST_FRAMES)
        return DWARF_CB_ABORT;
    /*
     * libdw calls the handler's own frame an activation too, so the trampoline is told by
     * its address: the kernel put it there as the handler's return address.
     */
    struct frame at = *source_frame(w->source, w->stand->trace, pc);
    if (pc == w->stand->restorer || strcmp(at.function, "restore_rt") == 0 ||
        strcmp(at.function, "kernel_rt_sigreturn") == 0) {
        struct frame frame = {.file = -1, .signal = true};
        text_copy(frame.function, sizeof frame.function,
                  w->signals < w->stand->signal_count ? w->stand->signals[w->signals] : "signal");
        w->signals++;
        add_frame(w, &frame);
        w->exact = true;
        return DWARF_CB_OK;
    }
    /* A return address may be the first of the next line: the call stands before it. */
    bool returns = w->frames > 1 && !w->exact;
    if (returns)
        at = *source_frame(w->source, w->stand->trace, pc - 1);
    w->exact = false;
    struct frame *last = w->chain->count > 0 ? &w->chain->frames[w->chain->count - 1] : NULL;
    if (returns && at.file != -1 && last != NULL && last->file == -1 && !last->signal)
        name_called(w, pc, last);
    if (at.file == -1 && last != NULL && last->file == -1 && !last->signal)
        *last = at.function[0] != '?'
                    ? at
                    : *last; /* of a run of library functions the outermost is the one called */
    else
        add_frame(w, &at);
    w->done = at.file != -1 && strcmp(at.function, "main") == 0;
    return w->done ? DWARF_CB_ABORT : DWARF_CB_OK;
}

static void walk(struct walk *w)
{
    Dwfl *dwfl = source_dwfl(w->source);
    struct iovec here = {thread.stack, sizeof thread.stack};

    thread.stack_from = regs_sp(&thread.regs);
    struct iovec there = {(void *)thread.stack_from, sizeof thread.stack};
    ssize_t got = process_vm_readv(thread.tid, &here, 1, &there, 1, 0);
    thread.stack_size = got > 0 ? (size_t)got : 0;
    if (dwfl_pid(dwfl) <= 0 &&
        !dwfl_attach_state(dwfl, NULL, thread.tid, &thread_callbacks, &thread))
        return;
    /* The end of a chain and an error look the same; what was found by then counts. */
    (void)dwfl_getthread_frames(dwfl, thread.tid, one_frame, w);
}

/* Is library frame `name` the call itself: "accept", "_exit", "wait4" for waitpid? */
static bool is_call(const char *name, const char *call)
{
    static const char *const same[][2] = {
        {"signal", "sigaction"}, {"wait4", "waitpid"},       {"wait", "waitpid"},
        {"_exit", "exit"},       {"sigaction", "sigaction"}, {"accept4", "accept"},
        {"_Fork", "fork"},       {"pipe2", "pipe"},          {"dup3", "dup2"},
    };

    size_t length = strlen(call);

    if (strncmp(name, call, length) == 0 &&
        (name[length] == '\0' || strcmp(name + length, "64") == 0)) /* open64 */
        return true;
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
        if (strcmp(name, same[i][0]) == 0 && strcmp(call, same[i][1]) == 0)
            return true;
    return false;
}

static bool in_table(Dwarf_CFI *table, uint64_t pc)
{
    Dwarf_Frame *frame = NULL;

    if (table == NULL || dwarf_cfi_addrframe(table, pc, &frame) != 0)
        return false;
    free(frame);
    return true;
}

/* Is it told how to get from this address to its caller? If not, libdw would guess by rbp. */
static bool has_unwind_information(struct source *source, uint64_t pc)
{
    Dwfl_Module *module = dwfl_addrmodule(source_dwfl(source), pc);
    Dwarf_Addr bias = 0;

    if (module == NULL)
        return false;
    Dwarf_CFI *table = dwfl_module_eh_cfi(module, &bias);
    if (in_table(table, pc - bias))
        return true;
    table = dwfl_module_dwarf_cfi(module, &bias);
    return in_table(table, pc - bias);
}

size_t unwind(struct source *source, const struct stand *stand, struct chain *chain)
{
    struct walk w = {.source = source, .stand = stand, .chain = chain};

    *chain = (struct chain){0};
    thread.tid = stand->tid;
    if (regs_get(stand->tid, &thread.regs) == -1)
        return 0;
    /*
     * libc's clone and clone3 have no unwind information at their system call, because the child
     * has another stack there. They have pushed nothing: start at the caller.
     */
    struct regs popped = thread.regs;
    if (!has_unwind_information(source, regs_pc(&thread.regs)) &&
        regs_pop_return(stand->tid, &popped) == 0 &&
        has_unwind_information(source, regs_pc(&popped) - 1))
        thread.regs = popped;
    walk(&w);
    /* Below main, or a thread's first function, nothing belongs to the program. */
    while (chain->count > 0 && chain->frames[chain->count - 1].file == -1)
        chain->count--;
    if (chain->count > 1 && stand->call != NULL && chain->frames[0].file == -1 &&
        !chain->frames[0].signal && is_call(chain->frames[0].function, stand->call)) {
        chain->count--;
        memmove(chain->frames, chain->frames + 1, chain->count * sizeof *chain->frames);
    }
    if (chain->count == 0) {
        free(chain->frames);
        chain->frames = NULL;
    }
    return w.signals;
}
