#!/usr/bin/env bats
# tests/chapters/08-sigaction-reap-all.bats - no child is lost, however they end.
# shellcheck disable=SC2030,SC2031,SC2034,SC2153,SC2154 # set by lab.bash and by run

bats_require_minimum_version 1.5.0

setup() {
  load ../lib/lab.bash
  lab_setup
}

teardown() {
  lab_teardown
}

# keep COUNT: of COUNT clients that leave together no zombie is left, and each
# child is told of once.
keep() {
  local count=$1 trial
  start_server 08
  for ((trial = 1; trial <= 3 * REPEAT; trial++)); do
    client connect-many c "$count" "$PORT"
    client exchange-many c 100 "$trial"
    children_of "$SERVER" >>"$BATS_TEST_TMPDIR/children"
    lose_together c "$count"
    assert_holds has_children "$SERVER" 0
  done
  assert_is 'removed' "$(sort -n "$BATS_TEST_TMPDIR/children")" "$(removed)"
  assert_is 'number removed' $((count * 3 * REPEAT)) "$(removed | wc -l)"
}

@test "a client's visit prints three lines: connected, disconnected, removed" {
  start_server 08
  join_served a
  leave a 1
  wait_until 'the server says so' has_line "$OUTPUT" 'remove proc id .*'
  assert_holds has_children "$SERVER" 0
  assert_output_is "$OUTPUT" "listening on port $PORT" \
    'new client connected...' 'client disconnected...' "remove proc id $CHILD"
}

@test "clients leaving one by one leave no zombie" {
  start_server 08
  local i children
  client connect-many c 8 "$PORT"
  client exchange-many c 100 1
  children=$(children_of "$SERVER")
  for i in 1 2 3 4 5 6 7 8; do
    client close "c$i"
    wait_until "child $i is removed" has_children "$SERVER" $((8 - i))
  done
  wait_until 'the server is back in accept' is_settled "$SERVER"
  assert_is 'removed' "$children" "$(removed)"
}

@test "of 2 clients leaving together no zombie is left" {
  keep 2
}

@test "of 5 clients leaving together no zombie is left" {
  keep 5
}

@test "of 50 clients leaving together no zombie is left" {
  keep 50
}

@test "a storm of clients, coming and leaving in heaps, loses no child" {
  start_server 08
  local round
  for ((round = 1; round <= 3 * REPEAT; round++)); do
    client connect-many "a${round}x" 30 "$PORT"
    client connect-many "b${round}x" 30 "$PORT"
    client exchange-many "a${round}x" 5000 "$round"
    # These leave by FIN and by RST, while the others' children start.
    client close-many "a${round}x"
    client exchange-many "b${round}x" 5000 "$round"
    client reset-many "b${round}x"
    client visit 20 "$PORT" 100 "$round"
  done

  local total=$((80 * 3 * REPEAT))
  wait_until 'every child is removed' has_children "$SERVER" 0
  wait_until 'every removal is told' has_lines "$OUTPUT" 'remove proc id [1-9][0-9]*' "$total"
  assert_holds has_lines "$OUTPUT" 'new client connected\.\.\.' "$total"
  assert_holds has_lines "$OUTPUT" 'client disconnected\.\.\.' "$total"
  assert_is 'different pids removed' "$total" "$(removed | uniq | wc -l)"
}

@test "a child that is killed is removed too" {
  start_server 08
  join_served a
  kill -KILL "$CHILD"
  wait_until 'the child is removed' has_line "$OUTPUT" "remove proc id $CHILD"
  client expect-eof a
  assert_holds has_children "$SERVER" 0
}

@test "SIGCHLD does not interrupt accept" {
  start_handler 08
  join_served a
  wait_until 'the server sleeps in accept' blocked_in "$SERVER" accept

  leave a 1

  # The handler has run inside accept, and accept has gone on by itself.
  wait_until 'the child is removed' has_line "$OUTPUT" "remove proc id $CHILD"
  wait_until 'the server is back in accept' is_settled "$SERVER"
  join_served b
  assert_is 'calls of accept that failed' '' "$(grep '^accept: ' "$OUTPUT")"
}

@test "the handler leaves errno as it was" {
  build_handler 08
  run -0 "$BATS_TEST_TMPDIR/handler" errno
  assert_output 'errno after the handler: Invalid cross-device link'
}

@test "the handler's line stays out of half a line that was in the buffer" {
  build_handler 08
  run -0 "$BATS_TEST_TMPDIR/handler" stdio
  assert_output --regexp '^remove proc id [1-9][0-9]*
half a line$'
}

@test "a child that is only stopped, or goes on, does not make the handler run" {
  start_handler 08
  join_served a
  local stopped=$CHILD
  stop "$stopped"
  resume "$stopped"
  client echo a 'still here\n'
  # A signal of the stop, if there were one, would have come before this child's.
  join_served b
  leave b 1
  wait_until 'the second child is removed' has_line "$OUTPUT" "remove proc id $CHILD"
  wait_until 'the server is back in accept' is_settled "$SERVER"
  assert_is 'what waitpid returned' "waitpid: $CHILD"$'\n''waitpid: 0' "$(grep '^waitpid: ' "$OUTPUT")"
  assert_is 'removed' "$CHILD" "$(removed)"
  assert_is 'children left' "$stopped" "$(children_of "$SERVER")"
}
