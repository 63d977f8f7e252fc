#!/usr/bin/env bats
# tests/forkscope/trace_errors.bats - what cannot be traced is refused in one line that says what to do.
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2153,SC2154 # set by lab.bash and by run

bats_require_minimum_version 1.5.0

setup_file() {
  load ../lib/lab.bash
  load trace.bash
  build_traced forks zombie
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

# refuses PATTERN WORD...: forkscope trace WORD... fails with one line that matches PATTERN.
refuses() {
  local -
  untraced
  local pattern=$1
  shift
  scope trace "$@"
  assert_is "exit status of trace $*" 1 "$status" || return 1
  # shellcheck disable=SC2053 # a pattern
  [[ $stderr == $pattern && $stderr != *$'\n'* ]] || assert_is "stderr of trace $*" "$pattern" "$stderr"
}

@test "a program that is not there or cannot be executed" {
  refuses 'forkscope: ./nothing: No such file or directory' -- ./nothing
  printf 'text\n' >text
  refuses 'forkscope: ./text: Permission denied*' -- ./text
  chmod +x text
  refuses 'forkscope: ./text: *' -- ./text
  refuses 'forkscope: .: *' -- .
}

@test "a program without debug information: how to compile it" {
  "${CC:-cc}" -o bare "$LAB_ROOT/tests/forkscope/traced/forks.c"
  refuses 'forkscope: ./bare: *compile with -g -O0*' -- ./bare
}

@test "a scenario with an error has its line and column, and nothing is started" {
  tell 'connect A' 'sned A x'
  refuses 'forkscope: play:2:1: *' -s play -- "$TRACED/forks"
  refuses 'forkscope: nowhere: No such file or directory' -s nowhere -- "$TRACED/forks"
}

@test "a scenario whose client waits for what does not come fails in its line" {
  tell 'connect A' 'send A x' 'receive A y'
  chapter 03
  refuses "forkscope: play:3: client A: *" -s play -o trace -- "$SERVERS/$CHAPTER/server" 9000
}

@test "a client without a server" {
  tell 'connect A'
  refuses 'forkscope: play:1: *' -s play -o trace -- "$TRACED/zombie"
}

@test "a program that somebody traces already" {
  # A sanitized forkscope looks for leaks with ptrace, which it is not given here.
  export ASAN_OPTIONS=${ASAN_OPTIONS-}:detect_leaks=0
  # The outer one follows the inner one's forks: so the inner one's program is traced from its birth.
  trace -- "$FORKSCOPE" trace -o inner -- "$TRACED/forks"
  steps_are 'what the inner one said' '[steps | .output // ""] | join("") | rtrimstr("\n")' \
    'forkscope: trace: not permitted: the system forbids tracing here, or another tracer (strace, gdb) holds this program already'
  steps_are 'how it ended' '[steps | select(.kind == "exit" and .who == "P")][0].processes[] | select(.name == "P") | .doing' 'exit 1'
  steps_are 'how its program ended' '[steps | select(.kind == "exit" and .who != "P")][-1] | .call' SIGKILL
}

@test "where tracing is forbidden" {
  export ASAN_OPTIONS=${ASAN_OPTIONS-}:detect_leaks=0 # leaks are looked for with ptrace
  run --separate-stderr bare timeout 60 "$TRACED/deny" PTRACE env "$MARK" "$FORKSCOPE" trace -- "$TRACED/forks"
  assert_is 'exit status' 1 "$status"
  assert_is 'stdout' '' "$output"
  assert_is 'stderr' \
    'forkscope: trace: not permitted: the system forbids tracing here, or another tracer (strace, gdb) holds this program already' \
    "$stderr"
}

@test "a full disk" {
  refuses 'forkscope: *No space left on device' -o /dev/full -- "$TRACED/forks"
  run --separate-stderr bash -c "exec \"$FORKSCOPE\" trace -- \"$TRACED/forks\" >/dev/full"
  assert_is 'exit status' 1 "$status"
  [[ $stderr == 'forkscope: '*'No space left on device' ]] || assert_is 'stderr' 'No space left on device' "$stderr"
}

@test "a file that cannot be made" {
  refuses 'forkscope: /nowhere/trace: No such file or directory' -o /nowhere/trace -- "$TRACED/forks"
}

@test "wrong options, orders and numbers are a misuse" {
  local words
  for words in '' '--' '--order' '--order none -- x' '--order random= -- x' '--order random=x -- x' '--max-steps 0 -- x' \
    '--max-steps x -- x' '--deadline 0 -- x' '--deadline -1 -- x' '--nothing -- x'; do
    # shellcheck disable=SC2086 # words
    scope trace $words
    assert_is "exit status of trace $words" 2 "$status"
    assert_is "stdout of trace $words" '' "$output"
  done
}

@test "a program that ends while it is looked at leaves nothing behind" {
  trace --order child-first -- "$TRACED/forks"
  assert_is 'processes left' '' "$(marked)"
}

@test "interrupted, forkscope ends what it traces" {
  printf 'int main(void)\n{\n    for (;;)\n        ;\n}\n' >spin.c
  "${CC:-cc}" -g -O0 -o spin spin.c
  start 'forkscope trace' env "$MARK" "$FORKSCOPE" trace -o trace -- ./spin
  wait_until 'the trace has begun' test -s trace
  kill -INT "$PID"
  wait_for_end "$PID"
  assert_is 'processes left' '' "$(marked)"
}
