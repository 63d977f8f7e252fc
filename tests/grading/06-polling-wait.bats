#!/usr/bin/env bats
# tests/grading/06-polling-wait.bats - at most three clients at a time.
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

# three_and_a_fourth: three clients that are served, and a fourth that has sent a line.
three_and_a_fourth() {
  serve
  joins a
  joins b
  joins c
  client connect d "$PORT"
  client send d 'I wait\n'
  inside settled || true
}

@test "three clients are served at the same time [1]" {
  why 'three may be served, so three shall be'
  expected 'each of three clients is served while the others stay'
  read_on 'Investigate'
  decides three 'it does not serve three clients at the same time'
  serve
  joins a
  joins b
  joins c
  client echo a 'and again\n'
}

@test "a fourth client waits until one of the three has left, whichever [2]" {
  why 'a limit that does not hold is none, and one that never ends is an outage'
  expected 'the fourth client gets no answer while three are there'
  read_on 'Investigate'
  depends three
  decides fourth 'it does not hold the limit of three'
  three_and_a_fourth
  unanswered d
  at_most 'processes that live' $((RESTING + 3)) "$ALIVE"
  expected 'when the second client has left the fourth is served'
  client close b
  client expect d 'I wait\n'
  client echo a 'and again\n'
}

@test "waiting costs no processor time [1]" {
  why 'a server that asks again and again uses up a processor, and is no faster for it'
  expected 'with three clients there and a fourth that waits every process sleeps'
  read_on 'Investigate'
  depends three
  three_and_a_fourth
  reaches idle
}

@test "the count stays right for many rounds, and when a child was killed [2]" {
  why 'a count that is wrong by one serves two clients from then on, or four, and one day none'
  expected 'three clients at a time, not more and not fewer, in every round'
  read_on 'Investigate'
  depends three fourth
  serve
  local round child
  for round in 1 2 3; do
    joins "a$round"
    joins "b$round"
    joins "c$round"
    if ((round == 1)); then
      # One child does not end by itself. Who serves all clients in processes that were there before, in one or
      # in several, has no such child.
      look
      child=${PROCESSES[-1]}
      if ((ALIVE == RESTING + 3)) && [[ $child != "$SERVER" ]]; then
        signals KILL "$child"
        reaches "gone==$child"
      fi
    fi
    client close-many a
    client close-many b
    client close-many c
    reaches "alive<=$RESTING"
  done
  three_come_again
}

# three_come_again: with the server as it is now there are places for three, and for three only.
three_come_again() {
  joins x
  joins y
  joins z
  client connect w "$PORT"
  client send w 'I wait\n'
  unanswered w
}

@test "when a client comes no zombie is left of those that have gone [1]" {
  why 'one zombie collected for each client that comes is too few when several have left'
  expected 'three clients leave, one comes and is served, and there is no zombie'
  read_on 'Investigate'
  depends three
  serve
  joins a
  joins b
  joins c
  client close a
  client close b
  client close c
  reaches "alive<=$RESTING"
  joins d
  reaches 'zombies==0'
}
