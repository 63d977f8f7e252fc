/* watch.c - look, compare, show. */
#include "watch.h"
#include "history.h"
#include "settle.h"
#include "snapshot.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t interrupted;

static void on_interrupt(int sig)
{
    (void)sig;
    interrupted = 1;
}

static double cpu_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Has the terminal another size than when this was last asked? */
static bool window_changed(void)
{
    static struct winsize last;
    struct winsize window;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == -1)
        return false;
    bool changed = window.ws_row != last.ws_row || window.ws_col != last.ws_col;
    last = window;
    return changed;
}

static void show(const struct snapshot *s, const struct snapshot *before, struct table_style style)
{
    struct winsize window;

    if (isatty(STDOUT_FILENO)) {
        /* As many rows as fit; the headings and gaps take twelve lines. */
        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_row > 18)
            style.max_rows = (size_t)(window.ws_row - 12) / 3;
        fputs("\033[H\033[2J", stdout);
    }
    table_print(stdout, s, before, &style);
    fputs(isatty(STDOUT_FILENO)
              ? "\n(+1), (-1): changed since the table before.  Ctrl-C ends the watching only.\n"
              : "\n",
          stdout);
    fflush(stdout);
}

static bool all_ended(const struct scope *scope)
{
    for (size_t i = 0; i < scope->root_count; i++)
        if (kill(scope->roots[i], 0) == 0 || errno != ESRCH)
            return false;
    return true;
}

int watch(const struct scope *scope, const struct table_style *style, struct error *err)
{
    struct sigaction act = {.sa_handler = on_interrupt};
    struct history *history = history_new();
    struct snapshot shown = {0}, fresh;
    bool first = true;
    int result = 0;

    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
    while (!interrupted) {
        double start = cpu_seconds();
        if (snapshot_take(scope, &fresh, err) == -1) {
            /* Watching to the end is a success; never having seen the process is not. */
            if (first || !all_ended(scope))
                result = -1;
            else
                puts(scope->root_count == 1 ? "the process has ended" : "the processes have ended");
            break;
        }
        history_apply(history, &fresh, false);
        bool new_window = window_changed();
        if (first || new_window || !snapshot_equal(&shown, &fresh)) {
            show(&fresh, first ? NULL : &shown, *style);
            snapshot_free(&shown);
            shown = fresh;
            if (ferror(stdout)) {
                result = fail(err, "write: %s", strerror(errno));
                break;
            }
        } else {
            snapshot_free(&fresh);
        }
        first = false;
        /* One look per 70 times its cost is 1.4 % of a CPU; at most ten a second, at least one in 3 s. */
        double pause = 70 * (cpu_seconds() - start);
        pause = pause < 0.1 ? 0.1 : pause > 3 ? 3 : pause;
        nanosleep(&(struct timespec){.tv_sec = (time_t)pause,
                                     .tv_nsec = (long)((pause - (double)(time_t)pause) * 1e9)},
                  NULL);
    }
    snapshot_free(&shown);
    history_free(history);
    return result;
}
