/*
 * census.c - who is inside: processes by their parents, descriptors, listeners.
 *
 * Processes are found by descent from init, never by name: a program may overwrite
 * its name, and one that became a daemon is init's child. Rests on proc(5) and
 * sock_diag(7); /proc/net/tcp is not read, which is slow where many connections wait.
 */
#define _GNU_SOURCE

#include "sandbox.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The fields of a stat file, of a process or of a thread. Returns -1 when it is gone. */
static int read_stat(const char *path, struct member *m)
{
    char text[1024];
    unsigned long user, system;
    int parent;

    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1)
        return -1;
    ssize_t got = read(fd, text, sizeof text - 1);
    close(fd);
    if (got <= 0)
        return -1;
    text[got] = '\0';
    /* The name in parentheses may hold anything; the fields follow the last one. */
    const char *after = strrchr(text, ')');
    if (after == NULL ||
        sscanf(after + 1,
               " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %ld %*d %llu "
               "%*u %ld",
               &m->state, &parent, &user, &system, &m->threads, &m->start, &m->rss_pages) != 7)
        return -1;
    m->parent = parent;
    m->ticks = user + system;
    return 0;
}

static int is_over(char state)
{
    return state == 'Z' || state == 'X';
}

/* What two threads are together: who works counts before who sleeps, who sleeps before who is stopped. */
static char both_states(char a, char b)
{
    static const char order[] = "RDSTtIXZ";
    const char *x = strchr(order, a), *y = strchr(order, b);

    return x == NULL || y == NULL ? 'R' : x < y ? a : b;
}

/*
 * The stat file of a process has the state and the memory of its first thread, which may have ended
 * before the others (pthread_exit(3) in main) and is a zombie then: ask all of them.
 */
static void read_threads(struct member *m)
{
    char path[80], state = 'Z';
    const struct dirent *entry;

    snprintf(path, sizeof path, "/proc/%d/task", (int)m->pid);
    DIR *dir = opendir(path);
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        struct member thread;
        snprintf(path, sizeof path, "/proc/%d/task/%.20s/stat", (int)m->pid, entry->d_name);
        if (entry->d_name[0] == '.' || read_stat(path, &thread) == -1 || is_over(thread.state))
            continue;
        state = both_states(state, thread.state);
        if (m->living != 0)
            continue;
        m->living = (pid_t)strtol(entry->d_name, NULL, 10);
        m->rss_pages = thread.rss_pages;
    }
    if (dir != NULL)
        closedir(dir);
    m->state = state;
}

int process_read(pid_t pid, struct member *m)
{
    char path[40];

    *m = (struct member){.pid = pid};
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (read_stat(path, m) == -1)
        return -1;
    if (m->threads > 1)
        read_threads(m);
    if (m->living == 0)
        m->living = pid;
    return 0;
}

static int append(struct census *census, const struct member *m)
{
    if (census->count == census->room) {
        size_t room = census->room * 2 + 64;
        struct member *more = realloc(census->member, room * sizeof *more);
        if (more == NULL)
            return -1;
        census->member = more;
        census->room = room;
    }
    census->member[census->count++] = *m;
    return 0;
}

static int by_pid(const void *a, const void *b)
{
    const struct member *x = a, *y = b;

    return (x->pid > y->pid) - (x->pid < y->pid);
}

/*
 * Born within one clock tick, the lower number is the elder's; unless the numbers have reached their
 * end in between and begun again (/proc/sys/kernel/pid_max, 32,768 or more), which so many show.
 */
static int by_birth(const void *a, const void *b)
{
    enum { MOST_IN_A_TICK = 16384 };
    const struct member *x = a, *y = b;

    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    int order = (x->pid > y->pid) - (x->pid < y->pid);
    return x->pid - y->pid > MOST_IN_A_TICK || y->pid - x->pid > MOST_IN_A_TICK ? -order : order;
}

/* Keep the descendants of init. A parent may have a higher pid than its child, when
   pids wrapped: so go over the list until nothing is added. */
static int keep_descendants(struct census *census, pid_t init)
{
    char *inside = calloc(census->count + 1, 1);
    size_t kept = 0;
    int changed = 1;

    if (inside == NULL)
        return -1;
    while (changed) {
        changed = 0;
        for (size_t i = 0; i < census->count; i++) {
            struct member key = {.pid = census->member[i].parent};
            if (inside[i])
                continue;
            const struct member *parent =
                bsearch(&key, census->member, census->count, sizeof key, by_pid);
            if (key.pid == init || (parent != NULL && inside[parent - census->member]))
                inside[i] = 1, changed = 1;
        }
    }
    for (size_t i = 0; i < census->count; i++)
        if (inside[i])
            census->member[kept++] = census->member[i];
    census->count = kept;
    free(inside);
    if (kept > 0)
        qsort(census->member, kept, sizeof *census->member, by_birth);
    return 0;
}

/*
 * Who is older than init is none of its descendants, and never will be: once seen he need not be looked at
 * again, and on most machines that is nearly everybody. The number of a process may come again, the inode of
 * its folder in /proc does not: the kernel counts them on, and lets go of the folder with the process.
 */
static struct {
    pid_t init;               /* of whom all this is true */
    unsigned long long start; /* when init was born */
    struct {
        pid_t pid;
        ino_t inode;
    } elder[4096]; /* by pid; of two at the same place the last one */
} known;

enum { ELDERS = sizeof known.elder / sizeof known.elder[0] };

static void know_init(pid_t init)
{
    struct member m;

    if (known.init == init)
        return;
    memset(&known, 0, sizeof known);
    if (process_read(init, &m) == 0) {
        known.init = init;
        known.start = m.start;
    }
}

static int is_elder(pid_t pid, ino_t inode)
{
    return known.elder[pid % ELDERS].pid == pid && known.elder[pid % ELDERS].inode == inode;
}

int census_take(struct census *census, pid_t init)
{
    DIR *dir = opendir("/proc");
    const struct dirent *entry;

    memset(census, 0, sizeof *census);
    if (dir == NULL)
        return -1;
    know_init(init);
    while ((entry = readdir(dir)) != NULL) {
        struct member m;
        char *end;
        pid_t pid = (pid_t)strtol(entry->d_name, &end, 10);
        if (pid <= 0 || *end != '\0' || is_elder(pid, entry->d_ino) || process_read(pid, &m) == -1)
            continue;
        if (m.start < known.start) {
            known.elder[pid % ELDERS].pid = pid;
            known.elder[pid % ELDERS].inode = entry->d_ino;
        } else if (append(census, &m) == -1) {
            closedir(dir);
            return -1;
        }
    }
    closedir(dir);
    if (census->count > 0)
        qsort(census->member, census->count, sizeof *census->member, by_pid);
    return keep_descendants(census, init);
}

/* Those of one thread; returns 0 when none can be seen, as of one that has ended meanwhile. */
static int count_of_thread(struct census *census, struct member *m, const char *thread,
                           const unsigned *inodes, size_t inode_count)
{
    char path[80], target[64];
    const struct dirent *entry;

    snprintf(path, sizeof path, "/proc/%d/task/%.20s/fd", (int)m->pid, thread);
    DIR *dir = opendir(path);
    if (dir == NULL) {
        census->unreadable += errno == EACCES;
        return errno == EACCES;
    }
    while ((entry = readdir(dir)) != NULL) {
        unsigned inode;
        ssize_t size = readlinkat(dirfd(dir), entry->d_name, target, sizeof target - 1);
        if (size <= 0)
            continue;
        target[size] = '\0';
        m->descriptors++;
        if (sscanf(target, "socket:[%u]", &inode) != 1)
            continue;
        m->sockets++;
        for (size_t i = 0; i < inode_count; i++)
            m->listeners += inodes[i] == inode;
    }
    closedir(dir);
    return m->descriptors > 0;
}

static void count_descriptors(struct census *census, struct member *m, const unsigned *inodes,
                              size_t inode_count)
{
    char path[60];
    const struct dirent *entry;

    snprintf(path, sizeof path, "%d", (int)m->living);
    if (count_of_thread(census, m, path, inodes, inode_count) || m->threads == 1)
        return;
    /* All threads have the same ones. */
    snprintf(path, sizeof path, "/proc/%d/task", (int)m->pid);
    DIR *dir = opendir(path);
    while (dir != NULL && (entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.' &&
            count_of_thread(census, m, entry->d_name, inodes, inode_count))
            break;
    if (dir != NULL)
        closedir(dir);
}

void census_descriptors(struct census *census, const unsigned *inodes, size_t inode_count)
{
    for (size_t i = 0; i < census->count; i++)
        count_descriptors(census, &census->member[i], inodes, inode_count);
}

void census_free(struct census *census)
{
    free(census->member);
    memset(census, 0, sizeof *census);
}

static int is_loopback(const struct inet_diag_msg *m)
{
    static const unsigned any_loopback[4] = {0, 0, 0, 0};

    if (m->idiag_family == AF_INET)
        return (ntohl(m->id.idiag_src[0]) >> 24) == 127;
    return memcmp(m->id.idiag_src, any_loopback, 12) == 0 && ntohl(m->id.idiag_src[3]) == 1;
}

/* Ask for one family; what comes is added to the list. Returns how many, or -1. */
static int list_family(int fd, unsigned char family, struct listener *list, int room)
{
    struct {
        struct nlmsghdr head;
        struct inet_diag_req_v2 ask;
    } request = {
        .head = {.nlmsg_len = sizeof request,
                 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .ask = {.sdiag_family = family, .sdiag_protocol = IPPROTO_TCP, .idiag_states = 1U << 10}};
    _Alignas(struct nlmsghdr) char data[16384];
    int count = 0;

    if (send(fd, &request, sizeof request, 0) == -1)
        return -1;
    for (;;) {
        ssize_t got = recv(fd, data, sizeof data, 0);
        if (got <= 0)
            return -1;
        const struct nlmsghdr *m = (const struct nlmsghdr *)(void *)data;
        for (; NLMSG_OK(m, got); m = NLMSG_NEXT(m, got)) {
            if (m->nlmsg_type == NLMSG_DONE)
                return count;
            if (m->nlmsg_type == NLMSG_ERROR)
                return -1;
            const struct inet_diag_msg *diag = NLMSG_DATA(m);
            if (count < room)
                list[count++] = (struct listener){.inode = diag->idiag_inode,
                                                  .port = ntohs(diag->id.idiag_sport),
                                                  .loopback = is_loopback(diag)};
        }
    }
}

int listeners_list(struct listener *list, int room)
{
    int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

    if (fd == -1)
        return -1;
    int ipv4 = list_family(fd, AF_INET, list, room);
    /* A kernel without IPv6 answers with an error, and has no such listener. */
    int ipv6 = ipv4 == -1 ? -1 : list_family(fd, AF_INET6, list + ipv4, room - ipv4);
    close(fd);
    return ipv4 == -1 ? -1 : ipv4 + (ipv6 > 0 ? ipv6 : 0);
}
