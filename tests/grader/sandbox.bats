#!/usr/bin/env bats
# tests/grader/sandbox.bats - what the sandbox sees and says of the programs in it.
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2153,SC2154 # set by lab.bash and by run

bats_require_minimum_version 1.5.0

setup() {
  load ../lib/lab.bash
  load grader.bash
  lab_setup
  grader_setup
  SANDBOX=$FORKLAB_BUILD/tests/sandbox
  cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
  lab_teardown
}

# compile NAME [FILE]...: the C program on standard input, to NAME.
compile() {
  cat >"$1.c"
  run cc -std=gnu11 -Wall -Wextra -Werror -g -pthread -I "$LAB_ROOT/tests/grading/sandbox" -o "$1" "$1.c" "${@:2}"
  assert_is "what the compiler says of $1.c" '' "$output"
}

@test "a program that spins is not taken for one that waits when a thread of it ends" {
  # The thread takes its sleeps along: the count of the process, proc(5), falls below what it was at first.
  compile looks "$LAB_ROOT/tests/grading/sandbox/idle.c" <<'END'
#define _GNU_SOURCE
#include "sandbox.h"
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

enum { SPUN = 100 }; /* a second */

static int slept[2], end[2];
static char task[60]; /* the thread's folder */

static void *sleeps(void *arg)
{
    char c;

    snprintf(task, sizeof task, "/proc/self/task/%d", (int)gettid());

    for (int i = 0; i < 50; i++)
        usleep(100);
    if (write(slept[1], "x", 1) != 1 || read(end[0], &c, 1) != 1)
        return arg;
    return NULL;
}

int main(void)
{
    pthread_t thread;
    char c;
    struct idle idle = {.count = 0};
    struct member self = {.pid = getpid(), .state = 'R', .threads = 2};
    struct census census = {.member = &self, .count = 1};

    if (pipe(slept) == -1 || pipe(end) == -1 || pthread_create(&thread, NULL, sleeps, NULL) != 0 ||
        read(slept[0], &c, 1) != 1)
        return 1;
    printf("%d\n", idle_look(&idle, &census, 0, 0));
    if (write(end[1], "x", 1) != 1 || pthread_join(thread, NULL) != 0)
        return 1;
    /* It is joined a moment before it has left /proc. */
    while (access(task, F_OK) == 0)
        sched_yield();
    for (int i = 1; i <= 2; i++) {
        self.ticks += SPUN;
        printf("%d\n", idle_look(&idle, &census, 3000 * i, 0));
    }
    return 0;
}
END
  run ./looks
  assert_is 'exit status' 0 "$status"
  # What it did up to the end of the thread is not known; what it does after that is.
  assert_is 'not known, not known, spins' '0 0 -1' "${output//$'\n'/ }"
}

# field_of NAME: a field of the one process that the last look has seen; see print_look in wait.c.
field_of() {
  local names=(process pid parent state threads ticks listeners sockets descriptors) i
  for i in "${!names[@]}"; do
    [[ ${names[i]} != "$1" ]] || awk -v i="$((i + 1))" '$1 == "process" { print $i }' seen
  done
}

# sees NAME VALUE: a look sees the value now.
sees() {
  "$SANDBOX" look "$(sed -n 's/^started \([0-9]*\) .*/\1/p' report)" >seen
  compare "$1" "$2" "$(field_of "$1")"
}

# enter PROGRAM [OPTION]...: start it in a sandbox.
enter() {
  start "$1" "$SANDBOX" run -r report -o out -e err "${@:2}" -b "$PWD/$1:/program" -- /program
  wait_until 'it runs' grep -q '^started' report
}

@test "a program whose first thread has ended is seen as its other threads are" {
  compile leaves <<'END'
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void *waits(void *arg)
{
    size_t size = 100 << 20;
    char *much = malloc(size);

    if (much == NULL || socket(AF_UNIX, SOCK_STREAM, 0) == -1)
        exit(1);
    memset(much, 1, size);
    for (;;)
        pause();
    return arg;
}

int main(void)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, waits, NULL) == 0)
        pthread_exit(NULL);
    return 1;
}
END
  enter leaves
  wait_until 'its socket is seen' sees sockets 1
  wait_until 'it is asleep' sees state S
  # In, out, err and the socket; what the sandbox itself leaves open would be more.
  assert_is 'descriptors' 4 "$(field_of descriptors)"
  assert_is 'counts' 'alive 1 zombies 0 asleep 1' "$(grep '^alive\|^zombies\|^asleep' seen | tr '\n' ' ' | sed 's/ $//')"
  assert_is 'the limit that it has reached' '' "$(grep '^limit' report || true)"
  end_session "$PID"
  # Its memory is that of all threads, too.
  enter leaves -M 50
  wait_until 'it is over' grep -qx over report
  assert_is 'the limit that it has reached' 'limit memory' "$(grep '^limit' report || true)"
}

# bats test_tags=long
@test "a wait for a program that only computes is given up before a limit ends it" {
  compile computes <<'END'
int main(void)
{
    for (volatile int turns = 0;; turns++)
        ;
}
END
  # A machine that stands still for seconds adds them to the processor time of whoever runs: the limit is far away
  # here. That the sandbox's own is larger than each of these waits is asserted where they are defined, in wait.c.
  enter computes -c 60
  local condition
  for condition in 'alive<=0' settled in-vain listening; do
    run "$SANDBOX" wait report 1 60 "$condition"
    assert_is "status of $condition" 1 "$status"
    assert_is "why not $condition" 'late it does not come to rest' "${lines[0]}"
  done
}

# wakes_itself NAME TEXT: a C program in which sleep_for_a_second, see TEXT, is ended by a clock of its own. Then it
# makes a child. Whoever waits in vain waits for that.
wakes_itself() {
  compile "$1" <<END
$2

int main(void)
{
    sleep_for_a_second();
    fork();
    for (;;)
        pause();
}
END
  enter "$1"
  run "$SANDBOX" wait report 1 60 in-vain
  assert_is "status of $1" 0 "$status"
  assert_is "processes of $1" 'alive 2' "$(grep '^alive' <<<"$output")"
}

@test "a time limit of the socket itself is a clock that ends a sleep" {
  wakes_itself reads '
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static void sleep_for_a_second(void)
{
    struct timeval second = {.tv_sec = 1};
    int pair[2];
    char byte;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1 ||
        setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second) == -1 ||
        read(pair[0], &byte, 1) != -1)
        _exit(1);
}'
}

@test "a timer that is a descriptor is a clock that ends a sleep" {
  wakes_itself ticks '
#include <stdint.h>
#include <sys/timerfd.h>
#include <unistd.h>

static void sleep_for_a_second(void)
{
    struct itimerspec second = {.it_value = {.tv_sec = 1}};
    int timer = timerfd_create(CLOCK_MONOTONIC, 0);
    uint64_t times;

    if (timerfd_settime(timer, 0, &second, NULL) == -1 || read(timer, &times, sizeof times) == -1)
        _exit(1);
}'
}

@test "a timer that sends a signal is a clock that ends a sleep" {
  [[ -e /proc/self/timers ]] || skip 'this kernel does not tell of them'
  wakes_itself signals '
#include <signal.h>
#include <time.h>
#include <unistd.h>

static void nothing(int sig)
{
    (void)sig;
}

static void sleep_for_a_second(void)
{
    struct itimerspec second = {.it_value = {.tv_sec = 1}};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    timer_t timer;

    signal(SIGUSR1, nothing);
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) == -1 ||
        timer_settime(timer, 0, &second, NULL) == -1)
        _exit(1);
    pause();
}'
}

@test "an alarm that sigwait takes is a clock that ends a sleep" {
  wakes_itself alarmed '
#include <signal.h>
#include <unistd.h>

static void sleep_for_a_second(void)
{
    sigset_t only;
    int sig;

    sigemptyset(&only);
    sigaddset(&only, SIGALRM);
    if (sigprocmask(SIG_BLOCK, &only, NULL) == -1)
        _exit(1);
    alarm(1);
    if (sigwait(&only, &sig) != 0)
        _exit(1);
}'
}

@test "an alarm that a signalfd takes is a clock that ends a sleep" {
  wakes_itself awaited '
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void sleep_for_a_second(void)
{
    sigset_t only;
    struct signalfd_siginfo info;

    sigemptyset(&only);
    sigaddset(&only, SIGALRM);
    if (sigprocmask(SIG_BLOCK, &only, NULL) == -1)
        _exit(1);
    int fd = signalfd(-1, &only, 0);
    alarm(1);
    if (read(fd, &info, sizeof info) == -1)
        _exit(1);
}'
}

# silent_server FIRST THEN: start a server on PORT, in a sandbox, that does FIRST, accepts one client and does THEN.
# Client a is connected to it.
silent_server() {
  compile silent <<END
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char *argv[])
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    addr.sin_port = htons((in_port_t)(argc > 1 ? atoi(argv[1]) : 0));
    if (bind(fd, (struct sockaddr *)&addr, sizeof addr) == -1 || listen(fd, 1) == -1)
        return 1;
    $1
    int conn_fd = accept(fd, NULL, NULL);
    $2
    return conn_fd == -1;
}
END
  # What a client waits for is not its deadline.
  DEADLINE=100
  PORT=$((20000 + BATS_SUITE_TEST_NUMBER))
  start silent "$SANDBOX" run -r report -o out -e err -t 300 -b "$PWD/silent:/program" -- /program "$PORT"
  "$SANDBOX" wait report "$PORT" 60 listening >seen
  client connect a "$PORT"
}

@test "a client of a program that sleeps, and that no clock wakes, is told that it waits in vain" {
  silent_server '' 'pause();'
  local NOW begun
  now_ms
  begun=$NOW
  start hurry "$SANDBOX" hurry "$CLIENTS_PID" report
  client_refuses echo a 'hello\n'
  assert_is 'answer' 'error echo a: timed out: 0 of 6 bytes received: ""' "$ANSWER"
  # So it is with each command that waits.
  client_refuses exchange a 100 1
  assert_is 'answer' 'error exchange a: timed out: 100 of 100 bytes sent, 0 came back' "$ANSWER"
  client_refuses expect-eof a
  assert_is 'answer' 'error expect-eof a: expected end of file, found the connection open' "$ANSWER"
  client_refuses end a
  assert_is 'answer' 'error end a: the connection is open, 0 bytes came' "$ANSWER"
  now_ms
  assert_holds test $((NOW - begun)) -lt $((DEADLINE * 1000))
}

@test "a client of a program that a clock wakes waits, however often all sleep" {
  # Longer than all that is waited for before somebody says so twice.
  silent_server '' 'sleep(3); if (write(conn_fd, "late", 4) != 4) return 1;'
  start hurry "$SANDBOX" hurry "$CLIENTS_PID" report
  client expect a late
}

# has_taken PID: it has taken every signal, done what it does then, and sleeps again.
has_taken() {
  grep -q '^ShdPnd:[[:blank:]]*0*$' "/proc/$1/status" && is_in_state "$1" S
}

# signals NAME PID: send it the signal, and wait until it has taken it.
signals() {
  kill "-$1" "$2"
  wait_until "SIG$1 has come to $2" has_taken "$2"
}

@test "a client gives up when it is told twice that it waits in vain, and nothing came meanwhile" {
  # It sends a letter for each SIGUSR2.
  silent_server '
    sigset_t only;
    int sig;
    sigemptyset(&only);
    sigaddset(&only, SIGUSR2);
    sigprocmask(SIG_BLOCK, &only, NULL);' '
    for (const char *letter = "xyz"; ; letter++)
      if (sigwait(&only, &sig) != 0 || write(conn_fd, letter, 1) != 1)
        return 1;'
  local letter server
  server=$(sed -n 's/^server //p' seen)
  printf 'expect a xyz\n' >&"$CLIENTS_IN"
  for letter in x y z; do
    signals USR1 "$CLIENTS_PID"
    signals USR2 "$server"
  done
  take_answer
  assert_is 'answer when letters came between' 'ok 3' "$ANSWER"
  printf 'expect a w\n' >&"$CLIENTS_IN"
  signals USR1 "$CLIENTS_PID"
  signals USR1 "$CLIENTS_PID"
  take_answer
  assert_is 'answer when none came' 'error expect a: timed out: 0 of 1 bytes received: ""' "$ANSWER"
}

# has_slept PID TIMES: it has gone to sleep so often.
has_slept() {
  awk -v times="$2" '$1 == "voluntary_ctxt_switches:" { found = $2 } END { print found; exit found < times }' \
    "/proc/$1/status"
}

@test "a zombie that process 1 has yet to reap is waited for, however long that takes" {
  compile orphan <<'END'
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
    sigset_t only;
    int sig;

    sigemptyset(&only);
    sigaddset(&only, SIGUSR2);
    if (sigprocmask(SIG_BLOCK, &only, NULL) == -1)
        return 1;
    pid_t child = fork();
    if (child == 0 && fork() == 0)
        return sigwait(&only, &sig);
    if (child == 0)
        return 0;
    waitpid(child, NULL, 0);
    for (;;)
        pause();
}
END
  enter orphan
  local init orphan
  init=$(sed -n 's/^started \([0-9]*\) .*/\1/p' report)
  wait_until 'the orphan is there' sees parent "$init
$init"
  orphan=$(field_of pid | tail -n 1)
  # On a busy machine process 1 would be ready, and not have run yet.
  stop "$init"
  kill -USR2 "$orphan"
  wait_until 'it is a zombie' is_in_state "$orphan" Z
  start wait "$SANDBOX" wait report 1 100 zombies==0
  # Longer than all others need to sleep so that nothing comes any more.
  wait_until 'the wait has looked often' has_slept "$PID" 200
  resume "$init"
  wait_for_end "$PID"
  assert_is 'status of the wait' 0 "$STATUS"
}

@test "a program of which one thread works is not taken for one that sleeps" {
  compile works <<'END'
#include <pthread.h>
#include <unistd.h>

static void *works(void *arg)
{
    for (volatile unsigned long i = 0;; i++)
        continue;
    return arg;
}

int main(void)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, works, NULL) != 0)
        return 1;
    for (;;)
        pause();
}
END
  enter works
  wait_until 'it has two threads' sees threads 2
  assert_is 'state' R "$(field_of state)"
  assert_is 'asleep' 'asleep 0' "$(grep '^asleep' seen)"
}

# needs_own_mounts: sets OWN_MOUNTS, the words before a command that may mount and nobody else sees it.
needs_own_mounts() {
  OWN_MOUNTS=(unshare --mount)
  "${OWN_MOUNTS[@]}" true 2>/dev/null || OWN_MOUNTS=(unshare --user --map-root-user --mount)
  "${OWN_MOUNTS[@]}" true 2>/dev/null || skip 'this system lets us have no mounts of our own'
}

# lab_at FOLDER COMMAND [WORD]...: run it where the lab lies in FOLDER as well. Sets status, output, stderr.
lab_at() {
  run --separate-stderr clean_shell "${OWN_MOUNTS[@]}" sh -c 'mount --bind "$0" "$1" && shift && exec "$@"' "$LAB_ROOT" "$@"
}

@test "a process inside with the number of an older one outside, that has ended, is seen" {
  compile forks <<'END'
#include <signal.h>
#include <unistd.h>

int main(void)
{
    sigset_t only;
    int sig;

    sigemptyset(&only);
    sigaddset(&only, SIGUSR2);
    if (sigprocmask(SIG_BLOCK, &only, NULL) == -1 || sigwait(&only, &sig) != 0 || fork() == -1)
        return 1;
    for (;;)
        pause();
}
END
  # In a namespace of its own the number of the next process can be set, and nobody else takes it. The sandbox looks
  # again and again how many processes there are: here three, with process 1, are too many.
  cat >renumber <<'END'
set -e
# sleeps PID: how often it has gone to sleep.
sleeps() {
  [[ $(</proc/$1/status) =~ voluntary_ctxt_switches:[[:blank:]]*([0-9]+) ]] && sleeps=${BASH_REMATCH[1]}
}
tail -f /dev/null &
elder=$!
# Until the clock by which a process is born has gone on.
read -r born rest </proc/uptime
until read -r now rest </proc/uptime && [[ $now != "$born" ]]; do :; done
"$SANDBOX" run -p 3 -t 600 -r report -b "$PWD/forks:/program" -- /program &
sandbox=$!
until [[ $(<report) =~ started\ ([0-9]+) ]]; do :; done
init=${BASH_REMATCH[1]}
until [[ $("$SANDBOX" look "$init") =~ process\ ([0-9]+)\ [0-9]+\ S ]]; do :; done
program=${BASH_REMATCH[1]}
# From one sleep to the next but one it has looked.
sleeps "$sandbox"
enough=$((sleeps + 2))
until sleeps "$sandbox" && ((sleeps >= enough)); do :; done
[[ $(<report) != *limit* ]]
kill "$elder"
wait "$elder" || true
# From here on nothing but the program makes a process.
printf '%s\n' $((elder - 1)) >/proc/sys/kernel/ns_last_pid
kill -USR2 "$program"
until mapfile -t lines <report && [[ ${lines[*]} == *'limit processes'* ]]; do :; done
"$SANDBOX" look "$init" >seen
printf '%s\n' "$elder" >number
END
  : >report
  local as=(unshare --pid --fork --mount-proc --kill-child)
  "${as[@]}" true 2>/dev/null || as+=(--user --map-root-user)
  "${as[@]}" test -w /proc/sys/kernel/ns_last_pid 2>/dev/null || skip 'this system lets us choose no number'
  SANDBOX=$SANDBOX start renumbered "${as[@]}" bash renumber
  wait_until 'it has been seen' test -s number
  assert_is 'processes' 'alive 2' "$(grep '^alive' seen)"
  assert_holds grep "^process $(<number) " seen
}

@test "a submission cannot include a solution where the lab lies in the system's folders" {
  needs_own_mounts
  local solution=solutions/03-naive-fork/exercise.c
  printf '#include "/usr/src/%s"\n' "$solution" >thief.c
  [[ -d /usr/src && -d /usr/share/doc ]] || skip 'this system lacks the folders'
  export FORKLAB_BUILD
  lab_at /usr/src /usr/src/tests/grading/check --quiet --json json 03 "$PWD/thief.c"
  assert_is 'points of one that includes the solution' 0 "$(jq .points json)"
  rm json
  lab_at /usr/src /usr/src/tests/grading/check --quiet --json json 03 "/usr/src/$solution"
  assert_is "points of the solution there ($stderr)" 10 "$(jq .points json)"
  rm json
  # Where it would be seen, one line says so, and nothing is graded.
  lab_at /usr/share/doc /usr/share/doc/tests/grading/check --json json 03 "$PWD/thief.c"
  assert_is 'status' 1 "$status"
  assert_is 'told' 'check: /usr/share/doc is where every sandbox sees it, with the system: move it out of there' "$stderr"
  ln -s "/usr/share/doc/$solution" link.c
  lab_at /usr/share/doc "$CHECK" --json json 03 "$PWD/link.c"
  assert_is 'status' 1 "$status"
  assert_is 'told' "check: $PWD/link.c is where every sandbox sees it, with the system: move it out of there" "$stderr"
  assert_is 'printed' '' "$output"
  assert_is 'results' '' "$(find . -name json)"
}

@test "a limit of the machine that is lower than the sandbox's holds, and is no failure" {
  start limited -n 500 "$SANDBOX" run -o out -e err -r report -- /bin/sh -c 'ulimit -n; ulimit -Hn'
  wait_for_end "$PID"
  assert_is 'soft and hard limit' '500 500' "$(tr '\n' ' ' <out | sed 's/ $//')"
  "$SANDBOX" run -o out -- /bin/sh -c 'ulimit -n; ulimit -Hn'
  assert_is 'soft and hard limit as they are otherwise' '1024 1024' "$(tr '\n' ' ' <out | sed 's/ $//')"
}

@test "what the sandbox has to write and cannot is told, with status 3" {
  run "$SANDBOX" run -o /dev/full -r report -- /bin/echo hello
  assert_is 'status' 3 "$status"
  assert_is 'report' 'failed output: No space left on device' "$(grep '^failed' report)"
  run "$SANDBOX" run -o out -r /dev/full -- /bin/echo hello
  assert_is 'status where the report is lost' 3 "$status"
  run sh -c '"$0" look "$$" >/dev/full' "$SANDBOX"
  assert_is 'status of look' 3 "$status"
  printf 'started %s 1\n' "$$" >report
  run sh -c '"$0" wait report 0 5 "alive>=0" >/dev/full' "$SANDBOX"
  assert_is 'status of wait' 3 "$status"
}

# with_room KIB: grade the solution of chapter 02 with so much room for temporary files. Sets status, stderr.
with_room() {
  mkdir -p small
  rm -f json
  run --separate-stderr clean_shell "${OWN_MOUNTS[@]}" sh -c 'mount -t tmpfs -o size=$0k none small && shift && exec "$@"' "$1" \
    - env TMPDIR="$PWD/small" "$CHECK" --quiet --json json 02 "$LAB_ROOT/solutions/02-one-at-a-time/exercise.c"
}

@test "where there is no space left a right program gets no verdict, and one line says why" {
  needs_own_mounts
  export FORKLAB_BUILD
  local room
  # Too little for the program, and for what the tests write.
  for room in 16 72; do
    with_room "$room"
    assert_is "exit status with $room KiB" 1 "$status"
    assert_is "told with $room KiB" "check: no space in $PWD/small; free some and run again" "$stderr"
    assert_is "results with $room KiB" '' "$(find . -name json)"
  done
  with_room 4096
  assert_is "points with enough ($stderr)" 10 "$(jq .points json)"
}
