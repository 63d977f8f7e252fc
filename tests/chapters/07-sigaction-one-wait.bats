#!/usr/bin/env bats
# tests/chapters/07-sigaction-one-wait.bats - one waitpid per signal: children are lost.
# shellcheck disable=SC2030,SC2031,SC2034,SC2153,SC2154 # set by lab.bash and by run

bats_require_minimum_version 1.5.0

setup() {
  load ../lib/lab.bash
  lab_setup
}

teardown() {
  lab_teardown
}

# lose COUNT: of COUNT clients that leave together, all but one become lost
# zombies; again and again, and each time on top of those lost before.
lose() {
  local count=$1 trial
  start_server 07
  for ((trial = 1; trial <= 3 * REPEAT; trial++)); do
    client connect-many c "$count" "$PORT"
    client exchange-many c 100 "$trial"
    assert_holds has_living_children "$SERVER" "$count"
    lose_together c "$count"
    assert_is "zombies after trial $trial" $((trial * (count - 1))) "$(zombies_of "$SERVER" | wc -l)"
    assert_holds has_lines "$OUTPUT" 'remove proc id [1-9][0-9]*' "$trial"
  done
}

@test "a client's visit prints three lines: connected, disconnected, removed" {
  start_server 07
  join_served a
  leave a 1
  wait_until 'the child is removed' has_children "$SERVER" 0
  wait_until 'the server says so' has_line "$OUTPUT" 'remove proc id .*'
  assert_output_is "$OUTPUT" "listening on port $PORT" \
    'new client connected...' 'client disconnected...' "remove proc id $CHILD"
}

@test "clients leaving one by one leave no zombie" {
  start_server 07
  local i children
  client connect-many c 8 "$PORT"
  client exchange-many c 100 1
  children=$(children_of "$SERVER")
  for i in 1 2 3 4 5 6 7 8; do
    client close "c$i"
    # The next leaves when this one is removed: then no two signals become one.
    wait_until "child $i is removed" has_children "$SERVER" $((8 - i))
    wait_until 'the server is back in accept' is_settled "$SERVER"
  done
  assert_holds has_zombies "$SERVER" 0
  assert_is 'removed' "$children" "$(removed)"
}

@test "of 2 clients leaving together 1 zombie is left" {
  lose 2
}

@test "of 5 clients leaving together 4 zombies are left" {
  lose 5
}

@test "of 50 clients leaving together 49 zombies are left" {
  lose 50
}

@test "lost children stay lost: each later signal collects one, and one more has ended by then" {
  start_server 07
  client connect-many c 4 "$PORT"
  client exchange-many c 100 1
  lose_together c 4
  assert_holds has_zombies "$SERVER" 3

  local i
  for i in 1 2 3 4 5; do
    join_served d
    leave d $((4 + i))
    wait_until 'one more is removed' has_lines "$OUTPUT" 'remove proc id [1-9][0-9]*' $((1 + i))
    wait_until 'the server is back in accept' is_settled "$SERVER"
    assert_holds has_zombies "$SERVER" 3
  done
}

@test "SIGCHLD interrupts accept, which returns EINTR, and the server goes on" {
  start_handler 07
  join_served a
  wait_until 'the server sleeps in accept' blocked_in "$SERVER" accept

  leave a 1

  wait_until 'accept fails once' has_lines "$OUTPUT" 'accept: Interrupted system call' 1
  join_served b
  assert_holds has_lines "$OUTPUT" 'new client connected\.\.\.' 2
}

@test "the server has a handler for SIGCHLD" {
  start_server 07
  assert_holds has_signal "$SERVER" SigCgt 17
}

@test "the handler changes errno under the code that it interrupts" {
  build_handler 07
  run -0 "$BATS_TEST_TMPDIR/handler" errno
  assert_output 'remove proc id -1
errno after the handler: No child processes'
}

@test "the handler's printf gets into half a line that was in the buffer" {
  build_handler 07
  run -0 "$BATS_TEST_TMPDIR/handler" stdio
  assert_output --regexp '^half remove proc id [1-9][0-9]*
a line$'
}

@test "a child that is only stopped makes the server tell of a removed process 0" {
  start_server 07
  join_served a
  stop "$CHILD"
  wait_until 'the handler has run' has_line "$OUTPUT" 'remove proc id 0'
  resume "$CHILD"
  client echo a 'still here\n'
  assert_holds has_children "$SERVER" 1
}
