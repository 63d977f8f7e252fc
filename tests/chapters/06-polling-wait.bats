#!/usr/bin/env bats
# tests/chapters/06-polling-wait.bats - waitpid with WNOHANG: zombies while idle.
# shellcheck disable=SC2030,SC2031,SC2034,SC2153,SC2154 # set by lab.bash and by run

bats_require_minimum_version 1.5.0

setup() {
  load ../lib/lab.bash
  lab_setup
}

teardown() {
  lab_teardown
}

@test "zombies stay while the server is idle, and the next client's coming collects them all" {
  start_server 06
  client connect-many c 5 "$PORT"
  client exchange-many c 100 1
  local children
  children=$(children_of "$SERVER")
  # It looks for ended children before it accepts: it shall have looked before these end.
  wait_until 'the parent sleeps in accept' blocked_in "$SERVER" accept
  client close-many c

  wait_until 'all children have ended' has_zombies "$SERVER" 5
  # Asleep in accept and no handler for SIGCHLD (17): only a client can wake it.
  wait_until 'the parent sleeps in accept' blocked_in "$SERVER" accept
  run has_signal "$SERVER" SigCgt 17
  assert_failure
  assert_holds has_zombies "$SERVER" 5
  assert_is 'removed while idle' '' "$(removed)"

  join_served d
  wait_until 'the zombies are collected' has_zombies "$SERVER" 0
  wait_until 'the server tells of all of them' has_lines "$OUTPUT" 'remove proc id [0-9]+' 5
  assert_is 'removed' "$children" "$(removed)"
  assert_is 'children left' "$CHILD" "$(children_of "$SERVER")"
}

@test "clients are served at the same time again" {
  start_server 06
  join_served a
  join_served b
  client echo a 'one\n'
  client echo b 'two\n'
  assert_holds has_living_children "$SERVER" 2
}

@test "of clients that come one after another one zombie remains, never more" {
  start_server 06
  local i
  for i in 1 2 3 4; do
    join_served c
    # It looks for ended children before it accepts: it shall have looked before this one ends.
    wait_until 'the parent sleeps in accept' blocked_in "$SERVER" accept
    leave c "$i"
    wait_until 'the last child is the only zombie' has_zombies "$SERVER" 1
    assert_is 'the zombie' "$CHILD" "$(zombies_of "$SERVER")"
  done
}
