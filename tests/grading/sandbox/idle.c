/*
 * idle.c - tell a program that waits from one that spins.
 *
 * Somebody who waits properly gives the processor up by himself (a voluntary context
 * switch) after every little bit of work; somebody who spins never does. Rests on
 * proc(5), voluntary_ctxt_switches in /proc/PID/task/TID/status.
 */
#define _GNU_SOURCE

#include "sandbox.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { STILL_MS = 300, WINDOW_MS = 2000, SPIN_MS = 50, SPIN_MS_PER_SLEEP = 5 };

unsigned long sleeps_of(pid_t pid)
{
    char path[300], line[256];
    unsigned long sum = 0, sleeps;
    const struct dirent *entry;

    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *dir = opendir(path);
    if (dir == NULL)
        return 0;
    while ((entry = readdir(dir)) != NULL) {
        snprintf(path, sizeof path, "/proc/%d/task/%.20s/status", (int)pid, entry->d_name);
        FILE *file = entry->d_name[0] == '.' ? NULL : fopen(path, "re");
        while (file != NULL && fgets(line, sizeof line, file) != NULL)
            if (sscanf(line, "voluntary_ctxt_switches: %lu", &sleeps) == 1)
                sum += sleeps;
        if (file != NULL)
            fclose(file);
    }
    closedir(dir);
    return sum;
}

/* 1: it waits, as far as is seen; -1: it spins; 0: not known. */
static int judge(struct idle *idle, const struct member *m)
{
    unsigned long tick_ms = 1000 / (unsigned long)sysconf(_SC_CLK_TCK);
    size_t i = 0;

    while (i < idle->count && idle->member[i].pid != m->pid)
        i++;
    if (i == sizeof idle->member / sizeof idle->member[0])
        return 0;
    if (i == idle->count) {
        idle->count++;
        idle->member[i].pid = m->pid;
        idle->member[i].ticks = m->ticks;
        idle->member[i].sleeps = sleeps_of(m->pid);
    }
    idle->member[i].looks++;
    idle->member[i].asleep += m->state != 'R' && m->state != 'D';
    unsigned long used_ms = (m->ticks - idle->member[i].ticks) * tick_ms;
    if (used_ms < SPIN_MS)
        return idle->member[i].asleep * 2 > idle->member[i].looks;
    unsigned long sleeps = sleeps_of(m->pid);
    if (sleeps < idle->member[i].sleeps) {
        /* A thread has ended and taken its count along, and its ticks not: begin anew. */
        idle->member[i].ticks = m->ticks;
        idle->member[i].sleeps = sleeps;
        return 0;
    }
    unsigned long slept = sleeps - idle->member[i].sleeps;
    return used_ms / (slept + 1) >= SPIN_MS_PER_SLEEP ? -1 : 1;
}

int idle_look(struct idle *idle, const struct census *census, long ms, long still_ms)
{
    int all = 1, asleep = 1;

    for (size_t i = 0; i < census->count; i++) {
        int one = judge(idle, &census->member[i]);
        asleep = asleep && census->member[i].state != 'R' && census->member[i].state != 'D';
        if (one == -1)
            return -1;
        all = all && one;
    }
    /* On a busy machine one that spins may stand still as well, but it does not sleep. */
    return (asleep && still_ms >= STILL_MS) || (all && ms >= WINDOW_MS);
}
