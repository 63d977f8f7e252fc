/* main.c - the command line. Every error ends here, in one line. */
#include "command.h"
#include "record.h"
#include "run.h"
#include "settle.h"
#include "snapshot.h"
#include "table.h"
#include "target.h"
#include "trace.h"
#include "watch.h"
#include "dot.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_USAGE = 2 };

static const char usage[] = "usage: forkscope snapshot [--json | --dot] PID | :PORT\n"
                            "       forkscope watch [--program FILE] PID | :PORT\n"
                            "       forkscope run [-s SCENARIO] [-o FILE] [--tell [--pause]]\n"
                            "                     [--shared-network] [--deadline SECONDS]\n"
                            "                     -- PROGRAM [ARG...]\n"
                            "       forkscope trace [-s SCENARIO] [-o FILE] [--order ORDER]\n"
                            "                     [--max-steps N] [--deadline SECONDS]\n"
                            "                     [--shared-network] -- PROGRAM [ARG...]\n"
                            "       forkscope findings [--json] FILE\n"
                            "       forkscope draw [-o DIR] [--dot-only] [--step N | --all] FILE\n"
                            "       forkscope page [-o PAGE] FILE\n"
                            "       forkscope --help | --version\n";

static const char help[] =
    "\n"
    "Shows what fork does to descriptors and sockets, measured in the kernel.\n"
    "\n"
    "snapshot  what a process and its descendants hold right now: their descriptors,\n"
    "          the kernel objects these refer to, and how many refer to each\n"
    "            --json   one line of JSON instead of the table\n"
    "            --dot    a Graphviz drawing, for neato -n2\n"
    "watch     the same as a live table, redrawn when something changes\n"
    "            --program FILE\n"
    "                     refuse unless the process runs this program\n"
    "run       start a program, let a scenario's clients act, record the moments it names\n"
    "            -s FILE  the scenario; without it: the program at rest\n"
    "            -o FILE  write the records (JSON lines) there, not to standard output\n"
    "            --tell   say in words and tables what happens, instead of records\n"
    "            --pause  after each moment, wait for Enter\n"
    "            --shared-network\n"
    "                     use this machine's ports; otherwise the program gets a network\n"
    "                     of its own, where that is permitted\n"
    "            --deadline SECONDS\n"
    "                     how long to wait for any one thing (default: 30)\n"
    "trace     run a program compiled with -g -O0 step by step: every call that changes the\n"
    "          picture, with its source line and what everybody holds then (JSON lines)\n"
    "            -s, -o, --shared-network\n"
    "                     as for run\n"
    "            --order parent-first | child-first | random=SEED\n"
    "                     who goes on after a fork (default: parent-first)\n"
    "            --max-steps N, --deadline SECONDS\n"
    "                     end there; the trace says so (default: 1000, 60)\n"
    "findings  what went wrong in a trace, one line each with its source line and its steps;\n"
    "          trace itself says it at its end\n"
    "            --json   one line of JSON each instead\n"
    "draw      records or a trace to pictures: a .dot and an .svg file for each moment\n"
    "            -o DIR   where to (default: here)\n"
    "            --dot-only\n"
    "                     no SVG, so that Graphviz is not needed\n"
    "            --step N, --all\n"
    "                     of a trace: that step, or every step\n"
    "page      a trace to one web page to step through, which needs no network\n"
    "            -o PAGE  where to (default: standard output)\n"
    "\n"
    "A reference is a pair of process and descriptor, as /proc shows it. The kernel's own\n"
    "counters are another thing. Exit status: 0 done, 1 failed, 2 usage.\n";

int failed(const struct error *err)
{
    fprintf(stderr, "forkscope: %s\n", err->text);
    return EXIT_FAILURE;
}

/* The exit status after printing: a full disk is not a success. */
static int written(void)
{
    struct error err;

    if (fflush(stdout) != EOF && !ferror(stdout))
        return EXIT_SUCCESS;
    fail(&err, "write: %s", strerror(errno));
    return failed(&err);
}

int misused(void)
{
    fputs(usage, stderr);
    return EXIT_USAGE;
}

struct table_style terminal_style(void)
{
    const char *no_color = getenv("NO_COLOR");

    return (struct table_style){
        .colour = isatty(STDOUT_FILENO) && (no_color == NULL || no_color[0] == '\0'),
        .pids = true,
    };
}

/*
 * Find what the user named, check that it runs `program` unless that is NULL, and
 * enter its network. Returns 0, to be followed by close_scope, or -1 with err filled.
 */
static int open_scope(const char *text, const char *program, struct scope *scope, struct error *err)
{
    struct pid_list roots = {0};

    if (target_find(text, &roots, err) == -1 ||
        (program != NULL && target_check_program(roots.items[0], program, err) == -1)) {
        free(roots.items);
        return -1;
    }
    scope->roots = roots.items;
    scope->root_count = roots.count;
    scope->orphans = roots.count > 1;
    scope->tcp = target_network(roots.items[0]);
    return 0;
}

static void close_scope(struct scope *scope)
{
    tcp_close(scope->tcp);
    free((void *)scope->roots);
}

/*
 * Measure, and while anything moves, measure again, so that no half-done change is
 * shown if it can be helped. What never rests is shown as last seen.
 * Returns 0, or -1 with err filled.
 */
static int steady_snapshot(const struct scope *scope, struct snapshot *s, bool *steady,
                           struct error *err)
{
    enum { TRIES = 5 };
    struct snapshot before;

    if (snapshot_take(scope, s, err) == -1)
        return -1;
    *steady = snapshot_settled(s);
    for (int i = 1; i < TRIES && !*steady; i++) {
        before = *s;
        int result = snapshot_take(scope, s, err);
        *steady = result == 0 && (snapshot_settled(s) || snapshot_equal(&before, s));
        snapshot_free(&before);
        if (result == -1)
            return -1;
    }
    return 0;
}

static int show_snapshot(const struct snapshot *s, bool steady, char format, struct error *err)
{
    if (format == 'j')
        return record_write(stdout, s, true, err);
    if (format == 'd') {
        struct layout *layout = layout_make(s, 1);
        int result = dot_write(stdout, &(struct picture){.layout = layout}, err);
        layout_free(layout);
        return result;
    }
    struct table_style style = terminal_style();
    table_print(stdout, s, NULL, &style);
    if (!steady)
        puts("\nThese processes are changing: the table shows them as last seen.");
    if (ferror(stdout) || fflush(stdout) == EOF)
        return fail(err, "write: %s", strerror(errno));
    return 0;
}

static int command_snapshot(int argc, char *argv[])
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'}, {"dot", no_argument, NULL, 'd'}, {0}};
    struct snapshot s;
    struct error err;
    char format = 't';
    bool steady;

    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == '?')
            return misused();
        format = (char)option;
    }
    if (argc - optind != 1)
        return misused();
    struct scope scope = {0};
    if (open_scope(argv[optind], NULL, &scope, &err) == -1)
        return failed(&err);
    int result = steady_snapshot(&scope, &s, &steady, &err);
    if (result == 0) {
        snprintf(s.caption, sizeof s.caption, "process %d", (int)scope.roots[0]);
        result = show_snapshot(&s, steady, format, &err);
        snapshot_free(&s);
    }
    close_scope(&scope);
    return result == 0 ? EXIT_SUCCESS : failed(&err);
}

static int command_watch(int argc, char *argv[])
{
    static const struct option options[] = {{"program", required_argument, NULL, 'p'}, {0}};
    struct table_style style = terminal_style();
    const char *program = NULL;
    struct error err;

    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == '?')
            return misused();
        program = optarg;
    }
    if (argc - optind != 1)
        return misused();
    struct scope scope = {0};
    if (open_scope(argv[optind], program, &scope, &err) == -1)
        return failed(&err);
    int result = watch(&scope, &style, &err);
    close_scope(&scope);
    return result == 0 ? EXIT_SUCCESS : failed(&err);
}

/* A number of seconds above 0, and nothing behind it. */
static bool read_seconds(const char *text, double *seconds)
{
    char *end;

    *seconds = strtod(text, &end);
    return isdigit((unsigned char)text[0]) && *end == '\0' && *seconds > 0;
}

static int command_run(int argc, char *argv[])
{
    static const struct option options[] = {{"tell", no_argument, NULL, 't'},
                                            {"shared-network", no_argument, NULL, 'n'},
                                            {"deadline", required_argument, NULL, 'd'},
                                            {"pause", no_argument, NULL, 'p'},
                                            {0}};
    struct run_options run = {.records = stdout, .deadline = 30, .style = terminal_style()};
    const char *path = NULL;
    struct error err;

    /* "+": what follows the program's name belongs to the program. */
    for (int option; (option = getopt_long(argc, argv, "+s:o:", options, NULL)) != -1;) {
        if (option == 's')
            run.scenario = optarg;
        else if (option == 'o')
            path = optarg;
        else if (option == 't')
            run.story = stdout;
        else if (option == 'p')
            run.pause = true;
        else if (option == 'n')
            run.shared_network = true;
        else if (option == 'd' && read_seconds(optarg, &run.deadline))
            continue;
        else
            return misused();
    }
    if (argc - optind < 1 || (run.pause && run.story == NULL))
        return misused();
    run.argv = argv + optind;
    if (run.story != NULL)
        run.records = NULL;
    if (path != NULL && (run.records = fopen(path, "we")) == NULL) {
        fail(&err, "%s: %s", path, strerror(errno));
        return failed(&err);
    }
    int result = run_scenario(&run, &err);
    if (path != NULL && fclose(run.records) == EOF && result == 0)
        result = fail(&err, "%s: %s", path, strerror(errno));
    return result == 0 ? EXIT_SUCCESS : failed(&err);
}

/* parent-first, child-first or random=SEED. */
static bool read_order(const char *text, struct trace_options *options)
{
    char *end;

    if (strcmp(text, "parent-first") == 0 || strcmp(text, "child-first") == 0) {
        options->order = text[0] == 'p' ? ORDER_PARENT_FIRST : ORDER_CHILD_FIRST;
        return true;
    }
    if (strncmp(text, "random=", 7) != 0 || !isdigit((unsigned char)text[7]))
        return false;
    options->order = ORDER_RANDOM;
    options->seed = strtoull(text + 7, &end, 10);
    return *end == '\0';
}

/* A whole number above 0, and nothing behind it. */
static bool read_count(const char *text, size_t *count)
{
    char *end;

    *count = strtoul(text, &end, 10);
    return isdigit((unsigned char)text[0]) && *end == '\0' && *count > 0;
}

static int command_trace(int argc, char *argv[])
{
    static const struct option options[] = {{"order", required_argument, NULL, 'r'},
                                            {"max-steps", required_argument, NULL, 'm'},
                                            {"deadline", required_argument, NULL, 'd'},
                                            {"shared-network", no_argument, NULL, 'n'},
                                            {0}};
    const char *path = NULL, *no_color = getenv("NO_COLOR");
    struct trace_options trace = {.out = stdout,
                                  .findings = stderr,
                                  .colour = isatty(STDERR_FILENO) &&
                                            (no_color == NULL || no_color[0] == '\0'),
                                  .deadline = 60,
                                  .max_steps = 1000};
    struct error err;

    for (int option; (option = getopt_long(argc, argv, "+s:o:", options, NULL)) != -1;) {
        if (option == 's')
            trace.scenario = optarg;
        else if (option == 'o')
            path = optarg;
        else if (option == 'n')
            trace.shared_network = true;
        else if ((option == 'r' && read_order(optarg, &trace)) ||
                 (option == 'm' && read_count(optarg, &trace.max_steps)) ||
                 (option == 'd' && read_seconds(optarg, &trace.deadline)))
            continue;
        else
            return misused();
    }
    if (argc - optind < 1)
        return misused();
    trace.argv = argv + optind;
    if (path != NULL && (trace.out = fopen(path, "we")) == NULL) {
        fail(&err, "%s: %s", path, strerror(errno));
        return failed(&err);
    }
    if (path != NULL && isatty(STDERR_FILENO))
        trace.progress = stderr;
    int result = trace_program(&trace, &err);
    if (path != NULL && fclose(trace.out) == EOF && result == 0)
        result = fail(&err, "%s: %s", path, strerror(errno));
    return result == 0 ? EXIT_SUCCESS : failed(&err);
}

int main(int argc, char *argv[])
{
    static const struct {
        const char *name;
        int (*run)(int argc, char *argv[]);
    } commands[] = {{"snapshot", command_snapshot}, {"watch", command_watch},
                    {"run", command_run},           {"trace", command_trace},
                    {"draw", command_draw},         {"page", command_page},
                    {"findings", command_findings}};

    /* A descriptor of ours below 3 would be taken for a standard stream: fill the gaps. */
    for (int fd = open("/dev/null", O_RDWR); fd >= 0; fd = open("/dev/null", O_RDWR))
        if (fd > 2) {
            close(fd);
            break;
        }
    /* Ignored, as it may be inherited, it would take the exit status of our children away. */
    signal(SIGCHLD, SIG_DFL);
    if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(usage, stdout);
        fputs(help, stdout);
        return written();
    }
    if (argc >= 2 && strcmp(argv[1], "--version") == 0) {
        puts("forkscope 0.1");
        return written();
    }
    for (size_t i = 0; argc >= 2 && i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    return misused();
}
