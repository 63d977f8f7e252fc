#!/usr/bin/env bats
# tests/forkscope/watch.bats - watch: a table for each change, none without one.
# shellcheck disable=SC2030,SC2031,SC2034,SC2153,SC2154 # set by lab.bash and by run

bats_require_minimum_version 1.5.0

setup() {
  load ../lib/lab.bash
  load scope.bash
  scope_setup
}

teardown() {
  scope_teardown
}

# start_watch WORD...: start forkscope watch, and wait until its first table is whole.
# Sets WATCH, TABLES (the file of its stdout) and NOTES (of its stderr).
start_watch() {
  start watch "$FORKSCOPE" watch "$@"
  WATCH=$PID
  TABLES=$OUTPUT
  NOTES=$ERRORS
  wait_until 'the first table is there' has_a_table
}

has_a_table() {
  grep -qE '^[0-9]+ process(es)? alive, ' "$TABLES"
}

# Every table begins with a line of counts, and ends with an empty one.
has_tables() {
  compare 'tables' "$1" "$(grep -cE '^[0-9]+ process(es)? alive, ' "$TABLES")"
}

# last_table_has PATTERN: does a line of the last table match it?
last_table_has() {
  tac "$TABLES" | awk '{ print } /^[0-9]+ process(es)? alive, / { exit }' | grep -qE -- "$1" || {
    printf 'no line matches "%s" in: %s\n' "$1" "$(<"$TABLES")"
    return 1
  }
}

@test "each change of processes or references prints a new table, with what changed" {
  start_server 03
  start_watch "$SERVER"
  # It has said that it listens before it accepts.
  wait_until 'the server is shown in accept' last_table_has '^P +[0-9]+ +blocked in accept\(3\) +3 listening$'
  join_served a
  wait_until 'the child is shown' last_table_has '^C1 +[0-9]+ +blocked in read\(4\) '
  assert_holds last_table_has '^S2 connection with A +2'
  join_served b
  wait_until 'the third reference is shown' last_table_has '^S2 connection with A +3'
  client close a
  wait_until 'the zombie is shown' last_table_has '^C1 +[0-9]+ +zombie \(exit 0\) +-$'
  # The difference to the table before it, in one of them.
  assert_holds has_some_line "$TABLES" '^S1 listening socket :[0-9]+ +[0-9] \(\+1\) '
  assert_holds has_some_line "$TABLES" '^S1 listening socket :[0-9]+ +[0-9] \(-1\) '
}

has_some_line() {
  grep -qE -- "$2" "$1" || {
    printf 'no line matches "%s" in: %s\n' "$2" "$(<"$1")"
    return 1
  }
}

@test "a child keeps its name when an older one has gone" {
  start_server 08
  join_served a
  join_served b
  local second=$CHILD
  start_watch "$SERVER"
  assert_holds last_table_has "^C2 +$second "
  client close a
  wait_until 'the first child is gone' last_table_has '^2 processes alive, 0 zombies, 2 sockets'
  assert_holds last_table_has "^C2 +$second .* 4 B\$"
}

@test "while nothing changes no table is printed, and it takes less than 2 % of a processor" {
  local before after NOW began ticks
  start_server 03
  join_served a
  join_served b
  join_served c
  wait_until 'the last child sleeps' is_in_state "$CHILD" S
  start_watch "$SERVER"
  # What happened while it started may be told once more.
  wait_until 'all four are shown at rest' all_four_rest
  local tables
  tables=$(grep -c ' alive, ' "$TABLES")
  now_ms
  began=$NOW
  before=$(cpu_ticks "$WATCH")
  wait_until 'four seconds have passed' has_passed "$began" 4000
  after=$(cpu_ticks "$WATCH")
  now_ms
  ticks=$(getconf CLK_TCK)
  # In parts per thousand; the clock of /proc counts hundredths of a second.
  local share=$(((after - before) * 1000 * 1000 / ticks / (NOW - began)))
  ((share < 20)) || assert_is 'processor time of watch, in parts per thousand' 'less than 20' "$share"
  assert_holds has_tables "$tables"
}

all_four_rest() {
  last_table_has '^P +[0-9]+ +blocked in accept' && last_table_has '^C1 +[0-9]+ +blocked in read\(4\)' &&
    last_table_has '^C2 +[0-9]+ +blocked in read\(5\)' && last_table_has '^C3 +[0-9]+ +blocked in read\(6\)'
}

# cpu_ticks PID: processor time so far, fields 14 and 15 of proc_pid_stat(5).
cpu_ticks() {
  local stat fields
  read -r stat <"/proc/$1/stat"
  read -ra fields <<<"${stat##*) }"
  printf '%s\n' $((fields[11] + fields[12]))
}

has_passed() {
  local NOW
  now_ms
  ((NOW - $1 >= $2))
}

@test "it ends, with status 0, when the process ends" {
  start_server 03
  start_watch "$SERVER"
  stop_server
  wait_for_end "$WATCH"
  assert_is 'exit status' 0 "$STATUS"
  assert_is 'the last line' "the process has ended" "$(tail -n 1 "$TABLES")"
}

@test "SIGTERM and SIGINT end it with status 0, and the server goes on" {
  local signal
  start_server 03
  for signal in TERM INT; do
    start_watch "$SERVER"
    kill -"$signal" "$WATCH"
    wait_for_end "$WATCH"
    assert_is "exit status after SIG$signal" 0 "$STATUS"
  done
  join_served a
}

@test "--program refuses another program, naming both" {
  start_server 03
  start_watch --program "$FORKLAB_BUILD/chapters/03-naive-fork/server" ":$PORT"
  kill -TERM "$WATCH"
  scope_says 1 "forkscope: process $SERVER runs $FORKLAB_BUILD/chapters/03-naive-fork/server, not $FORKSCOPE: end it first, or take another port" \
    watch --program "$FORKSCOPE" "$SERVER"
  scope_says 1 'forkscope: ./nothing: No such file or directory' watch --program ./nothing "$SERVER"
}

@test "in a file there are no colours and no cursor movements" {
  start_server 03
  start_watch "$SERVER"
  join_served a
  wait_until 'the child is shown' last_table_has '^C1 '
  assert_is 'lines with escape codes' 0 "$(grep -c $'\033' "$TABLES")"
}

@test "on a terminal the screen is redrawn" {
  command -v script >/dev/null || skip 'script (util-linux) is not installed'
  start_server 03
  local command
  printf -v command '%q ' "$FORKSCOPE" watch "$SERVER"
  start 'watch on a terminal' script -qefc "$command" /dev/null
  local screen=$OUTPUT
  wait_until 'the first table is on the screen' has_some_line "$screen" 'Ctrl-C ends the watching'
  join_served a
  wait_until 'the child is on the screen' has_some_line "$screen" '^C1 '
  run grep -c $'\033\[H\033\[2J' "$screen"
  ((output >= 2)) || assert_is 'times the screen was cleared' '2 or more' "$output"
}
