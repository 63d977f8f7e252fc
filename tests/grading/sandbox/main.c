/*
 * main.c - the command line of the sandbox.
 *
 *   sandbox run [OPTION]... -- PROGRAM [WORD]...
 *   sandbox look INIT [PORT]
 *   sandbox wait REPORT PORT SECONDS CONDITION
 *   sandbox hurry PID REPORT...
 *   sandbox limit PID descriptors|processes N
 *
 * Exit status: 0, 1 when it could not be done, 2 for wrong usage, 3 when what it had to write
 * was lost, on a full disk say.
 */
#define _GNU_SOURCE

#include "sandbox.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage_text[] =
    "usage: sandbox run [OPTION]... -- PROGRAM [WORD]...\n"
    "       sandbox look INIT [PORT]\n"
    "       sandbox wait REPORT PORT SECONDS CONDITION\n"
    "       sandbox hurry PID REPORT...\n"
    "       sandbox limit PID descriptors|processes N\n"
    "\n"
    "run   a program in a sandbox (bubblewrap), until every process of it has ended\n"
    "        -b FILE:PLACE  a copy of FILE, read-only, seen at PLACE\n"
    "        -o FILE        its standard output      -e FILE  its standard error\n"
    "        -r FILE        what happens, line by line: started, ended, limit, over\n"
    "        -p N           processes (64)           -m MIB   memory of one (1024)\n"
    "        -M MIB         memory of all (512)     -c S     processor time of one (10)\n"
    "        -f KIB         largest file (1024)      -n N     descriptors (1024)\n"
    "        -t S           wall clock (60)          -k KIB   output kept (64)\n"
    "        -u             limits only, no sandbox\n"
    "look  what processes are inside; INIT is the pid of the report\n"
    "wait  until a condition holds: listening, closed, over, alive<=N, alive==N, zombies==N,\n"
    "      zombies<=N, alive>=N, stopped==PID, gone==PID, settled, rest, idle, in-vain,\n"
    "      idle-in-vain; or until it is plain that none will: everything has ended, nothing\n"
    "      inside moves any more, or much of the processor has been used meanwhile\n"
    "hurry SIGUSR1 for PID, a client outside that catches it, each time when nothing inside\n"
    "      any of the sandboxes can move any more, until everything has ended\n"
    "limit the soft limit of a process inside, from now on\n"
    "\n"
    "Exit status: 0 done, 1 it could not be done, 2 usage, 3 what it had to write was lost.\n";

static int usage(const char *why)
{
    fprintf(stderr, "sandbox: %s; sandbox --help tells more\n", why);
    return 2;
}

/* A whole number from 1 on, or -1. */
static long positive(const char *text)
{
    char *end;

    errno = 0;
    long value = strtol(text, &end, 10);
    return *text == '\0' || *end != '\0' || errno != 0 || value < 1 ? -1 : value;
}

static int run_command(int argc, char **argv)
{
    struct box box = {
        .limits = {.processes = 64,
                   .memory_mib = 1024,
                   .total_mib = 512,
                   .cpu_seconds = CPU_SECONDS,
                   .file_kib = 1024,
                   .descriptors = 1024, /* as usual: poll(2) takes no larger table */
                   .wall_seconds = 60,
                   .output_kib = 64},
        .out = "/dev/null",
        .err = "/dev/null",
    };
    struct {
        char option;
        long *value;
    } numbers[] = {
        {'p', &box.limits.processes},    {'m', &box.limits.memory_mib},
        {'M', &box.limits.total_mib},    {'c', &box.limits.cpu_seconds},
        {'f', &box.limits.file_kib},     {'n', &box.limits.descriptors},
        {'t', &box.limits.wall_seconds}, {'k', &box.limits.output_kib},
    };
    int option;

    while ((option = getopt(argc, argv, "+b:o:e:r:p:m:M:c:f:n:t:k:u")) != -1) {
        char *colon;
        switch (option) {
        case 'b':
            colon = strrchr(optarg, ':');
            if (colon == NULL || colon[1] != '/' || box.file_count == MAX_FILES)
                return usage("-b wants FILE:/PLACE, eight times at most");
            *colon = '\0';
            box.files[box.file_count++] = (struct file_in){.from = optarg, .to = colon + 1};
            break;
        case 'o':
            box.out = optarg;
            break;
        case 'e':
            box.err = optarg;
            break;
        case 'r':
            box.report = optarg;
            break;
        case 'u':
            box.unsandboxed = 1;
            break;
        case '?':
            return usage("no such option, or a word is missing");
        default:
            for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
                if (numbers[i].option == option && (*numbers[i].value = positive(optarg)) == -1)
                    return usage("a limit is a whole number from 1 on");
        }
    }
    if (optind >= argc)
        return usage("no program is given");
    box.argv = argv + optind;
    return box_run(&box);
}

/* The status, once all that was printed is written. */
static int flushed(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fprintf(stderr, "sandbox: standard output: %s\n", strerror(errno));
    return LOST;
}

int main(int argc, char **argv)
{
    struct limits limits;

    /* A limit on files is an error of write then, and not our end: setrlimit(2). */
    signal(SIGXFSZ, SIG_IGN);
    if (argc < 2)
        return usage("no command is given");
    if (strcmp(argv[1], "--help") == 0) {
        fputs(usage_text, stdout);
        return flushed(0);
    }
    if (strcmp(argv[1], "run") == 0)
        return run_command(argc - 1, argv + 1);
    if (strcmp(argv[1], "look") == 0)
        return flushed(look_command(argc - 1, argv + 1));
    if (strcmp(argv[1], "wait") == 0)
        return flushed(wait_command(argc - 1, argv + 1));
    if (strcmp(argv[1], "hurry") == 0)
        return hurry_command(argc - 1, argv + 1);
    if (strcmp(argv[1], "limit") == 0)
        return limit_command(argc - 1, argv + 1);
    /* Only box.c says this: we are process 1 of the sandbox. */
    if ((strcmp(argv[1], "inside") == 0 || strcmp(argv[1], "bare") == 0) && argc > 3 &&
        limits_read(&limits, argv[2]) == 0)
        return inside_run(&limits, argv[1][0] == 'b', argv + 3);
    return usage("there is no such command");
}
