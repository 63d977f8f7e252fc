#!/usr/bin/env bats
# tests/chapters/00-client.bats - the client that every chapter is tried with.
# shellcheck disable=SC2030,SC2031,SC2034,SC2153,SC2154 # set by lab.bash and by run

bats_require_minimum_version 1.5.0

setup() {
  load ../lib/lab.bash
  lab_setup
  CLIENT=$FORKLAB_BUILD/chapters/00-client/client
}

teardown() {
  lab_teardown
}

# start_client [INPUT]: sets PID, OUTPUT, ERRORS, and CLIENT_PORT once it is connected.
start_client() {
  start client -i "${1:-/dev/null}" "$CLIENT" "$PORT"
  wait_until 'the client is connected' has_line "$ERRORS" "client: connected to port $PORT from port [0-9]+"
  CLIENT_PORT=$(sed -n 's/.* from port //p' "$ERRORS")
}

# told LAST_LINE...: the lines that the client must have written on stderr so far.
told() {
  local told
  told=$(printf 'client: %s\n' "connected to port $PORT from port $CLIENT_PORT" "$@")
  allow_errors "$PID" "$told"
}

@test "the client prints exactly what the server echoes and tells about itself on stderr only" {
  start_server 08
  printf 'hello\0\xff\x80 binary\r\nno newline at the end' >"$BATS_TEST_TMPDIR/input"

  start_client "$BATS_TEST_TMPDIR/input"
  wait_for_end "$PID"

  assert_is 'exit status' 0 "$STATUS"
  run cmp "$BATS_TEST_TMPDIR/input" "$OUTPUT"
  assert_success
  told "sent end of file, waiting for the server's" 'end of file from the server'
}

@test "the client prints an answer while its own input is still open" {
  start_server 08
  mkfifo "$BATS_TEST_TMPDIR/input"
  exec {input}<>"$BATS_TEST_TMPDIR/input"

  start_client "$BATS_TEST_TMPDIR/input"
  printf 'first\n' >&"$input"
  wait_until 'the echo is printed' has_line "$OUTPUT" first
  printf 'second\n' >&"$input"
  wait_until 'the echo is printed' has_line "$OUTPUT" second

  told
}

@test "at the end of its input the client half-closes, and still waits for the server's end" {
  start_server 08
  mkfifo "$BATS_TEST_TMPDIR/input"
  start client -i "$BATS_TEST_TMPDIR/input" "$CLIENT" "$PORT"
  exec {input}>"$BATS_TEST_TMPDIR/input"
  wait_until 'the client is connected' has_line "$ERRORS" "client: connected .*"
  CLIENT_PORT=$(sed -n 's/.* from port //p' "$ERRORS")
  printf 'one line\n' >&"$input"
  wait_until 'the echo is printed' has_line "$OUTPUT" 'one line'
  newest_child
  stop "$CHILD"

  printf 'late line\n' >&"$input"
  exec {input}>&-

  # The stopped child cannot answer: only the client's FIN moves the connection on.
  wait_until 'the server has got the FIN' server_end_is "$PORT" "$CLIENT_PORT" CLOSE-WAIT
  # It says so after the shutdown, and sleeps after it has said so.
  wait_until 'the client says so' has_line "$ERRORS" "client: sent end of file, waiting for the server's"
  wait_until 'the client waits' is_in_state "$PID" S
  told "sent end of file, waiting for the server's"

  resume "$CHILD"
  wait_for_end "$PID"
  assert_is 'exit status' 0 "$STATUS"
  assert_output_is "$OUTPUT" 'one line' 'late line'
  told "sent end of file, waiting for the server's" 'end of file from the server'
}

@test "ten mebibytes go through client and server without a deadlock" {
  start_server 08
  head -c $((10 * 1024 * 1024)) /dev/urandom >"$BATS_TEST_TMPDIR/input"

  start_client "$BATS_TEST_TMPDIR/input"
  wait_for_end "$PID"

  assert_is 'exit status' 0 "$STATUS"
  run cmp "$BATS_TEST_TMPDIR/input" "$OUTPUT"
  assert_success
  told "sent end of file, waiting for the server's" 'end of file from the server'
}

@test "where no server listens the client says so in one line and ends with status 1" {
  # The child of a server that was killed keeps the port, and nobody listens on it.
  start_server 08
  join_served other
  kill -KILL "$SERVER"
  wait_for_end "$SERVER"

  run --separate-stderr timeout 10 "$CLIENT" "$PORT"

  assert_is 'exit status' 1 "$status"
  assert_is 'stdout' '' "$output"
  assert_is 'stderr' 'client: connect: Connection refused' "$stderr"
}

@test "a client whose connection is reset says so in one line and ends with status 1" {
  # The server of 01 ends with its only client; the kernel resets the one in the queue.
  start_server 01
  join_served first
  mkfifo "$BATS_TEST_TMPDIR/input"
  exec {input}<>"$BATS_TEST_TMPDIR/input"
  start_client "$BATS_TEST_TMPDIR/input"
  client close first

  wait_for_end "$PID"

  assert_is 'exit status' 1 "$STATUS"
  told 'recv: Connection reset by peer'
  assert_output_is "$OUTPUT"
}

@test "a port that is not a number from 1 to 65535 is refused with one line and status 2" {
  local port
  for port in '' ' 80' +80 -1 0 65536 99999999999999999999 80x x 0x50 '80 '; do
    run --separate-stderr timeout 10 "$CLIENT" "$port"

    assert_is "exit status for port '$port'" 2 "$status"
    assert_is "stdout for port '$port'" '' "$output"
    assert_is "stderr for port '$port'" \
      "client: '$port' is not a port: give a number from 1 to 65535" "$stderr"
  done
}

@test "without a port, or with two, the client prints its usage and ends with status 2" {
  local arguments
  for arguments in '' '80 81'; do
    # shellcheck disable=SC2086 # none or two words
    run --separate-stderr timeout 10 "$CLIENT" $arguments

    assert_is "exit status for '$arguments'" 2 "$status"
    assert_is "stdout for '$arguments'" '' "$output"
    assert_is "stderr for '$arguments'" 'usage: client PORT' "$stderr"
  done
}
