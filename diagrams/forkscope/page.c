/* page.c - a trace as the data of a web page, and the page around it. */
#include "page.h"
#include "changes.h"
#include "dot.h"
#include "pieces.h"
#include "svg.h"
#include "table.h"
#include "where.h"
#include "xml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- the data ---- */

static json_t *texts_json(char *const *texts, size_t count)
{
    json_t *json = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(json, json_string(texts[i]));
    return json;
}

static void put_tag(json_t *tags, const struct process *p, const struct frame *f, bool interrupted)
{
    json_array_append_new(tags, json_pack("{ss ss si si sb}", "who", p->name, "state",
                                          state_name(p->state), "file", f->file, "line", f->line,
                                          "interrupted", (int)interrupted));
}

/* Where each process stands in the source, and where a signal has interrupted it. */
static json_t *tags_json(const struct snapshot *s)
{
    json_t *tags = json_array();

    for (size_t i = 0; i < s->process_count; i++) {
        const struct process *p = &s->processes[i];
        if (changes_ended(p))
            continue;
        bool found = false, below = false;
        for (size_t k = 0; k < p->at.count; k++) {
            const struct frame *f = &p->at.frames[k];
            below = below || f->signal;
            if (f->signal || f->file < 0)
                continue;
            if (!found || below)
                put_tag(tags, p, f, found);
            if (found && below)
                break;
            found = true;
        }
    }
    return tags;
}

/* What a function writes to a file, as numbers of its lines. */
static json_t *changes_json(struct pieces *pieces, const struct snapshot *before,
                            const struct snapshot *now, bool whole)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    if (out == NULL)
        return json_array();
    if (whole)
        table_sentences(out, now);
    else
        changes_words(out, before, now);
    fclose(out);
    json_t *numbers = pieces_of_lines(pieces, text);
    free(text);
    return numbers;
}

static json_t *step_json(struct pieces *pieces, const struct trace *trace, size_t index,
                         const char *svg)
{
    const struct step *step = &trace->steps[index];
    const struct snapshot *before = index > 0 ? &trace->steps[index - 1].now : NULL;
    const struct frame *frame = where_frame(&step->chain);
    char headline[HEADLINE_SIZE], chain[CHAIN_SIZE], source[HEADLINE_SIZE];

    where_headline(step, headline, sizeof headline);
    where_chain(&step->chain, chain, sizeof chain);
    where_source(trace, frame, source, sizeof source);
    json_t *json = json_pack("{si ss ss ss ss ss}", "number", (int)step->number, "kind",
                             step_kind_name(step->kind), "who", step->who, "call", step->call,
                             "result", step->result, "headline", headline);
    json_object_set_new(json, "file", json_integer(frame != NULL ? frame->file : -1));
    json_object_set_new(json, "line", json_integer(frame != NULL ? frame->line : 0));
    json_object_set_new(json, "chain", json_string(chain));
    json_object_set_new(json, "text", json_string(source));
    json_object_set_new(json, "output", json_string(step->output != NULL ? step->output : ""));
    json_object_set_new(json, "moment", json_string(step->now.moment));
    json_object_set_new(json, "caption", json_string(step->now.caption));
    json_object_set_new(json, "notes", texts_json(step->notes, step->note_count));
    json_object_set_new(json, "tags", tags_json(&step->now));
    json_object_set_new(json, "changes", changes_json(pieces, before, &step->now, false));
    json_object_set_new(json, "words", changes_json(pieces, before, &step->now, true));
    json_object_set_new(json, "picture", pieces_of_svg(pieces, svg));
    return json;
}

static json_t *findings_json(const struct trace *trace)
{
    json_t *json = json_array();

    for (size_t i = 0; i < trace->finding_count; i++) {
        const struct finding *f = &trace->findings[i];
        json_t *steps = json_array();
        for (size_t k = 0; k < f->step_count; k++)
            json_array_append_new(steps, json_integer((json_int_t)f->steps[k]));
        json_array_append_new(json, json_pack("{ss ss si si ss so}", "kind", f->kind, "who", f->who,
                                              "file", f->file, "line", f->line, "text", f->text,
                                              "steps", steps));
    }
    return json;
}

static json_t *trace_json(const struct trace *trace, const struct svg_list *svgs)
{
    json_t *json = json_object(), *files = json_array(), *steps = json_array();
    struct pieces pieces;

    pieces_new(&pieces);
    for (size_t i = 0; i < trace->file_count; i++)
        json_array_append_new(files, json_pack("{ss ss}", "name", trace->files[i].name, "text",
                                               trace->files[i].text));
    for (size_t i = 0; i < trace->step_count; i++)
        json_array_append_new(steps, step_json(&pieces, trace, i, svgs->items[i]));
    json_object_set_new(json, "program", json_string(trace->program));
    json_object_set_new(json, "arguments", texts_json(trace->arguments, trace->argument_count));
    json_object_set_new(json, "order", json_string(trace->order));
    json_object_set_new(json, "end", json_string(trace->end));
    json_object_set_new(json, "notes", texts_json(trace->notes, trace->note_count));
    json_object_set_new(json, "findings", findings_json(trace));
    json_object_set_new(json, "files", files);
    const char *first = trace->step_count > 0 ? svgs->items[0] : "";
    json_object_set_new(json, "view", pieces_attribute(first, "<svg", "viewBox"));
    json_object_set_new(json, "transform", pieces_attribute(first, "<g ", "transform"));
    json_object_set_new(json, "steps", steps);
    json_object_set(json, "shared", pieces.texts);
    pieces_free(&pieces);
    return json;
}

/* ---- the page ---- */

/* In JSON a "<" only stands inside a string. Escaped, no text can end the element around it. */
static int put_json(const char *buffer, size_t size, void *data)
{
    FILE *out = data;

    for (size_t i = 0; i < size; i++)
        if (buffer[i] == '<')
            fputs("\\u003c", out);
        else
            fputc(buffer[i], out);
    return ferror(out) ? -1 : 0;
}

/* The template, with each {{word}} replaced. */
static int put_page(FILE *out, const char *title, const json_t *data, struct error *err)
{
    const char *at = page_html, *mark;

    for (; (mark = strstr(at, "{{")) != NULL; at = strstr(mark, "}}") + 2) {
        fwrite(at, 1, (size_t)(mark - at), out);
        if (strncmp(mark, "{{title}}", 9) == 0)
            xml_escape(out, title);
        else if (strncmp(mark, "{{css}}", 7) == 0)
            fputs(page_css, out);
        else if (strncmp(mark, "{{js}}", 6) == 0)
            fputs(page_js, out);
        else
            json_dump_callback(data, put_json, out, JSON_COMPACT);
    }
    fputs(at, out);
    if (ferror(out) || fflush(out) == EOF)
        return fail(err, "write: %s", strerror(errno));
    return 0;
}

static int put_file(const struct trace *trace, const struct svg_list *svgs, const char *path,
                    struct error *err)
{
    FILE *out = path == NULL ? stdout : fopen(path, "we");

    if (out == NULL)
        return fail(err, "%s: %s", path, strerror(errno));
    json_t *data = trace_json(trace, svgs);
    int result = put_page(out, trace->title[0] != '\0' ? trace->title : trace->program, data, err);
    json_decref(data);
    if (path != NULL && fclose(out) == EOF && result == 0)
        result = fail(err, "%s: %s", path, strerror(errno));
    return result;
}

int page_write(const struct trace *trace, const char *path, struct error *err)
{
    struct snapshot *records = dot_records(trace);
    struct layout *layout = layout_make(records, trace->step_count);
    struct svg_list svgs = {0};
    FILE *dot = tmpfile();
    int result = dot == NULL ? fail(err, "temporary file: %s", strerror(errno)) : 0;

    for (size_t i = 0; i < trace->step_count && result == 0; i++)
        result = dot_write(
            dot, &(struct picture){.layout = layout, .index = i, .trace = trace, .bare = true},
            err);
    if (result == 0 && trace->step_count > 0)
        result = svg_draw(dot, trace->step_count, &svgs, err);
    if (result == 0)
        result = put_file(trace, &svgs, path, err);
    svg_free(&svgs);
    if (dot != NULL)
        fclose(dot);
    layout_free(layout);
    free(records);
    return result;
}
