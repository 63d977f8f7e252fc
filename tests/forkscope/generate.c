/*
 * tests/forkscope/generate.c - a random small program of fork, dup, close, pipe and wait.
 *
 *   generate SEED
 *
 * Prints a C program. It keeps a table of what each process has open, so that most
 * calls find what they need; some are wrong on purpose, as those of beginners are. The same
 * seed gives the same program on every machine.
 */
#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { DESCRIPTORS = 40, MAX_PROCESSES = 6, MAX_DEPTH = 3 };

enum what { NOTHING, ENDLESS, PIPE_READ, PIPE_WRITE, PAIR, PLAIN_FILE };

struct process {
    enum what open[DESCRIPTORS];
    int children; /* not waited for */
};

static uint64_t state;
static int processes = 1;

/* 0 to below - 1, by xorshift64*: not the C library's, which differs between machines. */
static int chance(int below)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (int)((unsigned)(state * 0x2545f4914f6cdd1dULL >> 33) % (unsigned)below);
}

static void line(int depth, const char *format, int a, int b)
{
    printf("%*s", 4 * (depth + 1), "");
    printf(format, a, b);
    putchar('\n');
}

static void plain_line(int depth, const char *text)
{
    printf("%*s%s\n", 4 * (depth + 1), "", text);
}

static int lowest_free(const struct process *p, int from)
{
    while (from < DESCRIPTORS && p->open[from] != NOTHING)
        from++;
    return from;
}

/* A descriptor above 2 that is open, or `instead`. */
static int any_open(const struct process *p, int instead)
{
    int list[DESCRIPTORS] = {0}, count = 0;

    for (int fd = 3; fd < DESCRIPTORS; fd++)
        if (p->open[fd] != NOTHING)
            list[count++] = fd;
    return count > 0 ? list[chance(count)] : instead;
}

static int count_open(const struct process *p)
{
    int count = 0;

    for (int fd = 0; fd < DESCRIPTORS; fd++)
        count += p->open[fd] != NOTHING;
    return count;
}

static void write_byte(const struct process *p, int depth)
{
    for (int fd = 3; fd < DESCRIPTORS; fd++)
        if (p->open[fd] == PIPE_WRITE) {
            line(depth, "(void)!write(%d, \"x\", 1);", fd, 0);
            return;
        }
}

/* May wait for ever when nobody writes: then the trace ends with the program at rest. */
static void read_byte(const struct process *p, int depth)
{
    for (int fd = DESCRIPTORS - 1; fd > 2; fd--)
        if (p->open[fd] == PIPE_READ) {
            line(depth, "(void)!read(%d, &byte, 1);", fd, 0);
            return;
        }
}

static void two(struct process *p, int depth, const char *text, enum what first, enum what second)
{
    if (count_open(p) > DESCRIPTORS / 2)
        return;
    plain_line(depth, text);
    p->open[lowest_free(p, 0)] = first;
    p->open[lowest_free(p, 0)] = second;
}

static void statements(struct process *p, int depth, int count);

static void fork_child(struct process *p, int depth)
{
    struct process child = *p;

    if (depth >= MAX_DEPTH || processes >= MAX_PROCESSES)
        return;
    processes++;
    child.children = 0;
    plain_line(depth, "if (fork() == 0) {");
    statements(&child, depth + 1, 1 + chance(5));
    line(depth + 1, "_exit(%d);", chance(4), 0);
    plain_line(depth, "}");
    p->children++;
}

static void close_one(struct process *p, int depth)
{
    int fd = chance(12) == 0 ? 3 + chance(20) : any_open(p, 3);

    line(depth, "close(%d);", fd, 0);
    p->open[fd] = NOTHING;
}

static void duplicate(struct process *p, int depth)
{
    int from = any_open(p, 1), to = 3 + chance(12);

    if (count_open(p) > DESCRIPTORS / 2)
        return;
    switch (chance(4)) {
    case 0:
        line(depth, "dup2(%d, %d);", from, to);
        if (p->open[from] != NOTHING)
            p->open[to] = p->open[from];
        return;
    case 1:
        line(depth, "fcntl(%d, F_DUPFD, %d);", from, 10);
        if (p->open[from] != NOTHING)
            p->open[lowest_free(p, 10)] = p->open[from];
        return;
    default:
        line(depth, "dup(%d);", from, 0);
        if (p->open[from] != NOTHING)
            p->open[lowest_free(p, 0)] = p->open[from];
    }
}

static void statements(struct process *p, int depth, int count)
{
    while (count-- > 0) {
        int kind = chance(22);
        if (kind < 5) {
            fork_child(p, depth);
        } else if (kind < 9) {
            close_one(p, depth);
        } else if (kind < 12) {
            two(p, depth, "(void)!pipe(ends);", PIPE_READ, PIPE_WRITE);
        } else if (kind < 13) {
            two(p, depth, "(void)!socketpair(AF_UNIX, SOCK_STREAM, 0, ends);", PAIR, PAIR);
        } else if (kind < 16) {
            duplicate(p, depth);
        } else if (kind < 17) {
            plain_line(depth, "(void)!open(\"/dev/null\", O_RDWR);");
            p->open[lowest_free(p, 0)] = PLAIN_FILE;
        } else if (kind < 18) {
            write_byte(p, depth);
        } else if (kind < 19) {
            if (chance(3) == 0)
                read_byte(p, depth);
        } else if (kind < 20) {
            plain_line(depth, "waitpid(-1, NULL, WNOHANG);");
        } else if (p->children > 0 || chance(6) == 0) {
            plain_line(depth, "wait(NULL);");
            p->children -= p->children > 0;
        }
    }
}

int main(int argc, char *argv[])
{
    struct process root = {.open = {ENDLESS, ENDLESS, ENDLESS}};

    if (argc != 2 || !isdigit((unsigned char)argv[1][0])) {
        fputs("usage: generate SEED\n", stderr);
        return 2;
    }
    /* Neighbouring seeds shall give different programs. */
    state = (strtoull(argv[1], NULL, 10) + 1) * 0x9e3779b97f4a7c15ULL;
    printf("/* generate %s */\n#include <fcntl.h>\n#include <stddef.h>\n#include <sys/socket.h>\n"
           "#include <sys/wait.h>\n#include <unistd.h>\n\nint main(void)\n{\n"
           "    char byte = 0;\n    int ends[2] = {0};\n\n    (void)byte;\n    (void)ends;\n",
           argv[1]);
    statements(&root, 0, 6 + chance(10));
    puts("    return 0;\n}");
    return 0;
}
