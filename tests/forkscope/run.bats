#!/usr/bin/env bats
# tests/forkscope/run.bats - run: the same records every time, whatever the program does,
# and nothing left behind.
# shellcheck disable=SC2030,SC2031,SC2034,SC2153,SC2154 # set by lab.bash and by run

bats_require_minimum_version 1.5.0

setup_file() {
  load ../lib/lab.bash
  load scope.bash
  build_shapes
}

setup() {
  load ../lib/lab.bash
  load scope.bash
  scope_setup
  cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
  scope_teardown
}

has_marked() {
  compare 'processes that forkscope started' "$1" "$(marked | wc -l)"
}

none_left() {
  assert_is 'processes that were left behind' '' "$(marked)"
}

# server_of CHAPTER: sets PROGRAM to what its scenario is played against.
server_of() {
  PROGRAM=$FORKLAB_BUILD/chapters/$1/server
  [[ -e $LAB_ROOT/chapters/$1/server.c ]] || PROGRAM=$FORKLAB_BUILD/chapters/${CHAPTERS[0]}/server
}

# ---- repeatable ----

# every_run_is_the_same TIMES: play each chapter's scenario so often; the records must
# be the same bytes each time.
every_run_is_the_same() {
  local -
  untraced
  local times=$1 scenario chapter turn
  for scenario in "$LAB_ROOT"/diagrams/[0-9]*/scenario; do
    chapter=${scenario%/scenario}
    chapter=${chapter##*/}
    server_of "$chapter"
    for ((turn = 1; turn <= times; turn++)); do
      # Without bats' run, which takes as long again.
      (bare timeout 60 env "$MARK" "$FORKSCOPE" run -s "$scenario" -- "$PROGRAM" 9000) >records 2>notes || true
      assert_is "$chapter, run $turn: stderr" '' "$(<notes)"
      assert_is "$chapter, run $turn: moments" "$(grep -c '^picture ' "$scenario")" "$(wc -l <records)"
      ((turn > 1)) || mv records first
      ((turn == 1)) || cmp -s first records ||
        assert_is "$chapter, run $turn: the records of run 1" "$(<first)" "$(<records)"
    done
  done
}

@test "every chapter's records are the same bytes in every run" {
  every_run_is_the_same $((5 * REPEAT))
}

# bats test_tags=long
@test "every chapter's records are the same bytes with every processor busy" {
  occupy_processors
  every_run_is_the_same $((3 * REPEAT))
}

@test "a program whose library comes from the disk first has the same records" {
  # While the loader waits for the disk it is asleep with the library open, and yet not at rest.
  chapter 03
  local scenario=$LAB_ROOT/diagrams/$CHAPTER/scenario server=$FORKLAB_BUILD/chapters/$CHAPTER/server libc turn
  libc=$(ldd "$server" | awk '$1 ~ /^libc\./ { print $3 }')
  mkdir lib
  cp -L "$libc" lib/
  libc=lib/${libc##*/}
  sync "$libc"
  scope run -s "$scenario" -- "$server" 9000
  local expected=$output
  for ((turn = 1; turn <= 10 * REPEAT; turn++)); do
    # Out of the page cache with it; where that is not possible the test is merely easy.
    dd of="$libc" oflag=nocache conv=notrunc,fdatasync count=0 status=none
    scope run -s "$scenario" -- env LD_LIBRARY_PATH="$PWD/lib" "$server" 9000
    assert_is "run $turn: stderr" '' "$stderr"
    assert_is "run $turn: the records" "$expected" "$output"
  done
}

@test "signals that whoever starts forkscope ignores change nothing" {
  local number scenario
  for number in 04 08; do
    chapter "$number"
    scenario=$LAB_ROOT/diagrams/$CHAPTER/scenario
    scope run -s "$scenario" -- "$FORKLAB_BUILD/chapters/$CHAPTER/server" 9000
    local expected=$output
    run --separate-stderr bare timeout 30 env --ignore-signal=CHLD --ignore-signal=TERM \
      --ignore-signal=USR1 "$MARK" "$FORKSCOPE" run -s "$scenario" -- "$FORKLAB_BUILD/chapters/$CHAPTER/server" 9000
    assert_is "$CHAPTER: stderr" '' "$stderr"
    assert_is "$CHAPTER: the records" "$expected" "$output"
  done
}

@test "a program inherits no signal that whoever starts forkscope ignores or blocks" {
  run --separate-stderr bare env --ignore-signal=TERM --ignore-signal=USR1 --block-signal=USR2 \
    "$FORKSCOPE" run --tell -- grep -E '^Sig(Ign|Blk)' /proc/self/status
  assert_line --regexp '^  server    \| SigBlk:.0000000000000000$'
  assert_line --regexp '^  server    \| SigIgn:.0000000000000000$'
}

@test "a program has only the descriptors 0, 1 and 2, whatever forkscope has open" {
  exec 7</dev/null 8>"$BATS_TEST_TMPDIR/open"
  run --separate-stderr timeout 30 "$FORKSCOPE" run -- "$SHAPES" quiet
  exec 7<&- 8>&-
  JSON=$output
  json_is 'descriptors' '[[0,1,2],[]]' '.processes[0] | [.standard, .descriptors]'
}

# ---- programs of every kind ----

@test "without a scenario the record is the program at rest" {
  scope run -- "$FORKLAB_BUILD/chapters/02-one-at-a-time/server" 9000
  assert_success
  JSON=$output
  json_is 'the record' '["at-rest","blocked","accept(3)",9000]' \
    '[.moment, .processes[0].state, .processes[0].doing, .objects[0].port]'
}

@test "a program that does not exist or is not executable is named" {
  : >plain
  scope_says 1 'forkscope: ./none: No such file or directory' run -- ./none
  scope_says 1 'forkscope: no-such-program: No such file or directory' run -- no-such-program
  scope_says 1 'forkscope: ./plain: Permission denied' run -- ./plain
  scope_says 1 'forkscope: .: Permission denied' run -- .
  scope_says 1 'forkscope: : No such file or directory' run -- ''
}

@test "a program that ends at once is recorded as ended, with its exit status" {
  scope run -- false
  assert_is 'stderr' '' "$stderr"
  JSON=$output
  json_is 'the process' '[["P","reaped","exit 1",[],[]]]' \
    '[.processes[] | [.name, .state, .doing, .standard, .descriptors]]'
  scope run -- bash -c 'kill -TERM $$'
  JSON=$output
  json_is 'the process' '[["P","reaped","signal 15"]]' '[.processes[] | [.name, .state, .doing]]'
}

@test "a client of a program that has ended is told so" {
  printf 'connect A\n' >play
  scope_says 1 'forkscope: play:1: the program has ended and listens on no port' run -s play -- true
  scope_says 1 'forkscope: play:1: the program has ended and listens on no port' \
    run -s play -- "$FORKLAB_BUILD/chapters/02-one-at-a-time/server" no-port
}

# bats test_tags=long
@test "what takes longer than the deadline is given up, and what was waited for is said" {
  # All at the same time, since each of them waits.
  local i
  printf 'connect A\n' >connect
  printf 'connect A\nreceive A hello\n' >receive
  printf 'connect A\nreceive A eof\n' >eof
  printf 'connect A\nreceive A reset\n' >reset
  printf 'connect A\nuntil zombies 1\n' >zombies
  PIDS=() MESSAGES=() FILES=()
  gives_up connect 'connect:1: the program listens on no port after 5 s' quiet
  gives_up receive 'receive:2: client A: waited 5 s to receive: hello' listen
  gives_up eof 'eof:2: client A: waited 5 s to receive: eof' listen
  gives_up reset 'reset:2: client A: waited 5 s to receive: reset' listen
  gives_up zombies 'zombies:2: waited 5 s for 1 zombies, there are 0' listen
  gives_up connect 'process [0-9]+ still runs after 5 s: is it a busy loop\?' spin
  DEADLINE=40
  for i in "${!PIDS[@]}"; do
    wait_for_end "${PIDS[i]}"
    assert_is "exit status for: ${MESSAGES[i]}" 1 "$STATUS"
    [[ "$(<"${FILES[i]}")" =~ ^forkscope:\ ${MESSAGES[i]}$ ]] ||
      assert_is 'stderr' "forkscope: ${MESSAGES[i]}" "$(<"${FILES[i]}")"
    allow_errors_in "${PIDS[i]}" "${FILES[i]}"
  done
  none_left
}

# gives_up SCENARIO MESSAGE MODE: start forkscope with it; to be waited for later.
gives_up() {
  start "forkscope, $1" env "$MARK" "$FORKSCOPE" run --deadline 5 -s "$1" -- "$SHAPES" "$3"
  PIDS+=("$PID")
  MESSAGES+=("$2")
  FILES+=("$ERRORS")
}

# allow_errors_in PID FILE: what is in FILE, and was checked, is allowed on stderr.
allow_errors_in() {
  ERRORS=$2
  allow_errors "$1" "$(<"$2")"
}

@test "a program that prints a mebibyte is not held up" {
  printf 'connect A\npicture done all is printed\n' >play
  scope run -s play -- "$SHAPES" flood 1048576 9000
  assert_is 'stderr' '' "$stderr"
  JSON=$output
  json_is 'the program accepts' '["blocked","accept(3)"]' '.processes[0] | [.state, .doing]'
  scope run --tell -s play -- "$SHAPES" flood 1048576 9000
  assert_success
  assert_is 'lines retold' $((1048576 / 80)) "$(grep -cxE '  server    \| \.{79}' <<<"$output")"
}

@test "port 9000 is free for every program, though somebody listens there outside" {
  start_server 02
  scope run -- "$FORKLAB_BUILD/chapters/02-one-at-a-time/server" "$PORT"
  assert_is 'stderr' '' "$stderr"
  JSON=$output
  json_is 'the listening socket' "[[\"listening\",$PORT]]" '[.objects[] | [.kind, .port]]'
  # The other way round: sharing the ports, it finds the port taken and ends.
  scope run --shared-network -- "$FORKLAB_BUILD/chapters/02-one-at-a-time/server" "$PORT"
  JSON=$output
  json_is 'the program' '["reaped","exit 1"]' '.processes[0] | [.state, .doing]'
}

@test "a client resets its connection, and the server's end is gone" {
  printf 'connect A\nsend A x\nreceive A x\npicture before b\nreset A\nuntil processes 1\npicture after a\n' >play
  scope run -s play -- "$FORKLAB_BUILD/chapters/08-sigaction-reap-all/server" 9000
  assert_is 'stderr' '' "$stderr"
  JSON=${lines[1]}
  json_is 'the connection' '[0,""]' '.objects[1] | [.refs, .tcp]'
  json_is 'the client' '[["A","",true]]' '[.clients[] | [.name, .tcp, .closed]]'
  json_is 'the child' '["reaped"]' '[process("C1").state]'
}

@test "a child is stopped and goes on, and the parent is not touched" {
  cat >play <<'END'
connect A
send A x
receive A x
stop C1
send A y
picture stopped the child is stopped
continue C1
receive A y
picture continued the child has echoed
END
  scope run -s play -- "$FORKLAB_BUILD/chapters/04-close-unused/server" 9000
  assert_is 'stderr' '' "$stderr"
  JSON=${lines[0]}
  json_is 'while it is stopped' '["blocked","stopped",2]' \
    '[process("P").state, process("C1").state, .objects[1].unread]'
  JSON=${lines[1]}
  json_is 'when it goes on' '["blocked","blocked",0]' \
    '[process("P").state, process("C1").state, .objects[1].unread]'
}

@test "what a child of a child does is recorded under its name" {
  scope run -- "$SHAPES" generations
  JSON=$output
  json_is 'names and parents' '[["P",null],["C1","P"],["C2","C1"]]' '[.processes[] | [.name, .parent]]'
}

@test "what turned itself into a daemon is still seen, below the one that made it" {
  scope run -- "$SHAPES" daemon
  JSON=$output
  json_is 'references of the listening socket' '[2]' '[.objects[] | select(.kind == "listening").refs]'
  json_is 'living processes' 2 '[.processes[] | select(.state == "blocked")] | length'
}

# ---- --tell ----

@test "--tell retells server, clients and tables, without a colour in a pipe" {
  chapter 03
  scope run --tell -s "$LAB_ROOT/diagrams/$CHAPTER/scenario" -- "$FORKLAB_BUILD/chapters/$CHAPTER/server" 9000
  assert_success
  assert_is 'stderr' '' "$stderr"
  assert_line '  server    | listening on port 9000'
  assert_line '  server    | client disconnected...'
  assert_line '  client A  | connects'
  assert_line '  client A  | half-closes: sends end of file, can still receive'
  assert_line 'After the fork: both processes hold both descriptors'
  assert_line --regexp '^S2 connection with A +3 +ESTABLISHED P:4 C1:4 C2:4$'
  assert_line '2 processes alive, 1 zombie, 3 sockets, 0 in the backlog'
  [[ $output != *$'\033'* ]] || assert_is 'escape codes' none "$(grep -c $'\033' <<<"$output")"
}

# on_a_terminal COMMAND...: run it with a terminal as stdout. Sets output.
on_a_terminal() {
  command -v script >/dev/null || skip 'script (util-linux) is not installed'
  run bare timeout 30 script -qec "$*" /dev/null </dev/null
}

@test "on a terminal there are colours, and none where NO_COLOR is set" {
  local command
  printf -v command '%q ' "$FORKSCOPE" run --tell -- "$SHAPES" listen
  on_a_terminal "$command"
  assert_output --partial $'\033[1m'
  on_a_terminal "NO_COLOR=1 $command"
  assert_output --partial 'listening socket'
  refute_output --partial $'\033'
  on_a_terminal "NO_COLOR= $command"
  assert_output --partial $'\033[1m'
}

@test "a line that the program does not finish does not swallow the next one" {
  printf 'connect A\npicture here the moment\n' >play
  scope run --tell -s play -- "$SHAPES" unfinished
  assert_line '  client A  | connects'
  assert_line '  server    | no newline'
}

@test "--pause waits for Enter after each moment" {
  printf 'connect A\npicture one the first\npicture two the second\n' >play
  mkfifo keys
  start 'a paused run' -i keys "$FORKSCOPE" run --tell --pause -s play -- "$SHAPES" listen
  local run=$PID story=$OUTPUT keys
  exec {keys}>keys
  wait_until 'the first moment is told' has_text "$story" 'the first'
  wait_until 'it waits' has_text "$story" 'Enter: go on'
  run cat "$story"
  refute_output --partial 'the second'
  printf '\n' >&"$keys"
  wait_until 'the second moment is told' has_text "$story" 'the second'
  printf '\n' >&"$keys"
  exec {keys}>&-
  wait_for_end "$run"
  assert_is 'exit status' 0 "$STATUS"
}

has_text() {
  grep -qF -- "$2" "$1" || {
    printf 'no "%s" in: %s\n' "$2" "$(<"$1")"
    return 1
  }
}

# ---- nothing is left ----

@test "nothing is left of the program's tree, its daemons included" {
  local mode
  for mode in generations daemon killed quiet share 'children 20'; do
    # shellcheck disable=SC2086 # mode and argument
    run --separate-stderr bare timeout 30 env "$MARK" "$FORKSCOPE" run -- "$SHAPES" $mode
    assert_is "exit status with $mode" 0 "$status"
    none_left
  done
}

@test "nothing is left when the scenario fails" {
  printf 'connect A\nstop C9\n' >play
  run --separate-stderr bare timeout 30 env "$MARK" "$FORKSCOPE" run -s play -- "$SHAPES" listen
  assert_is 'exit status' 1 "$status"
  none_left
}

# ended_by SIGNAL: forkscope is in the middle of a scenario with a server and two
# children, and gets SIGNAL. Sets STATUS to how it ended.
ended_by() {
  cat >play <<'END'
connect A
send A x
receive A x
connect B
send B x
receive B x
until zombies 9
END
  start forkscope env "$MARK" "$FORKSCOPE" run -s play -- "$FORKLAB_BUILD/chapters/03-naive-fork/server" 9000
  wait_until 'forkscope, the server and two children are there' has_marked 4
  kill -"$1" "$PID"
  wait_for_end "$PID"
}

# interrupted_by SIGNAL: the same; it must say so, and end everything first. The second child is
# there from the connect of B on line 4, so each line from there to the last may be the one.
interrupted_by() {
  ended_by "$1"
  assert_is "exit status" 1 "$STATUS"
  local line
  line=$(sed -nE 's/^forkscope: play:([4-7]): interrupted$/\1/p' "$ERRORS")
  allow_errors "$PID" "forkscope: play:${line:-7}: interrupted"
  none_left
}

# connecting COMMAND SECONDS: forkscope COMMAND plays a scenario whose second client waits for a place
# in a full backlog. Returns when it does.
connecting() {
  "${CC:-cc}" -g -O0 -o deaf -xc - <<'END'
#include <sys/socket.h>
#include <unistd.h>
int main(void)
{
    /* Without bind the kernel picks a free port. */
    listen(socket(AF_INET, SOCK_STREAM, 0), 0);
    pause();
}
END
  printf 'connect A\nconnect B\n' >play
  start "forkscope $1" env "$MARK" "$FORKSCOPE" "$1" --deadline "$2" --shared-network -s play -- ./deaf
  wait_until 'client B waits for a place' connects
}

# connects: is a client of this forkscope still connecting? Others may run in the same network.
connects() {
  ss -Htnp state syn-sent | grep "pid=$PID,"
}

# bats test_tags=long
@test "a full backlog: the client says so at the deadline, though forkscope was stopped meanwhile" {
  local command
  DEADLINE=40
  for command in run trace; do
    connecting "$command" 10
    stop "$PID"
    resume "$PID"
    wait_for_end "$PID"
    assert_is "exit status of $command" 1 "$STATUS"
    assert_is 'stderr' 'forkscope: play:2: client B: not connected to port N after 10 s: a full backlog?' \
      "$(sed 's/port [0-9]*/port N/' "$ERRORS")"
    allow_errors "$PID" "$(<"$ERRORS")"
    none_left
  done
}

@test "interrupted while a client waits for a place in a full backlog, forkscope ends at once" {
  local command
  for command in run trace; do
    # Not after an hour, when that client would give up.
    connecting "$command" 3600
    kill -INT "$PID"
    wait_for_end "$PID"
    case $command in
      run)
        assert_is 'exit status of run' 1 "$STATUS"
        allow_errors "$PID" 'forkscope: play:2: interrupted'
        ;;
      trace)
        # What was seen up to here is a trace.
        assert_is 'exit status of trace' 0 "$STATUS"
        assert_is 'its last line' '"interrupted"' "$(tail -n 1 "$OUTPUT" | jq -c .end)"
        ;;
    esac
    none_left
  done
}

@test "SIGTERM in the middle of a scenario leaves nothing" {
  interrupted_by TERM
}

@test "SIGINT in the middle of a scenario leaves nothing" {
  interrupted_by INT
}

@test "SIGHUP, when the terminal is closed, leaves nothing" {
  interrupted_by HUP
}

@test "SIGKILL of forkscope itself leaves no server behind" {
  ended_by KILL
  assert_is 'exit status' 137 "$STATUS"
  wait_until 'nothing is left' has_marked 0
}
