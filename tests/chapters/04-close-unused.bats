#!/usr/bin/env bats
# tests/chapters/04-close-unused.bats - each process closes what it does not use.
# shellcheck disable=SC2030,SC2031,SC2034,SC2153,SC2154 # set by lab.bash and by run

bats_require_minimum_version 1.5.0

setup() {
  load ../lib/lab.bash
  lab_setup
}

teardown() {
  lab_teardown
}

# parent_has_closed: the parent closes after the fork, so maybe after the echo.
parent_has_closed() {
  holds_no_socket "$SERVER" 4
}

@test "the parent keeps the listening socket, the child the connection: one reference each" {
  start_server 04
  join_served a
  wait_until 'the parent has closed the connection' parent_has_closed

  local listener connection
  listener=$(socket_of "$SERVER" 3)
  connection=$(socket_of "$CHILD" 4)
  assert_is 'what ss says listens' "127.0.0.1:$PORT $listener" "$(listeners_on "$PORT")"
  assert_is 'what ss says of the connection' "ESTAB 0 $connection" "$(server_end "$PORT" "$CLIENT_PORT")"
  assert_holds has_references "$listener" 1
  assert_holds has_references "$connection" 1
  assert_is "the child's descriptor 3" '' "$(socket_of "$CHILD" 3)"
  assert_is 'descriptors that lsof shows' 2 "$(lsof_references "$PORT" "$SERVER" "$CHILD")"
}

@test "a second child knows nothing of the first connection" {
  start_server 04
  join_served a
  local first=$CHILD
  wait_until 'the parent has closed the connection' parent_has_closed
  join_served b
  wait_until 'the parent has closed the connection' parent_has_closed

  assert_holds has_references "$(socket_of "$first" 4)" 1
  assert_holds has_references "$(socket_of "$CHILD" 4)" 1
  assert_is "the second child's sockets" 1 "$(descriptors_of "$CHILD" | grep -c ' socket:')"
}

@test "a client that half-closes gets its end of file" {
  start_server 04
  join_served a
  client send a 'last words\n'
  client half-close a
  client expect a 'last words\n'
  client expect-eof a
  wait_until 'the connection is gone' server_end_is "$PORT" "$CLIENT_PORT" none
}

@test "after the parent is killed a restart works though a child lives" {
  start_server 04
  join_served a
  local old=$SERVER
  kill -KILL "$old"
  wait_for_end "$old"

  start_server 04 "$PORT"

  client echo a 'from the old child\n'
  join_served b
  client echo b 'from the new server\n'
  assert_is 'the old child' 1 "$(running_of "$old" | wc -l)"
}

@test "two hundred clients one after another need no more than 16 descriptors" {
  start_server 04 -n 16
  local before
  before=$(descriptors_of "$SERVER")

  client visit 200 "$PORT" 100 1

  wait_until 'all children have ended' has_zombies "$SERVER" 200
  wait_until 'the parent has closed the last connection' parent_has_closed
  assert_is 'descriptors of the parent' "$before" "$(descriptors_of "$SERVER")"
  assert_holds has_lines "$OUTPUT" 'new client connected\.\.\.' 200
}

@test "every client leaves a zombie behind" {
  start_server 04
  client connect-many c 7 "$PORT"
  client exchange-many c 100 1
  client close-many c

  wait_until 'all children have ended' has_zombies "$SERVER" 7

  join_served d
  wait_until 'the parent sleeps in accept' blocked_in "$SERVER" accept
  run has_signal "$SERVER" SigCgt 17
  assert_failure
  assert_holds has_zombies "$SERVER" 7
}
