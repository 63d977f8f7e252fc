/* draw.c - pictures to files. */
#include "draw.h"
#include "changes.h"
#include "dot.h"
#include "svg.h"
#include "table.h"
#include "where.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* DIR/NAME.ENDING; free it. */
static char *file_path(const struct draw_options *options, const struct picture *pic,
                       const char *ending)
{
    const struct snapshot *s = dot_now(pic);
    const struct step *step = dot_step(pic);
    char name[TEXT_SIZE + 32];
    char *path = NULL;

    if (s->moment[0] != '\0' && !options->all && options->step == 0)
        snprintf(name, sizeof name, "%s", s->moment);
    else if (step != NULL)
        snprintf(name, sizeof name, "step-%03zu", step->number);
    else
        snprintf(name, sizeof name, "record-%zu", pic->index + 1);
    if (asprintf(&path, "%s/%s%s", options->dir, name, ending) == -1) {
        fputs("forkscope: memory: exhausted\n", stderr);
        exit(EXIT_FAILURE);
    }
    return path;
}

/* Write one picture to its file, and behind the others into `all`. */
static int write_dot(FILE *all, const struct picture *pic, const char *path, struct error *err)
{
    FILE *out = fopen(path, "we");

    if (out == NULL)
        return fail(err, "%s: %s", path, strerror(errno));
    int result = dot_write(out, pic, err);
    if (fclose(out) == EOF && result == 0)
        result = fail(err, "%s: %s", path, strerror(errno));
    return result == 0 ? dot_write(all, pic, err) : result;
}

/* What the picture shows, and first what happened in the step unless all is at rest; free it. */
static char *words_of(const struct picture *pic)
{
    const struct step *step = dot_step(pic);
    char *words = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&words, &size);

    if (out == NULL)
        return NULL;
    if (step != NULL && !dot_at_rest(pic)) {
        char headline[HEADLINE_SIZE];
        where_headline(step, headline, sizeof headline);
        fprintf(out, "Step %zu, %s.\n", step->number, headline);
        changes_words(out, dot_before(pic), &step->now);
    }
    table_sentences(out, dot_now(pic));
    fclose(out);
    return words;
}

static int write_svg(const struct picture *pic, const char *svg, const char *path,
                     struct error *err)
{
    const struct step *step = dot_step(pic);
    char title[HEADLINE_SIZE + 32] = "processes and sockets", headline[HEADLINE_SIZE];
    FILE *out = fopen(path, "we");

    if (out == NULL)
        return fail(err, "%s: %s", path, strerror(errno));
    if (dot_now(pic)->caption[0] != '\0') {
        snprintf(title, sizeof title, "%s", dot_now(pic)->caption);
    } else if (step != NULL) {
        where_headline(step, headline, sizeof headline);
        snprintf(title, sizeof title, "step %zu, %s", step->number, headline);
    }
    char *words = words_of(pic);
    int result = svg_write(out, svg, title, words == NULL ? "" : words, err);
    free(words);
    if (fclose(out) == EOF && result == 0)
        result = fail(err, "%s: %s", path, strerror(errno));
    return result;
}

static int draw_pictures(const struct picture *pics, size_t count,
                         const struct draw_options *options, struct error *err)
{
    struct svg_list svgs = {0};
    FILE *all = tmpfile();
    int result = all == NULL ? fail(err, "temporary file: %s", strerror(errno)) : 0;

    if (result == 0 && mkdir(options->dir, 0777) == -1 && errno != EEXIST)
        result = fail(err, "%s: %s", options->dir, strerror(errno));
    for (size_t i = 0; i < count && result == 0; i++) {
        char *path = file_path(options, &pics[i], ".dot");
        result = write_dot(all, &pics[i], path, err);
        free(path);
    }
    if (result == 0 && !options->dot_only)
        result = svg_draw(all, count, &svgs, err);
    for (size_t i = 0; i < count && result == 0 && !options->dot_only; i++) {
        char *path = file_path(options, &pics[i], ".svg");
        result = write_svg(&pics[i], svgs.items[i], path, err);
        free(path);
    }
    svg_free(&svgs);
    if (all != NULL)
        fclose(all);
    return result;
}

int draw(const struct record_list *list, const struct draw_options *options, struct error *err)
{
    struct layout *layout = layout_make(list->items, list->count);
    struct picture *pics = zeroed(list->count, sizeof *pics);

    for (size_t i = 0; i < list->count; i++)
        pics[i] = (struct picture){.layout = layout, .index = i};
    int result = draw_pictures(pics, list->count, options, err);
    free(pics);
    layout_free(layout);
    return result;
}

int draw_trace(const struct trace *trace, const struct draw_options *options, struct error *err)
{
    struct snapshot *records = dot_records(trace);
    struct layout *layout = layout_make(records, trace->step_count);
    struct picture *pics = zeroed(trace->step_count, sizeof *pics);
    size_t count = 0;
    int result = 0;

    for (size_t i = 0; i < trace->step_count; i++) {
        const struct step *step = &trace->steps[i];
        bool named = step->now.moment[0] != '\0';
        if (options->all || (options->step > 0 ? step->number == options->step : named))
            pics[count++] = (struct picture){.layout = layout, .index = i, .trace = trace};
    }
    if (count == 0 && options->step > 0)
        result = fail(err, "there is no step %zu: the last one is %zu", options->step,
                      trace->step_count);
    else if (count == 0)
        result = fail(err, "no step of this trace has a name: choose with --step N or --all");
    else
        result = draw_pictures(pics, count, options, err);
    free(pics);
    layout_free(layout);
    free(records);
    return result;
}
