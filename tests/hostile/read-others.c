/*
 * tests/hostile/read-others.c - reads what is none of its business: other submissions, the grading, the machine.
 * Graded as 02: 1 of 10 points.
 */
#define _GNU_SOURCE

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Everything that can be listed below `path`, except what belongs to the system. */
static void search(const char *path, int depth)
{
    char below[4096];
    const struct dirent *entry;
    DIR *dir = depth > 0 ? opendir(path) : NULL;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(below, sizeof below, "%s/%.255s", path, entry->d_name);
        if (strstr(entry->d_name, "exercise.c") != NULL || strstr(entry->d_name, ".bats") != NULL ||
            strcmp(entry->d_name, "shadow") == 0 || strcmp(entry->d_name, "passwd") == 0)
            printf("reached: %s\n", below);
        search(below, depth - 1);
    }
    if (dir != NULL)
        closedir(dir);
}

int main(void)
{
    static const char *const places[] = {"/home",   "/root", "/work",      "/tmp", "/etc",
                                         "/var",    "/opt",  "/srv",       "/mnt", "/build",
                                         "/builds", "/run",  "/autograder"};
    char path[64];

    for (unsigned i = 0; i < sizeof places / sizeof places[0]; i++)
        search(places[i], 6);
    /* By way of another process, whose root may be another one. */
    for (int pid = 1; pid < 1000; pid++) {
        if (pid == getpid())
            continue;
        snprintf(path, sizeof path, "/proc/%d/root/etc/passwd", pid);
        if (access(path, R_OK) == 0)
            printf("reached: %s\n", path);
        snprintf(path, sizeof path, "/proc/%d/environ", pid);
        if (open(path, O_RDONLY) != -1)
            printf("reached: %s\n", path);
    }
    /* And by what may have been left open for it. */
    for (int fd = 3; fd < 256; fd++)
        if (fcntl(fd, F_GETFD) != -1)
            printf("reached: descriptor %d\n", fd);
    return 0;
}
