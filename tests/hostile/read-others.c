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

/* What every sandbox shows, and /proc, which main looks through by itself. */
static int is_of_the_system(const char *name)
{
    static const char *const names[] = {".",     "..",     "bin",  "dev",  "lib", "lib32",
                                        "lib64", "libx32", "proc", "sbin", "sys", "usr"};

    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0)
            return 1;
    return 0;
}

int main(void)
{
    char path[512];
    const struct dirent *entry;
    DIR *dir = opendir("/");

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        snprintf(path, sizeof path, "/%s", entry->d_name);
        if (!is_of_the_system(entry->d_name))
            search(path, 6);
    }
    if (dir != NULL)
        closedir(dir);
    /* By way of another process, whose root may be another one. */
    for (int pid = 1; pid < 1000; pid++) {
        if (pid == getpid())
            continue;
        snprintf(path, sizeof path, "/proc/%d/root", pid);
        int its_root = open(path, O_PATH);
        if (its_root != -1 && faccessat(its_root, "etc/passwd", R_OK, 0) == 0)
            printf("reached: etc/passwd in %s\n", path);
        if (its_root != -1)
            close(its_root);
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
