#!/usr/bin/env bats
# tests/lab/tour.bats - make tour, from the first line to the last.
# shellcheck disable=SC2013,SC2016,SC2030,SC2031,SC2034,SC2153,SC2154 # set by lab.bash and by run

bats_require_minimum_version 1.5.0

setup_file() {
  load ../lib/lab.bash
  load tree.bash
  # Once, for the tests that read it: in a pipe, without a terminal.
  TOUR=$BATS_FILE_TMPDIR/tour
  export TOUR
  make -C "$LAB_ROOT" --no-print-directory BUILD="$FORKLAB_BUILD" tour \
    </dev/null 2>"$TOUR.err" 3>&- 4>&- | cat >"$TOUR" 3>&- 4>&-
  printf '%s\n' "${PIPESTATUS[0]}" >"$TOUR.status"
}

setup() {
  load ../lib/lab.bash
  load tree.bash
  lab_setup
}

teardown() {
  lab_teardown
}

@test "in a pipe the tour goes through without waiting, with status 0 and nothing on stderr" {
  assert_is 'exit status' 0 "$(<"$TOUR.status")"
  assert_is 'stderr' '' "$(<"$TOUR.err")"
  assert_is 'lines with escape codes' 0 "$(grep -c $'\033' "$TOUR")"
}

@test "the tour visits every chapter in order" {
  assert_is 'chapters' "$(cd "$LAB_ROOT/chapters" && printf '%s\n' [0-9]*/ | tr -d /)" \
    "$(sed -n 's/^== \(.*\) ==$/\1/p' "$TOUR")"
}

@test "each chapter says what is new and what is still wrong, and shows a measured table" {
  local chapter part
  for chapter in $(cd "$LAB_ROOT/chapters" && printf '%s\n' [0-9]*/ | tr -d /); do
    part=$(awk -v heading="== $chapter ==" '
      /^== .* ==$/ { inside = $0 == heading; next } inside' "$TOUR")
    local pattern
    for pattern in '^New here: [^ ]' '^Still wrong: [^ ]' '^P +[0-9]+ ' \
      '^S1 listening socket :9000 +[0-9]' '^  client A  \| connects$' '^  server    \| listening on port 9000$'; do
      grep -qE "$pattern" <<<"$part" || assert_is "the tour at $chapter" "$pattern" "$part"
    done
    assert_is "tables of $chapter" "$(grep -c '^picture ' "$LAB_ROOT/diagrams/$chapter/scenario")" \
      "$(grep -cE '^[0-9]+ process(es)? alive, ' <<<"$part")"
  done
}

@test "the tour's tables have the counts that the chapters teach" {
  local line
  for line in 'S2 connection with A +3 +ESTABLISHED P:4 C1:4 C2:4' \
    'S3 connection with B +0 +ESTABLISHED nobody +backlog, 6 bytes' \
    'P +[0-9]+ +stopped, SIGCHLD pending +3 listening' \
    '1 process alive, 2 zombies, 1 socket, 0 in the backlog'; do
    assert_holds has_some "$line"
  done
}

has_some() {
  grep -qxE -- "$1" "$TOUR" || {
    printf "no line matches: %s\n" "$1"
    return 1
  }
}

@test "no line of the tour is wider than 100 columns" {
  assert_is 'lines that are too wide' '' "$(grep -E '.{101}' "$TOUR" || true)"
}

@test "the tour ends with what to do next, and that can be done" {
  local last word
  last=$(awk '/^Next: /{ inside = 1 } inside' "$TOUR")
  assert_is 'its last line names a text that is there' yes \
    "$(grep -qE 'chapters/00-client/README.md' <<<"$last" && test -e "$LAB_ROOT/chapters/00-client/README.md" && echo yes)"
  for word in $(grep -oE '^  make [a-z0-9-]+' <<<"$last" | sed 's/.* //'); do
    make_it -n "$word"
    assert_is "exit status of make -n $word" 0 "$status"
  done
}

# tour_on_a_terminal [WORD]...: start the tour, as env WORD..., with a terminal on both sides.
# Sets SCREEN (what it shows, a file), KEYS (a descriptor to type into) and PID.
tour_on_a_terminal() {
  command -v script >/dev/null || skip 'script (util-linux) is not installed'
  local command
  printf -v command '%q ' env "$@" FORKLAB_BUILD="$FORKLAB_BUILD" "$LAB_ROOT/chapters/tour.sh"
  mkfifo "$BATS_TEST_TMPDIR/keys"
  start 'tour on a terminal' -i "$BATS_TEST_TMPDIR/keys" script -qefc "$command" /dev/null
  SCREEN=$OUTPUT
  exec {KEYS}>"$BATS_TEST_TMPDIR/keys"
}

# shows PATTERN COUNT: are there so many lines on the screen that match?
shows() {
  compare "lines \"$1\"" "$2" "$(grep -cE -- "$1" "$SCREEN")"
}

@test "on a terminal it waits for Enter after each moment, and Ctrl-C ends it with what to do next" {
  tour_on_a_terminal
  wait_until 'the first table is there, and it waits' shows 'Enter: go on' 1
  assert_holds shows '^[0-9]+ process(es)? alive' 1
  printf '\n' >&"$KEYS"
  wait_until 'the second table is there, and it waits' shows 'Enter: go on' 2
  # Ctrl-C
  printf '\003' >&"$KEYS"
  wait_until 'it ends' is_in_state "$PID" ZX
  assert_holds shows '^[0-9]+ process(es)? alive' 2
  assert_holds shows 'make run-03 +the server that leaks' 1
  assert_holds has_colour
}

has_colour() {
  grep -q $'\033' "$SCREEN"
}

@test "with NO_COLOR the tour on a terminal has no colours" {
  tour_on_a_terminal NO_COLOR=1
  wait_until 'the first table is there, and it waits' shows 'Enter: go on' 1
  run has_colour
  assert_failure
}

@test "a tour whose reader goes away ends, and leaves nothing running" {
  local mark=TOUR_MARK=$BATS_TEST_TMPDIR
  run bash -c '"$@" 2>/dev/null | head -n 5' - timeout 60 env "$mark" FORKLAB_BUILD="$FORKLAB_BUILD" \
    "$LAB_ROOT/chapters/tour.sh"
  assert_is 'lines' 5 "${#lines[@]}"
  wait_until 'nothing of it is left' none_of "$mark"
}

none_of() {
  compare 'processes of the tour' '' \
    "$(grep -lzxF -- "$1" /proc/[0-9]*/environ 2>/dev/null | tr '\n' ' ')"
}
