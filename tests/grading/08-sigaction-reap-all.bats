#!/usr/bin/env bats
# tests/grading/08-sigaction-reap-all.bats - lose no child, keep errno, call nothing unsafe.
# shellcheck disable=SC2030,SC2031,SC2034,SC2153,SC2154 # set by grade.bash

bats_require_minimum_version 1.5.0

setup_file() {
  load grade.bash
  grade_compile
}

setup() {
  load grade.bash
  grade_setup
}

teardown() {
  grade_teardown
}

@test "it compiles [1]" {
  compiles
}

@test "it listens on the port it is given [1]" {
  listens
}

@test "every byte comes back, whatever it is and however many there are [1]" {
  echoes
}

@test "it goes on when its last client has left [2]" {
  why 'a handler runs between any two instructions of the program, and must leave errno as it found it'
  expected 'the only client leaves, and the same process serves the next'
  read_on 'Investigate'
  decides goes-on 'it does not outlive the end of a child'
  serve
  local i
  for i in 1 2 3; do
    joins "c$i"
    client close "c$i"
    # A program that ends of it is seen in the end, however fast it does.
    inside "alive<=$RESTING" || [[ $LATE == 'everything has ended' ]] || fails "$(found_instead alive)"
    # It may look for its signals now and then: until it has.
    inside in-vain || true
    [[ -n $LISTENER ]] || fails 'nobody listens any more'
  done
  joins d
  look
  is 'the process that listens' "$SERVER" "$LISTENER"
}

@test "twenty clients that leave together leave no zombie [2]" {
  why 'a pending signal is a flag, not a queue: one signal can stand for twenty children'
  expected 'no zombie is left of twenty children that ended together'
  read_on 'Investigate'
  depends goes-on
  decides twenty 'it loses children that end together'
  twenty_leave
  reaches 'zombies==0'
}

# twenty_leave: twenty children end while the server is stopped: then it goes on.
twenty_leave() {
  serve
  client connect-many c 20 "$PORT"
  client exchange-many c 100 "$BYTES"
  signals STOP "$SERVER"
  # The stop takes a moment; what ends before it would be told of one by one.
  reaches "stopped==$SERVER"
  client close-many c
  # Zombies or gone: there are ways to have none.
  reaches "alive<=$RESTING"
  signals CONT "$SERVER"
}

@test "each child that has ended is told of once [1]" {
  why 'who reads the log must find each child in it, and no child twice'
  expected 'twenty lines "remove proc id N", each N positive and of its own'
  read_on 'Investigate'
  depends goes-on twenty
  twenty_leave
  reaches 'zombies==0'
  prints_like 20 'remove proc id [1-9][0-9]*'
  is 'different numbers' 20 "$(grep -aE '^remove proc id [1-9][0-9]*$' "$BOX.out" | sort -u | grep -c .)"
}

@test "every line is whole, also when children end while it is printed [1]" {
  why 'printf in a handler gets into the middle of what the program was printing'
  expected 'every line it prints is one of the four that it knows'
  read_on 'What else is wrong in the handler' 07
  depends goes-on
  serve
  local round
  for round in 1 2 3; do
    joins a
    joins b
    signals STOP "$SERVER"
    reaches "stopped==$SERVER"
    client close a
    client close b
    reaches "alive<=$RESTING"
    client connect c "$PORT"
    signals CONT "$SERVER"
    client echo c 'hello\n'
    client close c
    reaches "alive<=$RESTING"
    inside settled || true
  done
  prints_like 9 'client number [0-9]+ connected'
  local other
  other=$(grep -avE '^(listening on port [0-9]+|client number [0-9]+ connected|client disconnected\.\.\.|remove proc id [1-9][0-9]*)$' \
    "$BOX.out" | head -n 1 | clean)
  [[ -z $other ]] || fails "a line that is none of them: \"$other\""
}

@test "nobody waits because another client has left [1]" {
  why 'a handler that waits for a child which still serves stops the whole server'
  expected 'client A leaves, client B stays: B is served on, and a new client C is served too'
  read_on 'Investigate'
  depends goes-on
  serve
  joins a
  joins b
  client close a
  inside "alive<=$((RESTING + 1))" || true
  inside settled || true
  client echo b 'still here\n'
  joins c
}
