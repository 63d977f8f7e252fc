#!/usr/bin/env bats
# tests/chapters/05-blocking-wait.bats - wait: no zombie, and no concurrency.
# shellcheck disable=SC2030,SC2031,SC2034,SC2153,SC2154 # set by lab.bash and by run

bats_require_minimum_version 1.5.0

setup() {
  load ../lib/lab.bash
  lab_setup
}

teardown() {
  lab_teardown
}

@test "no zombie is left, and the parent names each child that it removed" {
  start_server 05
  local expected=() i
  for i in 1 2 3; do
    join_served c
    expected+=("$CHILD")
    leave c "$i"
    wait_until "child $i is removed" has_line "$OUTPUT" "remove proc id $CHILD"
    assert_holds has_children "$SERVER" 0
  done
  assert_is 'removed' "$(printf '%s\n' "${expected[@]}" | sort -n)" "$(removed)"
}

@test "the second client is not served until the first has left" {
  start_server 05
  join_served a
  join b
  client send b 'early\n'

  # The parent sleeps in wait, and has made one child: none is there to serve it.
  wait_until 'the parent waits for its child' blocked_in "$SERVER" wait4
  wait_until 'the bytes are in a socket of no process' \
    eval "[[ \$(server_end $PORT $CLIENT_PORT) == 'ESTAB 6 0' ]]"
  assert_holds has_children "$SERVER" 1
  client no-eof b 50

  client close a
  client expect b 'early\n'
  assert_holds has_lines "$OUTPUT" 'new client connected\.\.\.' 2
}

@test "each process has closed what it does not use" {
  start_server 05
  join_served a
  wait_until 'the parent waits for its child' blocked_in "$SERVER" wait4
  assert_holds has_references "$(socket_of "$SERVER" 3)" 1
  assert_holds has_references "$(socket_of "$CHILD" 4)" 1
}
