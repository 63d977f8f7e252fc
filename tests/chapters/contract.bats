#!/usr/bin/env bats
# tests/chapters/contract.bats - what every server, 01 to 08, promises.
#
# Each test goes through all chapters; a failure names the chapter.
# shellcheck disable=SC2030,SC2031,SC2034,SC2153,SC2154 # set by lab.bash and by run

bats_require_minimum_version 1.5.0

setup() {
  load ../lib/lab.bash
  lab_setup
}

teardown() {
  lab_teardown
}

# each_chapter FUNCTION [WORD]...: call it with the number of each chapter in turn,
# then end that chapter's server.
each_chapter() {
  local -
  untraced
  local name
  for name in "${CHAPTERS[@]}"; do
    printf 'chapter %s\n' "$name"
    SERVER=''
    "$@" "${name%%-*}"
    [[ -z $SERVER ]] || stop_server
    [[ -z $CLIENTS_PID ]] || client close-many c
  done
}

# echoing_process: sets ECHOING to the process that serves the client last joined.
echoing_process() {
  ECHOING=${CHILD:-$SERVER}
}

# source_of NUMBER: the chapter's source file.
source_of() {
  chapter "$1"
  printf '%s\n' "$LAB_ROOT/chapters/$CHAPTER/server.c"
}

# ---- arguments ----

refuses_bad_ports() {
  local number=$1 port
  chapter "$number"
  for port in '' ' 80' '80 ' +80 -1 65536 99999999999999999999 80x x 0x50; do
    run --separate-stderr timeout 10 "$FORKLAB_BUILD/chapters/$CHAPTER/server" "$port"
    assert_is "exit status for port '$port'" 2 "$status"
    assert_is "stdout for port '$port'" '' "$output"
    assert_is "stderr for port '$port'" \
      "server: '$port' is not a port: give a number from 0 to 65535" "$stderr"
  done
}

@test "a port that is not a number from 0 to 65535 is refused with one line and status 2" {
  each_chapter refuses_bad_ports
}

prints_usage() {
  local number=$1 arguments
  chapter "$number"
  for arguments in '' '80 81'; do
    # shellcheck disable=SC2086 # none or two words
    run --separate-stderr timeout 10 "$FORKLAB_BUILD/chapters/$CHAPTER/server" $arguments
    assert_is "exit status for '$arguments'" 2 "$status"
    assert_is "stdout for '$arguments'" '' "$output"
    assert_is "stderr for '$arguments'" 'usage: server PORT' "$stderr"
  done
}

@test "without a port, or with two, a server prints its usage and ends with status 2" {
  each_chapter prints_usage
}

# ---- the port ----

refuses_busy_port() {
  local number=$1
  start_server "$number"
  run --separate-stderr timeout 10 "$FORKLAB_BUILD/chapters/$CHAPTER/server" "$PORT"
  assert_is 'exit status' 1 "$status"
  assert_is 'stdout' '' "$output"
  assert_is 'stderr' 'server: bind: Address already in use' "$stderr"
}

@test "a server on a busy port says so in one line and ends with status 1" {
  each_chapter refuses_busy_port
}

listens_on_loopback() {
  local number=$1
  start_server "$number"
  assert_is 'what ss says listens' "127.0.0.1:$PORT $(socket_of "$SERVER" 3)" "$(listeners_on "$PORT")"
  assert_is 'sockets of the server' 1 "$(descriptors_of "$SERVER" | grep -c ' socket:')"
}

@test "a server listens on 127.0.0.1 and nowhere else" {
  each_chapter listens_on_loopback
}

restarts() {
  local number=$1
  start_server "$number"
  join_served c1
  # The server's end closes first, with nothing unread: it is this end that must wait.
  stop_server
  client expect-eof c1
  client close c1
  wait_until 'the connection is in TIME_WAIT' server_end_is "$PORT" "$CLIENT_PORT" TIME-WAIT

  # TIME_WAIT also keeps the port from being given to somebody else meanwhile.
  local port=$PORT
  start_server "$number" "$port"
  assert_is 'the port that it tells' "$port" "$PORT"
  assert_holds server_end_is "$PORT" "$CLIENT_PORT" TIME-WAIT
  join_served c2
}

@test "a server restarts at once on a given port where a connection is in TIME_WAIT" {
  each_chapter restarts
}

# ---- what it prints ----

# visits NUMBER: as many clients as the chapter serves, one by one, and after each
# the lines that must be there by then. Sets EXPECTED to all lines, sorted.
visits() {
  local number=$1 i count=3 removed=0
  [[ $number == 01 ]] && count=1
  EXPECTED="listening on port $PORT"
  for ((i = 1; i <= count; i++)); do
    join_served c1
    # The server has written it; what copies a pipe into the file may take a moment. Nothing that
    # comes before the client leaves could write out a line that was held back.
    wait_until 'the line of the client that is there' has_lines "$OUTPUT" 'new client connected\.\.\.' "$i"
    # It looks once, after the fork: it shall have looked before this child ends.
    [[ $number != 06 ]] || wait_until 'the parent sleeps in accept' blocked_in "$SERVER" accept
    leave c1 "$i"
    case $number in
      05 | 07 | 08) removed=$i ;;
      06)
        # The last child is collected when the next client comes.
        wait_until 'the child has ended' has_zombies "$SERVER" 1
        removed=$((i - 1))
        ;;
    esac
    wait_until 'the removal is told' has_lines "$OUTPUT" 'remove proc id [1-9][0-9]*' "$removed"
    EXPECTED+=$'\nnew client connected...\nclient disconnected...'
  done
  for ((i = 1; i <= removed; i++)); do
    EXPECTED+=$'\nremove proc id N'
  done
  EXPECTED=$(sort <<<"$EXPECTED")
}

prints_into_file() {
  local number=$1
  start_server "$number"
  visits "$number"
  stop_server
  assert_is 'all lines, sorted' "$EXPECTED" "$(sed 's/^\(remove proc id\) .*/\1 N/' "$OUTPUT" | sort)"
}

@test "into a file every line is written at once, and exactly once" {
  each_chapter prints_into_file
}

prints_into_pipe() {
  local number=$1 fifo=$BATS_TEST_TMPDIR/pipe$1 copier
  mkfifo "$fifo"
  # cat copies what arrives in the pipe, and nothing holds a line back but the server.
  start 'copy of the pipe' -i "$fifo" cat
  local copy=$OUTPUT
  copier=$PID
  start_server "$number" -o "$fifo"
  OUTPUT=$copy
  wait_until 'the server listens' has_line "$OUTPUT" 'listening on port [0-9]+'
  PORT=$(sed -n 's/listening on port //p' "$OUTPUT")
  visits "$number"
  stop_server
  wait_for_end "$copier"
  assert_is 'all lines, sorted' "$EXPECTED" "$(sed 's/^\(remove proc id\) .*/\1 N/' "$OUTPUT" | sort)"
}

@test "into a pipe every line is written at once, and exactly once" {
  each_chapter prints_into_pipe
}

# ---- the echo ----

echoes_exactly() {
  local seed=$1 number=$2 size
  start_server "$number"
  join_served c1
  for size in 1 255 256 4095 4096 4097 1048576; do
    client exchange c1 "$size" "$seed"
  done
  client exchange c1 300 "$seed" 1
  client echo c1 '\0'
  client echo c1 'no newline at the end'
  client echo c1 '\xff\xfe\0\0\r\n\0'
  client half-close c1
  wait_until 'the server is done' has_line "$OUTPUT" 'client disconnected\.\.\.'
  # In 03 the parent holds the connection open; else the end comes. Nothing more in both.
  if [[ $number == 03 ]]; then
    client no-eof c1 0
  else
    client expect-eof c1
  fi
}

@test "the echo is exact for random bytes of any length, one by one and a mebibyte at once" {
  local seed=$RANDOM
  printf 'seed %s\n' "$seed"
  each_chapter echoes_exactly "$seed"
}

echoes_after_short_writes() {
  local seed=$1 number=$2
  start_server "$number"
  join_served c1
  echoing_process
  fill c1 "$seed" "$ECHOING"
  # Asleep in send with part of the bytes taken: a stop and a go end this send short.
  stop "$ECHOING"
  resume "$ECHOING"
  client drain c1
}

@test "the echo is exact when send takes less than it is given" {
  local seed=$RANDOM
  printf 'seed %s\n' "$seed"
  # Segments of an odd size: what is left in the server's buffer is then almost never
  # space for a whole piece of 4096 bytes.
  client segment 16001
  each_chapter echoes_after_short_writes "$seed"
}

outlives_reset() {
  local number=$1
  start_server "$number"
  join_served c1
  echoing_process
  fill c1 1 "$ECHOING"

  client reset c1

  # The line shows that the process which echoed was not ended by SIGPIPE.
  wait_until 'the server has noticed' has_line "$OUTPUT" 'client disconnected\.\.\.'
  if [[ $number == 01 ]]; then
    wait_for_end "$SERVER"
    assert_is 'exit status' 0 "$STATUS"
  else
    join_served c2
  fi
}

@test "a client that resets in the middle of a transfer harms no server" {
  each_chapter outlives_reset
}

outlives_broken_pipe() {
  local number=$1
  start_server "$number"
  join_served c1
  echoing_process
  stop "$ECHOING"
  client send c1 'echo this\n'
  client half-close c1
  wait_until 'the FIN has come' server_end_is "$PORT" "$CLIENT_PORT" CLOSE-WAIT
  client reset c1
  wait_until 'the RST has come' server_end_is "$PORT" "$CLIENT_PORT" none
  resume "$ECHOING"

  # A reset after the FIN makes its send fail with EPIPE, by default with SIGPIPE.
  wait_until 'the server has noticed' has_line "$OUTPUT" 'client disconnected\.\.\.'
  if [[ $number == 01 ]]; then
    wait_for_end "$SERVER"
    assert_is 'exit status' 0 "$STATUS"
  else
    join_served c2
  fi
}

@test "a client that is gone before it is answered harms no server" {
  each_chapter outlives_broken_pipe
}

# ---- the source: what makes the diff between neighbours the lesson ----

# function_text NAME FILE: the function with the comment above it.
function_text() {
  awk -v name="$1" '
    /^\/\*/ { text = ""; keep = 1 }
    /^$/ { text = ""; keep = 0 }
    /^[a-z].*\(/ && index($0, name "(") { found = 1 }
    { text = text $0 "\n" }
    /^}/ { if (found) { printf "%s", text; exit } text = "" }' "$2"
}

@test "functions that do not change are the same, byte for byte, in every chapter" {
  local name function first
  first=$(source_of 01)
  for function in die parse_port open_listener echo_client; do
    [[ -n $(function_text "$function" "$first") ]]
    for name in "${CHAPTERS[@]}"; do
      assert_is "$function in chapter $name" "$(function_text "$function" "$first")" \
        "$(function_text "$function" "$LAB_ROOT/chapters/$name/server.c")"
    done
  done
}

@test "from a chapter to the next at most 40 lines are new and at most 40 are gone" {
  local i added gone
  for ((i = 1; i < ${#CHAPTERS[@]}; i++)); do
    diff "$LAB_ROOT/chapters/${CHAPTERS[i - 1]}/server.c" "$LAB_ROOT/chapters/${CHAPTERS[i]}/server.c" \
      >"$BATS_TEST_TMPDIR/diff" || true
    added=$(grep -c '^>' "$BATS_TEST_TMPDIR/diff")
    gone=$(grep -c '^<' "$BATS_TEST_TMPDIR/diff")
    printf '%s: %s new, %s gone\n' "${CHAPTERS[i]}" "$added" "$gone"
    ((added > 0 && added <= 40 && gone > 0 && gone <= 40)) || return 1
  done
}

# markers FILE: each deliberate defect on a line of its own, "TEXT (NN)".
markers() {
  # A marker may go on in the next line of its comment.
  sed 's/^ *\*\( \|$\)/ /' "$1" | tr -s '\n ' ' ' | grep -o 'BUG (on purpose):[^()]*([0-9][0-9])' |
    sed 's/^BUG (on purpose): //'
}

# mends_later NUMBER: every defect of this chapter is there until the chapter that
# it names, and not there in that one and the later ones.
mends_later() {
  local number=$1 marker fixer other file=$BATS_TEST_TMPDIR/markers
  assert_is 'defects that name their chapter' \
    "$(grep -o 'BUG (on purpose)' "$(source_of "$number")" | wc -l)" "$(wc -l <"$file.$number")"
  while read -r marker; do
    fixer=${marker: -3:2}
    [[ $fixer > $number ]] || fail "'$marker' is not mended in a later chapter"
    for other in "$file".*; do
      other=${other##*.}
      if [[ $other < $number ]]; then
        continue
      elif [[ $other < $fixer ]]; then
        grep -qxF -- "$marker" "$file.$other" || fail "'$marker' is not in chapter $other any more"
      elif grep -qxF -- "$marker" "$file.$other"; then
        fail "'$marker' is still in chapter $other"
      fi
    done
  done <"$file.$number"
}

@test "each deliberate defect names the chapter that mends it, stays until there, and is gone then" {
  local source number
  for source in "$LAB_ROOT"/chapters/[0-9]*/server.c; do
    number=${source%/server.c}
    number=${number##*/}
    markers "$source" >"$BATS_TEST_TMPDIR/markers.${number%%-*}" || true
  done
  each_chapter mends_later
  assert_is 'chapters that have a deliberate defect' 8 \
    "$(find "$BATS_TEST_TMPDIR" -name 'markers.0[1-8]' -size +0 | wc -l)"
}

has_header() {
  local number=$1 source
  chapter "$number"
  source=chapters/$CHAPTER/server.c
  # The header ends at the first line that ends the comment.
  sed '/\*\//q' "$LAB_ROOT/$source" >"$BATS_TEST_TMPDIR/header"
  assert_is 'first line' '/*' "$(head -n 1 "$BATS_TEST_TMPDIR/header")"
  assert_holds grep -qx " \* $source - .*\." "$BATS_TEST_TMPDIR/header"
  assert_is 'fields, in their order' $'New here:\nStill wrong:\nTry:' \
    "$(grep -o '^ \* \(New here\|Still wrong\|Try\):' "$BATS_TEST_TMPDIR/header" | cut -c 4-)"
}

@test "each source begins with its path, its purpose, and new, still wrong and try" {
  each_chapter has_header
}

stands_alone() {
  local number=$1 source compiler compilers=0
  source=$(source_of "$number")
  assert_is 'lines that include another file than a system header' '' \
    "$(grep '^ *# *include' "$source" | grep -v '^#include <[a-z/]*\.h>$')"
  # In an empty directory there is nothing else that it could include.
  mkdir -p "$BATS_TEST_TMPDIR/$number"
  cp "$source" "$BATS_TEST_TMPDIR/$number/server.c"
  for compiler in gcc clang; do
    command -v "$compiler" >/dev/null || continue
    compilers=$((compilers + 1))
    run "$compiler" -std=c11 -Wall -Wextra -Wpedantic -Werror \
      -o "$BATS_TEST_TMPDIR/$number/server" "$BATS_TEST_TMPDIR/$number/server.c"
    assert_success
  done
  ((compilers > 0)) || fail 'neither gcc nor clang is installed'
}

@test "each source compiles alone, without a warning, by gcc and by clang" {
  each_chapter stands_alone
}

is_short() {
  local number=$1 lines
  lines=$(wc -l <"$(source_of "$number")")
  ((lines <= 160)) || fail "$lines lines, at most 160 are allowed"
}

@test "no source is longer than 160 lines" {
  each_chapter is_short
}
