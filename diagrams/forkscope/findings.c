/* findings.c - collects what the judges find, in a fixed order, and prints it. */
#include "findings.h"
#include "judge.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* ---- for the judges ---- */

struct finding *finding_known(struct trace *trace, const char *kind, const struct frame *where)
{
    for (size_t i = 0; i < trace->finding_count; i++) {
        struct finding *f = &trace->findings[i];
        if (strcmp(f->kind, kind) == 0 && f->file == where->file && f->line == where->line)
            return f;
    }
    return NULL;
}

struct finding *finding_add(struct trace *trace, const char *kind, const char *who,
                            const struct frame *where)
{
    trace->findings = grown(trace->findings, trace->finding_count, sizeof *trace->findings);
    struct finding *f = &trace->findings[trace->finding_count++];
    snprintf(f->kind, sizeof f->kind, "%s", kind);
    snprintf(f->who, sizeof f->who, "%s", who);
    f->file = where != NULL ? where->file : -1;
    f->line = where != NULL ? where->line : 0;
    return f;
}

void finding_say(struct finding *finding, const char *format, ...)
{
    size_t length = strlen(finding->text);
    va_list args;

    va_start(args, format);
    vsnprintf(finding->text + length, sizeof finding->text - length, format, args);
    va_end(args);
}

void finding_list(struct finding *finding, size_t index, size_t count)
{
    if (index > 0)
        finding_say(finding, index + 1 == count ? " and " : ", ");
}

void finding_step(struct finding *finding, const struct trace *trace, long at)
{
    if (at < 0)
        return;
    size_t number = trace->steps[at].number;
    size_t i = 0;
    while (i < finding->step_count && finding->steps[i] < number)
        i++;
    if (i < finding->step_count && finding->steps[i] == number)
        return;
    finding->steps = grown(finding->steps, finding->step_count, sizeof *finding->steps);
    memmove(finding->steps + i + 1, finding->steps + i,
            (finding->step_count - i) * sizeof *finding->steps);
    finding->steps[i] = number;
    finding->step_count++;
}

bool same_place(const struct frame *a, const struct frame *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    return a->file == b->file && a->line == b->line;
}

void place_text(const struct trace *trace, const struct frame *where, char *text, size_t size)
{
    if (where == NULL || where->file < 0 || (size_t)where->file >= trace->file_count)
        snprintf(text, size, "a place without source");
    else
        snprintf(text, size, "%s:%d", trace->files[where->file].name, where->line);
}

const struct frame *forked_at(const struct evidence *e, int life)
{
    return e->lives[life].forked == NEVER
               ? NULL
               : user_frame(&e->trace->steps[e->lives[life].forked].chain);
}

bool rests_in(const struct evidence *e, int life, long rest, bool (*in)(const char *name))
{
    const struct snapshot *now = &e->trace->steps[rest].now;
    int process = process_at(now, e->lives[life].name);

    return process >= 0 && now->processes[process].state == PROCESS_BLOCKED &&
           in(called(now->processes[process].doing).name);
}

/* ---- the whole ---- */

static void forget_findings(struct trace *trace)
{
    for (size_t i = 0; i < trace->finding_count; i++)
        free(trace->findings[i].steps);
    free(trace->findings);
    trace->findings = NULL;
    trace->finding_count = 0;
}

static int in_order(const void *one, const void *other)
{
    const struct finding *a = one, *b = other;

    if (a->file != b->file)
        return a->file < b->file ? -1 : 1;
    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    int kind = strcmp(a->kind, b->kind);
    return kind != 0 ? kind : strcmp(a->text, b->text);
}

void findings_make(struct trace *trace)
{
    struct evidence evidence;

    forget_findings(trace);
    evidence_make(&evidence, trace);
    judge_descriptors(trace, &evidence);
    judge_pipes(trace, &evidence);
    judge_children(trace, &evidence);
    judge_clients(trace, &evidence);
    judge_handlers(trace, &evidence);
    judge_failures(trace, &evidence);
    evidence_free(&evidence);
    for (size_t i = 0; i < trace->finding_count; i++) {
        /* Names of files and functions are the program's: they may hold anything. */
        char clean[sizeof trace->findings[i].text];
        text_copy(clean, sizeof clean, trace->findings[i].text);
        snprintf(trace->findings[i].text, sizeof trace->findings[i].text, "%s", clean);
    }
    if (trace->finding_count > 1)
        qsort(trace->findings, trace->finding_count, sizeof *trace->findings, in_order);
}

int findings_print(FILE *out, const struct trace *trace, const struct table_style *style,
                   struct error *err)
{
    const char *bold = style->colour ? "\033[1m" : "", *plain = style->colour ? "\033[0m" : "";

    for (size_t i = 0; i < trace->finding_count; i++) {
        const struct finding *f = &trace->findings[i];
        if (f->file >= 0 && (size_t)f->file < trace->file_count)
            fprintf(out, "%s%s:%d:%s ", bold, trace->files[f->file].name, f->line, plain);
        fputs(f->text, out);
        for (size_t k = 0; k < f->step_count; k++)
            fprintf(out, "%s%zu",
                    k > 0               ? ", "
                    : f->step_count > 1 ? " (steps "
                                        : " (step ",
                    f->steps[k]);
        fputs(f->step_count > 0 ? ")\n" : "\n", out);
    }
    if (fflush(out) == EOF || ferror(out))
        return fail(err, "write: %s", strerror(errno));
    return 0;
}

int findings_write(FILE *out, const struct trace *trace, struct error *err)
{
    int result = 0;

    for (size_t i = 0; i < trace->finding_count && result != -1; i++) {
        const struct finding *f = &trace->findings[i];
        bool placed = f->file >= 0 && (size_t)f->file < trace->file_count;
        json_t *steps = json_array();
        for (size_t k = 0; k < f->step_count; k++)
            json_array_append_new(steps, json_integer((json_int_t)f->steps[k]));
        json_t *json = json_pack("{ss ss ss? si ss so}", "kind", f->kind, "who", f->who, "file",
                                 placed ? trace->files[f->file].name : NULL, "line", f->line,
                                 "text", f->text, "steps", steps);
        result = json_dumpf(json, out, JSON_COMPACT);
        json_decref(json);
        fputc('\n', out);
    }
    if (result == -1 || fflush(out) == EOF || ferror(out))
        return fail(err, "write: %s", strerror(errno));
    return 0;
}
