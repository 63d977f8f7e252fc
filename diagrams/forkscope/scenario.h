/*
 * scenario.h - what the clients do, read from a file; and the clients themselves.
 *
 * One action a line; # starts a comment; names are words, TEXT runs to the end of the line:
 *
 *   title TEXT              what the scenario is about, one line
 *   say TEXT                for the reader: what to look for; no effect
 *   connect A               client A connects to the port that the program listens on
 *   send A TEXT             A sends TEXT and a newline
 *   receive A TEXT          A waits for exactly TEXT and a newline
 *   receive A eof           A waits for end of file
 *   receive A reset         A waits until its connection is reset
 *   half-close A            A sends end of file, and can still receive
 *   close A                 A closes its socket
 *   reset A                 A closes so that a RST is sent
 *   stop P, continue P      SIGSTOP or SIGCONT to a process, named as in the tables
 *   signal P TERM           send a signal: HUP, INT, KILL, TERM, USR1, USR2 or CHLD
 *   limit P N               let P have descriptors below N only (prlimit(2))
 *   until WHAT N            wait until there are N processes, zombies, or backlog connections
 *   picture MOMENT CAPTION  record this moment; MOMENT becomes a file name
 *   at MOMENT WHO CALL[#N] CAPTION
 *                           record, in a trace, the Nth step from here on (default: the first)
 *                           in which WHO does CALL: a call ("fork", "accept=EINTR" with its
 *                           result), a signal, or start, born, block, return, exit. It lies
 *                           between two calls, so `forkscope run` passes over it
 */
#ifndef FORKSCOPE_SCENARIO_H
#define FORKSCOPE_SCENARIO_H

#include "model.h"
#include "tcp.h"

enum verb {
    DO_TITLE,
    DO_SAY,
    DO_CONNECT,
    DO_SEND,
    DO_RECEIVE,
    DO_RECEIVE_EOF,
    DO_RECEIVE_RESET,
    DO_HALF_CLOSE,
    DO_CLOSE,
    DO_RESET,
    DO_STOP,
    DO_CONTINUE,
    DO_SIGNAL,
    DO_LIMIT,
    DO_UNTIL,
    DO_PICTURE,
    DO_AT,
};

struct action {
    enum verb verb;
    char name[NAME_SIZE];     /* client, process, or what to count */
    char text[512];           /* TEXT or CAPTION */
    char moment[TEXT_SIZE];   /* of at */
    char call[2 * NAME_SIZE]; /* of at */
    size_t number;            /* of until, limit, at; the signal's number */
    int line;                 /* in the file, from 1 */
};

struct scenario {
    struct action *actions;
    size_t count;
};

/*
 * Read a scenario from `path`. Returns 0, or -1 with err "PATH:LINE:COLUMN: what is wrong".
 * Also refused: acting for a client that has not connected, or connecting it twice.
 */
int scenario_read(const char *path, struct scenario *scenario, struct error *err);
void scenario_free(struct scenario *scenario);

/* A client that this process plays. */
struct peer {
    char name[NAME_SIZE];
    int fd;                /* -1 once closed */
    struct tcp_socket key; /* its own end, to ask the kernel for its state later */
    char received[4096];   /* not yet matched by a receive */
    size_t length;
    bool end_of_file;
    int failed; /* errno of the recv(2) that failed; what came before it still counts */
};

/*
 * Connect to PORT of 127.0.0.1 within `seconds`: with a full backlog connect(2) alone would try
 * for two minutes. The socket does not block, so that a stop (Ctrl-Z) is not the end of it.
 * Returns 0, or -1 with err filled.
 */
int peer_connect(struct peer *peer, const char *name, uint16_t port, double seconds,
                 struct error *err);

/* Send text and a newline (send(2)). Returns 0, or -1 with err filled. */
int peer_send(struct peer *peer, const char *text, struct error *err);

/*
 * Take in what has arrived, without waiting, and look for text and a newline at
 * its beginning; text NULL: for end of file. What matches is consumed.
 * Returns 1 when it is there, 0 when not yet, -1 with err filled when it can
 * not come any more: other bytes, end of file, or an error of recv(2).
 */
int peer_receive(struct peer *peer, const char *text, struct error *err);

/* Has the connection been reset? Returns 1, 0 when not yet, -1 with err filled at end of file. */
int peer_is_reset(struct peer *peer, struct error *err);

/* shutdown(fd, SHUT_WR). */
int peer_half_close(struct peer *peer, struct error *err);

/* close(2); reset: with SO_LINGER 0 of socket(7), so that a RST is sent. */
void peer_close(struct peer *peer, bool reset);

#endif
