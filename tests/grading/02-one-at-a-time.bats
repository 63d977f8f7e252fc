#!/usr/bin/env bats
# tests/grading/02-one-at-a-time.bats - outlive a client that resets.
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

@test "every byte comes back, whatever it is and however many there are [2]" {
  echoes
}

@test "three clients are served one after another [2]" {
  why 'a server that ends with its first client has to be started for each'
  expected 'each of three clients is served after the one before has left'
  read_on 'Investigate'
  decides loop 'it does not serve a second client'
  serve
  local i
  for i in 1 2 3; do
    joins "c$i"
    client close "c$i"
  done
  look
  is 'the process that listens' "$SERVER" "$LISTENER"
}

@test "a client that sends its end of file gets the rest and then end of file [1]" {
  why 'the client waits until the server has closed the connection too'
  expected 'after its own end of file the client reads end of file'
  read_on 'Investigate' 01
  decides end 'its clients get no end of file'
  serve
  joins a
  client send a 'the rest\n'
  client half-close a
  client expect a 'the rest\n'
  client expect-eof a
}

@test "a client that resets its connection harms nobody but itself [2]" {
  why 'a client may vanish at any moment, also while the server is sending to it'
  expected 'the next client is served by the same process'
  read_on 'Investigate'
  depends loop
  serve
  # One that has sent much and has read nothing: the server is in the middle of sending.
  client connect a "$PORT"
  client push a "$BYTES"
  inside settled || true
  client reset a
  joins b
  client close b
  # And one that is gone before it has said a word.
  client connect c "$PORT"
  client reset c
  joins d
  look
  is 'the process that listens' "$SERVER" "$LISTENER"
}

@test "twenty clients later it holds as many descriptors as before [1]" {
  why 'a server that keeps a descriptor of each client has none left one day'
  expected 'not more descriptors twenty clients later than after the first'
  read_on 'Modify'
  depends loop end
  serve
  # What it opens for its own use it may open with the first client.
  joins c
  client close c
  inside settled || true
  local before=${DESCRIPTORS[$SERVER]-0} i
  for i in {1..20}; do
    joins c
    client close c
  done
  inside settled || true
  is 'the process that listens' "$SERVER" "$LISTENER"
  at_most 'descriptors of the server' "$before" "${DESCRIPTORS[$SERVER]-0}"
}
