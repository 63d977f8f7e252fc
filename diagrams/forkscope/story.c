/* story.c - one line for each action. */
#include "story.h"

#include <string.h>

/* Print text broken at spaces into lines of at most 78 columns. */
static void put_wrapped(FILE *out, const char *text)
{
    enum { COLUMNS = 78 };

    while (strlen(text) > COLUMNS) {
        size_t cut = COLUMNS;
        while (cut > 0 && text[cut] != ' ')
            cut--;
        if (cut == 0)
            break;
        fprintf(out, "%.*s\n", (int)cut, text);
        text += cut + 1;
    }
    fprintf(out, "%s\n", text);
}

void story_tell(FILE *story, const struct action *a)
{
    switch (a->verb) {
    case DO_SAY:
        put_wrapped(story, a->text);
        break;
    case DO_CONNECT:
        fprintf(story, "  client %-2s | connects\n", a->name);
        break;
    case DO_SEND:
        fprintf(story, "  client %-2s | sends: %s\n", a->name, a->text);
        break;
    case DO_RECEIVE:
        fprintf(story, "  client %-2s | receives: %s\n", a->name, a->text);
        break;
    case DO_RECEIVE_EOF:
        fprintf(story, "  client %-2s | receives end of file\n", a->name);
        break;
    case DO_RECEIVE_RESET:
        fprintf(story, "  client %-2s | finds its connection reset\n", a->name);
        break;
    case DO_HALF_CLOSE:
        fprintf(story, "  client %-2s | half-closes: sends end of file, can still receive\n",
                a->name);
        break;
    case DO_CLOSE:
        fprintf(story, "  client %-2s | closes\n", a->name);
        break;
    case DO_RESET:
        fprintf(story, "  client %-2s | resets its connection\n", a->name);
        break;
    case DO_STOP:
        fprintf(story, "  %-9s | is stopped (SIGSTOP)\n", a->name);
        break;
    case DO_CONTINUE:
        fprintf(story, "  %-9s | continues (SIGCONT)\n", a->name);
        break;
    case DO_SIGNAL:
        fprintf(story, "  %-9s | is sent SIG%s\n", a->name, a->text);
        break;
    case DO_LIMIT:
        fprintf(story, "  %-9s | may have descriptors below %zu only\n", a->name, a->number);
        break;
    case DO_TITLE:
    case DO_UNTIL:
    case DO_PICTURE:
    case DO_AT:
        break;
    }
}
