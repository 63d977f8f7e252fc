/* step.c - traces as JSON lines, by jansson: written a line at a time, read whole. */
#include "step.h"
#include "record.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char *const kind_names[] = {
    [STEP_START] = "start", [STEP_CALL] = "call",     [STEP_BLOCK] = "block",
    [STEP_BORN] = "born",   [STEP_SIGNAL] = "signal", [STEP_RETURN] = "return",
    [STEP_EXIT] = "exit",   [STEP_CLIENT] = "client", [STEP_TELL] = "tell",
};
enum { KINDS = sizeof kind_names / sizeof kind_names[0] };

const char *step_kind_name(enum step_kind kind)
{
    return kind_names[kind];
}

/* ---- write ---- */

static json_t *texts_json(char *const *texts, size_t count)
{
    json_t *json = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(json, json_string(texts[i]));
    return json;
}

/* One line, and `json` is freed. */
static int write_line(FILE *out, json_t *json, struct error *err)
{
    int result = json_dumpf(json, out, JSON_COMPACT);

    json_decref(json);
    if (result == -1 || fputc('\n', out) == EOF || fflush(out) == EOF)
        return fail(err, "write: %s", strerror(errno));
    return 0;
}

int trace_write_header(FILE *out, const struct trace *trace, struct error *err)
{
    json_t *files = json_array();
    json_t *json = json_pack("{si ss so ss ss}", "trace", 1, "program", trace->program, "arguments",
                             texts_json(trace->arguments, trace->argument_count), "title",
                             trace->title, "order", trace->order);

    for (size_t i = 0; i < trace->file_count; i++)
        json_array_append_new(files, json_pack("{ss ss}", "name", trace->files[i].name, "text",
                                               trace->files[i].text));
    json_object_set_new(json, "files", files);
    return write_line(out, json, err);
}

int trace_write_step(FILE *out, const struct step *step, struct error *err)
{
    json_t *json =
        json_pack("{si ss ss ss ss ss}", "step", (int)step->number, "kind",
                  step_kind_name(step->kind), "who", step->who, "call", step->call, "result",
                  step->result, "output", step->output != NULL ? step->output : "");

    json_object_set_new(json, "chain", record_chain(&step->chain));
    json_object_set_new(json, "notes", texts_json(step->notes, step->note_count));
    if (step->errno_to[0] != '\0')
        json_object_set_new(json, "errno_changed",
                            json_pack("{ss ss}", "from", step->errno_from, "to", step->errno_to));
    record_set(json, &step->now, false);
    return write_line(out, json, err);
}

int trace_write_end(FILE *out, const struct trace *trace, struct error *err)
{
    json_t *findings = json_array();

    for (size_t i = 0; i < trace->finding_count; i++) {
        const struct finding *f = &trace->findings[i];
        json_t *steps = json_array();
        for (size_t k = 0; k < f->step_count; k++)
            json_array_append_new(steps, json_integer((json_int_t)f->steps[k]));
        json_array_append_new(findings, json_pack("{ss ss si si ss so}", "kind", f->kind, "who",
                                                  f->who, "file", f->file, "line", f->line, "text",
                                                  f->text, "steps", steps));
    }
    return write_line(out,
                      json_pack("{ss si so so}", "end", trace->end, "steps", (int)trace->step_count,
                                "notes", texts_json(trace->notes, trace->note_count), "findings",
                                findings),
                      err);
}

/* ---- read ---- */

static char *copied(const char *text)
{
    size_t size = strlen(text) + 1;

    return memcpy(zeroed(size, 1), text, size);
}

/* Append the strings of an array; what is no string is left out. */
static void read_texts(const json_t *json, char ***texts, size_t *count)
{
    json_t *item;
    size_t i;

    json_array_foreach (json, i, item) {
        if (!json_is_string(item))
            continue;
        *texts = grown(*texts, *count, sizeof **texts);
        (*texts)[(*count)++] = copied(json_string_value(item));
    }
}

static int read_header(const json_t *json, struct trace *trace, struct error *err)
{
    const char *program, *title, *order;
    json_t *arguments, *files, *item;
    int version;
    size_t i;

    if (json_unpack((json_t *)json, "{si ss so ss ss so}", "trace", &version, "program", &program,
                    "arguments", &arguments, "title", &title, "order", &order, "files",
                    &files) == -1)
        return fail(err, "not a trace: its first line lacks trace, program, arguments, title, "
                         "order or files");
    if (version != 1)
        return fail(err, "a trace of version %d; this forkscope reads version 1", version);
    text_copy(trace->program, sizeof trace->program, program);
    text_copy(trace->title, sizeof trace->title, title);
    text_copy(trace->order, sizeof trace->order, order);
    read_texts(arguments, &trace->arguments, &trace->argument_count);
    json_array_foreach (files, i, item) {
        const char *name, *text;
        if (json_unpack(item, "{ss ss}", "name", &name, "text", &text) == -1)
            return fail(err, "a source file lacks name or text");
        trace->files = grown(trace->files, trace->file_count, sizeof *trace->files);
        struct source_file *file = &trace->files[trace->file_count++];
        text_copy(file->name, sizeof file->name, name);
        file->text = copied(text);
    }
    return 0;
}

/* Does every frame name a file that the header has? */
static bool files_known(const struct trace *trace, const struct chain *chain)
{
    for (size_t i = 0; i < chain->count; i++)
        if (chain->frames[i].file < -1 || chain->frames[i].file >= (int)trace->file_count)
            return false;
    return true;
}

static int read_step(const json_t *json, struct trace *trace, struct error *err)
{
    const char *kind, *who, *call, *result, *output, *from, *to;
    json_t *chain, *notes;
    int number, k = 0;

    if (json_unpack((json_t *)json, "{si ss ss ss ss ss so so}", "step", &number, "kind", &kind,
                    "who", &who, "call", &call, "result", &result, "output", &output, "chain",
                    &chain, "notes", &notes) == -1)
        return fail(err, "a step lacks step, kind, who, call, result, output, chain or notes");
    while (k < KINDS && strcmp(kind_names[k], kind) != 0)
        k++;
    if (k == KINDS)
        return fail(err, "a step of unknown kind '%.40s'", kind);
    if (number != (int)trace->step_count + 1)
        return fail(err, "step %d where step %zu should be", number, trace->step_count + 1);
    trace->steps = grown(trace->steps, trace->step_count, sizeof *trace->steps);
    struct step *step = &trace->steps[trace->step_count++];
    step->number = (size_t)number;
    step->kind = (enum step_kind)k;
    text_copy(step->who, sizeof step->who, who);
    text_copy(step->call, sizeof step->call, call);
    text_copy(step->result, sizeof step->result, result);
    if (output[0] != '\0')
        step->output = copied(output);
    read_texts(notes, &step->notes, &step->note_count);
    if (json_unpack(json_object_get(json, "errno_changed"), "{ss ss}", "from", &from, "to", &to) ==
        0) {
        text_copy(step->errno_from, sizeof step->errno_from, from);
        text_copy(step->errno_to, sizeof step->errno_to, to);
    }
    if (record_get_chain(chain, &step->chain, err) == -1 || record_get(json, &step->now, err) == -1)
        return -1;
    if (!files_known(trace, &step->chain))
        return fail(err, "step %d names a source file that is not there", number);
    for (size_t i = 0; i < step->now.process_count; i++)
        if (!files_known(trace, &step->now.processes[i].at))
            return fail(err, "step %d names a source file that is not there", number);
    return 0;
}

static int read_finding(const json_t *json, struct trace *trace, struct error *err)
{
    const char *kind, *who, *text;
    json_t *steps, *item;
    int file, line;
    size_t i;

    if (json_unpack((json_t *)json, "{ss ss si si ss so}", "kind", &kind, "who", &who, "file",
                    &file, "line", &line, "text", &text, "steps", &steps) == -1)
        return fail(err, "a finding lacks kind, who, file, line, text or steps");
    if (file < -1 || file >= (int)trace->file_count)
        return fail(err, "a finding names a source file that is not there");
    trace->findings = grown(trace->findings, trace->finding_count, sizeof *trace->findings);
    struct finding *f = &trace->findings[trace->finding_count++];
    text_copy(f->kind, sizeof f->kind, kind);
    text_copy(f->who, sizeof f->who, who);
    text_copy(f->text, sizeof f->text, text);
    f->file = file;
    f->line = line;
    json_array_foreach (steps, i, item) {
        f->steps = grown(f->steps, f->step_count, sizeof *f->steps);
        f->steps[f->step_count++] = (size_t)json_integer_value(item);
    }
    return 0;
}

static int read_end(const json_t *json, struct trace *trace, struct error *err)
{
    const char *end;
    json_t *notes, *findings, *item;
    size_t i;

    if (json_unpack((json_t *)json, "{ss so so}", "end", &end, "notes", &notes, "findings",
                    &findings) == -1)
        return fail(err, "the last line lacks end, notes or findings");
    text_copy(trace->end, sizeof trace->end, end);
    read_texts(notes, &trace->notes, &trace->note_count);
    json_array_foreach (findings, i, item) {
        if (read_finding(item, trace, err) == -1)
            return -1;
    }
    return 0;
}

/* Whatever line number `number` is. Returns 1 when it is the last one, 0, or -1 with err filled. */
static int read_line(const json_t *json, size_t number, struct trace *trace, struct error *err)
{
    if (number == 1)
        return read_header(json, trace, err);
    if (json_object_get(json, "end") == NULL)
        return read_step(json, trace, err);
    return read_end(json, trace, err) == -1 ? -1 : 1;
}

bool trace_is(FILE *in)
{
    char *line = NULL;
    size_t room = 0;
    json_t *json = getline(&line, &room, in) == -1 ? NULL : json_loads(line, 0, NULL);
    bool is = json_object_get(json, "trace") != NULL;

    json_decref(json);
    free(line);
    rewind(in);
    return is;
}

int trace_read(FILE *in, const char *name, struct trace *trace, struct error *err)
{
    char *line = NULL;
    size_t room = 0, number = 0;
    ssize_t length;
    int result = 0;

    memset(trace, 0, sizeof *trace);
    while (result == 0 && (length = getline(&line, &room, in)) != -1) {
        json_error_t where;
        struct error inner;
        json_t *json = json_loads(line, 0, &where);
        number++;
        /* A line without an end: whoever wrote it was killed in the middle of it. */
        if (json == NULL && number > 1 && line[length - 1] != '\n')
            break;
        if (json == NULL) {
            result =
                fail(err, "%s: line %zu, column %d: %s", name, number, where.column, where.text);
            break;
        }
        result = read_line(json, number, trace, &inner);
        if (result == -1)
            fail(err, "%s: line %zu: %.200s", name, number, inner.text);
        json_decref(json);
    }
    if (result == 0 && ferror(in))
        result = fail(err, "%s: %s", name, strerror(errno));
    if (result == 0 && number == 0)
        result = fail(err, "%s: no trace in it", name);
    if (result == 0)
        snprintf(trace->end, sizeof trace->end, "the file is cut off here");
    free(line);
    if (result == -1)
        trace_free(trace);
    return result == -1 ? -1 : 0;
}

static void free_texts(char **texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(texts[i]);
    free(texts);
}

void step_free(struct step *step)
{
    free(step->chain.frames);
    free(step->output);
    free_texts(step->notes, step->note_count);
    snapshot_free(&step->now);
    memset(step, 0, sizeof *step);
}

void trace_free(struct trace *trace)
{
    free_texts(trace->arguments, trace->argument_count);
    for (size_t i = 0; i < trace->file_count; i++)
        free(trace->files[i].text);
    free(trace->files);
    for (size_t i = 0; i < trace->step_count; i++)
        step_free(&trace->steps[i]);
    free(trace->steps);
    free_texts(trace->notes, trace->note_count);
    for (size_t i = 0; i < trace->finding_count; i++)
        free(trace->findings[i].steps);
    free(trace->findings);
    memset(trace, 0, sizeof *trace);
}
