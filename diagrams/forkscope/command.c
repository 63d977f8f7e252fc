/* command.c - the commands that read what another one has written: draw, page, findings. */
#include "command.h"
#include "draw.h"
#include "findings.h"
#include "page.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A number from 1 on, and nothing behind it. */
static bool read_number(const char *text, size_t *number)
{
    char *end;

    errno = 0;
    *number = strtoul(text, &end, 10);
    return isdigit((unsigned char)text[0]) && *end == '\0' && *number > 0 && errno == 0;
}

/* A file that is read more than once, so standard input is copied. Close it; NULL: err is filled. */
static FILE *open_input(const char *path, struct error *err)
{
    FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");

    if (in == NULL)
        fail(err, "%s: %s", path, strerror(errno));
    if (in != stdin || in == NULL)
        return in;
    FILE *copy = tmpfile();
    char block[1 << 16];
    size_t got;
    if (copy == NULL) {
        fail(err, "temporary file: %s", strerror(errno));
        return NULL;
    }
    while ((got = fread(block, 1, sizeof block, stdin)) > 0)
        fwrite(block, 1, got, copy);
    if (ferror(stdin) || ferror(copy) || fflush(copy) == EOF) {
        fail(err, "standard input: %s", strerror(errno));
        fclose(copy);
        return NULL;
    }
    rewind(copy);
    return copy;
}

int command_draw(int argc, char *argv[])
{
    static const struct option options[] = {{"dot-only", no_argument, NULL, 'd'},
                                            {"all", no_argument, NULL, 'a'},
                                            {"step", required_argument, NULL, 's'},
                                            {0}};
    struct draw_options chosen = {.dir = "."};
    struct error err;
    int result;

    for (int option; (option = getopt_long(argc, argv, "o:", options, NULL)) != -1;) {
        if (option == 'o')
            chosen.dir = optarg;
        else if (option == 'd')
            chosen.dot_only = true;
        else if (option == 'a')
            chosen.all = true;
        else if (option != 's' || !read_number(optarg, &chosen.step))
            return misused();
    }
    if (argc - optind != 1 || (chosen.all && chosen.step > 0))
        return misused();
    FILE *in = open_input(argv[optind], &err);
    if (in == NULL)
        return failed(&err);
    if (trace_is(in)) {
        struct trace trace;
        result = trace_read(in, argv[optind], &trace, &err);
        if (result == 0) {
            result = draw_trace(&trace, &chosen, &err);
            trace_free(&trace);
        }
    } else {
        struct record_list list = {0};
        result = record_read(in, argv[optind], &list, &err);
        if (result == 0 && (chosen.all || chosen.step > 0))
            result =
                fail(&err, "%.100s: it holds records, and no steps to choose from", argv[optind]);
        if (result == 0)
            result = draw(&list, &chosen, &err);
        record_list_free(&list);
    }
    fclose(in);
    return result == 0 ? EXIT_SUCCESS : failed(&err);
}

/* Are these the same file, by whatever names? */
static bool same_file(FILE *in, const char *path)
{
    struct stat a, b;

    return fstat(fileno(in), &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

int command_page(int argc, char *argv[])
{
    static const struct option options[] = {{0}};
    const char *path = NULL;
    struct trace trace;
    struct error err;

    for (int option; (option = getopt_long(argc, argv, "o:", options, NULL)) != -1;) {
        if (option != 'o')
            return misused();
        path = optarg;
    }
    if (argc - optind != 1)
        return misused();
    FILE *in = open_input(argv[optind], &err);
    if (in == NULL)
        return failed(&err);
    int result = 0;
    if (path != NULL && same_file(in, path))
        result = fail(&err, "%.100s: is the trace itself; choose another name for the page", path);
    else
        result = trace_read(in, argv[optind], &trace, &err);
    fclose(in);
    if (result == -1)
        return failed(&err);
    result = page_write(&trace, path, &err);
    trace_free(&trace);
    return result == 0 ? EXIT_SUCCESS : failed(&err);
}

int command_findings(int argc, char *argv[])
{
    static const struct option options[] = {{"json", no_argument, NULL, 'j'}, {0}};
    struct table_style style = terminal_style();
    struct trace trace;
    bool json = false;
    struct error err;

    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option != 'j')
            return misused();
        json = true;
    }
    if (argc - optind != 1)
        return misused();
    FILE *in = open_input(argv[optind], &err);
    if (in == NULL)
        return failed(&err);
    int result = trace_read(in, argv[optind], &trace, &err);
    fclose(in);
    if (result == -1)
        return failed(&err);
    findings_make(&trace);
    result =
        json ? findings_write(stdout, &trace, &err) : findings_print(stdout, &trace, &style, &err);
    trace_free(&trace);
    return result == 0 ? EXIT_SUCCESS : failed(&err);
}
