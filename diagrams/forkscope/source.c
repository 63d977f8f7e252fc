/* source.c - the program's functions, lines and files, from its debug information. */
#include "source.h"

#include <dwarf.h>
#include <elfutils/libdwfl.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CACHE = 1024 };

/* What an address of code is, as asked before. */
struct known {
    uint64_t pc;
    bool set;
    struct frame frame; /* file -1: not the program's own source */
};

struct source {
    Dwfl *dwfl;
    Dwfl_Module *program;
    char directory[PATH_MAX]; /* of the file with main, ending in / */
    uint64_t main;
    uint64_t main_end;
    bool optimised;
    struct known cache[CACHE];
};

static int no_debuginfo(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base,
                        const char *file, const char *link, GElf_Word crc, char **found)
{
    (void)module, (void)data, (void)name, (void)base, (void)file, (void)link, (void)crc;
    (void)found;
    return -1; /* only what is in the files themselves: nothing is searched or fetched */
}

static const Dwfl_Callbacks callbacks = {.find_elf = dwfl_linux_proc_find_elf,
                                         .find_debuginfo = no_debuginfo};

/* ---- the program ---- */

/* A path as a CU names it, made absolute and without "..", into `text` of PATH_MAX. */
static bool real_path(const char *directory, const char *name, char *text)
{
    char joined[2 * PATH_MAX];

    snprintf(joined, sizeof joined, "%s%s%s", name[0] == '/' ? "" : directory,
             name[0] == '/' ? "" : "/", name);
    return realpath(joined, text) != NULL;
}

static const char *compile_directory(Dwarf_Die *unit)
{
    Dwarf_Attribute attribute;
    const char *directory =
        dwarf_formstring(dwarf_attr_integrate(unit, DW_AT_comp_dir, &attribute));

    return directory != NULL ? directory : "";
}

static int find_main(Dwarf_Die *function, void *data)
{
    const char *name = dwarf_diename(function);
    Dwarf_Addr *at = NULL;

    if (name == NULL || strcmp(name, "main") != 0)
        return DWARF_CB_OK;
    struct source *source = data;
    Dwarf_Addr high;
    if (dwarf_entry_breakpoints(function, &at) > 0)
        source->main = at[0];
    free(at);
    if (dwarf_highpc(function, &high) == 0)
        source->main_end = high - 1;
    return DWARF_CB_ABORT;
}

/* -O1 to -O3, -Os, -Ofast or -Og in what the compiler says of itself. */
static bool says_optimised(Dwarf_Die *unit)
{
    Dwarf_Attribute attribute;
    const char *producer = dwarf_formstring(dwarf_attr(unit, DW_AT_producer, &attribute));

    if (producer == NULL)
        return false;
    for (const char *option = strstr(producer, " -O"); option != NULL;
         option = strstr(option + 3, " -O"))
        if (option[3] != '\0' && strchr("123sgfz", option[3]) != NULL)
            return true;
    return false;
}

static void look_for_main(struct source *source)
{
    Dwarf_Addr bias = 0;

    source->main = source->main_end = 0;
    if (source->program == NULL)
        return;
    for (Dwarf_Die *unit = NULL;
         source->main == 0 && (unit = dwfl_module_nextcu(source->program, unit, &bias)) != NULL;) {
        dwarf_getfuncs(unit, find_main, source, 0);
        if (source->main == 0)
            continue;
        source->optimised = says_optimised(unit);
        const char *name = dwarf_diename(unit);
        if (name == NULL || !real_path(compile_directory(unit), name, source->directory))
            source->directory[0] = '\0';
        char *slash = strrchr(source->directory, '/');
        if (slash != NULL)
            slash[1] = '\0';
        source->main += bias;
        source->main_end += bias;
    }
}

int source_refresh(struct source *source, pid_t pid, struct error *err)
{
    if (source->dwfl != NULL)
        dwfl_end(source->dwfl);
    memset(source->cache, 0, sizeof source->cache);
    source->program = NULL;
    source->dwfl = dwfl_begin(&callbacks);
    if (source->dwfl == NULL)
        return fail(err, "libdw: %s", dwfl_errmsg(-1));
    int result = dwfl_linux_proc_report(source->dwfl, pid);
    dwfl_report_end(source->dwfl, NULL, NULL);
    if (result != 0)
        return fail(err, "process %d: its memory map: %s", (int)pid,
                    result > 0 ? strerror(result) : dwfl_errmsg(-1));
    /* The first address that is executed of the program itself: AT_PHDR lies in its file. */
    char path[64], exe[PATH_MAX];
    snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    ssize_t length = readlink(path, exe, sizeof exe - 1);
    exe[length > 0 ? length : 0] = '\0';
    Dwarf_Addr where = 0;
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    FILE *maps = fopen(path, "re");
    char line[PATH_MAX + 128];
    while (maps != NULL && where == 0 && fgets(line, sizeof line, maps) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        const char *name = strchr(line, '/');
        if (name != NULL && strcmp(name, exe) == 0)
            where = strtoull(line, NULL, 16);
    }
    if (maps != NULL)
        fclose(maps);
    if (where != 0)
        source->program = dwfl_addrmodule(source->dwfl, where);
    look_for_main(source);
    return 0;
}

struct source *source_open(pid_t pid, struct error *err)
{
    struct source *source = zeroed(1, sizeof *source);

    if (source_refresh(source, pid, err) == 0)
        return source;
    source_close(source);
    return NULL;
}

void source_close(struct source *source)
{
    if (source == NULL)
        return;
    if (source->dwfl != NULL)
        dwfl_end(source->dwfl);
    free(source);
}

uint64_t source_main(const struct source *source)
{
    return source->main;
}

bool source_optimised(const struct source *source)
{
    return source->optimised;
}

struct wanted {
    const char *name;
    uint64_t address;
};

static int look_for_function(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr start,
                             void *arg)
{
    struct wanted *wanted = arg;
    GElf_Sym symbol;
    GElf_Addr address;

    (void)data, (void)name, (void)start;
    int count = dwfl_module_getsymtab(module);
    for (int i = 0; i < count; i++) {
        const char *found = dwfl_module_getsym_info(module, i, &symbol, &address, NULL, NULL, NULL);
        if (found != NULL && symbol.st_shndx != SHN_UNDEF && strcmp(found, wanted->name) == 0) {
            wanted->address = address;
            return DWARF_CB_ABORT;
        }
    }
    return DWARF_CB_OK;
}

uint64_t source_function(const struct source *source, const char *name)
{
    struct wanted wanted = {.name = name};

    dwfl_getmodules(source->dwfl, look_for_function, &wanted, 0);
    return wanted.address;
}

/* ---- source files ---- */

/* The whole of a text file, with what is no UTF-8 replaced; NULL when it cannot be read. */
static char *read_source(const char *path)
{
    FILE *in = fopen(path, "re");
    char *line = NULL, *text = NULL;
    size_t room = 0, size = 0;
    FILE *out = in != NULL ? open_memstream(&text, &size) : NULL;

    while (out != NULL && getline(&line, &room, in) != -1) {
        line[strcspn(line, "\r\n")] = '\0';
        size_t letters = strlen(line) + 1;
        char *clean = zeroed(letters, 1);
        /* Tabs are the only control characters that a line of C may well have. */
        for (char *at = line, *end; at != NULL; at = end) {
            end = strchr(at, '\t');
            if (end != NULL)
                *end++ = '\0';
            text_copy(clean, letters, at);
            fprintf(out, "%s%s", clean, end != NULL ? "\t" : "\n");
        }
        free(clean);
    }
    free(line);
    if (in != NULL)
        fclose(in);
    if (out != NULL)
        fclose(out);
    return text;
}

/* The file with this path as an index into the trace's files, or -1. */
static int file_index(const struct source *source, const struct trace *trace, const char *path)
{
    size_t length = strlen(source->directory);

    if (length == 0 || strncmp(path, source->directory, length) != 0)
        return -1;
    for (size_t i = 0; i < trace->file_count; i++)
        if (strcmp(trace->files[i].name, path + length) == 0)
            return (int)i;
    return -1;
}

void source_files(struct source *source, struct trace *trace)
{
    Dwarf_Addr bias;
    size_t length = strlen(source->directory);

    for (Dwarf_Die *unit = NULL;
         length > 0 && (unit = dwfl_module_nextcu(source->program, unit, &bias)) != NULL;) {
        Dwarf_Files *files;
        size_t count;
        if (dwarf_getsrcfiles(unit, &files, &count) != 0)
            continue;
        for (size_t i = 0; i < count; i++) {
            const char *name = dwarf_filesrc(files, i, NULL, NULL);
            char path[PATH_MAX];
            if (name == NULL || !real_path(compile_directory(unit), name, path) ||
                strncmp(path, source->directory, length) != 0 ||
                strncmp(path, "/usr/include/", 13) == 0 || strncmp(path, "/usr/lib/", 9) == 0 ||
                strlen(path + length) >= sizeof trace->files->name ||
                file_index(source, trace, path) != -1)
                continue;
            char *text = read_source(path);
            if (text == NULL)
                continue;
            trace->files = grown(trace->files, trace->file_count, sizeof *trace->files);
            struct source_file *file = &trace->files[trace->file_count++];
            text_copy(file->name, sizeof file->name, path + length);
            file->text = text;
        }
    }
}

/* ---- one address ---- */

/* "_IO_puts" and "__libc_accept" are puts and accept: as the program called them. */
static void plain_function(const char *name, char *text, size_t size)
{
    static const char *const prefixes[] = {"__libc_", "__GI_", "_IO_", "__new_", "__old_"};

    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
            name += strlen(prefixes[i]);
    while (name[0] == '_' && name[1] == '_')
        name += 2;
    size_t length = strcspn(name, "@");
    snprintf(text, size, "%.*s", (int)(length < size ? length : size - 1), name);
    if (strcmp(text, "_Fork") == 0)
        snprintf(text, size, "fork");
}

/* Fill what is at `pc` from the debug information. Returns false when it is not the program's own. */
static bool own_source(struct source *source, const struct trace *trace, uint64_t pc,
                       struct frame *frame)
{
    Dwarf_Addr bias;
    Dwarf_Die *scopes = NULL;
    char path[PATH_MAX];
    int line;

    if (source->program == NULL || dwfl_addrmodule(source->dwfl, pc) != source->program)
        return false;
    Dwfl_Line *at = dwfl_module_getsrc(source->program, pc);
    Dwarf_Die *unit = dwfl_module_addrdie(source->program, pc, &bias);
    if (at == NULL || unit == NULL)
        return false;
    const char *name = dwfl_lineinfo(at, NULL, &line, NULL, NULL, NULL);
    if (name == NULL || line <= 0 || !real_path(compile_directory(unit), name, path))
        return false;
    frame->file = file_index(source, trace, path);
    frame->line = line;
    if (frame->file == -1)
        return false;
    int count = dwarf_getscopes(unit, pc - bias, &scopes);
    for (int i = 0; i < count; i++)
        if (dwarf_tag(&scopes[i]) == DW_TAG_subprogram) {
            const char *function = dwarf_diename(&scopes[i]);
            text_copy(frame->function, sizeof frame->function, function != NULL ? function : "?");
            break;
        }
    free(scopes);
    /* In a function that was inlined, that one's scopes are given. */
    if (frame->function[0] == '\0') {
        const char *symbol = dwfl_module_addrname(source->program, pc);
        plain_function(symbol != NULL ? symbol : "?", frame->function, sizeof frame->function);
    }
    return true;
}

const struct frame *source_frame(struct source *source, const struct trace *trace, uint64_t pc)
{
    struct known *known = &source->cache[(pc ^ pc >> 10) % CACHE];

    if (known->set && known->pc == pc)
        return &known->frame;
    memset(known, 0, sizeof *known);
    known->set = true;
    known->pc = pc;
    if (own_source(source, trace, pc, &known->frame))
        return &known->frame;
    known->frame = (struct frame){.file = -1};
    Dwfl_Module *module = dwfl_addrmodule(source->dwfl, pc);
    const char *name = module != NULL ? dwfl_module_addrname(module, pc) : NULL;
    plain_function(name != NULL ? name : "?", known->frame.function, sizeof known->frame.function);
    return &known->frame;
}

void source_name(struct source *source, uint64_t address, char *text, size_t size)
{
    Dwfl_Module *module = dwfl_addrmodule(source->dwfl, address);
    const char *name = module != NULL ? dwfl_module_addrname(module, address) : NULL;

    text_copy(text, size, name != NULL ? name : "");
}

void source_end_of_main(struct source *source, const struct trace *trace, struct chain *chain)
{
    if (source->main_end == 0)
        return;
    const struct frame *frame = source_frame(source, trace, source->main_end);
    if (frame->file == -1)
        return;
    chain->frames = grown(NULL, 0, sizeof *chain->frames);
    chain->frames[chain->count++] = *frame;
}

struct Dwfl *source_dwfl(const struct source *source)
{
    return source->dwfl;
}
