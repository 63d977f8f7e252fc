#!/usr/bin/env bats
# tests/chapters/09-long-running.bats - the server that one may leave alone: every
# fault it promises to outlive, made to happen.
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2153,SC2154 # set by lab.bash and by run

bats_require_minimum_version 1.5.0

setup() {
  load ../lib/lab.bash
  lab_setup
  CHAPTER=09-long-running
  PROGRAM=$FORKLAB_BUILD/chapters/$CHAPTER/server
  FAULTS=$BATS_TEST_TMPDIR/faults
  mkdir "$FAULTS"
}

teardown() {
  lab_teardown
}

# ---- starting it ----

# serve [OPTION]...: start the server with these options, on a free port or on
# WANTED_PORT. BEFORE: a command that runs it. LOG: where its output goes.
# Sets SERVER and PORT.
serve() {
  local output=()
  [[ -z ${LOG-} ]] || output=(-o "$LOG")
  start 'server 09' "${output[@]}" "${BEFORE[@]}" "$PROGRAM" "$@" "${WANTED_PORT:-0}" || return 1
  SERVER=$PID
  [[ ! -p ${LOG-} ]] || exec {READER}<"$LOG"
  wait_until 'the server listens' listens || return 1
}

# listens: does the server? Sets PORT. Told by the kernel, since the log may be lost.
listens() {
  local inode
  inode=$(socket_of "$SERVER" 3)
  PORT=$(ss -Htlne | sed -n "s/^LISTEN.*:\\([0-9]*\\)  *[^ ]* .*ino:${inode:-none} .*/\\1/p")
  [[ -n $PORT ]] || {
    printf 'descriptor 3 of %s is socket %s\n' "$SERVER" "${inode:-none}"
    return 1
  }
}

# backlog_is NUMBER: do so many connections wait to be accepted? Of a listening socket, ss
# shows their number as Recv-Q. A client is told that it is connected before the server's
# end is in the backlog: its last packet is still on the way.
backlog_is() {
  compare "connections in the backlog of port $PORT" "$1" \
    "$(ss -Htln "sport = :$PORT" | awk '{ print $2 }')"
}

# port_closed: is there no listening socket on PORT any more?
port_closed() {
  compare "listening sockets on port $PORT" '' "$(listeners_on "$PORT")"
}

# serve_with_faults [OPTION]...: serve, so that break_call can make its calls fail.
serve_with_faults() {
  local BEFORE=("$FORKLAB_BUILD/tests/fault" "$FAULTS") STATUS=0
  "${BEFORE[@]}" true 2>/dev/null || STATUS=$?
  ((STATUS != 77)) || skip 'the kernel does not let us make system calls fail (seccomp)'
  serve "$@"
}

# break_call CALL ERROR: from now on accept or fork fails so, or is SLOW. Whole at once, by
# renaming.
break_call() {
  printf '%s' "$2" >"$FAULTS/new"
  mv "$FAULTS/new" "$FAULTS/$1"
}

# heal_call CALL
heal_call() {
  rm "$FAULTS/$1"
}

# failures CALL: prints how many calls were made to fail.
failures() {
  local count=0
  [[ -e $FAULTS/$1.count ]] && count=$(wc -c <"$FAULTS/$1.count")
  printf '%s\n' "$count"
}

# ---- conditions ----

# asleep PID: does it sleep, with nothing to do?
asleep() {
  is_in_state "$1" S
}

at_least() {
  (($2 >= $3)) || {
    printf '%s: expected at least %s, found %s\n' "$1" "$3" "$2"
    return 1
  }
}

at_most() {
  (($2 <= $3)) || {
    printf '%s: expected at most %s, found %s\n' "$1" "$3" "$2"
    return 1
  }
}

failed_at_least() {
  at_least "failed calls of $1" "$(failures "$1")" "$2"
}

# cpu_ms PID: its own CPU time in milliseconds.
cpu_ms() {
  local stat fields
  read -r stat <"/proc/$1/stat"
  read -r -a fields <<<"${stat##*) }"
  printf '%s\n' $(((fields[11] + fields[12]) * 1000 / $(getconf CLK_TCK)))
}

# naps PID: how often it has gone to sleep of its own will.
naps() {
  sed -n 's/^voluntary_ctxt_switches:[[:space:]]*//p' "/proc/$1/status"
}

napped_at_least() {
  at_least "naps of $1" "$(naps "$1")" "$2"
}

# assert_rests PID: it makes ten naps, and uses less than 10 % of a core for them.
# A busy loop never naps, however little of the machine it gets; and the share of
# one that naps can only be too small when the machine is busy.
assert_rests() {
  local pid=$1 NOW from cpu
  now_ms
  from=$NOW
  cpu=$(cpu_ms "$pid")
  wait_until 'ten naps' napped_at_least "$pid" $(($(naps "$pid") + 10)) || return 1
  now_ms
  cpu=$(($(cpu_ms "$pid") - cpu))
  # One tick of the clock (10 ms) is the least that can be seen.
  if ((cpu > 10 && cpu * 10 >= NOW - from)); then
    printf 'CPU time\nexpected: less than a tenth of %s ms\nfound:    %s ms\n' $((NOW - from)) "$cpu"
    return 1
  fi
}

# assert_few_tries: while accept fails, it is tried again, about ten times a second
# and never twenty; a loaded machine can only make it fewer. (Naps would not do
# here: the server sleeps in each call that tests/lib/fault.c decides about.)
assert_few_tries() {
  local NOW from before tries
  before=$(failures accept)
  now_ms
  from=$NOW
  wait_until 'five more tries' failed_at_least accept $((before + 5)) || return 1
  tries=$(($(failures accept) - before))
  now_ms
  if ((tries > (NOW - from) / 50 + 1)); then
    printf 'tries in %s ms\nexpected: about one in 100 ms\nfound:    %s\n' $((NOW - from)) "$tries"
    return 1
  fi
}

# assert_ended_well: the server ends by itself, with status 0.
assert_ended_well() {
  wait_for_end "$SERVER" || return 1
  assert_is 'exit status' 0 "$STATUS"
}

error_has() {
  grep -qF -- "$1" "$ERRORS" || {
    printf 'no "%s" in: %s\n' "$1" "$(<"$ERRORS")"
    return 1
  }
}

# expect_errors TEXT: one line on stderr, and nothing else until the end.
expect_errors() {
  local file
  file=$(<"$ERRORS")
  assert_is 'text on stderr' "$1" "$file" || return 1
  allow_errors "$SERVER" "$1"
}

# ---- what the ladder has reached ----

@test "a client's visit prints three lines: connected, disconnected, removed" {
  serve
  join_served a
  leave a 1
  wait_until 'the child is removed' has_line "$OUTPUT" "remove proc id $CHILD"
  assert_output_is "$OUTPUT" "listening on port $PORT" \
    'new client connected...' 'client disconnected...' "remove proc id $CHILD"
}

@test "the echo is exact for random bytes, large, and one at a time" {
  serve
  client connect-many c 4 "$PORT"
  client exchange-many c 3000000 7
  client exchange c1 2000 8 1
}

@test "after fork there is one descriptor for each socket, and no other" {
  serve
  join_served a
  local first=$CHILD
  join_served b
  # The child may be faster than its parent, which closes its copy after fork.
  wait_until 'the parent has closed the connection' holds_no_socket "$SERVER" 4
  assert_is 'descriptors of the parent' '0 1 2 3' \
    "$(descriptors_of "$SERVER" | cut -d ' ' -f 2 | xargs)"
  assert_is 'descriptors of the first child' '0 1 2 4' \
    "$(descriptors_of "$first" | cut -d ' ' -f 2 | xargs)"
  assert_is 'descriptors of the second child' '0 1 2 4' \
    "$(descriptors_of "$CHILD" | cut -d ' ' -f 2 | xargs)"
}

@test "of 50 clients leaving together while the parent is stopped no zombie is left" {
  serve
  client connect-many c 50 "$PORT"
  client exchange-many c 100 1
  stop "$SERVER"
  client close-many c
  wait_until '50 children have ended' has_zombies "$SERVER" 50
  resume "$SERVER"
  wait_until 'no child is left' has_children "$SERVER" 0
  wait_until 'every removal is told' has_lines "$OUTPUT" 'remove proc id [1-9][0-9]*' 50
  assert_is 'different pids removed' 50 "$(removed | uniq | wc -l)"
}

# ---- options ----

@test "-h tells every option on stdout and exits 0" {
  run -0 --separate-stderr "$PROGRAM" -h
  local option
  for option in '-b ADDRESS' '-c N' '-t SECONDS' '-g SECONDS' '-h'; do
    assert_output --partial "$option"
  done
  assert_equal "$stderr" ''
}

@test "wrong options are refused with status 2 and nothing on stdout" {
  local words
  for words in '' 'x' '-1' '65536' '1 2' '-c 0 0' '-c 10001 0' '-c x 0' '-c 0' '-t -1 0' '-t 1x 0' \
    '-g 99999999999999999999 0' '-z 0' '-b localhost 0' '-b 1.2.3 0' '-c'; do
    # shellcheck disable=SC2086 # several words
    run -2 --separate-stderr "$PROGRAM" $words
    assert_output ''
    [[ -n $stderr ]] || fail "no word on stderr for: $words"
  done
}

@test "a port that is taken is told with status 1" {
  serve
  run -1 "$PROGRAM" "$PORT"
  assert_output 'server: bind: Address already in use'
}

@test "it listens on 127.0.0.1 alone unless asked" {
  serve
  assert_is 'listening' "127.0.0.1:$PORT" "$(listeners_on "$PORT" | cut -d ' ' -f 1)"
}

@test "-b listens on another IPv4 address" {
  serve -b 127.0.0.2
  assert_is 'listening' "127.0.0.2:$PORT" "$(listeners_on "$PORT" | cut -d ' ' -f 1)"
  client connect a "$PORT" 127.0.0.2
  client echo a 'hello\n'
}

@test "-b listens on an IPv6 address" {
  [[ -e /proc/net/if_inet6 ]] || skip 'this kernel has no IPv6'
  serve -b ::1
  assert_is 'listening' "[::1]:$PORT" "$(listeners_on "$PORT" | cut -d ' ' -f 1)"
  client connect a "$PORT" ::1
  client exchange a 100000 1
}

@test "-b with an address that is not ours ends with status 1" {
  run -1 "$PROGRAM" -b 192.0.2.1 0
  assert_output 'server: bind: Cannot assign requested address'
}

@test "its backlog is the largest the system gives" {
  serve
  # For a listening socket, ss shows the length of the backlog as Send-Q.
  assert_is 'backlog' "$(</proc/sys/net/core/somaxconn)" \
    "$(ss -Htln "sport = :$PORT" | awk '{ print $3 }')"
}

# ---- descriptors run out ----

# without_descriptors ERROR TEXT: accept fails while a client waits.
without_descriptors() {
  serve_with_faults
  join_served a
  break_call accept "$1"
  join b
  client send b 'I wait\n'
  wait_until 'accept has failed' failed_at_least accept 1

  assert_few_tries
  client echo a 'others are served\n'
  client no-eof b 1
  assert_is 'children' 1 "$(children_of "$SERVER" | wc -l)"

  heal_call accept
  client expect b 'I wait\n'
  # Told once, and not ten times a second.
  expect_errors "server: accept: $2; clients wait"
}

@test "accept fails with EMFILE: it rests, the client waits and is served later" {
  without_descriptors EMFILE 'Too many open files'
}

@test "accept fails with ENFILE: it rests, the client waits and is served later" {
  without_descriptors ENFILE 'Too many open files in system'
}

@test "accept fails with ENOBUFS: it rests, the client waits and is served later" {
  without_descriptors ENOBUFS 'No buffer space available'
}

@test "accept fails with ENOMEM: it rests, the client waits and is served later" {
  without_descriptors ENOMEM 'Cannot allocate memory'
}

@test "accept fails with an error that nobody thought of: it rests as well" {
  without_descriptors EPERM 'Operation not permitted'
}

@test "a real shortage of descriptors, begun and ended while it runs" {
  serve
  join_served a
  # Descriptors 0 to 3 are in use: the next would be the fifth.
  prlimit --pid "$SERVER" --nofile=4:1024
  join b
  client send b 'I wait\n'
  wait_until 'accept fails' error_has 'Too many open files'
  assert_rests "$SERVER"
  client echo a 'others are served\n'
  client no-eof b 1
  prlimit --pid "$SERVER" --nofile=1024:1024
  client expect b 'I wait\n'
  expect_errors 'server: accept: Too many open files; clients wait'
}

@test "with no descriptor allowed at all it rests too, and recovers" {
  serve
  # Now even poll with one descriptor is refused.
  prlimit --pid "$SERVER" --nofile=0:1024
  join b
  client send b 'I wait\n'
  wait_until 'accept fails' error_has 'Too many open files'
  assert_rests "$SERVER"
  prlimit --pid "$SERVER" --nofile=1024:1024
  client expect b 'I wait\n'
  expect_errors 'server: accept: Too many open files; clients wait'
}

@test "a whole crowd waits for descriptors, and each is served" {
  serve_with_faults
  break_call accept EMFILE
  client connect-many c 100 "$PORT"
  wait_until 'accept has failed' failed_at_least accept 1
  heal_call accept
  client exchange-many c 1000 3
  expect_errors 'server: accept: Too many open files; clients wait'
}

# passing ERROR: accept reports a client that left, or a signal; nothing is wrong.
passing() {
  serve_with_faults
  break_call accept "$1"
  join a
  wait_until 'accept has failed' failed_at_least accept 1
  heal_call accept
  client echo a 'hello\n'
}

@test "accept fails with ECONNABORTED: the next client is served, nothing is said" {
  passing ECONNABORTED
}

@test "accept fails with EPROTO: the next client is served, nothing is said" {
  passing EPROTO
}

@test "accept fails with EINTR or EAGAIN: the next client is served, nothing is said" {
  passing EINTR
}

@test "accept fails with EINVAL, since nobody listens any more: it ends with status 1" {
  serve_with_faults
  join_served a
  break_call accept EINVAL
  ask connect b "$PORT" # it may see the end of the server before its own connection
  wait_for_end "$SERVER"
  assert_is 'exit status' 1 "$STATUS"
  expect_errors 'server: accept: Invalid argument'
  client echo a 'still here\n'
}

# ---- processes run out ----

# without_processes ERROR TEXT
without_processes() {
  serve_with_faults
  join_served a
  break_call fork "$1"
  # Bytes that nobody has read make a plain close a reset: let them be there first.
  stop "$SERVER"
  join b
  client send b 'can you hear me?\n'
  resume "$SERVER"
  client expect-eof b
  client echo a 'others are served\n'
  heal_call fork
  join_served c
  expect_errors "server: fork: $2; client sent away"
}

@test "fork fails with EAGAIN: the client gets a clean end, the next is served" {
  without_processes EAGAIN 'Resource temporarily unavailable'
}

@test "fork fails with ENOMEM: the client gets a clean end, the next is served" {
  without_processes ENOMEM 'Cannot allocate memory'
}

@test "a real shortage of processes, begun and ended while it runs" {
  ((EUID == 0)) || skip 'root is needed, to run the server as a user who owns nothing else'
  local directory
  # Where that user can reach it, and with an id of its own, since the limit counts
  # all processes of a user: the server and one child.
  directory=$(mktemp -d)
  chmod 755 "$directory"
  cp "$PROGRAM" "$directory/server"
  PROGRAM=$directory/server
  BEFORE=(prlimit --nproc=2 setpriv "--reuid=$((40000000 + BASHPID))" --clear-groups)
  serve
  rm -r "$directory"
  join_served a
  join b
  client send b 'can you hear me?\n'
  client expect-eof b
  client echo a 'others are served\n'
  # A process ends, and its place is taken.
  client close a
  wait_until 'the child is removed' has_children "$SERVER" 0
  join_served c
  expect_errors 'server: fork: Resource temporarily unavailable; client sent away'
}

@test "fork fails while a crowd comes: it does not spin, and the crowd is served later" {
  serve_with_faults
  break_call fork EAGAIN
  local NOW begun rests gone
  now_ms
  begun=$NOW
  client connect-many c 60 "$PORT"
  wait_until 'fork has failed' failed_at_least fork 1
  assert_rests "$SERVER"
  heal_call fork
  # One is sent away for each rest of 100 ms, and one before the first; all others are still in the backlog.
  now_ms
  rests=$(((NOW - begun) / 100))
  client connect-many d 20 "$PORT"
  client exchange-many d 1000 1
  gone=$((80 - $(children_of "$SERVER" | wc -l)))
  ((gone >= 1 && gone <= rests + 2)) || assert_is "sent away in $rests rests" "1 to $((rests + 2))" "$gone"
  expect_errors 'server: fork: Resource temporarily unavailable; client sent away'
}

# ---- the limit on children ----

@test "-c 2: the third client waits in the backlog until one leaves" {
  serve -c 2
  join_served a
  join_served b
  join c
  client send c 'I wait\n'
  client echo a 'others are served\n'
  wait_until 'the server sleeps' asleep "$SERVER"
  client no-eof c 100
  assert_is 'children' 2 "$(children_of "$SERVER" | wc -l)"
  client close a
  client expect c 'I wait\n'
  wait_until 'two children' has_living_children "$SERVER" 2
}

@test "-c: the count is right after a storm of deaths of every kind" {
  serve -c 3
  local round child
  for ((round = 1; round <= 3 * REPEAT; round++)); do
    client connect-many "a${round}x" 12 "$PORT"
    client connect-many "b${round}x" 12 "$PORT"
    client reset-many "a${round}x"
    # Children are killed while others end, start, and wait.
    for child in $(living_children_of "$SERVER"); do
      kill -KILL "$child" 2>/dev/null || true
    done
    kill -CHLD "$SERVER"
    client close-many "b${round}x"
  done
  wait_until 'all have ended' has_children "$SERVER" 0
  # Exactly three places are left: not two, not four.
  join_served a
  join_served b
  join_served c
  join d
  client send d 'I wait\n'
  client no-eof d 100
  assert_is 'children' 3 "$(living_children_of "$SERVER" | wc -l)"
  client close b
  client expect d 'I wait\n'
}

@test "-c: a child that it did not make is reaped and not counted" {
  # The shell leaves a child behind, which waits for a line, and becomes the server.
  local line=$BATS_TEST_TMPDIR/line
  mkfifo "$line"
  BEFORE=(bash -c 'read -r line <"$0" & exec "$@"' "$line")
  serve -c 1
  join_served a
  local first=$CHILD
  assert_holds has_living_children "$SERVER" 2
  echo now >"$line"
  wait_until 'the foreign child is collected' has_children "$SERVER" 1
  join b
  client send b 'I wait\n'
  client no-eof b 100
  assert_is 'children' "$first" "$(living_children_of "$SERVER")"
  client close a
  client expect b 'I wait\n'
  assert_holds has_zombies "$SERVER" 0
}

@test "-c: a child that is stopped keeps its place and loses it when it ends" {
  serve -c 1
  join_served a
  local child=$CHILD
  stop "$child"
  join b
  client send b 'I wait\n'
  client no-eof b 100
  kill -KILL "$child"
  client expect b 'I wait\n'
}

# ---- clients that vanish or misbehave ----

@test "-t 2: a client that says nothing is left, one that speaks is not" {
  serve -t 2
  local trial NOW last gap
  for trial in 1 2 3 4 5; do
    client connect "idle$trial" "$PORT"
    client echo "idle$trial" 'hello\n'
    client connect "busy$trial" "$PORT"
    now_ms
    last=$NOW
    gap=0
    while ask echo "busy$trial" 'tick\n' && [[ $ANSWER == ok* ]]; do
      now_ms
      ((NOW - last <= gap)) || gap=$((NOW - last))
      last=$NOW
      ask expect-eof "idle$trial" 100
      [[ $ANSWER != ok* ]] || return 0
    done
    now_ms
    # On a loaded machine the busy client may have been silent so long: once more.
    if ((gap < 1900 && NOW - last < 1900)); then
      printf 'the busy client was left, though never silent for more than %s ms\n' "$gap"
      return 1
    fi
  done
  skip 'this machine was too busy to speak every two seconds'
}

@test "-t 1: a client that never reads is left" {
  serve -t 1
  join_served a
  local child=$CHILD
  fill_until_gone() {
    client push a 1 >/dev/null 2>&1 || true
    has_children "$SERVER" 0
  }
  wait_until "child $child ends" fill_until_gone
}

@test "-t: a child that was stopped and goes on keeps its client" {
  serve -t 100
  join_served a
  local i
  for ((i = 0; i < 5; i++)); do
    stop "$CHILD"
    resume "$CHILD"
    client echo a 'still here\n'
  done
}

@test "without -t a silent client stays" {
  serve
  join_served a
  client no-eof a 1500
  client echo a 'still here\n'
}

@test "a client that never reads harms nobody else" {
  serve
  join_served a
  fill a 1 "$CHILD"
  join_served b
  client exchange b 1000000 2
  client drain a
}

@test "a reset in mid-transfer ends one child and nothing else" {
  serve
  join_served a
  fill a 1 "$CHILD"
  join_served b
  client reset a
  wait_until 'one child is left' has_children "$SERVER" 1
  client echo b 'still here\n'
}

@test "a client that resets while it waits in the backlog does no harm" {
  serve
  stop "$SERVER"
  client connect-many c 20 "$PORT"
  client reset-many c
  resume "$SERVER"
  join_served a
  wait_until 'one child is left' has_children "$SERVER" 1
}

@test "a client that half-closes gets everything, then the end" {
  serve
  join a
  client push a 1 400000
  client half-close a
  client drain a
  client expect-eof a
}

@test "every connection is probed by the kernel: keep-alive is on" {
  serve
  join_served a
  # Until the client's end has acknowledged the echo another timer runs.
  wait_until 'keep-alive is on' is_probed
}

is_probed() {
  ss -Htno "sport = :$PORT" | grep -F 'timer:(keepalive,'
}

@test "a peer without power is noticed by keep-alive" {
  unshare -n true 2>/dev/null || skip 'a private network namespace is not allowed here'
  # Its own network, where probes are sent after a second and the loopback goes dead.
  local dead=$BATS_TEST_TMPDIR/dead
  mkfifo "$dead"
  BEFORE=(unshare -n bash -c '
    ip link set lo up
    cd /proc/sys/net/ipv4
    echo 1 >tcp_keepalive_time; echo 1 >tcp_keepalive_intvl; echo 2 >tcp_keepalive_probes
    { read -r port <"$0"
      exec 9<>"/dev/tcp/127.0.0.1/$port"
      echo hello >&9; read -r line <&9
      # Bytes on their way would be repeated, and not probed for: wait until none are.
      until [[ $(ss -Htn "sport = :$port" | awk "{ print \$3 }") == 0 ]]; do :; done
      ip link set lo down
      read -r end <"$0"; } &
    exec "$@"' "$dead")
  start 'server 09' "${BEFORE[@]}" "$PROGRAM" 0
  wait_until 'the server listens' has_line "$OUTPUT" 'listening on port [0-9]+'
  read -r PORT <"$OUTPUT"
  printf '%s\n' "${PORT##* }" >"$dead"
  wait_until 'the client has come' has_line "$OUTPUT" 'new client connected\.\.\.'
  wait_until 'its child has given up' has_line "$OUTPUT" 'client disconnected\.\.\.'
}

# ---- the log ----

@test "a log reader that goes away does not stop it" {
  LOG=$BATS_TEST_TMPDIR/log
  mkfifo "$LOG"
  serve
  join_served a
  exec {READER}<&-
  # Every line from here on is a broken pipe: in the parent and in children.
  join_served b
  client close a
  wait_until 'the first child is removed' has_children "$SERVER" 1
  client echo b 'still here\n'
  join_served c
}

@test "a log reader that stands still does not stop it" {
  LOG=$BATS_TEST_TMPDIR/log
  mkfifo "$LOG"
  serve
  # Fill the pipe, with nobody reading: dd ends when no byte more goes in.
  dd if=/dev/zero of="$LOG" oflag=nonblock bs=1 count=1000000 2>/dev/null || true
  client connect-many c 20 "$PORT"
  client exchange-many c 1000 1
  client close-many c
  wait_until 'every child is removed' has_children "$SERVER" 0
  exec {READER}<&-
}

@test "a log on a full disk does not stop it" {
  LOG=/dev/full
  serve
  join a
  client echo a 'hello\n'
  client close a
  wait_until 'its child is removed' has_children "$SERVER" 0
}

@test "a log that is as large as the limit on files does not stop it" {
  BEFORE=(prlimit --fsize=100)
  serve
  client connect-many c 20 "$PORT"
  client exchange-many c 1000 1
  client close-many c
  wait_until 'every child is removed' has_children "$SERVER" 0
  assert_is 'bytes of the log' 100 "$(wc -c <"$OUTPUT")"
}

@test "started with 0, 1 and 2 closed, it never writes its log to a client" {
  BEFORE=(bash -c 'exec "$@" 0<&- 1>&- 2>&-' bash)
  serve
  join a
  client echo a 'hello\n'
  join b
  client echo b 'hello\n'
  client close b
  wait_until 'one child is left' has_children "$SERVER" 1
  client half-close a
  client expect-eof a
}

# ---- stopping ----

# stops_on SIGNAL: the port is free at once, the client finishes, the status is 0.
stops_on() {
  serve
  join_served a
  kill -"$1" "$SERVER"
  wait_until 'the port is closed' port_closed
  client_refuses connect b "$PORT"
  client exchange a 300000 1
  wait_until 'the parent waits for its child' is_in_state "$SERVER" S
  client half-close a
  client expect-eof a
  assert_ended_well
  assert_holds has_line "$OUTPUT" 'remove proc id [0-9]*'
}

@test "SIGTERM: the port is closed at once, the client there finishes, status 0" {
  stops_on TERM
}

@test "SIGINT: the port is closed at once, the client there finishes, status 0" {
  stops_on INT
}

@test "SIGTERM with no client there ends it at once" {
  serve -g 1000000
  kill -TERM "$SERVER"
  assert_ended_well
}

@test "Ctrl-C, which every process of the terminal gets, cuts no client off" {
  serve
  join_served a
  join_served b
  kill -INT -- "-$SERVER"
  wait_until 'the port is closed' port_closed
  client exchange-many a 1000 1
  client echo a 'still here\n'
  client echo b 'still here\n'
  client close a
  client close b
  assert_ended_well
}

@test "-g 1: who does not finish in time is ended, status 0" {
  serve -g 1
  join_served a
  join_served b
  stop "$CHILD"
  kill -TERM "$SERVER"
  client expect-eof a
  client expect-eof b
  assert_ended_well
  assert_is 'left behind' '' "$(running_of "$SERVER")"
}

@test "-g 0: on SIGTERM everybody is ended at once" {
  serve -g 0
  join_served a
  kill -TERM "$SERVER"
  client expect-eof a
  assert_ended_well
}

@test "a second SIGTERM ends at once, children too, stopped ones too" {
  serve -g 1000000
  join_served a
  join_served b
  stop "$CHILD"
  kill -TERM "$SERVER"
  wait_until 'the port is closed' port_closed
  client echo a 'still here\n'
  # One that comes together with the first, within 100 ms, is no second one.
  end_it() {
    kill -INT "$SERVER" 2>/dev/null
    is_in_state "$SERVER" ZX
  }
  wait_until 'it ends' end_it
  client expect-eof a
  client expect-eof b
  assert_ended_well
  assert_is 'left behind' '' "$(running_of "$SERVER")"
}

@test "a client that leaves just after SIGTERM, or with it, does not keep the server" {
  local trial
  for ((trial = 1; trial <= 10; trial++)); do
    serve -g 1000000
    join_served "c$trial"
    kill -TERM "$SERVER"
    # Within the 100 ms in which a second signal counts as the first.
    client close "c$trial"
    assert_ended_well
  done
}

@test "two SIGTERM in a row, as timeout sends them, are one" {
  local trial good=0 start
  for ((trial = 1; good < 10; trial++)); do
    ((trial <= 100)) || assert_is 'pairs of signals that were sent within 90 ms' 10 "$good"
    serve -g 1000000
    join_served "c$trial"
    start=${EPOCHREALTIME/[.,]/}
    kill -TERM "$SERVER" "$SERVER"
    # Where this shell had to wait for a processor between the two, they were not in a row.
    if ((${EPOCHREALTIME/[.,]/} - start > 90000)); then
      end_session "$SERVER"
      continue
    fi
    good=$((good + 1))
    wait_until 'the port is closed' port_closed
    client echo "c$trial" 'still here\n'
    client half-close "c$trial"
    client expect-eof "c$trial"
    assert_ended_well
  done
}

@test "a new server takes the port at once, while the old one's client is served" {
  serve -g 1000
  local old=$SERVER
  join_served a
  kill -TERM "$SERVER"
  wait_until 'the port is closed' port_closed
  WANTED_PORT=$PORT serve
  join_served b
  client exchange a 100000 1
  client exchange b 100000 2
  client close a
  wait_for_end "$old"
  assert_is 'exit status' 0 "$STATUS"
  client echo b 'still here\n'
}

@test "killed by SIGKILL, it leaves its children serving and the port free" {
  serve
  join_served a
  kill -KILL "$SERVER"
  wait_for_end "$SERVER"
  client exchange a 100000 1
  local old=$SERVER
  WANTED_PORT=$PORT serve
  join_served b
  client exchange a 100000 1
  client half-close a
  client expect-eof a
  wait_until 'the orphan has ended' has_nothing_running "$old"
}

# stops_with_backlog NUMBER: it gets SIGTERM while so many clients, c, are in the backlog.
stops_with_backlog() {
  stop "$SERVER"
  client connect-many c "$1" "$PORT"
  wait_until 'the backlog is full' backlog_is "$1"
  kill -TERM "$SERVER"
  resume "$SERVER"
  wait_until 'the port is closed' port_closed
}

@test "SIGTERM: those in the backlog are served before the port is closed" {
  serve -g 1000
  stops_with_backlog 30
  client exchange-many c 5000 1
  client close-many c
  assert_ended_well
}

@test "SIGTERM on a slow machine: the backlog is served, however long that takes" {
  serve_with_faults -g 1000
  break_call fork SLOW
  DEADLINE=60 stops_with_backlog 30
  client exchange-many c 5000 1
  client close-many c
  heal_call fork # a sanitizer's check at the end forks, too
  assert_ended_well
}

@test "-g 1: a slow machine does not keep the port beyond the grace" {
  serve_with_faults -g 1
  break_call fork SLOW
  stops_with_backlog 30
  # Ten in a second, and whom the main loop took: the others were reset.
  at_most "forks" "$(failures fork)" 15
  client expect-reset c30
  heal_call fork
  assert_ended_well
  # What breaks its calls ends after it, since it must outlive it. A child would stay.
  wait_until 'nothing is left behind' has_nothing_running "$SERVER"
}

@test "SIGTERM with every place taken: those served finish, the backlog is let go" {
  serve -c 2
  join_served a
  join_served b
  join c
  kill -TERM "$SERVER"
  wait_until 'the port is closed' port_closed
  client expect-reset c
  client echo a 'still here\n'
  client close a
  client close b
  assert_ended_well
}

@test "SIGTERM while descriptors are exhausted: clients finish, status 0" {
  serve_with_faults
  join_served a
  break_call accept EMFILE
  join b
  wait_until 'accept has failed' failed_at_least accept 2
  kill -TERM "$SERVER"
  wait_until 'the port is closed' port_closed
  client echo a 'still here\n'
  client close a
  assert_ended_well
  expect_errors 'server: accept: Too many open files; clients wait'
}

@test "SIGTERM while fork fails: clients finish, the backlog gets a clean end" {
  serve_with_faults
  join_served a
  break_call fork EAGAIN
  client connect-many c 20 "$PORT"
  wait_until 'fork has failed' failed_at_least fork 1
  kill -TERM "$SERVER"
  client expect-eof-many c
  wait_until 'the port is closed' port_closed
  heal_call fork # a sanitizer's check at the end forks, too
  client echo a 'still here\n'
  client close a
  assert_ended_well
  expect_errors 'server: fork: Resource temporarily unavailable; client sent away'
}

@test "SIGTERM is heard though a client is ready all the time" {
  serve_with_faults
  # The client stays in the backlog, so that ppoll never sleeps.
  break_call accept ECONNABORTED
  join a
  wait_until 'accept has failed' failed_at_least accept 20
  kill -TERM "$SERVER"
  assert_ended_well
}

@test "SIGTERM in a storm of clients closes the port, and every child is collected" {
  serve -g 2 # a sanitized server may need longer than the deadline to take a thousand along
  start storm "$FORKLAB_BUILD/tests/load" flood "$PORT" 60000 4
  local storm=$PID i
  busy() { at_least 'clients' "$(grep -c '^new client' "$BATS_TEST_TMPDIR/0.out")" 300; }
  # The storm has to be there; how fast a sanitized server gets into it is not what is judged.
  DEADLINE=60 wait_until '300 clients have come' busy
  kill -TERM "$SERVER"
  wait_until 'the port is closed' port_closed
  assert_ended_well
  end_session "$storm"
  assert_is 'left behind' '' "$(running_of "$SERVER")"
}

@test "a storm of signals changes nothing" {
  serve
  join_served a
  local i
  for ((i = 0; i < 300; i++)); do
    kill -CHLD "$SERVER"
    kill -CONT "$SERVER"
    kill -PIPE "$SERVER"
    kill -TERM "$CHILD"
    kill -INT "$CHILD"
  done
  client exchange a 1000000 1
  join_served b
}

@test "signals that were blocked or ignored by whoever started it work as promised" {
  BEFORE=(env '--ignore-signal=CHLD,INT,TERM' '--block-signal=CHLD,INT,TERM')
  serve
  join_served a
  join_served b
  leave a 1
  wait_until 'the child is removed' has_children "$SERVER" 1
  assert_is 'removed' 1 "$(removed | wc -l)"
  kill -INT "$SERVER"
  wait_until 'the port is closed' port_closed
  client close b
  assert_ended_well
}

# ---- in the long run ----

@test "thousands of connections of four kinds: no zombie, no descriptor, no memory is left" {
  serve
  run -0 "$FORKLAB_BUILD/tests/load" soak "$PORT" "$((REPEAT > 1 ? 20000 : 4000))" 8 "$SERVER"
  assert_output --partial ' 0 failed;'
  assert_output --partial 'children left 0'
  wait_until 'no child is left' has_children "$SERVER" 0
  join_served a
}

# ---- how it is built ----

@test "it compiles alone, without the Makefile's flags" {
  run -0 "${CC:-cc}" -std=c11 -Wall -Wextra -Wpedantic -Werror -o "$BATS_TEST_TMPDIR/server" \
    "$LAB_ROOT/chapters/$CHAPTER/server.c"
  assert_output ''
}

# made NUMBER: the chapter's server as make alone builds it; sets PROGRAM.
made() {
  chapter "$1"
  PROGRAM=$BATS_TEST_TMPDIR/build/chapters/$CHAPTER/server
  run -0 env -u MAKEFLAGS -u CFLAGS make -s -C "$LAB_ROOT" BUILD="$BATS_TEST_TMPDIR/build" "$PROGRAM"
  assert_output ''
}

# page_faults: of the server and of all children it has collected.
page_faults() {
  local stat fields
  read -r stat <"/proc/$SERVER/stat"
  read -r -a fields <<<"${stat##*) }"
  printf '%s\n' $((fields[7] + fields[8]))
}

# faults_of_visits NUMBER: sets FAULTS_MADE to the page faults of 50 connections.
faults_of_visits() {
  made "$1"
  serve
  client visit 10 "$PORT" 100 1
  wait_until 'all are collected' has_children "$SERVER" 0
  FAULTS_MADE=$(page_faults)
  client visit 50 "$PORT" 100 1
  wait_until 'all are collected' has_children "$SERVER" 0
  FAULTS_MADE=$(($(page_faults) - FAULTS_MADE))
}

@test "as make builds it, a connection takes less than 0.6 of the page faults of chapter 08" {
  faults_of_visits 08
  local before=$FAULTS_MADE
  faults_of_visits 09
  printf 'chapter 08: %s, chapter 09: %s\n' "$before" "$FAULTS_MADE"
  ((FAULTS_MADE * 10 < before * 6))
}

@test "calls that cannot be made to fail are told with status 77, and nothing hangs" {
  run timeout -k 5 20 "$FORKLAB_BUILD/tests/fault" "$BATS_TEST_TMPDIR/none" true
  assert_is 'status' 77 "$status"
  assert_is 'told' 'fault: helper: No such file or directory' "$output"
}
