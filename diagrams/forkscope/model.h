/*
 * model.h - what one measurement holds: processes, kernel objects, clients.
 *
 * The measuring side (snapshot.c) fills it, the showing side (table.c, dot.c,
 * record.c) reads it. Neither knows the other.
 */
#ifndef FORKSCOPE_MODEL_H
#define FORKSCOPE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { NAME_SIZE = 24, TEXT_SIZE = 64 };

/* One line that says what failed and why. Functions that can fail fill it and return -1. */
struct error {
    char text[256];
};

/* Fill `err` like printf and return -1, so that a caller can `return fail(err, ...)`. */
int fail(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Make room for one more element in a growing array.
 * items: the array, or NULL when count is 0. size: bytes of one element.
 * Returns the array, perhaps moved, with the element at `count` zeroed.
 * Ends the program when memory is exhausted (malloc(3)).
 */
void *grown(void *items, size_t count, size_t size);

/* calloc(3) of at least one element; ends the program when memory is exhausted. */
void *zeroed(size_t count, size_t size);

/* One line of a call chain. file indexes trace.files of step.h, -1: not the program's own source. */
struct frame {
    char function[48]; /* "main", "printf"; for a signal frame its name, "SIGCHLD" */
    int file;
    int line;    /* from 1; 0 where file is -1 */
    bool signal; /* not a function: here the kernel interrupted what stands below */
};

struct chain {
    struct frame *frames; /* innermost first; main is last */
    size_t count;
};

/* The states of proc_pid_stat(5), as a reader of the lab needs them. */
enum process_state {
    PROCESS_RUNNING, /* R: has the CPU or waits for it */
    PROCESS_BLOCKED, /* S, D: waits inside a system call */
    PROCESS_STOPPED, /* T, t: stopped by a signal */
    PROCESS_ZOMBIE,  /* Z: ended, its parent has not waited for it */
    PROCESS_GONE,    /* seen earlier, now ended and waited for */
    PROCESS_READY,   /* in a trace: could run, but another one does */
};

struct descriptor {
    int fd;
    int object; /* index into snapshot.objects */
};

struct process {
    char name[NAME_SIZE]; /* P, then C1, C2, ... in order of birth */
    pid_t pid;
    unsigned long long start; /* clock ticks after boot: pid and start name a process for good */
    pid_t parent_pid;
    int parent; /* index into snapshot.processes, -1 for a root */
    unsigned threads;
    enum process_state state;
    char call[24];         /* blocked: the call it waits in, "accept", "wait"; or empty */
    int call_fd;           /* the descriptor it waits for, or -1 */
    pid_t call_child;      /* the only child it waits for, or -1 */
    char doing[TEXT_SIZE]; /* "accept(3)" when blocked, "exit 0" for a zombie, or empty */
    struct chain at;       /* in a trace: where it stands; else empty */
    char
        pending[TEXT_SIZE]; /* in a trace: "SIGCHLD SIGTERM", signals not delivered yet; or empty */
    int shares;             /* index of the process whose descriptor table this one uses, or -1 */
    struct descriptor *descriptors; /* in ascending order of fd */
    size_t descriptor_count;
    bool
        hidden; /* its descriptors cannot be read: somebody else's, ending, or its first thread has */
};

enum object_kind {
    OBJECT_LISTENING,  /* TCP socket in LISTEN */
    OBJECT_CONNECTION, /* TCP socket in any other state */
    OBJECT_SOCKET,     /* any other socket */
    OBJECT_PIPE_READ,  /* the open file description of a pipe's read end */
    OBJECT_PIPE_WRITE,
    OBJECT_FILE, /* any other open file description */
};

struct object {
    char name[NAME_SIZE]; /* S1, S2, ... in order of appearance */
    enum object_kind kind;
    bool standard; /* only seen as descriptor 0, 1 or 2, as the root has it */
    bool inferred; /* kcmp(2) was refused: told apart by inode or path only */
    unsigned long long inode;
    unsigned refs; /* (process, descriptor) pairs that refer to it, in this tree */
    int tcp;       /* TCP_ESTABLISHED ... of <netinet/tcp.h>; 0 where it has none */
    uint16_t port; /* local port, host byte order */
    uint16_t peer_port;
    unsigned backlog;     /* listening: connections that wait to be accepted */
    unsigned unread;      /* connection: bytes that wait to be read */
    bool end_of_file;     /* connection: the peer's end of file waits to be read */
    bool waiting;         /* connection: in a backlog, so no process has a descriptor */
    bool in_flight;       /* sent and not arrived yet: the picture is still moving */
    int client;           /* index into snapshot.clients, or -1 */
    char path[TEXT_SIZE]; /* file: its path, for example /dev/pts/0 */
};

/* The other end of a connection of ours. */
struct client {
    char name[NAME_SIZE]; /* A, B, ... */
    int tcp; /* state of its socket; 0 when there is none (any more, or not on this machine) */
    uint16_t port;        /* its local port */
    uint16_t server_port; /* the port it is connected to */
    bool closed;          /* it has no descriptor any more */
};

struct snapshot {
    struct process *processes; /* [0] is the root, then in order of birth */
    size_t process_count;
    struct object *objects;
    size_t object_count;
    struct client *clients;
    size_t client_count;
    bool orphans; /* the parent of these processes has ended */
    bool no_tcp;  /* the sockets could not be asked: another network namespace */
    /* What this moment shows, for records and pictures; empty in a plain snapshot. */
    char title[128];
    char moment[TEXT_SIZE];
    char caption[256];
};

/* Free what a snapshot holds and clear it. */
void snapshot_free(struct snapshot *s);

/* What descriptor `fd` of `p` refers to: an index into snapshot.objects, or -1 when it is not open. */
int descriptor_object(const struct process *p, int fd);

/* "LISTEN", "ESTABLISHED", ... FIN_WAIT1 and FIN_WAIT2 are one: the second follows by itself. */
const char *tcp_name(int tcp);
/* The inverse; 0 for an unknown name. */
int tcp_number(const char *name);

/* "running", "blocked", ... as records and tables spell it. */
const char *state_name(enum process_state state);

/* "listening", "connection", ... as records spell it. */
const char *kind_name(enum object_kind kind);

/* "listening socket :9000", "connection with A", "pipe, read end": what a reader sees. */
void object_label(const struct snapshot *s, const struct object *o, char *text, size_t size);

/* "listening socket", "connection A": the same for a descriptor's row, where space is short. */
void object_short_label(const struct snapshot *s, const struct object *o, char *text, size_t size);

/* "blocked in accept(3)", "zombie: exit 0, not waited for". */
void process_label(const struct process *p, char *text, size_t size);

/*
 * Copy text that may hold anything, as a path may, so that JSON and XML can carry it:
 * bytes that are no UTF-8 and control characters become '?', and what does not fit is
 * cut between letters.
 */
void text_copy(char *to, size_t size, const char *from);

/* Is it a plain name: a letter, then letters, digits and _? Others would need quotes in DOT. */
bool plain_name(const char *name);

/* Spreadsheet style: 0 is A, 25 is Z, 26 is AA. */
void letter_name(size_t number, char *text, size_t size);

#endif
