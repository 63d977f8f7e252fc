#!/usr/bin/env bats
# tests/grading/01-single-client.bats - the five calls: one client, and nobody waits in vain.
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

@test "only this machine can reach it [1]" {
  why 'a server under test shall not be open to the network that the machine is in'
  expected 'it listens on 127.0.0.1 and on no other address'
  read_on 'Investigate'
  serve
  local line
  for line in "${LISTENING[@]}"; do
    [[ $line == *loopback ]] || fails "it listens on port ${line%% *} of every address"
  done
}

@test "every byte comes back, whatever it is and however many there are [2]" {
  echoes
}

@test "a client that sends its end of file gets the rest and then end of file [1]" {
  why 'the client waits until the server has closed the connection too'
  expected 'after its own end of file the client reads end of file'
  read_on 'Investigate'
  decides end 'the client gets no end of file'
  serve
  joins a
  client send a 'the rest\n'
  client half-close a
  client expect a 'the rest\n'
  client expect-eof a
}

@test "it ends with status 0 when its client has left [1]" {
  why 'this server serves one client, and then its work is done'
  expected 'the program ends with exit status 0'
  read_on 'Investigate'
  depends end
  serve
  joins a
  client close a
  ends
  is 'how it ended' 'exit 0' "$ENDED"
}

@test "whoever comes while it serves is refused [2]" {
  why 'a client in the backlog of a server that will never accept it waits in vain'
  expected 'the second client is refused'
  read_on 'Investigate'
  serve
  joins a
  # Where another process serves, this one may close the listening socket a moment later.
  inside settled || true
  ask connect b "$PORT"
  [[ $ANSWER == *'Connection refused'* ]] || fails "the second client is connected, and nobody will ever serve it"
}

@test "it can be started again at once [1]" {
  why 'a connection that the server closed stays in TIME_WAIT for a minute and holds the port'
  expected 'a second start listens on the same port'
  read_on 'Investigate'
  serve
  joins a
  # With every byte read the server's end becomes TIME_WAIT when whoever holds it has ended.
  look
  kill -KILL "${PROCESSES[@]}" 2>/dev/null || true
  ends
  client expect-eof a
  client close a
  serve
}
