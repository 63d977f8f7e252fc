#!/usr/bin/env bats
# tests/chapters/seed.bats - a socket is the kernel's; fork copies descriptors.
#
# The claims that the whole lab rests on, each shown on the chapter where it is
# seen best, with what /proc and ss say.
# shellcheck disable=SC2030,SC2031,SC2034,SC2153,SC2154 # set by lab.bash and by run

bats_require_minimum_version 1.5.0

setup() {
  load ../lib/lab.bash
  lab_setup
}

teardown() {
  lab_teardown
}

@test "five clients make five children, each with a connection of its own" {
  start_server 08
  client connect-many c 5 "$PORT"
  client exchange-many c 10000 1
  assert_holds has_living_children "$SERVER" 5

  local child
  for child in $(children_of "$SERVER"); do
    socket_of "$child" 4
  done | sort -u >"$BATS_TEST_TMPDIR/connections"
  assert_is 'different connections' 5 "$(wc -l <"$BATS_TEST_TMPDIR/connections")"
}

@test "connected, disconnected and removed are told in this order, the pid is the child's" {
  local number
  for number in 07 08; do
    start_server "$number"
    join_served a
    leave a 1
    wait_until 'the child is removed' has_line "$OUTPUT" 'remove proc id .*'
    assert_output_is "$OUTPUT" "listening on port $PORT" \
      'new client connected...' 'client disconnected...' "remove proc id $CHILD"
    client close-many a
  done
}

@test "first picture: after fork both processes hold both sockets, two references each" {
  start_server 03
  join_served a
  assert_is "the parent's sockets" \
    "$(socket_of "$CHILD" 3) $(socket_of "$CHILD" 4)" "$(socket_of "$SERVER" 3) $(socket_of "$SERVER" 4)"
  assert_holds has_references "$(socket_of "$SERVER" 3)" 2
  assert_holds has_references "$(socket_of "$SERVER" 4)" 2
}

@test "second picture: after the closes each process holds its own, one reference each" {
  start_server 04
  join_served a
  wait_until 'the parent has closed the connection' \
    has_references "$(socket_of "$CHILD" 4)" 1
  assert_holds has_references "$(socket_of "$SERVER" 3)" 1
  assert_is "the parent's sockets" 1 "$(descriptors_of "$SERVER" | grep -c ' socket:')"
  assert_is "the child's sockets" 1 "$(descriptors_of "$CHILD" | grep -c ' socket:')"
}

@test "fork copies no socket: two descriptors, one inode, one listener on the port" {
  start_server 03
  join_served a
  local inode
  inode=$(socket_of "$SERVER" 3)
  assert_is "the child's listening socket" "$inode" "$(socket_of "$CHILD" 3)"
  assert_holds has_references "$inode" 2
  # Were the socket copied, two would listen on one port. ss knows one.
  assert_is 'what ss says listens' "127.0.0.1:$PORT $inode" "$(listeners_on "$PORT")"
}

@test "a socket lives until its last descriptor is closed" {
  start_server 03
  join_served a
  local listener connection
  listener=$(socket_of "$SERVER" 3)
  connection=$(socket_of "$SERVER" 4)
  assert_holds has_listener "$PORT" "$listener"
  assert_holds has_references "$connection" 2

  # One of the two is gone: the client notices nothing.
  kill -KILL "$CHILD"
  wait_until 'the child has ended' has_zombies "$SERVER" 1
  assert_holds has_references "$connection" 1
  assert_is 'what ss says of the connection' "ESTAB 0 $connection" "$(server_end "$PORT" "$CLIENT_PORT")"
  wait_until 'the parent sleeps in accept' blocked_in "$SERVER" accept
  client no-eof a 50

  # The last one: the kernel ends the connection and frees the port.
  kill -KILL "$SERVER"
  client expect-eof a
  wait_for_end "$SERVER"
  refute has_listener "$PORT" "$listener"
}
