#!/usr/bin/env bats
# tests/forkscope/errors.bats - the command line: what is wrong is said in one line, with
# status 1 for what failed and 2 for what was asked wrongly.
# shellcheck disable=SC2030,SC2031,SC2034,SC2153,SC2154 # set by lab.bash and by run

bats_require_minimum_version 1.5.0

setup_file() {
  load ../lib/lab.bash
  load scope.bash
  build_shapes
}

setup() {
  load ../lib/lab.bash
  load scope.bash
  scope_setup
}

teardown() {
  scope_teardown
}

# misused WORD...: forkscope must print its usage on stderr and end with status 2.
misused() {
  local -
  untraced
  scope "$@"
  assert_is "exit status of forkscope $*" 2 "$status"
  assert_is "stdout of forkscope $*" '' "$output"
  [[ $stderr == *'usage: forkscope snapshot '* ]] ||
    assert_is "stderr of forkscope $*" 'usage: forkscope snapshot ...' "$stderr"
}

@test "no command, or an unknown one, prints the usage on stderr with status 2" {
  misused
  misused snap
  misused --verbose
  misused ''
}

@test "an unknown option, one too many or a missing word prints the usage with status 2" {
  misused snapshot
  misused snapshot 1 2
  misused snapshot --xml 1
  misused watch
  misused watch --program
  misused watch 1 2
  misused run
  misused run -s
  misused run --
  misused run --quick -- true
  misused run --deadline 0 -- true
  misused run --deadline -1 -- true
  misused run --deadline soon -- true
  misused run --deadline 5x -- true
  misused draw
  misused draw a b
  misused draw -x a
}

@test "what is neither a process id nor a port is refused, and what to give is said" {
  local text
  for text in '' x -- 1x 0 -1 1.0 ' 1' 99999999999999999999 4194305 : :x :0 :65536 :-1 ::1; do
    scope_says 1 "forkscope: '$text': give a process id, or :PORT for whoever listens there" \
      snapshot -- "$text"
    scope_says 1 "forkscope: '$text': give a process id, or :PORT for whoever listens there" \
      watch -- "$text"
  done
}

@test "a process that does not exist is named" {
  start gone true
  wait_for_end "$PID"
  scope_says 1 "forkscope: process $PID: No such process" snapshot "$PID"
  scope_says 1 "forkscope: process $PID: No such process" snapshot --json "$PID"
  scope_says 1 "forkscope: process $PID: No such process" snapshot --dot "$PID"
  scope_says 1 "forkscope: process $PID: No such process" watch "$PID"
}

@test "a port that nobody listens on is named, also when a client's end has that port" {
  start_server 02
  join_served a
  # The client's own port is taken, but nobody listens on it.
  scope_says 1 "forkscope: port $CLIENT_PORT: nobody listens on it" snapshot ":$CLIENT_PORT"
  scope_says 1 "forkscope: port $CLIENT_PORT: nobody listens on it" watch ":$CLIENT_PORT"
}

@test "--help tells of every command on stdout, with status 0" {
  local word command
  for word in --help -h; do
    scope "$word"
    assert_success
    assert_is 'stderr' '' "$stderr"
    for command in snapshot watch run draw; do
      assert_line --regexp "^$command  "
    done
  done
}

@test "--version is one line" {
  scope --version
  assert_success
  assert_output --regexp '^forkscope [0-9]+\.[0-9]+$'
}

# cannot_write WORD...: with a full disk as stdout it must say so in one line.
cannot_write() {
  local -
  untraced
  run --separate-stderr bash -c 'exec timeout 20 "$@" >/dev/full' - "$FORKSCOPE" "$@"
  assert_is "exit status of forkscope $* >/dev/full" 1 "$status"
  assert_is "stderr of forkscope $* >/dev/full" 'forkscope: write: No space left on device' "$stderr"
}

@test "a full disk as stdout is told by every form of snapshot" {
  start_shape generations
  cannot_write snapshot "$SHAPE"
  cannot_write snapshot --json "$SHAPE"
  cannot_write snapshot --dot "$SHAPE"
}

@test "a full disk as stdout is told by run, with and without --tell" {
  cannot_write run -- "$SHAPES" listen
  cannot_write run --tell -- "$SHAPES" listen
}

@test "a full disk as stdout is told by --help and --version" {
  cannot_write --help
  cannot_write --version
}

@test "a full disk as stdout ends watch" {
  start_shape generations
  cannot_write watch "$SHAPE"
}

@test "a reader that goes away ends watch at the next change" {
  start_shape listen
  read -r PORT <"$OUTPUT"
  PORT=${PORT##* }
  start "watch and head" bash -c '"$@" | head -n 1' - "$FORKSCOPE" watch "$SHAPE"
  wait_until "the first line is there" has_lines "$OUTPUT" "1 process alive.*" 1
  CHANGES=0
  wait_until "a change ends watch" changed_and_ended "$PID"
}

changed_and_ended() {
  client connect "c$((++CHANGES))" "$PORT"
  is_in_state "$1" ZX
}

@test "the file for the records that cannot be made is named" {
  scope_says 1 "forkscope: $BATS_TEST_TMPDIR/no/such/file: No such file or directory" \
    run -o "$BATS_TEST_TMPDIR/no/such/file" -- "$SHAPES" listen
  scope_says 1 'forkscope: write: No space left on device' run -o /dev/full -- "$SHAPES" listen
}
