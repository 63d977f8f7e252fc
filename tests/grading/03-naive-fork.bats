#!/usr/bin/env bats
# tests/grading/03-naive-fork.bats - a child for every client, none in the accept loop.
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

@test "five clients are served at the same time [2]" {
  why 'a client shall not wait because another one is still there'
  expected 'each of five clients is served while the four others stay'
  read_on 'After the fork'
  decides together 'it does not serve clients at the same time'
  serve
  local i
  for i in 1 2 3 4 5; do
    joins "c$i"
  done
  client exchange-many c 5000 "$BYTES"
}

@test "each client has a process of its own [1]" {
  why 'a child per client is what this chapter is about'
  expected 'with two clients there are two more processes than without'
  read_on 'After the fork'
  depends together
  decides children 'its clients have no processes of their own'
  serve
  joins a
  joins b
  # One that only started another ends in its own time.
  inside settled || true
  is 'processes that live' $((RESTING + 2)) "$ALIVE"
}

@test "the process of a client that has left has ended [2]" {
  why 'a child that does not end goes on into the accept loop, and becomes a server too'
  expected 'after three clients have left only the first process lives'
  read_on 'The child has ended'
  depends together children
  serve
  joins a
  joins b
  joins c
  client close a
  client close b
  client close c
  reaches "alive<=$RESTING"
  # And the first process is the one that goes on accepting.
  joins d
  inside settled || true
  is 'processes that live with one client' $((RESTING + 1)) "$ALIVE"
}

@test "each line is printed once a client [2]" {
  why 'a child inherits the lines that its parent has printed but not yet written: they come twice, or never'
  expected 'three times "new client connected...", three times "client disconnected..."'
  read_on 'A line printed twice'
  serve
  local i
  for i in 1 2 3; do
    joins "c$i"
    client close "c$i"
    # Not all need to have ended: that is judged elsewhere.
    inside settled || true
  done
  prints 3 'new client connected...' 'client disconnected...'
}
