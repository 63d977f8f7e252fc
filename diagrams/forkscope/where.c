/* where.c - steps and places in words. */
#include "where.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct frame *where_frame(const struct chain *chain)
{
    for (size_t i = 0; i < chain->count; i++)
        if (!chain->frames[i].signal && chain->frames[i].file >= 0)
            return &chain->frames[i];
    return NULL;
}

const char *where_signal(const struct chain *chain)
{
    for (size_t i = 0; i < chain->count; i++)
        if (chain->frames[i].signal)
            return chain->frames[i].function;
    return NULL;
}

void where_place(const struct trace *trace, const struct chain *chain, char *text, size_t size)
{
    const struct frame *frame = where_frame(chain);

    text[0] = '\0';
    if (frame != NULL)
        snprintf(text, size, "%s:%d", trace->files[frame->file].name, frame->line);
}

void where_source(const struct trace *trace, const struct frame *frame, char *text, size_t size)
{
    text[0] = '\0';
    if (frame == NULL || frame->file < 0)
        return;
    const char *line = trace->files[frame->file].text;
    for (int i = 1; i < frame->line && line != NULL; i++) {
        line = strchr(line, '\n');
        if (line != NULL)
            line++;
    }
    if (line == NULL)
        return;
    while (*line == ' ' || *line == '\t')
        line++;
    size_t length = strcspn(line, "\n");
    while (length > 0 && isspace((unsigned char)line[length - 1]))
        length--;
    char *copy = zeroed(length + 1, 1);
    memcpy(copy, line, length);
    for (size_t i = 0; i < length; i++)
        if (copy[i] == '\t')
            copy[i] = ' ';
    text_copy(text, size, copy);
    free(copy);
}

void where_chain(const struct chain *chain, char *text, size_t size)
{
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < chain->count && used + 1 < size; i++) {
        const struct frame *f = &chain->frames[i];
        char frame[TEXT_SIZE + 16];
        if (f->line > 0)
            snprintf(frame, sizeof frame, "%s:%d", f->function, f->line);
        else
            snprintf(frame, sizeof frame, "%s", f->function);
        used += (size_t)snprintf(text + used, size - used, "%s%s", i > 0 ? " ← " : "", frame);
    }
}

void where_headline(const struct step *step, char *text, size_t size)
{
    const char *who = step->who, *call = step->call, *result = step->result;
    bool has = result[0] != '\0';

    switch (step->kind) {
    case STEP_START:
        snprintf(text, size, "%s: starts in main", who);
        return;
    case STEP_BLOCK:
        snprintf(text, size, "%s: %s, waits", who, call);
        return;
    case STEP_SIGNAL:
        snprintf(text, size, "%s: %s arrives%s%s%s", who, call, has ? " (" : "", result,
                 has ? ")" : "");
        return;
    case STEP_RETURN:
        snprintf(text, size, "%s: %s returns", who, has ? result : call);
        return;
    case STEP_CLIENT:
        snprintf(text, size, "client %s: %s%s%s", who, call, has ? " " : "", result);
        return;
    case STEP_TELL:
        snprintf(text, size, "scenario to %s: %s%s%s", who, call, has ? " " : "", result);
        return;
    case STEP_CALL:
    case STEP_BORN:
    case STEP_EXIT:
        break;
    }
    snprintf(text, size, "%s: %s%s%s", who, call, has ? " = " : "", result);
}

void where_process(const struct trace *trace, const struct process *p, char *text, size_t size)
{
    enum { FITS = 40 };
    char place[WHERE_SIZE], state[2 * TEXT_SIZE];

    where_place(trace, &p->at, place, sizeof place);
    process_label(p, state, sizeof state);
    if (place[0] == '\0' || p->state == PROCESS_ZOMBIE || p->state == PROCESS_GONE) {
        snprintf(text, size, "%s", state);
        return;
    }
    bool in_call = p->state == PROCESS_BLOCKED && p->doing[0] != '\0';
    /* Where not all fits, the arguments go first, and then the call. */
    if (in_call && strlen(state) + strlen(place) + 2 > FITS)
        state[strcspn(state, "(")] = '\0';
    if (in_call && strlen(state) + strlen(place) + 2 > FITS)
        snprintf(text, size, "%s at %s", state_name(p->state), place);
    else
        snprintf(text, size, "%s%s%s", state, in_call ? ", " : " at ", place);
}
