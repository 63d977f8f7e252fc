#!/usr/bin/env bats
# tests/forkscope/findings.bats - what forkscope says went wrong, and what it does not say.
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2153,SC2154 # set by lab.bash and by run

bats_require_minimum_version 1.5.0

setup_file() {
  load ../lib/lab.bash
  load trace.bash
  build_traced
  build_chapters
}

setup() {
  load ../lib/lab.bash
  load scope.bash
  load trace.bash
  trace_setup
}

teardown() {
  trace_teardown
}

# Two clients that talk, one after the other, and leave; one more comes afterwards.
two_clients() {
  tell 'connect A' 'send A one' 'receive A one' 'connect B' 'send B two' 'receive B two' \
    'half-close A' 'receive A eof' 'close B' 'connect C' 'send C three' 'receive C three'
}

# finds LINE...: what the trace ends with, as printed: each LINE a pattern of bash for one finding.
finds() {
  local -
  untraced
  local lines=() i
  [[ -z $FINDINGS ]] || mapfile -t lines <<<"$FINDINGS"
  assert_is "number of findings in:
$FINDINGS" $# "${#lines[@]}" || return 1
  for ((i = 0; i < $#; i++)); do
    # shellcheck disable=SC2053 # a pattern
    [[ ${lines[i]} == ${*:i+1:1}\ \(step* ]] || assert_is "finding $((i + 1))" "${*:i+1:1}" "${lines[i]}" || return 1
  done
}

# bug NUMBER TEXT: prints "server.c:LINE" of the first line of that chapter with TEXT.
bug() {
  chapter "$1"
  printf 'server.c:%s:' "$(grep -nF -m 1 -- "$2" "$LAB_ROOT/chapters/$CHAPTER/server.c" | cut -d : -f 1)"
}

# ---- the ladder ----

@test "01: the second client is never accepted" {
  trace_chapter 01
  finds "$(bug 01 'read(conn_fd') B waits in the backlog: P, which alone accepts, is in read(4) for connection A"
}

@test "02: the second client waits until the first has left" {
  trace_chapter 02
  finds "$(bug 02 'read(conn_fd') B waits in the backlog: P, which alone accepts, is in read(4) for connection A"
}

@test "03: what the parent keeps, what the children keep, and the zombie" {
  trace_chapter 03
  local fork
  fork=$(bug 03 'fork();')
  finds "$fork C1 and C2 keep descriptor 3 of the listening socket: inherited at this fork, never used, never closed" \
    "$fork C2 keeps descriptor 4 of connection A: inherited at this fork, never used, never closed; A gets no end of file" \
    "$fork P keeps descriptor 4 of connection A and descriptor 5 of connection B: opened at server.c:*, never closed after this fork; inherited by C2; A gets no end of file" \
    "$fork C1 is a zombie: P never waits for a child"
}

@test "04: the zombie, and nothing else" {
  trace_chapter 04
  finds "$(bug 04 'fork();') C1 is a zombie: P never waits for a child"
}

@test "05: who connects waits for the child" {
  trace_chapter 05
  finds "$(bug 05 'wait(NULL)') B waits in the backlog: P, which alone accepts, waits for C1 to end"
}

@test "06: zombies while nobody connects" {
  trace_chapter 06
  finds "$(bug 06 'waitpid(') C1 and C2 are zombies while P idles: it waits for children only here, and does not come by"
}

@test "07: the children that are lost, and printf in the handler" {
  trace_chapter 07
  finds "$(bug 07 'waitpid(') C3 and C4 are zombies: 4 children ended, the handler of SIGCHLD ran 2 times and reaped 2" \
    "$(bug 07 'printf("remove') printf is called in a signal handler, which signal-safety(7) does not allow: printf ← on_sigchld:* ← SIGCHLD"
}

@test "08 and 09: nothing" {
  trace_chapter 08
  finds
  trace_chapter 09
  finds
}

@test "what is marked as a bug and does not happen in the scenario is not told" {
  # Chapter 07 marks what waitpid may do to errno, and children that only stop.
  trace_chapter 07
  [[ $FINDINGS != *errno* ]] || assert_is 'findings about errno' '' "$FINDINGS"
}

# ---- mistakes of others ----

@test "a child that falls back into the accept loop" {
  tell 'connect A' 'send A x' 'receive A x' 'close A' 'connect B' 'send B y' 'receive B y'
  trace -s play -- "$TRACED/accept_loop" 9000
  [[ $FINDINGS == *"accept_loop.c:$(line_of accept_loop.c 'accept('): C1 has served its client and accepts the next one: it is a child and should have ended"* ]] ||
    assert_is 'findings' 'C1 has served its client and accepts the next one' "$FINDINGS"
}

@test "errno changed by a handler" {
  trace -- "$TRACED/errno"
  finds "errno.c:*: the handler on_sigchld leaves errno changed: it was * and is ECHILD"
}

@test "a fork that failed, taken for a child, waited for, or sent a signal" {
  local fork
  fork=fork_ignored.c:$(line_of fork_ignored.c 'fork();'):
  trace -- "$TRACED/fork_ignored" child
  finds "$fork fork failed (EAGAIN) and P goes on as the child"
  trace -- "$TRACED/fork_ignored" wait
  finds "$fork fork failed (EAGAIN) and P waits for a child that does not exist"
  trace -- "$TRACED/fork_ignored" kill
  finds "$fork fork failed (EAGAIN) and P sends a signal to every process there is"
}

@test "a fork that failed and was looked at is no finding" {
  trace -- "$TRACED/fork_ignored" checked
  steps_are 'the fork that failed' 'steps | select(.result == "-1 EAGAIN") | .call' 'fork()'
  finds
}

@test "a write to a client that has gone" {
  tell 'connect A' 'send A x' 'reset A'
  trace -s play -- "$TRACED/closed_peer" 9000 dies
  finds "closed_peer.c:$(line_of closed_peer.c 'write('): P writes to connection A, which its client has closed: SIGPIPE ends it"
  trace -s play -- "$TRACED/closed_peer" 9000 goes-on
  finds "closed_peer.c:$(line_of closed_peer.c 'write('): P writes to connection A, which its client has closed* although the call before said so (EPIPE)"
  trace -s play -- "$TRACED/closed_peer" 9000 stops
  finds
}

@test "the write end that keeps the end of file away" {
  trace -- "$TRACED/pipe_leak"
  finds "pipe_leak.c:$(line_of pipe_leak.c 'pipe(ends)'): P keeps descriptor 4, the write end of the pipe from which C2 reads: never closed, so no end of file comes"
}

@test "a zombie demo" {
  trace -- "$TRACED/zombie"
  finds "zombie.c:$(line_of zombie.c 'fork()'): C1 is a zombie: P never waits for a child"
}

# ---- right programs ----

@test "right servers of other shapes have no finding" {
  two_clients
  local name
  for name in prefork threads double_fork ignoring_server signalfd_server pidfd_server; do
    trace -s play -- "$TRACED/$name" 9000
    assert_is "findings of $name" '' "$FINDINGS"
  done
}

@test "a server that polls its clients has no finding" {
  tell 'connect A' 'connect B' 'send A hello' 'receive B hello' 'receive A hello' 'half-close A' \
    'receive A eof' 'send B bye' 'receive B bye'
  trace -s play -- "$TRACED/polling_chat" 9000
  finds
}

@test "right programs without clients have no finding" {
  local name
  for name in wake ignore undisturbed restart forks stopped spawn handler lines representative pipeline \
    sigsuspend_server time_wait; do
    trace -- "$TRACED/$name"
    assert_is "findings of $name" '' "$FINDINGS"
  done
}

# ---- forms ----

@test "the findings stand in the trace, and forkscope findings says them again" {
  trace_chapter 03
  scope findings trace
  assert_is 'exit status' 0 "$status"
  assert_is 'what it prints' "$FINDINGS" "$output"
  assert_is 'what the trace holds' "$(jq -c '.findings[]? | [.kind, .who, .line, .text, .steps]' trace)" \
    "$("$FORKSCOPE" findings --json trace | jq -c '[.kind, .who, .line, .text, .steps]')"
  steps_are 'their kinds' 'ending.findings[] | .kind + " " + .who' 'descriptor-leaked C1' 'descriptor-leaked C2' \
    'descriptor-leaked P' 'zombie-never-reaped C1'
}

@test "each step that a finding names is there, and not before the one it follows" {
  trace_chapter 03
  steps_are 'steps named that are not there' \
    '[steps | .step] as $all | ending.findings[].steps[] | select(. as $step | $all | index($step) | not)'
  steps_are 'steps out of order' 'ending.findings[] | select(.steps != (.steps | sort)) | .kind'
}

@test "forkscope findings refuses what is no trace, in one line" {
  printf 'hello\n' >text
  scope findings text
  assert_is 'exit status' 1 "$status"
  [[ $stderr == 'forkscope: text: line 1, column '* && $stderr != *$'\n'* ]] ||
    assert_is 'stderr' 'forkscope: text: line 1, column ...' "$stderr"
  scope_says 1 'forkscope: nowhere: No such file or directory' findings nowhere
  scope findings
  assert_is 'exit status without a file' 2 "$status"
}

@test "a trace in which processes are their own parents has an end all the same" {
  trace_chapter 03
  cp trace right
  local change
  for change in 'if .processes then .processes[].parent = .processes[0].name else . end' \
    'if .processes then .processes |= map(.parent = .name) else . end' \
    'if .processes then .processes |= map(.name = "P" | .parent = "P") else . end'; do
    jq -c "$change" right >trace
    run bare timeout 20 "$FORKSCOPE" findings trace
    ((status <= 1)) || assert_is "exit status with $change" '0 or 1' "$status"
  done
}

@test "findings that cannot be written are an error" {
  trace_chapter 04
  run --separate-stderr bash -c "\"$FORKSCOPE\" findings trace >/dev/full"
  assert_is 'exit status' 1 "$status"
  assert_is 'stderr' 'forkscope: write: No space left on device' "$stderr"
}
