/*
 * regs.h - the registers of a stopped thread: all that differs between x86-64 and aarch64.
 *
 * What a system call is given and returns is told by PTRACE_GET_SYSCALL_INFO of ptrace(2),
 * the same everywhere; here is only what that does not tell.
 */
#ifndef FORKSCOPE_REGS_H
#define FORKSCOPE_REGS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

struct regs {
    struct user_regs_struct user;
};

/* Read or write all registers of stopped thread `tid`. Return 0, or -1 with errno set (ESRCH: ended). */
int regs_get(pid_t tid, struct regs *regs);
int regs_set(pid_t tid, const struct regs *regs);

/* The program counter and the stack pointer; the first can be set. */
uint64_t regs_pc(const struct regs *regs);
uint64_t regs_sp(const struct regs *regs);
void regs_set_pc(struct regs *regs, uint64_t pc);
/* Where the breakpoint that was just hit stands. */
uint64_t regs_break_pc(const struct regs *regs);
/* What a call or a function has returned; it can be set. */
int64_t regs_result(const struct regs *regs);
void regs_set_result(struct regs *regs, int64_t result);

/*
 * At a syscall-exit stop: make the thread enter call `number` once more, with its first
 * argument as it was. Returns 0, or -1 with errno set.
 */
int regs_call_again(pid_t tid, struct regs *regs, long number, uint64_t first_argument);

/*
 * Prepare a call of a function without arguments at `function`, to be run by single steps
 * until regs_pc is `back`. Returns 0, or -1 with errno set.
 */
int regs_call_function(pid_t tid, struct regs *regs, uint64_t function, uint64_t back);

/*
 * The function that was called by the instruction before `back`, a return address; through a stub
 * of the procedure linkage table too. 0 when the instruction does not say, or cannot be read.
 */
uint64_t regs_called(pid_t tid, uint64_t back);

/* Undo a return address just pushed, as a caller's view: for code without unwind information. */
int regs_pop_return(pid_t tid, struct regs *regs);

/*
 * The registers by their DWARF numbers, for unwinding. Returns how many were put into `words`,
 * which has room for 33; *pc_apart: the program counter is not one of them.
 */
unsigned regs_dwarf(const struct regs *regs, uint64_t *words, bool *pc_apart);

/* The thread pointer, which thread-local variables such as errno are found by. 0: not known. */
uint64_t regs_thread_pointer(pid_t tid, const struct regs *regs);

/* The instruction that stops a thread with SIGTRAP: put it over `word`, the code at an address. */
uint64_t regs_breakpoint(uint64_t word);

#endif
