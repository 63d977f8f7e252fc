/* target.c - search /proc for a process id or for the holder of a listening socket. */
#include "target.h"
#include "proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool holds_inode(pid_t pid, uint64_t inode)
{
    struct proc_descriptor_list list = {0};
    bool holds = false;

    if (proc_descriptors(pid, NULL, NULL, &list) == 0)
        for (size_t i = 0; i < list.count; i++)
            holds = holds || (strncmp(list.items[i].target, "socket:", 7) == 0 &&
                              list.items[i].inode == inode);
    free(list.items);
    return holds;
}

/* Does any ancestor of `pid` hold the socket? Then `pid` is in that one's tree. */
static bool ancestor_holds(pid_t pid, uint64_t inode)
{
    struct proc_stat stat;

    while (proc_stat(pid, &stat) == 0 && stat.parent > 0) {
        pid = stat.parent;
        if (holds_inode(pid, inode))
            return true;
    }
    return false;
}

/* Append every process that holds the socket `inode` and none of whose ancestors does. */
static void find_holders(uint64_t inode, struct pid_list *roots)
{
    DIR *proc = opendir("/proc");

    if (proc == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(proc)) != NULL;) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid <= 0 || !holds_inode(pid, inode) || ancestor_holds(pid, inode))
            continue;
        roots->items = grown(roots->items, roots->count, sizeof *roots->items);
        roots->items[roots->count++] = pid;
    }
    closedir(proc);
}

static int find_listeners(uint16_t port, struct pid_list *roots, struct error *err)
{
    struct tcp_channel *tcp = tcp_open(err);
    struct tcp_list list = {0};
    uint64_t inode = 0;

    if (tcp == NULL || tcp_listening(tcp, &list, err) == -1) {
        tcp_close(tcp);
        return -1;
    }
    for (size_t i = 0; i < list.count; i++)
        if (list.items[i].state == TCP_LISTEN && list.items[i].port == port)
            inode = list.items[i].inode;
    tcp_list_free(&list);
    tcp_close(tcp);
    if (inode == 0)
        return fail(err, "port %u: nobody listens on it", (unsigned)port);
    find_holders(inode, roots);
    if (roots->count == 0)
        return fail(err, "port %u: not permitted to see who listens (run as its owner or root)",
                    (unsigned)port);
    return 0;
}

int target_find(const char *text, struct pid_list *roots, struct error *err)
{
    char *end;
    const char *digits = text[0] == ':' ? text + 1 : text;
    long number = strtol(digits, &end, 10);

    if (digits[0] < '0' || digits[0] > '9' || *end != '\0' || number < 1 ||
        number > (text[0] == ':' ? 65535 : 4194304))
        return fail(err, "'%s': give a process id, or :PORT for whoever listens there", text);
    if (text[0] == ':')
        return find_listeners((uint16_t)number, roots, err);
    if (kill((pid_t)number, 0) == -1 && errno == ESRCH)
        return fail(err, "process %ld: %s", number, strerror(ESRCH));
    roots->items = grown(roots->items, roots->count, sizeof *roots->items);
    roots->items[roots->count++] = (pid_t)number;
    return 0;
}

int target_check_program(pid_t pid, const char *path, struct error *err)
{
    char link[64], running[112];
    struct stat theirs, wanted;

    if (stat(path, &wanted) == -1)
        return fail(err, "%s: %s", path, strerror(errno));
    snprintf(link, sizeof link, "/proc/%d/exe", (int)pid);
    if (stat(link, &theirs) == 0 && theirs.st_dev == wanted.st_dev &&
        theirs.st_ino == wanted.st_ino)
        return 0;
    ssize_t length = readlink(link, running, sizeof running - 1);
    if (length == -1)
        return fail(err, "process %d: %s", (int)pid, strerror(errno));
    running[length] = '\0';
    return fail(err, "process %d runs %s, not %s: end it first, or take another port", (int)pid,
                running, path);
}

struct tcp_channel *target_network(pid_t pid)
{
    char path[64];
    struct stat theirs, ours;
    struct error unused;

    snprintf(path, sizeof path, "/proc/%d/ns/net", (int)pid);
    if (stat(path, &theirs) == 0 && stat("/proc/self/ns/net", &ours) == 0 &&
        theirs.st_ino != ours.st_ino) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        int entered = fd == -1 ? -1 : setns(fd, CLONE_NEWNET);
        if (fd != -1)
            close(fd);
        if (entered == -1)
            return NULL;
    }
    return tcp_open(&unused);
}
