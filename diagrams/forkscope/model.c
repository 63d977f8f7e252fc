/* model.c - names and labels of what a measurement holds, and its memory. */
#include "model.h"

#include <ctype.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int fail(struct error *err, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    return -1;
}

void *grown(void *items, size_t count, size_t size)
{
    /* Doubling at powers of two: room is there exactly when count is not one. */
    if ((count & (count - 1)) == 0) {
        size_t room = count == 0 ? 1 : 2 * count;
        items = reallocarray(items, room, size);
        if (items == NULL) {
            fputs("forkscope: memory: exhausted\n", stderr);
            exit(EXIT_FAILURE);
        }
    }
    memset((char *)items + count * size, 0, size);
    return items;
}

void *zeroed(size_t count, size_t size)
{
    void *items = calloc(count > 0 ? count : 1, size);

    if (items == NULL) {
        fputs("forkscope: memory: exhausted\n", stderr);
        exit(EXIT_FAILURE);
    }
    return items;
}

void snapshot_free(struct snapshot *s)
{
    for (size_t i = 0; i < s->process_count; i++) {
        free(s->processes[i].descriptors);
        free(s->processes[i].at.frames);
    }
    free(s->processes);
    free(s->objects);
    free(s->clients);
    memset(s, 0, sizeof *s);
}

static const char *const tcp_names[] = {
    [TCP_ESTABLISHED] = "ESTABLISHED",
    [TCP_SYN_SENT] = "SYN_SENT",
    [TCP_SYN_RECV] = "SYN_RECV",
    [TCP_FIN_WAIT1] = "FIN_WAIT",
    [TCP_FIN_WAIT2] = "FIN_WAIT",
    [TCP_TIME_WAIT] = "TIME_WAIT",
    [TCP_CLOSE] = "CLOSED",
    [TCP_CLOSE_WAIT] = "CLOSE_WAIT",
    [TCP_LAST_ACK] = "LAST_ACK",
    [TCP_LISTEN] = "LISTEN",
    [TCP_CLOSING] = "CLOSING",
};
enum { TCP_NAMES = sizeof tcp_names / sizeof tcp_names[0] };

const char *tcp_name(int tcp)
{
    return tcp > 0 && tcp < TCP_NAMES ? tcp_names[tcp] : "";
}

int tcp_number(const char *name)
{
    for (int i = 1; i < TCP_NAMES; i++)
        if (strcmp(tcp_names[i], name) == 0)
            return i;
    return 0;
}

const char *state_name(enum process_state state)
{
    static const char *const names[] = {"running", "blocked", "stopped",
                                        "zombie",  "reaped",  "ready"};
    return names[state];
}

const char *kind_name(enum object_kind kind)
{
    static const char *const names[] = {"listening", "connection", "socket",
                                        "pipe read", "pipe write", "file"};
    return names[kind];
}

void object_label(const struct snapshot *s, const struct object *o, char *text, size_t size)
{
    switch (o->kind) {
    case OBJECT_LISTENING:
        snprintf(text, size, "listening socket :%u", (unsigned)o->port);
        return;
    case OBJECT_CONNECTION:
        if (o->client >= 0)
            snprintf(text, size, "connection with %s", s->clients[o->client].name);
        else if (o->tcp == TCP_CLOSE)
            snprintf(text, size, "TCP socket");
        else
            snprintf(text, size, "connection to :%u", (unsigned)o->peer_port);
        return;
    case OBJECT_SOCKET:
        snprintf(text, size, "socket");
        return;
    case OBJECT_PIPE_READ:
        snprintf(text, size, "pipe, read end");
        return;
    case OBJECT_PIPE_WRITE:
        snprintf(text, size, "pipe, write end");
        return;
    case OBJECT_FILE:
        snprintf(text, size, "%s", o->path[0] != '\0' ? o->path : "file");
        return;
    }
}

void object_short_label(const struct snapshot *s, const struct object *o, char *text, size_t size)
{
    if (o->kind == OBJECT_LISTENING)
        snprintf(text, size, "listening socket");
    else if (o->kind == OBJECT_CONNECTION && o->client >= 0)
        snprintf(text, size, "connection %s", s->clients[o->client].name);
    else
        object_label(s, o, text, size);
}

void process_label(const struct process *p, char *text, size_t size)
{
    switch (p->state) {
    case PROCESS_BLOCKED:
        snprintf(text, size, "blocked%s%s", p->doing[0] != '\0' ? " in " : "", p->doing);
        return;
    case PROCESS_ZOMBIE:
        snprintf(text, size, p->doing[0] != '\0' ? "zombie (%s)" : "zombie", p->doing);
        return;
    case PROCESS_GONE:
        snprintf(text, size, "reaped");
        return;
    case PROCESS_STOPPED:
        snprintf(text, size, "stopped%s%s", p->doing[0] != '\0' ? ", " : "", p->doing);
        return;
    case PROCESS_RUNNING:
        snprintf(text, size, "running");
        return;
    case PROCESS_READY:
        snprintf(text, size, "ready");
        return;
    }
}

int descriptor_object(const struct process *p, int fd)
{
    for (size_t i = 0; i < p->descriptor_count && p->descriptors[i].fd <= fd; i++)
        if (p->descriptors[i].fd == fd)
            return p->descriptors[i].object;
    return -1;
}

/* Bytes of the UTF-8 letter that begins at `at`, 0 when there is none or it is a control character. */
static size_t letter_size(const unsigned char *at)
{
    size_t size = at[0] < 0x80                    ? 1
                  : at[0] >= 0xc2 && at[0] < 0xe0 ? 2
                  : at[0] >= 0xe0 && at[0] < 0xf0 ? 3
                  : at[0] >= 0xf0 && at[0] < 0xf5 ? 4
                                                  : 0;

    if (size == 1 && (at[0] < 0x20 || at[0] == 0x7f))
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    /* Not allowed though of the right form: overlong, surrogates, above U+10FFFF. */
    if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] >= 0xa0) ||
        (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] >= 0x90))
        return 0;
    return size;
}

void text_copy(char *to, size_t size, const char *from)
{
    const unsigned char *at = (const unsigned char *)from;
    size_t length = 0;

    while (*at != '\0') {
        size_t letter = letter_size(at);
        size_t wanted = letter > 0 ? letter : 1;
        if (length + wanted >= size)
            break;
        if (letter > 0)
            memcpy(to + length, at, letter);
        else
            to[length] = '?';
        length += wanted;
        at += wanted;
    }
    to[length] = '\0';
}

bool plain_name(const char *name)
{
    if (!isalpha((unsigned char)name[0]))
        return false;
    for (; *name != '\0'; name++)
        if (!isalnum((unsigned char)*name) && *name != '_')
            return false;
    return true;
}

void letter_name(size_t number, char *text, size_t size)
{
    char reversed[NAME_SIZE];
    size_t count = 0;

    for (number++; number > 0 && count + 1 < sizeof reversed; number = (number - 1) / 26)
        reversed[count++] = (char)('A' + (number - 1) % 26);
    size_t i = 0;
    for (; i + 1 < size && count > 0; i++)
        text[i] = reversed[--count];
    text[i] = '\0';
}
