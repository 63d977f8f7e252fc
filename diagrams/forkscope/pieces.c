/* pieces.c - cut, and number. */
#include "pieces.h"
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void pieces_new(struct pieces *pieces)
{
    pieces->texts = json_array();
    pieces->numbers = json_object();
}

void pieces_free(struct pieces *pieces)
{
    json_decref(pieces->texts);
    json_decref(pieces->numbers);
}

/* The number of a piece, which is a new one if nobody has had it before. */
static json_t *number_of(struct pieces *pieces, const char *text)
{
    json_t *number = json_object_get(pieces->numbers, text);

    if (number != NULL)
        return json_incref(number);
    number = json_integer((json_int_t)json_array_size(pieces->texts));
    json_array_append_new(pieces->texts, json_string(text));
    json_object_set(pieces->numbers, text, number);
    return number;
}

json_t *pieces_of_lines(struct pieces *pieces, const char *text)
{
    json_t *numbers = json_array();
    char *copy = strdup(text), *rest = copy;

    for (char *line; rest != NULL && (line = strsep(&rest, "\n")) != NULL;)
        if (line[0] != '\0')
            json_array_append_new(numbers, number_of(pieces, line));
    free(copy);
    return numbers;
}

/* Cut every part that begins with `from`, up to and with the next `to`, out of `text`. */
static void cut_out(char *text, const char *from, const char *to)
{
    char *at = text, *begin, *end;

    while ((begin = strstr(at, from)) != NULL && (end = strstr(begin + strlen(from), to)) != NULL) {
        end += strlen(to);
        memmove(begin, end, strlen(end) + 1);
        at = begin;
    }
}

json_t *pieces_of_svg(struct pieces *pieces, const char *svg)
{
    json_t *numbers = json_array();
    const char *at = strstr(svg, "class=\"graph\""), *begin, *end;

    /* Inside the graph's group there is one group for each node and each edge, none nested. */
    while (at != NULL && (begin = strstr(at, "<g ")) != NULL && (begin = strchr(begin, '\n')) &&
           (end = strstr(begin, "</g>")) != NULL) {
        size_t length = (size_t)(end - begin - 1);
        char *piece = zeroed(length + 1, 1);
        memcpy(piece, begin + 1, length);
        cut_out(piece, "<title>", "</title>\n");
        cut_out(piece, " font-family=\"", "\"");
        if (piece[0] != '\0')
            json_array_append_new(numbers, number_of(pieces, piece));
        free(piece);
        at = end;
    }
    return numbers;
}

json_t *pieces_attribute(const char *svg, const char *tag, const char *attribute)
{
    char name[64];
    const char *begin = strstr(svg, tag);

    snprintf(name, sizeof name, " %s=\"", attribute);
    begin = begin == NULL ? NULL : strstr(begin, name);
    if (begin == NULL)
        return json_string("");
    begin += strlen(name);
    return json_stringn(begin, strcspn(begin, "\""));
}
