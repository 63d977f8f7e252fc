/* paint.c - colours and places. */
#include "paint.h"

#include <stdlib.h>
#include <string.h>

struct paint paint_process(enum process_state state)
{
    switch (state) {
    case PROCESS_RUNNING:
        return (struct paint){"#D6F5D6", "#1A7F37"};
    case PROCESS_STOPPED:
        return (struct paint){"#EADCF8", "#6F42C1"};
    case PROCESS_ZOMBIE:
        return (struct paint){"#D0D0D0", "#555555"};
    case PROCESS_GONE:
        return (struct paint){"#FFFFFF", "#999999"};
    case PROCESS_READY:
        return (struct paint){"#DCEBFA", "#0B5CAD"};
    case PROCESS_BLOCKED:
        break;
    }
    return (struct paint){"#FFF2CC", "#9A6700"};
}

const char *paint_object(const char *name)
{
    static const char *const colours[] = {"#0B5CAD", "#B3261E", "#146B2E",
                                          "#7A3FC0", "#8A5A00", "#00707A"};
    long number = strtol(name + 1, NULL, 10);

    return colours[(number > 0 ? number - 1 : 0) % 6];
}

void paint_position(FILE *out, int left, int width, int top, int height)
{
    fprintf(out, "pos=\"%g,%g!\"", left + width / 2.0, -(top + height / 2.0));
}

void paint_keep_end(char *text, size_t fits)
{
    size_t length = strlen(text);

    if (length <= fits)
        return;
    char *rest = text + length - fits + 2;
    while ((*rest & 0xc0) == 0x80)
        rest++; /* not in the midst of a letter */
    memmove(text + 2, rest, strlen(rest) + 1);
    memcpy(text, "..", 2);
}

void paint_keep_begin(char *text, size_t fits)
{
    if (strlen(text) <= fits)
        return;
    size_t end = fits - 2;
    while (end > 0 && (text[end] & 0xc0) == 0x80)
        end--;
    memcpy(text + end, "..", 3);
}
