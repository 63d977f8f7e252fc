#!/usr/bin/env bats
# tests/chapters/02-one-at-a-time.bats - the accept loop: one client after another.
# shellcheck disable=SC2030,SC2031,SC2034,SC2153,SC2154 # set by lab.bash and by run

bats_require_minimum_version 1.5.0

setup() {
  load ../lib/lab.bash
  lab_setup
}

teardown() {
  lab_teardown
}

@test "the second client is established with no descriptor in any process" {
  start_server 02
  join_served a
  join b
  client send b 'hello\n'

  # ss: six bytes wait in it, it has no inode, hence no descriptor can name it.
  wait_until 'the bytes are in the socket' \
    eval "[[ \$(server_end $PORT $CLIENT_PORT) == 'ESTAB 6 0' ]]"
  run -0 ss -Htanp "sport = :$PORT and dport = :$CLIENT_PORT"
  refute_output --partial 'users:'
  assert_is 'descriptors for listening socket and first client' 2 \
    "$(descriptors_of "$SERVER" | grep -c ' socket:')"
  assert_is 'descriptors that lsof shows' 2 "$(lsof_references "$PORT" "$SERVER")"
}

@test "the second client is served when the first has left, and its text has waited in the kernel" {
  start_server 02
  join_served a
  join b
  client send b 'early\n'
  # The server sleeps in read for the first client: nothing can come for the second.
  wait_until 'the server waits for the first client' blocked_in "$SERVER" read
  client no-eof b 50

  client close a

  client expect b 'early\n'
  wait_until 'the server has a descriptor for it' \
    eval "[[ \$(server_end $PORT $CLIENT_PORT) == \"ESTAB 0 \$(socket_of $SERVER 4)\" ]]"
  assert_is 'the inode of the second connection is not 0' 0 \
    "$([[ $(socket_of "$SERVER" 4) -gt 0 ]] && printf 0)"
}

@test "clients after one another are all served and leave no descriptor behind" {
  start_server 02
  local before i
  before=$(descriptors_of "$SERVER")

  for i in 1 2 3 4 5; do
    join_served c
    client half-close c
    client expect-eof c
    leave c "$i"
  done

  wait_until 'the server is back in accept' blocked_in "$SERVER" accept
  assert_is 'open descriptors' "$before" "$(descriptors_of "$SERVER")"
  assert_holds has_lines "$OUTPUT" 'new client connected\.\.\.' 5
  assert_holds has_lines "$OUTPUT" 'client disconnected\.\.\.' 5
}

@test "one process serves them all: no child is ever made" {
  start_server 02
  join_served a
  assert_is 'children' '' "$(children_of "$SERVER")"
  assert_is 'processes of the session' "$SERVER" "$(session_of "$SERVER")"
}
