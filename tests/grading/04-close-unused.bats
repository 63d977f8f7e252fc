#!/usr/bin/env bats
# tests/grading/04-close-unused.bats - close what leaks.
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

@test "the first process keeps no descriptor of a client [3]" {
  why 'a connection is closed when its last descriptor is, and a process has only so many'
  expected 'with two clients there the first process holds as many sockets as before the first of them'
  read_on 'Investigate'
  decides leak 'the first process keeps descriptors of its clients'
  serve
  local before=${SOCKETS[$SERVER]-0}
  joins a
  joins b
  inside settled || true
  is 'sockets that the first process holds' "$before" "${SOCKETS[$SERVER]-0}"
}

@test "a client gets its end of file while another client is still there [1]" {
  why 'a connection that some other process still holds is not closed, and the client waits in vain'
  expected 'client A, which has sent its end of file, reads end of file; client B stays'
  read_on 'The child has ended' 03
  depends leak
  serve
  joins a
  joins b
  client half-close a
  client expect-eof a
  client echo b 'still here\n'
}

@test "two hundred clients are served with sixteen descriptors [2]" {
  why 'whatever leaks, however little, ends a server that runs long enough'
  expected 'two hundred clients, one after another, are served by a server that may open 16 descriptors'
  read_on 'Sixteen descriptors' 03
  depends leak
  serve -n 16 -p 400
  client visit 200 "$PORT" 100 "$BYTES"
  reaches "alive<=$RESTING"
  look
  is 'the process that listens' "$SERVER" "$LISTENER"
}

@test "the port is free as soon as the first process is gone [1]" {
  why 'a child that holds the listening socket holds the port, and nobody can start the server again'
  expected 'when the first process is killed its child serves on, and a new server gets the port'
  read_on 'Investigate'
  serve
  joins a
  signals KILL "$SERVER"
  reaches "gone==$SERVER"
  serve
  joins b
  client echo a 'still here\n'
}
