/* files.c - which descriptor is which file, from one step to the next. */
#include "tracer.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Sockets and pipes have a number of their own; other files can only be compared by kcmp(2),
 * while both are open. So each step hands on which descriptor was which file: between two steps
 * there is one call, and every descriptor but the one it made still refers to the same.
 */
struct known_file {
    pid_t pid;
    int fd;
    unsigned long long id;
    char path[TEXT_SIZE];
};

/* The descriptor that this call has made or replaced, or -1. */
static int made_by(const struct task *task, enum step_kind kind, const char *result)
{
    static const char *const makers[] = {
        "dup",      "open",       "creat",        "fcntl",        "eventfd", "epoll_create",
        "signalfd", "pidfd_open", "inotify_init", "memfd_create", NULL,
    };

    if (task == NULL || kind != STEP_CALL || result[0] == '-')
        return -1;
    if (strcmp(task->call.name, "dup2") == 0) /* onto itself it does nothing */
        return task->call.args[0] == task->call.args[1] ? -1 : (int)task->call.args[1];
    if (strcmp(task->call.name, "fcntl") == 0 && task->call.args[1] != F_DUPFD &&
        task->call.args[1] != F_DUPFD_CLOEXEC)
        return -1;
    for (const char *const *name = makers; *name != NULL; name++)
        if (strcmp(task->call.name, *name) == 0)
            return (int)strtol(result, NULL, 10);
    return -1;
}

static unsigned long long known_id(const struct tracer *t, pid_t pid, int fd, const char *path)
{
    for (size_t i = 0; i < t->file_count; i++)
        if (t->files[i].pid == pid && t->files[i].fd == fd && strcmp(t->files[i].path, path) == 0)
            return t->files[i].id;
    return 0;
}

void files_identify(struct tracer *t, struct snapshot *s, const struct task *task,
                    enum step_kind kind, const char *result)
{
    int made = made_by(task, kind, result);
    struct known_file *files = NULL;
    size_t count = 0;

    /* First what any of its descriptors tells, then new numbers for what is new. */
    for (int turn = 0; turn < 2; turn++)
        for (size_t i = 0; i < s->process_count; i++) {
            const struct process *p = &s->processes[i];
            for (size_t k = 0; k < p->descriptor_count; k++) {
                const struct descriptor *d = &p->descriptors[k];
                struct object *o = &s->objects[d->object];
                if (o->kind != OBJECT_FILE)
                    continue;
                bool fresh = task != NULL && p->pid == task->pid && d->fd == made;
                if (turn == 0 && o->inode == 0 && !fresh)
                    o->inode = known_id(t, p->pid, d->fd, o->path);
                if (turn == 0)
                    continue;
                if (o->inode == 0)
                    o->inode = ++t->file_ids;
                files = grown(files, count, sizeof *files);
                files[count] = (struct known_file){.pid = p->pid, .fd = d->fd, .id = o->inode};
                memcpy(files[count++].path, o->path, TEXT_SIZE);
            }
        }
    free(t->files);
    t->files = files;
    t->file_count = count;
}
