/* draw.c - files, and one call of Graphviz. */
#include "draw.h"
#include "dot.h"
#include "table.h"
#include "xml.h"

#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* DIR/MOMENT.ENDING; free it. */
static char *file_path(const char *dir, const struct snapshot *s, size_t index, const char *ending)
{
    char *path = NULL;
    int length = s->moment[0] != '\0' ? asprintf(&path, "%s/%s%s", dir, s->moment, ending)
                                      : asprintf(&path, "%s/record-%zu%s", dir, index + 1, ending);

    if (length == -1) {
        fputs("forkscope: memory: exhausted\n", stderr);
        exit(EXIT_FAILURE);
    }
    return path;
}

static int write_dot(const struct layout *layout, size_t index, const char *path, struct error *err)
{
    FILE *out = fopen(path, "we");

    if (out == NULL)
        return fail(err, "%s: %s", path, strerror(errno));
    int result = dot_write(out, layout, index, err);
    if (fclose(out) == EOF && result == 0)
        result = fail(err, "%s: %s", path, strerror(errno));
    return result;
}

/* neato -n2 -Tsvg -O FILE...: draws each FILE.dot into FILE.dot.svg. */
static int run_graphviz(char **paths, size_t count, struct error *err)
{
    char **argv = zeroed(count + 5, sizeof *argv);
    size_t argc = 0;
    pid_t pid;
    int status;

    argv[argc++] = "neato";
    argv[argc++] = "-n2";
    argv[argc++] = "-Tsvg";
    argv[argc++] = "-O";
    for (size_t i = 0; i < count; i++)
        argv[argc++] = paths[i];
    int why = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);
    free(argv);
    if (why != 0)
        return fail(err, "neato: %s (install graphviz)", strerror(why));
    if (waitpid(pid, &status, 0) == -1)
        return fail(err, "waitpid: %s", strerror(errno));
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return fail(err, "neato: it did not draw (see its messages above)");
    return 0;
}

/* Copy Graphviz's SVG, with a title and the picture in words for those who cannot see it. */
static int finish_svg(const char *from, const char *to, const struct snapshot *s, struct error *err)
{
    FILE *in = fopen(from, "re"), *out = fopen(to, "we");
    char *line = NULL, *words = NULL;
    size_t room = 0, words_size = 0;
    bool in_tag = false, done = false;

    if (in == NULL || out == NULL) {
        fail(err, "%s: %s", in == NULL ? from : to, strerror(errno));
        if (in != NULL)
            fclose(in);
        if (out != NULL)
            fclose(out);
        return -1;
    }
    FILE *sentences = open_memstream(&words, &words_size);
    if (sentences != NULL) {
        table_sentences(sentences, s);
        fclose(sentences);
    }
    while (getline(&line, &room, in) != -1) {
        char *end;
        if (!done && strncmp(line, "<svg", 4) == 0) {
            fputs("<svg role=\"img\" aria-labelledby=\"picture-title picture-words\"", out);
            memmove(line, line + 4, strlen(line + 4) + 1);
            in_tag = true;
        }
        if (in_tag && (end = strchr(line, '>')) != NULL) {
            fprintf(out, "%.*s\n<title id=\"picture-title\">", (int)(end - line + 1), line);
            xml_escape(out, s->caption[0] != '\0' ? s->caption : "processes and sockets");
            fputs("</title>\n<desc id=\"picture-words\">", out);
            xml_escape(out, words == NULL ? "" : words);
            fputs("</desc>\n", out);
            memmove(line, end + 1, strlen(end + 1) + 1);
            in_tag = false;
            done = true;
            if (line[0] == '\n')
                continue;
        }
        fputs(line, out);
    }
    free(line);
    free(words);
    fclose(in);
    bool failed = ferror(out) != 0;
    if (fclose(out) == EOF || failed)
        return fail(err, "%s: %s", to, strerror(errno));
    if (!done)
        return fail(err, "%s: neato wrote no SVG", from);
    return 0;
}

int draw(const struct record_list *list, const char *dir, bool dot_only, struct error *err)
{
    struct layout *layout = layout_make(list->items, list->count);
    char **paths = zeroed(list->count + 1, sizeof *paths);
    int result = 0;

    if (result == 0 && mkdir(dir, 0777) == -1 && errno != EEXIST)
        result = fail(err, "%s: %s", dir, strerror(errno));
    for (size_t i = 0; i < list->count && result == 0; i++) {
        paths[i] = file_path(dir, &list->items[i], i, ".dot");
        result = write_dot(layout, i, paths[i], err);
    }
    if (result == 0 && !dot_only)
        result = run_graphviz(paths, list->count, err);
    for (size_t i = 0; i < list->count && result == 0 && !dot_only; i++) {
        char *drawn = file_path(dir, &list->items[i], i, ".dot.svg");
        char *svg = file_path(dir, &list->items[i], i, ".svg");
        result = finish_svg(drawn, svg, &list->items[i], err);
        unlink(drawn);
        free(drawn);
        free(svg);
    }
    for (size_t i = 0; i < list->count; i++)
        free(paths[i]);
    free(paths);
    layout_free(layout);
    return result;
}
