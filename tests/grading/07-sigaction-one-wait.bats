#!/usr/bin/env bats
# tests/grading/07-sigaction-one-wait.bats - install the handler, outlive EINTR.
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

@test "the server has a handler for SIGCHLD [1]" {
  why 'the kernel tells a process by SIGCHLD that a child has ended, if the process wants to know'
  expected 'a handler for SIGCHLD is installed when it listens'
  read_on 'Investigate'
  decides handler 'it has no handler for SIGCHLD'
  serve
  has_signal "$SERVER" SigCgt 17 >/dev/null || fails 'no handler for SIGCHLD'
}

@test "it goes on after each child that has ended [2]" {
  why 'a handler interrupts the call that the server sleeps in; that call then fails, and nothing is wrong'
  expected 'five clients come and leave, and the same process serves each'
  read_on 'accept returns EINTR'
  depends handler
  decides goes-on 'it does not outlive the end of a child'
  serve
  local i
  for i in 1 2 3 4 5; do
    joins "c$i"
    client close "c$i"
    # The child has ended and the signal has been handled before the next one comes.
    reaches "alive<=$RESTING"
    inside settled || true
  done
  joins d
  look
  is 'the process that listens' "$SERVER" "$LISTENER"
}

@test "a child that has ended is collected while nobody comes, and told of [2]" {
  why 'a server may be idle all night, and its zombies shall not wait for the next client'
  expected 'three clients leave one after another: each time no zombie, and one more line "remove proc id N", each N of its own'
  read_on 'Investigate'
  depends handler goes-on
  serve
  local i
  # Not only the first: a handler may be good for one signal and no more.
  for i in 1 2 3; do
    joins "c$i"
    client close "c$i"
    reaches "alive<=$RESTING"
    reaches 'zombies==0'
    prints_like "$i" 'remove proc id [1-9][0-9]*'
  done
  is 'different numbers' 3 "$(grep -aE '^remove proc id [1-9][0-9]*$' "$BOX.out" | sort -u | grep -c .)"
}

@test "nobody waits because another client has left [2]" {
  why 'a handler that waits for a child which still serves stops the whole server'
  expected 'client A leaves, client B stays: B is served on, and a new client C is served too'
  read_on 'Investigate'
  depends handler goes-on
  serve
  joins a
  joins b
  client close a
  inside "alive<=$((RESTING + 1))" || true
  inside settled || true
  client echo b 'still here\n'
  joins c
}
