#!/usr/bin/env bats
# tests/grading/09-long-running.bats - outlive exhaustion, stop politely.
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

# no_more_descriptors: whoever accepts may open no further descriptor.
no_more_descriptors() {
  local pid free
  look
  for pid in "${PROCESSES[@]}"; do
    ((${HOLDS[$pid]} > 0)) || continue
    # The lowest number that is free: what is opened next would get it.
    free=0
    while [[ -e /proc/$pid/fd/$free || -L /proc/$pid/fd/$free ]]; do
      free=$((free + 1))
    done
    "$SANDBOX" limit "$pid" descriptors "$free" 2>/dev/null || fails 'the process that accepts has ended'
  done
}

# limits_as_before: everyone may open 1024 descriptors and make 64 processes again.
limits_as_before() {
  local pid
  for pid in "${PROCESSES[@]}"; do
    # A process that has ended meanwhile needs no limit.
    "$SANDBOX" limit "$pid" descriptors 1024 2>/dev/null || true
    "$SANDBOX" limit "$pid" processes 64 2>/dev/null || true
  done
}

# a_client_too_many: client A is served, client B has sent a line and there is no descriptor for it. Sets SPINS to
# how the program uses the processor then. When it rests, SPINS is empty, and the file `rests` is made; then B also
# waits in vain, if nothing has come for it.
a_client_too_many() {
  serve
  joins a
  # The parent may close its copy of the connection after the child has answered.
  inside settled || true
  no_more_descriptors
  client connect b "$PORT"
  client send b 'I wait\n'
  SPINS=''
  if inside idle-in-vain; then
    : >"$GRADE_RUN/rests" || note_lost 3
  else
    SPINS=$(found_instead idle-in-vain)
  fi
}

@test "without descriptors it goes on, and serves the waiting client when there are some [2]" {
  why 'descriptors come free again: a server that ends, or forgets the client, makes an outage of a shortage'
  expected 'the client that waits stays connected, and the others are served'
  read_on 'Descriptors run out'
  decides shortage 'it does not outlive a lack of descriptors'
  a_client_too_many
  # It uses up the processor time that it may have: what then becomes of it says nothing more.
  [[ -z $SPINS ]] || skip 'not run: it spins, which another test judges'
  client no-eof b 1
  client echo a 'still here\n'
  expected 'the client that waits is served when there are descriptors again'
  limits_as_before
  client expect b 'I wait\n'
  look
  is 'the process that listens' "$SERVER" "$LISTENER"
}

@test "without descriptors it does not spin [1]" {
  why 'a server that tries again and again takes the processor from those who are served'
  expected 'while a client waits for a descriptor every process sleeps'
  read_on 'Descriptors run out'
  depends shortage
  # The test before has just seen it rest, by the same look.
  [[ ! -e $GRADE_RUN/rests ]] || return 0
  a_client_too_many
  [[ -z $SPINS ]] || fails "$SPINS"
}

@test "a client for whom there is no process is not left hanging [1]" {
  why 'a client can try again if it is told, and waits for ever if it is not'
  expected 'the client gets its end of file, and the next one is served when there are processes again'
  read_on 'Processes run out'
  serve
  joins a
  look
  "$SANDBOX" limit "$SERVER" processes 1 2>/dev/null || fails 'the process that listens has ended'
  client connect b "$PORT"
  ask echo b 'hello\n'
  # A program that needs no process for a client serves it, which is as good.
  [[ $ANSWER == 'ok '* || $ANSWER == *'end of file'* || $ANSWER == *'reset'* ]] ||
    fails "client ${ANSWER#error }"
  limits_as_before
  client echo a 'still here\n'
  joins c
  look
  is 'the process that listens' "$SERVER" "$LISTENER"
}

@test "told to stop while nobody is there it ends with status 0 [1]" {
  why 'whoever stops a service looks at its exit status'
  expected 'after SIGTERM the program ends with exit status 0'
  read_on 'Stop'
  decides stop 'it does not stop'
  serve
  signals TERM "$SERVER"
  ends
  is 'how it ended' 'exit 0' "$ENDED"
}

@test "told to stop it lets nobody in and cuts nobody off [1]" {
  why 'a new server wants the port at once, and the clients that are there have done nothing wrong'
  expected 'after SIGTERM nobody is let in'
  read_on 'Stop'
  depends stop
  decides cut 'it still lets clients in'
  serve
  joins a
  joins b
  signals TERM "$SERVER"
  refuses
  decides cut 'it cuts its clients off'
  expected 'after SIGTERM the clients that are there are served on'
  client echo a 'still here\n'
  client echo b 'still here\n'
}

# refuses: wait until nobody listens on PORT, and try to connect. Only once, since each client that gets in
# would be one more in the evidence.
refuses() {
  local NOW end
  now_ms
  end=$((NOW + DEADLINE * 1000))
  # It may look at its signals now and then only: that nothing moves is no reason to give up, if a clock wakes it.
  until inside closed "$DEADLINE" || [[ $LATE =~ ^(everything has ended|it does not come to rest|nothing can move any more)$ ]]; do
    now_ms
    ((NOW < end)) || break
  done
  ask connect late "$PORT"
  [[ $ANSWER == *'Connection refused'* ]] || fails 'a client can still connect'
}

@test "told to stop it ends with status 0 when the last client has left [1]" {
  why 'a server that ends before its clients leaves children behind that nobody looks after'
  expected 'while a client is there the program runs'
  read_on 'Stop'
  depends stop cut
  serve
  joins a
  joins b
  signals TERM "$SERVER"
  inside settled || true
  client close b
  inside settled || true
  lives "$SERVER" || fails 'it has ended, and a client is still there'
  expected 'when the last client has left the program ends with exit status 0'
  client close a
  ends
  is 'how it ended' 'exit 0' "$ENDED"
}
