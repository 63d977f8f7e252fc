#!/usr/bin/env bats
# tests/grading/05-blocking-wait.bats - tell how a child ended.
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

# ends_so COMMAND TEXT: a client whose first line is COMMAND, and the line that tells of its child.
ends_so() {
  client connect a "$PORT"
  client send a "$1\n"
  client end a
  client close a
  prints "${3-1}" "child ended: $2"
}

@test "no zombie is left of a child that has ended [1]" {
  why 'the kernel keeps what is left of a child until its parent has asked how it ended'
  expected 'after the client has left there is no zombie'
  read_on 'Investigate'
  decides reaped 'it does not reap its children'
  serve
  joins a
  # The child may be faster than its parent: the parent waits first, where it waits at all.
  inside settled || true
  client close a
  reaches 'alive<='"$RESTING"
  reaches 'zombies==0'
}

@test "an ordinary client's child is told of as exit 0 [1]" {
  why 'what the kernel tells of a child is one number, and two answers are in it'
  expected 'the line "child ended: exit 0", once'
  read_on 'Investigate'
  depends reaped
  serve
  joins a
  client close a
  prints 1 'child ended: exit 0'
}

@test "the exit status of a child is told [2]" {
  # One that is small and one that is not, in either order.
  local two=($((2 + SEED % 126)) $((128 + SEED * 7 % 128)))
  local first=${two[SEED / 2 % 2]} second=${two[1 - SEED / 2 % 2]}
  why 'the exit status is only a part of the number that the kernel gives'
  expected "the lines \"child ended: exit $first\" and \"child ended: exit $second\", once each"
  read_on 'Investigate'
  depends reaped
  serve
  ends_so "exit $first" "exit $first"
  ends_so "exit $second" "exit $second"
}

@test "the signal that ended a child is told [2]" {
  # Two different ones of those that end a process.
  local signals=(3 6 9 10 11 12 14 15)
  local first=${signals[SEED % 8]} second=${signals[(SEED + 1 + SEED / 8 % 7) % 8]}
  why 'a child that crashed has no exit status, and whoever reads the log must see that'
  expected "the lines \"child ended: signal $first\" and \"child ended: signal $second\", once each"
  read_on 'Investigate'
  depends reaped
  serve
  ends_so "signal $first" "signal $first"
  ends_so "signal $second" "signal $second"
}

@test "however a child ended the next client is served [1]" {
  why 'a child is on its own so that its end harms nobody'
  expected 'after a child that crashed the same process serves the next client'
  read_on 'Investigate'
  serve
  local how
  for how in 'signal 11' 'exit 1' 'signal 6'; do
    client connect a "$PORT"
    client send a "$how\n"
    client end a
    client close a
    joins b
    client close b
  done
  look
  is 'the process that listens' "$SERVER" "$LISTENER"
}
