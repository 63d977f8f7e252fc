/*
 * pieces.h - texts that occur again and again, kept once.
 *
 * From step to step most boxes and lines of a picture stay as they are, and most sentences.
 * So a page of many steps holds each of them once, and for each step a list of numbers.
 */
#ifndef FORKSCOPE_PIECES_H
#define FORKSCOPE_PIECES_H

#include <jansson.h>

struct pieces {
    json_t *texts;   /* array of strings: the pieces, by number */
    json_t *numbers; /* object: from a piece to its number */
};

/* Free with pieces_free. */
void pieces_new(struct pieces *pieces);
void pieces_free(struct pieces *pieces);

/* The lines of `text`, as a new array of numbers. */
json_t *pieces_of_lines(struct pieces *pieces, const char *text);

/*
 * The boxes and lines of a picture as Graphviz wrote it (svg.h), as a new array of numbers:
 * each is SVG, without what is the same in all of them.
 */
json_t *pieces_of_svg(struct pieces *pieces, const char *svg);

/*
 * The value of an attribute in the first tag that begins with `tag`, as a new string: empty
 * where there is none. pieces_attribute(svg, "<svg", "viewBox")
 */
json_t *pieces_attribute(const char *svg, const char *tag, const char *attribute);

#endif
