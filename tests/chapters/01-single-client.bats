#!/usr/bin/env bats
# tests/chapters/01-single-client.bats - one client, then the server is gone.
# shellcheck disable=SC2030,SC2031,SC2034,SC2153,SC2154 # set by lab.bash and by run

bats_require_minimum_version 1.5.0

setup() {
  load ../lib/lab.bash
  lab_setup
}

teardown() {
  lab_teardown
}

@test "descriptor 3 is the listening socket and 4 the connection, one reference each" {
  start_server 01
  join_served a

  local listener connection
  listener=$(socket_of "$SERVER" 3)
  connection=$(socket_of "$SERVER" 4)
  assert_is 'what ss says listens' "127.0.0.1:$PORT $listener" "$(listeners_on "$PORT")"
  assert_is 'what ss says of the connection' "ESTAB 0 $connection" "$(server_end "$PORT" "$CLIENT_PORT")"
  assert_holds has_references "$listener" 1
  assert_holds has_references "$connection" 1
  assert_is 'descriptors above 2' 2 "$(descriptors_of "$SERVER" | grep -cv ' [012] ')"
  assert_is 'descriptors that lsof shows' 2 "$(lsof_references "$PORT" "$SERVER")"
}

@test "a second client is established, but nobody serves it" {
  start_server 01
  join_served a
  join b
  client send b 'anyone?\n'

  # Its eight bytes stay unread, in a socket that no process has a descriptor for.
  wait_until 'the bytes are in the socket' \
    eval "[[ \$(server_end $PORT $CLIENT_PORT) == 'ESTAB 8 0' ]]"
  wait_until 'the server reads from its first client' blocked_in "$SERVER" read
  client state b
  assert_is "the second client's state" ESTABLISHED "$ANSWER"
  client no-eof b 50
  assert_holds has_lines "$OUTPUT" 'new client connected\.\.\.' 1
}

@test "the server ends with status 0 when its client leaves" {
  start_server 01
  join_served a

  client half-close a

  client expect-eof a
  wait_for_end "$SERVER"
  assert_is 'exit status' 0 "$STATUS"
  assert_output_is "$OUTPUT" \
    "listening on port $PORT" 'new client connected...' 'client disconnected...'
}

@test "with the server's end the waiting second client is reset, not ended" {
  start_server 01
  join_served a
  join b
  local listener
  listener=$(socket_of "$SERVER" 3)
  assert_holds has_listener "$PORT" "$listener"

  client close a

  wait_for_end "$SERVER"
  client expect-reset b
  refute has_listener "$PORT" "$listener"
}
