#!/usr/bin/env bats
# tests/lab/makefile.bats - the commands of the Makefile.
# shellcheck disable=SC2013,SC2016,SC2030,SC2031,SC2034,SC2153,SC2154 # set by lab.bash and by run

bats_require_minimum_version 1.5.0

setup() {
  load ../lib/lab.bash
  load tree.bash
  lab_setup
}

teardown() {
  lab_teardown
}

# a_copy: work on a copy of the tree, with a build directory of its own. Sets TREE.
a_copy() {
  TREE=$BATS_TEST_TMPDIR/tree
  TREE_BUILD=build
  copy_tree "$TREE"
}

# few_tools TOOL...: sets TOOLS to a directory with these tools and no others.
few_tools() {
  TOOLS=$BATS_TEST_TMPDIR/tools
  mkdir "$TOOLS"
  local tool
  for tool; do
    ln -s "$(command -v "$tool")" "$TOOLS/$tool"
  done
}

@test "make alone compiles every stage with nothing but make, a shell, mkdir and a compiler" {
  a_copy
  # as and ld are parts of the compiler.
  few_tools make sh mkdir cc as ld
  run --separate-stderr env -i PATH="$TOOLS" make -C "$TREE" --no-print-directory
  assert_is 'stderr' '' "$stderr"
  assert_is 'exit status' 0 "$status"
  local source program
  for source in "$TREE"/chapters/[0-9]*/{client,server}.c; do
    [[ -e $source ]] || continue
    program=${source#"$TREE/"}
    assert_holds test -x "$TREE/build/${program%.c}"
  done
}

# bats test_tags=long
@test "all that make makes is under build, and make clean removes it" {
  a_copy
  git -C "$TREE" init -q
  git -C "$TREE" add -A
  local before
  before=$(cd "$TREE" && find . -path ./.git -prune -o -print | sort)
  make_it --silent programs
  assert_is 'exit status of make programs' 0 "$status"
  assert_is 'what git sees' '' "$(git -C "$TREE" status --porcelain | grep -v '^A ')"
  assert_is 'what was made outside of build' "$before" \
    "$(cd "$TREE" && find . \( -path ./.git -o -path ./build \) -prune -o -print | sort)"
  make_it --silent clean
  nothing_said 'make clean'
  assert_is 'what is left' "$before" "$(cd "$TREE" && find . -path ./.git -prune -o -print | sort)"
}

@test "a second make does nothing, and a changed source is compiled alone" {
  a_copy
  make_it --silent all
  assert_is 'exit status of the first' 0 "$status"
  make_it
  assert_is 'what the second says' "make: Nothing to be done for 'all'." "$output"
  touch "$TREE/chapters/03-naive-fork/server.c"
  make_it
  assert_is 'lines of the third' 1 "${#lines[@]}"
  assert_line --partial chapters/03-naive-fork/server.c
}

# bats test_tags=long
@test "a changed header of the tool compiles what includes it" {
  a_copy
  make_it --silent programs
  touch "$TREE/diagrams/forkscope/xml.h"
  make_it programs
  assert_line --regexp 'diagrams/forkscope/xml\.c$'
  refute_line --regexp 'chapters/'
}

@test "make -n shows and changes nothing" {
  a_copy
  make_it -n
  assert_is 'exit status' 0 "$status"
  assert_line --partial chapters/03-naive-fork/server.c
  assert_holds test ! -e "$TREE/build"
}

@test "make help names every command that a text tells to type" {
  make_it help
  assert_is 'exit status' 0 "$status"
  local help=$output word
  for word in $(grep -ohE '(^ {4}|`)make [a-z]+(-[0-9]+)?' "$LAB_ROOT/README.md" | sed 's/.*make //; s/-[0-9]*$//' | sort -u); do
    grep -qE "^  $word(-[0-9]+)? +[a-z]" <<<"$help" ||
      assert_is "make help about make $word" 'a line for it' "$help"
  done
  # As in a terminal: no line wider than that, none without an explanation.
  assert_is 'lines that say nothing, or are too long' '' \
    "$(tail -n +2 <<<"$help" | grep -vE '^  [a-z]+(-[0-9]+)? +[^ ].{1,77}$')"
}

@test "a chapter that does not exist is told, with those that do" {
  local word numbers
  numbers=$(cd "$LAB_ROOT/chapters" && printf '%s ' [0-9]*/ | sed 's|-[^ ]*||g; s/ $//')
  for word in run-42 test-42 watch-42 diff-42 trace-42 check-42 predict-42 hint-42 reset-42; do
    make_it "$word"
    assert_is "exit status of make $word" 2 "$status"
    assert_is "first line of make $word" "there is no chapter 42; the chapters are: $numbers" "${stderr_lines[0]}"
  done
  for word in run watch diff trace check predict hint reset; do
    make_it "$word"
    assert_is "exit status of make $word" 2 "$status"
    assert_is "first line of make $word" "of which chapter? For example: make $word-03" "${stderr_lines[0]}"
  done
}

@test "chapter 00 has no server to run: make run-00 says what to type instead" {
  make_it run-00
  assert_is 'exit status' 2 "$status"
  assert_is "first line" "chapter 00 is the client: make client" "${stderr_lines[0]}"
}

@test "make run-NN and make client work together on PORT" {
  local number
  make_it --silent all
  for number in "${CHAPTERS[@]%%-*}"; do
    start "make run-$number" make -C "$LAB_ROOT" --no-print-directory BUILD="$FORKLAB_BUILD" "run-$number" PORT=0
    SERVER=$PID
    local stdout=$OUTPUT
    wait_until "chapter $number listens" has_line "$stdout" 'listening on port [0-9]+'
    assert_is "what make run-$number says first" 1 "$(grep -c . "$stdout")"
    read -r PORT <"$stdout"
    printf 'hello\n' >"$BATS_TEST_TMPDIR/typed"
    # What it says beside the echo goes to stderr, and is the business of its own tests.
    start 'make client' -i "$BATS_TEST_TMPDIR/typed" sh -c 'exec "$@" 2>&1' - \
      make -C "$LAB_ROOT" --no-print-directory BUILD="$FORKLAB_BUILD" client PORT="${PORT##* }"
    wait_until "the client of chapter $number has its echo" has_line "$OUTPUT" hello
    end_session "$PID"
    end_session "$SERVER"
  done
}

@test "make diff-NN shows what a chapter changes, for each of them" {
  local number previous=''
  for number in "${CHAPTERS[@]%%-*}"; do
    make_it "diff-$number"
    assert_is "exit status of make diff-$number" 0 "$status"
    assert_is "stderr of make diff-$number" '' "$stderr"
    [[ $output != *$'\033'* ]] || assert_is "make diff-$number in a pipe" 'no colour' 'escape codes'
    chapter "$number"
    if [[ -z $previous ]]; then
      assert_output "chapters/$CHAPTER/server.c is the first server: there is nothing before it to compare with"
    else
      assert_is 'what is compared' "--- $previous" "${lines[0]}"
      assert_is 'what it is compared with' "+++ chapters/$CHAPTER/server.c" "${lines[1]}"
      # With the previous source patched by it, the chapter's source comes out.
      cp "$LAB_ROOT/$previous" "$BATS_TEST_TMPDIR/patched.c"
      patch --silent "$BATS_TEST_TMPDIR/patched.c" <<<"$output"
      run diff "$BATS_TEST_TMPDIR/patched.c" "$LAB_ROOT/chapters/$CHAPTER/server.c"
      assert_is "make diff-$number, applied" '' "$output"
    fi
    previous=chapters/$CHAPTER/server.c
  done
  make_it diff-00
  assert_is 'stderr of make diff-00' 'chapter 00 has no server.c' "${stderr_lines[0]}"
  assert_is 'exit status of make diff-00' 2 "$status"
}

@test "make watch-NN without a server says what to type in another terminal" {
  # The port of a client's end: taken, so that nobody can come to listen on it.
  start_server 02
  join_served a
  make_it watch-03 PORT="$CLIENT_PORT"
  assert_is 'exit status' 2 "$status"
  assert_is 'first line' "forkscope: port $CLIENT_PORT: nobody listens on it" "${stderr_lines[0]}"
  assert_is 'second line' "to start it, in another terminal: make run-03 PORT=$CLIENT_PORT" "${stderr_lines[1]}"
}

@test "make watch-NN shows the server of its chapter, and refuses that of another" {
  start_server 04
  make_it watch-03 PORT="$PORT"
  assert_is 'exit status' 2 "$status"
  [[ ${stderr_lines[0]} == "forkscope: process $SERVER runs "*"/04-close-unused/server, not "* ]] ||
    assert_is 'first line' "forkscope: process $SERVER runs .../04-close-unused/server, not ..." "$stderr"

  start 'make watch-04' make -C "$LAB_ROOT" --no-print-directory BUILD="$FORKLAB_BUILD" watch-04 PORT="$PORT"
  local watch=$PID
  wait_until 'the table is there' has_line "$OUTPUT" "P +$SERVER +blocked in accept\(3\) .*"
  stop_server
  wait_for_end "$watch"
  assert_is 'exit status when the server has ended' 0 "$STATUS"
}

@test "a new chapter is a new folder: compiled, run and compared without an edit" {
  a_copy
  chapter 08
  cp -r "$TREE/chapters/$CHAPTER" "$TREE/chapters/99-test"
  sed -i 's/listening on port/chapter 99 listens on port/' "$TREE/chapters/99-test/server.c"
  make_it --silent all
  assert_is 'exit status of make' 0 "$status"
  assert_holds test -x "$TREE/build/chapters/99-test/server"
  make_it diff-99
  assert_is 'exit status of make diff-99' 0 "$status"
  assert_line --partial '+++ chapters/99-test/server.c'
  assert_line --regexp '^\+.*chapter 99 listens'
  start 'make run-99' make -C "$TREE" --no-print-directory run-99 PORT=0
  wait_until 'chapter 99 listens' has_line "$OUTPUT" 'chapter 99 listens on port [0-9]+'
}

@test "make trace-NN makes a page of the stage, of a program of one's own, or says what is wrong" {
  # A copy that keeps its dates: make must not compile anew what other tests are tracing.
  TREE_BUILD=$BATS_TEST_TMPDIR/build
  mkdir "$TREE_BUILD"
  cp -a "$FORKLAB_BUILD"/{chapters,forkscope,objects,tests,traced} "$TREE_BUILD"
  make_it --silent programs
  make_it trace-04
  assert_is "exit status: $stderr" 0 "$status"
  local page=$TREE_BUILD/traced/04-close-unused/page.html
  [[ ${lines[-2]} =~ ^[0-9]+\ steps,\ on\ the\ page\ .*/traced/04-close-unused/page.html$ ]] ||
    assert_is 'the line before the last' 'N steps, on the page .../page.html' "${lines[-2]}"
  assert_is 'the last line' "open it in a browser: file://$(realpath "$page")" "${lines[-1]}"
  assert_holds grep -q '04-close-unused: ' "$page"
  # A program of one's own, with the clients of the chapter; it is only read.
  cp "$LAB_ROOT/chapters/03-naive-fork/server.c" "$BATS_TEST_TMPDIR/mine.c"
  local before
  before=$(cksum <"$BATS_TEST_TMPDIR/mine.c")
  make_it trace-03 PROG="$BATS_TEST_TMPDIR/mine.c"
  assert_is "exit status: $stderr" 0 "$status"
  assert_holds grep -q 'mine.c' "$TREE_BUILD/traced/03-naive-fork/mine.html"
  assert_is 'the program' "$before" "$(cksum <"$BATS_TEST_TMPDIR/mine.c")"
  make_it trace-03 PROG=none.c
  assert_is 'without a program' 'there is no program none.c to trace' "${stderr_lines[0]}"
  make_it trace-00
  assert_is 'chapter 00' 'chapter 00 is the client, and has no server to trace' "${stderr_lines[0]}"
}
