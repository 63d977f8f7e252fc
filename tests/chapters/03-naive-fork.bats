#!/usr/bin/env bats
# tests/chapters/03-naive-fork.bats - a child per client; nobody closes, nobody waits.
# shellcheck disable=SC2030,SC2031,SC2034,SC2153,SC2154 # set by lab.bash and by run

bats_require_minimum_version 1.5.0

setup() {
  load ../lib/lab.bash
  lab_setup
}

teardown() {
  lab_teardown
}

@test "after the fork two descriptors refer to each of the two sockets" {
  start_server 03
  join_served a

  assert_is 'the listening socket in the child' "$(socket_of "$SERVER" 3)" "$(socket_of "$CHILD" 3)"
  assert_is 'the connection in the child' "$(socket_of "$SERVER" 4)" "$(socket_of "$CHILD" 4)"
  assert_holds has_references "$(socket_of "$SERVER" 3)" 2
  assert_holds has_references "$(socket_of "$SERVER" 4)" 2
  assert_is 'descriptors that lsof shows' 4 "$(lsof_references "$PORT" "$SERVER" "$CHILD")"
}

@test "the second child inherits the first connection too: three descriptors refer to it" {
  start_server 03
  join_served a
  join_served b

  assert_is 'the first connection in the second child' \
    "$(socket_of "$SERVER" 4)" "$(socket_of "$CHILD" 4)"
  assert_holds has_references "$(socket_of "$SERVER" 3)" 3
  assert_holds has_references "$(socket_of "$SERVER" 4)" 3
  assert_holds has_references "$(socket_of "$SERVER" 5)" 2
}

@test "two clients are served at the same time" {
  start_server 03
  join_served a
  join_served b
  client echo a 'one\n'
  client echo b 'two\n'
  client echo a 'three\n'
  assert_holds has_living_children "$SERVER" 2
}

@test "each child that has ended stays a zombie, also when the next client comes" {
  start_server 03
  local i
  for i in 1 2 3; do
    join_served c
    leave c "$i"
    wait_until "$i children have become zombies" has_zombies "$SERVER" "$i"
  done
  # Asleep in accept and no handler for SIGCHLD (17): nothing will wake it to wait.
  wait_until 'the parent sleeps in accept' blocked_in "$SERVER" accept
  run has_signal "$SERVER" SigCgt 17
  assert_failure
  assert_holds has_zombies "$SERVER" 3
}

@test "a client that half-closed gets no end of file, because the parent holds the connection" {
  start_server 03
  join_served a
  local connection
  connection=$(socket_of "$SERVER" 4)

  client half-close a

  wait_until 'the child has ended' has_zombies "$SERVER" 1
  # One descriptor is left, the parent's, and the parent sleeps in accept: no FIN can come.
  assert_holds has_references "$connection" 1
  assert_is "the parent's descriptor 4" "$connection" "$(socket_of "$SERVER" 4)"
  wait_until 'the parent sleeps in accept' blocked_in "$SERVER" accept
  local found
  found=$(server_end "$PORT" "$CLIENT_PORT")
  assert_is 'what ss says of the connection' "CLOSE-WAIT $connection" "${found%% *} ${found##* }"
  client state a
  assert_is "the client's state" FIN_WAIT2 "$ANSWER"
  client no-eof a 50

  # And with the parent's descriptor goes the last one.
  kill -KILL "$SERVER"
  client expect-eof a
}

@test "with 16 descriptors the server ends after exactly 12 clients" {
  # A sanitizer's search for leaks at the end needs a descriptor, and none is left.
  ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 start_server 03 -n 16
  client connect-many c 12 "$PORT"
  client exchange-many c 1000 1
  # 0, 1, 2, the listening socket and 12 connections: that makes 16.
  client connect last "$PORT"
  local last=$ANSWER

  wait_for_end "$SERVER"

  assert_is 'exit status' 1 "$STATUS"
  allow_errors "$SERVER" 'server: accept: Too many open files'
  assert_holds has_lines "$OUTPUT" 'new client connected\.\.\.' 12
  # Its children hold the port: a client still gets through, and nobody serves it.
  client send last 'anyone?\n'
  wait_until 'the bytes are in a socket of no process' \
    eval "[[ \$(server_end $PORT $last) == 'ESTAB 8 0' ]]"
  # The old clients are served on.
  client exchange-many c 1000 2
}

@test "after the parent is killed a restart fails as long as a child lives" {
  start_server 03
  join_served a
  local old=$SERVER port=$PORT listener
  listener=$(socket_of "$SERVER" 3)
  kill -KILL "$old"
  wait_for_end "$old"

  run --separate-stderr timeout 10 "$FORKLAB_BUILD/chapters/03-naive-fork/server" "$port"
  assert_is 'exit status of the restart' 1 "$status"
  assert_is 'stderr of the restart' 'server: bind: Address already in use' "$stderr"

  client echo a 'still here\n'
  assert_holds has_listener "$port" "$listener"

  # The last descriptor goes with the child, and with it the socket that held the port.
  client close a
  wait_until 'the last child has ended' has_nothing_running "$old"
  refute has_listener "$port" "$listener"
}

@test "lines that are still in the buffer at the fork are printed again by each child" {
  local program=$BATS_TEST_TMPDIR/buffered name inode
  sed -e '/^ *setvbuf(/d' -e 's/_exit(EXIT_SUCCESS)/exit(EXIT_SUCCESS)/' "$LAB_ROOT/chapters/03-naive-fork/server.c" >"$program.c"
  assert_is 'changed lines' 2 "$(diff "$LAB_ROOT/chapters/03-naive-fork/server.c" "$program.c" | grep -c '^<')"
  run "${CC:-cc}" -std=c11 -Wall -Werror -o "$program" "$program.c"
  assert_success
  start 'a server with a buffer' "$program" 0
  SERVER=$PID
  wait_until 'it waits in accept' is_in_accept
  inode=$(socket_of "$SERVER" 3)
  PORT=$(ss -Htlne | sed -n "s/^LISTEN .*:\([0-9]*\) .* ino:$inode .*/\1/p")
  for name in a b; do
    join_served "$name"
    client close "$name"
    wait_until 'the child has ended' is_in_state "$CHILD" Z
  done
  kill -KILL "$SERVER"
  wait_for_end "$SERVER"
  assert_is 'listening' 2 "$(grep -c '^listening on port' "$OUTPUT")"
  assert_is 'new client' 3 "$(grep -cx 'new client connected\.\.\.' "$OUTPUT")"
  assert_is 'disconnected' 2 "$(grep -cx 'client disconnected\.\.\.' "$OUTPUT")"
}

# is_in_accept: system call 43 of x86-64, 202 of aarch64.
is_in_accept() {
  [[ $(</proc/"$SERVER"/syscall) == @(43|202)\ * ]]
}
