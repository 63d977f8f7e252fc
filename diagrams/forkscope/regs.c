/* regs.c - registers by ptrace(2), for x86-64 and aarch64. */
#include "regs.h"
#include "events.h"

#include <elf.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

int regs_get(pid_t tid, struct regs *regs)
{
    struct iovec room = {&regs->user, sizeof regs->user};

    return ptrace(PTRACE_GETREGSET, tid, (void *)NT_PRSTATUS, &room) == -1 ? -1 : 0;
}

int regs_set(pid_t tid, const struct regs *regs)
{
    struct regs copy = *regs;
    struct iovec room = {&copy.user, sizeof copy.user};

    return ptrace(PTRACE_SETREGSET, tid, (void *)NT_PRSTATUS, &room) == -1 ? -1 : 0;
}

#if defined(__x86_64__)

uint64_t regs_pc(const struct regs *regs)
{
    return regs->user.rip;
}

uint64_t regs_sp(const struct regs *regs)
{
    return regs->user.rsp;
}

void regs_set_pc(struct regs *regs, uint64_t pc)
{
    regs->user.rip = pc;
}

uint64_t regs_break_pc(const struct regs *regs)
{
    return regs->user.rip - 1; /* int3 is one byte, and has been executed */
}

int64_t regs_result(const struct regs *regs)
{
    return (int64_t)regs->user.rax;
}

void regs_set_result(struct regs *regs, int64_t result)
{
    regs->user.rax = (unsigned long long)result;
}

int regs_call_again(pid_t tid, struct regs *regs, long number, uint64_t first_argument)
{
    (void)first_argument; /* still in rdi */
    regs->user.rax = (unsigned long long)number;
    regs->user.rip -= 2;                            /* the length of the instruction `syscall` */
    regs->user.orig_rax = (unsigned long long)-1LL; /* or the kernel would go back once more */
    return regs_set(tid, regs);
}

int regs_call_function(pid_t tid, struct regs *regs, uint64_t function, uint64_t back)
{
    /* Below the red zone of 128 bytes; at a function's start rsp is 8 off a multiple of 16. */
    uint64_t sp = ((regs->user.rsp - 256) & ~UINT64_C(15)) - 8;

    if (ptrace(PTRACE_POKEDATA, tid, (void *)sp, (void *)back) == -1)
        return -1;
    regs->user.rsp = sp;
    regs->user.rip = function;
    regs->user.orig_rax = (unsigned long long)-1LL;
    return regs_set(tid, regs);
}

int regs_pop_return(pid_t tid, struct regs *regs)
{
    errno = 0;
    long word = ptrace(PTRACE_PEEKDATA, tid, (void *)regs->user.rsp, NULL);
    if (word == -1 && errno != 0)
        return -1;
    regs->user.rip = (unsigned long long)word;
    regs->user.rsp += 8;
    return 0;
}

uint64_t regs_called(pid_t tid, uint64_t back)
{
    unsigned char code[5], stub[16];
    int32_t far;
    uint64_t slot, to;
    size_t at = 0;

    if (!event_read(tid, back - sizeof code, code, sizeof code) || code[0] != 0xe8)
        return 0; /* not `call` with a distance: through a register, say */
    memcpy(&far, code + 1, sizeof far);
    uint64_t target = back + (uint64_t)(int64_t)far;
    if (!event_read(tid, target, stub, sizeof stub))
        return 0;
    if (memcmp(stub, "\xf3\x0f\x1e\xfa", 4) == 0)
        at = 4; /* endbr64 */
    if (stub[at] == 0xf2)
        at++; /* bnd */
    if (stub[at] != 0xff || stub[at + 1] != 0x25)
        return target;
    /* jmp *far(%rip): a stub of the procedure linkage table; its slot has the function. */
    memcpy(&far, stub + at + 2, sizeof far);
    slot = target + at + 6 + (uint64_t)(int64_t)far;
    return event_read(tid, slot, &to, sizeof to) ? to : 0;
}

unsigned regs_dwarf(const struct regs *regs, uint64_t *words, bool *pc_apart)
{
    const struct user_regs_struct *u = &regs->user;
    const uint64_t order[] = {u->rax, u->rdx, u->rcx, u->rbx, u->rsi, u->rdi, u->rbp, u->rsp, u->r8,
                              u->r9,  u->r10, u->r11, u->r12, u->r13, u->r14, u->r15, u->rip};

    memcpy(words, order, sizeof order);
    *pc_apart = false;
    return sizeof order / sizeof order[0];
}

uint64_t regs_thread_pointer(pid_t tid, const struct regs *regs)
{
    (void)tid;
    return regs->user.fs_base;
}

uint64_t regs_breakpoint(uint64_t word)
{
    return (word & ~UINT64_C(0xff)) | 0xcc; /* int3 */
}

#elif defined(__aarch64__)

#ifndef NT_ARM_SYSTEM_CALL
#define NT_ARM_SYSTEM_CALL 0x404
#endif

uint64_t regs_pc(const struct regs *regs)
{
    return regs->user.pc;
}

uint64_t regs_sp(const struct regs *regs)
{
    return regs->user.sp;
}

void regs_set_pc(struct regs *regs, uint64_t pc)
{
    regs->user.pc = pc;
}

uint64_t regs_break_pc(const struct regs *regs)
{
    return regs->user.pc; /* brk stops before it is executed */
}

int64_t regs_result(const struct regs *regs)
{
    return (int64_t)regs->user.regs[0];
}

void regs_set_result(struct regs *regs, int64_t result)
{
    regs->user.regs[0] = (unsigned long long)result;
}

int regs_call_again(pid_t tid, struct regs *regs, long number, uint64_t first_argument)
{
    int none = -1;
    struct iovec room = {&none, sizeof none};

    regs->user.regs[0] = first_argument;
    regs->user.regs[8] = (unsigned long long)number;
    regs->user.pc -= 4;
    if (ptrace(PTRACE_SETREGSET, tid, (void *)NT_ARM_SYSTEM_CALL, &room) == -1)
        return -1;
    return regs_set(tid, regs);
}

int regs_call_function(pid_t tid, struct regs *regs, uint64_t function, uint64_t back)
{
    regs->user.sp = (regs->user.sp - 256) & ~UINT64_C(15);
    regs->user.regs[30] = back;
    regs->user.pc = function;
    return regs_set(tid, regs);
}

int regs_pop_return(pid_t tid, struct regs *regs)
{
    (void)tid;
    regs->user.pc = regs->user.regs[30];
    return 0;
}

uint64_t regs_called(pid_t tid, uint64_t back)
{
    uint32_t code, stub[2];
    uint64_t to;

    if (!event_read(tid, back - sizeof code, &code, sizeof code) || code >> 26 != 0x25)
        return 0; /* not `bl` with a distance: through a register, say */
    /* 26 bits, signed, in words of 4 bytes. */
    uint64_t far = (uint64_t)(code & 0x3ffffff) << 2;
    uint64_t target = back - sizeof code + ((far ^ UINT64_C(0x8000000)) - UINT64_C(0x8000000));
    if (!event_read(tid, target, stub, sizeof stub))
        return 0;
    if ((stub[0] & 0x9f00001f) != 0x90000010 || (stub[1] & 0xffc003ff) != 0xf9400211)
        return target;
    /* adrp x16, page; ldr x17, [x16, at]: a stub of the procedure linkage table. */
    uint64_t pages = (uint64_t)(stub[0] >> 5 & 0x7ffff) << 2 | (stub[0] >> 29 & 3);
    uint64_t page =
        (target & ~UINT64_C(0xfff)) + (((pages ^ UINT64_C(0x100000)) - UINT64_C(0x100000)) << 12);
    uint64_t slot = page + (uint64_t)(stub[1] >> 10 & 0xfff) * sizeof to;
    return event_read(tid, slot, &to, sizeof to) ? to : 0;
}

unsigned regs_dwarf(const struct regs *regs, uint64_t *words, bool *pc_apart)
{
    for (unsigned i = 0; i < 31; i++)
        words[i] = regs->user.regs[i];
    words[31] = regs->user.sp;
    *pc_apart = true;
    return 32;
}

uint64_t regs_thread_pointer(pid_t tid, const struct regs *regs)
{
    uint64_t pointer = 0;
    struct iovec room = {&pointer, sizeof pointer};

    (void)regs;
    return ptrace(PTRACE_GETREGSET, tid, (void *)NT_ARM_TLS, &room) == -1 ? 0 : pointer;
}

uint64_t regs_breakpoint(uint64_t word)
{
    return (word & ~UINT64_C(0xffffffff)) | 0xd4200000; /* brk #0 */
}

#else
#error "forkscope trace knows the registers of x86-64 and aarch64 only"
#endif
