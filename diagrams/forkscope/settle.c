/* settle.c - rest and sameness of snapshots. */
#include "settle.h"

#include <string.h>

/* Is blocked process `p` about to wake, because what it waits for is there? */
static bool about_to_wake(const struct snapshot *s, const struct process *p)
{
    if (strcmp(p->call, "wait") == 0) {
        for (size_t i = 0; i < s->process_count; i++)
            if (s->processes[i].state == PROCESS_ZOMBIE && s->processes[i].parent_pid == p->pid &&
                (p->call_child == -1 || p->call_child == s->processes[i].pid))
                return true;
        return false;
    }
    int object = p->call_fd < 0 ? -1 : descriptor_object(p, p->call_fd);
    if (object < 0)
        return false;
    const struct object *o = &s->objects[object];
    if (strcmp(p->call, "accept") == 0)
        return o->backlog > 0;
    if (strcmp(p->call, "read") == 0 || strcmp(p->call, "recv") == 0 ||
        strcmp(p->call, "recvmsg") == 0)
        return o->unread > 0 || o->end_of_file;
    return false;
}

bool snapshot_settled(const struct snapshot *s)
{
    for (size_t i = 0; i < s->process_count; i++) {
        const struct process *p = &s->processes[i];
        if (p->state == PROCESS_RUNNING)
            return false;
        if (p->state == PROCESS_BLOCKED && about_to_wake(s, p))
            return false;
    }
    for (size_t i = 0; i < s->object_count; i++)
        if (s->objects[i].in_flight)
            return false;
    return true;
}

static bool same_process(const struct process *a, const struct process *b)
{
    if (a->pid != b->pid || a->start != b->start || a->state != b->state ||
        strcmp(a->doing, b->doing) != 0 || a->descriptor_count != b->descriptor_count)
        return false;
    for (size_t i = 0; i < a->descriptor_count; i++)
        if (a->descriptors[i].fd != b->descriptors[i].fd ||
            a->descriptors[i].object != b->descriptors[i].object)
            return false;
    return true;
}

static bool same_object(const struct object *a, const struct object *b)
{
    return a->kind == b->kind && a->inode == b->inode && a->refs == b->refs &&
           strcmp(tcp_name(a->tcp), tcp_name(b->tcp)) == 0 && a->port == b->port &&
           a->peer_port == b->peer_port && a->backlog == b->backlog && a->unread == b->unread &&
           a->end_of_file == b->end_of_file && a->waiting == b->waiting;
}

bool snapshot_equal(const struct snapshot *a, const struct snapshot *b)
{
    if (a->process_count != b->process_count || a->object_count != b->object_count ||
        a->client_count != b->client_count)
        return false;
    for (size_t i = 0; i < a->process_count; i++)
        if (!same_process(&a->processes[i], &b->processes[i]))
            return false;
    for (size_t i = 0; i < a->object_count; i++)
        if (!same_object(&a->objects[i], &b->objects[i]))
            return false;
    for (size_t i = 0; i < a->client_count; i++)
        if (strcmp(tcp_name(a->clients[i].tcp), tcp_name(b->clients[i].tcp)) != 0 ||
            a->clients[i].port != b->clients[i].port ||
            a->clients[i].closed != b->clients[i].closed)
            return false;
    return true;
}
