/*
 * sandbox.h - what the parts of the sandbox share.
 *
 * `sandbox run` is three processes, so that nothing a submission does can end or
 * deceive what watches it:
 *
 *   supervisor (box.c)   outside; starts bwrap, keeps the output, ends everything
 *   bwrap                makes the namespaces
 *   init (inside.c)      process 1 inside; sets the limits, starts the program, and
 *                        takes in what the program leaves behind
 *
 * `sandbox look`, `sandbox wait` and `sandbox hurry` (census.c, wait.c) tell from outside
 * what processes, sockets and descriptors are inside, and what becomes of them.
 */
#ifndef SANDBOX_H
#define SANDBOX_H

#include <stddef.h>
#include <sys/types.h>

enum {
    MAX_FILES = 8,           /* files that are copied in */
    CPU_SECONDS = 10,        /* cpu_seconds, unless told otherwise: more than any wait lasts */
    INSIDE_REPORT = 3,       /* init's descriptor to the supervisor */
    UNPRIVILEGED_ID = 65534, /* nobody: what root becomes */
    LOST = 3                 /* exit status: what was to be written could not be */
};

/* What a program may use. Each is per process, except where it says otherwise. */
struct limits {
    long processes;    /* all together, init included */
    long memory_mib;   /* address space */
    long total_mib;    /* resident, all processes together */
    long cpu_seconds;  /* then SIGXCPU, a second later SIGKILL */
    long file_kib;     /* largest file */
    long descriptors;  /* open at a time */
    long wall_seconds; /* all together, from the start */
    long output_kib;   /* what is kept of stdout, and again of stderr */
};

/* One file that the program can see: a copy of FROM, read-only, at TO. */
struct file_in {
    const char *from;
    const char *to;
};

struct box {
    struct limits limits;
    struct file_in files[MAX_FILES];
    int file_count;
    const char *report; /* file for the report lines, see box.c */
    const char *out;    /* files for its stdout and stderr */
    const char *err;
    int unsandboxed; /* limits only, no namespaces */
    char **argv;     /* the program as seen inside, and its words */
};

/*
 * Run the program of `box` and wait until it is over: until every process inside
 * has ended, the wall clock ran out, or SIGTERM or SIGINT told us to end it. When it
 * returns nothing that the program started exists any more (pid_namespaces(7)).
 * Returns 0; 1 when it could not be run, with one line on stderr; LOST.
 */
int box_run(const struct box *box);

/*
 * What init does: set `limits`, start argv, report "left ..." and "ended ..." on descriptor
 * INSIDE_REPORT, and reap until nothing is left. Returns the exit status.
 */
int inside_run(const struct limits *limits, int unsandboxed, char **argv);

/* The limits as words for init's command line, and back. `text` holds 160 bytes. */
void limits_write(const struct limits *limits, char *text);
int limits_read(struct limits *limits, const char *text);

/* One process inside. */
struct member {
    pid_t pid, parent;
    pid_t living;        /* a thread of it that has not ended */
    char state;          /* R S D T Z ... of proc(5); of several threads the busiest one's */
    long threads;        /* 0 for a zombie */
    unsigned long ticks; /* user and system time, in clock ticks */
    long rss_pages;
    unsigned long long start; /* clock ticks after boot */
    int listeners;            /* descriptors that refer to a listening socket of the port */
    int sockets;              /* descriptors that refer to any socket */
    int descriptors;          /* open descriptors */
};

struct census {
    struct member *member; /* in the order of their birth */
    size_t count, room;
    int unreadable; /* processes whose descriptors could not be read */
};

/*
 * One process, without its descriptors. Returns -1 when it is gone. Rests on proc(5), /proc/PID/stat and
 * /proc/PID/task/TID/stat.
 */
int process_read(pid_t pid, struct member *m);

/*
 * Every descendant of `init`, not itself. Free with census_free. Returns 0, or -1
 * when /proc cannot be read or memory is out. Rests on proc(5).
 */
int census_take(struct census *census, pid_t init);

/*
 * Count the descriptors of every member; `inodes`, `inode_count`: the listening
 * sockets that are counted as listeners.
 */
void census_descriptors(struct census *census, const unsigned *inodes, size_t inode_count);

void census_free(struct census *census);

/* A listening TCP socket of our network namespace. */
struct listener {
    unsigned inode;
    int port;
    int loopback; /* bound to 127.0.0.0/8 or ::1 */
};

/*
 * The listening TCP sockets, IPv4 and IPv6, at most `room`. Returns how many, or -1
 * with errno. Rests on sock_diag(7).
 */
int listeners_list(struct listener *list, int room);

/* How each process was when it was first looked at, for idle_look and clock_look. */
struct idle {
    struct {
        pid_t pid;
        unsigned long ticks, sleeps;
        int looks, asleep;
    } member[256];
    size_t count;
};

/*
 * Does the program wait without using a processor? Judged by how much it works between two
 * sleeps, never by its share of a processor, which is small for everyone on a busy machine.
 * `ms`: since the first look; `still_ms`: for how long nothing has moved. Returns 1: it waits;
 * -1: a process works and never sleeps; 0: not known yet.
 */
int idle_look(struct idle *idle, const struct census *census, long ms, long still_ms);

/* How often the threads of a process have gone to sleep. */
unsigned long sleeps_of(pid_t pid);

/*
 * Do all sleep in calls that no clock ends, so that nothing comes of waiting? 0 also when that
 * cannot be seen.
 */
int clock_none(const struct census *census);

/* Has the process a handler for the signal? Rests on proc(5), SigCgt of /proc/PID/status. */
int catches(pid_t pid, int sig);

/*
 * For a test that nothing happens: do all sleep, and has each that a clock wakes gone round a few
 * times, or slept for longer than anybody would? `rounds`: count 0 at first. `ms`: since the
 * first look.
 */
int clock_look(struct idle *rounds, const struct census *census, long ms);

/* The verbs, with the words behind them. Each returns the exit status. */
int look_command(int argc, char **argv);
int wait_command(int argc, char **argv);
int hurry_command(int argc, char **argv);
int limit_command(int argc, char **argv);

/*
 * Root becomes nobody, for good: process limits hold for ordinary users only (setrlimit(2)).
 * Where there is no nobody, in a user namespace of one user, we are ordinary already.
 * Returns 0, or -1 with errno.
 */
int drop_privileges(void);

#endif
