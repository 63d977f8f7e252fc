/* svg.c - one call of Graphviz, and what it wrote. */
#include "svg.h"
#include "xml.h"

#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* neato -n2 -Tsvg <dot >svg */
static int run_graphviz(FILE *dot, FILE *svg, struct error *err)
{
    char *argv[] = {"neato", "-n2", "-Tsvg", NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status;

    /* It reads by the descriptor: what stdio holds back must be in the file, and read anew. */
    if (fflush(dot) == EOF || lseek(fileno(dot), 0, SEEK_SET) == -1)
        return fail(err, "write: %s", strerror(errno));
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fileno(dot), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, fileno(svg), STDOUT_FILENO);
    int why = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (why != 0)
        return fail(err, "neato: %s (install graphviz)", strerror(why));
    if (waitpid(pid, &status, 0) == -1)
        return fail(err, "waitpid: %s", strerror(errno));
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return fail(err, "neato: it did not draw (see its messages above)");
    return 0;
}

/* The whole of a file that another process has written, with a 0 at its end; or NULL. */
static char *whole(FILE *file, size_t *size)
{
    if (fseek(file, 0, SEEK_END) == -1)
        return NULL;
    long end = ftell(file);
    if (end < 0)
        return NULL;
    rewind(file);
    char *text = zeroed((size_t)end + 1, 1);
    *size = fread(text, 1, (size_t)end, file);
    return text;
}

int svg_draw(FILE *dot, size_t count, struct svg_list *list, struct error *err)
{
    static const char last[] = "</svg>\n";
    size_t size = 0;

    memset(list, 0, sizeof *list);
    FILE *out = tmpfile();
    if (out == NULL)
        return fail(err, "temporary file: %s", strerror(errno));
    int result = run_graphviz(dot, out, err);
    if (result == 0 && (list->text = whole(out, &size)) == NULL)
        result = fail(err, "temporary file: %s", strerror(errno));
    fclose(out);
    if (result == -1)
        return -1;
    list->items = zeroed(count, sizeof *list->items);
    char *at = list->text;
    for (char *end; list->count < count && (end = strstr(at, last)) != NULL;) {
        list->items[list->count++] = at;
        /* In place: the newline behind a picture becomes its 0. */
        at = end + sizeof last - 1;
        at[-1] = '\0';
    }
    if (list->count != count)
        return fail(err, "neato: it drew %zu pictures of %zu", list->count, count);
    return 0;
}

void svg_free(struct svg_list *list)
{
    free(list->items);
    free(list->text);
    memset(list, 0, sizeof *list);
}

int svg_write(FILE *out, const char *svg, const char *title, const char *words, struct error *err)
{
    const char *tag = strstr(svg, "<svg");
    const char *end = tag == NULL ? NULL : strchr(tag, '>');

    if (end == NULL)
        return fail(err, "neato: it wrote no SVG");
    fprintf(out, "%.*s<svg role=\"img\" aria-labelledby=\"picture-title picture-words\"",
            (int)(tag - svg), svg);
    fprintf(out, "%.*s>\n<title id=\"picture-title\">", (int)(end - tag - 4), tag + 4);
    xml_escape(out, title);
    fputs("</title>\n<desc id=\"picture-words\">", out);
    xml_escape(out, words);
    fprintf(out, "</desc>%s\n", end + 1);
    if (ferror(out))
        return fail(err, "write: %s", strerror(errno));
    return 0;
}
