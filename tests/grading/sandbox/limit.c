/*
 * limit.c - the ordinary user that a submission runs as, and its limits from outside.
 */
#define _GNU_SOURCE

#include "sandbox.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Is the unprivileged id a user of this user namespace? In one of one user it is not. */
static int has_unprivileged_id(void)
{
    unsigned first, outside, count;
    FILE *map = fopen("/proc/self/uid_map", "re");
    int found = 0;

    while (map != NULL && fscanf(map, "%u %u %u", &first, &outside, &count) == 3)
        found |= first <= UNPRIVILEGED_ID && UNPRIVILEGED_ID - first < count;
    if (map != NULL)
        fclose(map);
    return found;
}

int drop_privileges(void)
{
    if (geteuid() != 0 || !has_unprivileged_id())
        return 0;
    return setgroups(0, NULL) == -1 ||
                   setresgid(UNPRIVILEGED_ID, UNPRIVILEGED_ID, UNPRIVILEGED_ID) == -1 ||
                   setresuid(UNPRIVILEGED_ID, UNPRIVILEGED_ID, UNPRIVILEGED_ID) == -1
               ? -1
               : 0;
}

/* prlimit(2); old or new may be NULL. */
static int change(pid_t pid, int descriptors, const struct rlimit *new, struct rlimit *old)
{
    return descriptors ? prlimit(pid, RLIMIT_NOFILE, new, old)
                       : prlimit(pid, RLIMIT_NPROC, new, old);
}

/*
 * sandbox limit PID descriptors|processes N: the soft limit of a process inside. The same
 * user may do that (prlimit(2)); root alone may not, where it lacks CAP_SYS_RESOURCE.
 */
int limit_command(int argc, char **argv)
{
    struct rlimit both;
    int descriptors = argc == 4 && strcmp(argv[2], "descriptors") == 0;
    int processes = argc == 4 && strcmp(argv[2], "processes") == 0;
    char *end = NULL;
    long pid = argc == 4 ? strtol(argv[1], &end, 10) : 0;

    if (pid <= 0 || *end != '\0' || (!descriptors && !processes)) {
        fputs("sandbox: limit PID descriptors|processes N; sandbox --help tells more\n", stderr);
        return 2;
    }
    if (drop_privileges() == -1 || change((pid_t)pid, descriptors, NULL, &both) == -1) {
        fprintf(stderr, "sandbox: limit of process %ld: %s\n", pid, strerror(errno));
        return 1;
    }
    /* Never above what it was started with. */
    both.rlim_cur = strtoul(argv[3], NULL, 10);
    if (both.rlim_cur > both.rlim_max)
        both.rlim_cur = both.rlim_max;
    if (change((pid_t)pid, descriptors, &both, NULL) == -1) {
        fprintf(stderr, "sandbox: limit of process %ld: %s\n", pid, strerror(errno));
        return 1;
    }
    return 0;
}
