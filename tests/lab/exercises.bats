#!/usr/bin/env bats
# tests/lab/exercises.bats - the exercises and their solutions, make exercises, hint, predict, reset.
#
# What a right program is and what is not is the business of tests/grader. A student's own
# exercise.c in this tree must change no verdict here: what is tested is made from the solution.
# shellcheck disable=SC2013,SC2016,SC2030,SC2031,SC2034,SC2153,SC2154 # set by lab.bash and by run

bats_require_minimum_version 1.5.0

setup() {
  load ../lib/lab.bash
  load tree.bash
  lab_setup
  cd "$LAB_ROOT" || return
  mapfile -t SLUGS < <(printf '%s\n' solutions/[0-9]*/ | sed 's|solutions/\(.*\)/|\1|')
}

teardown() {
  lab_teardown
}

# ship TREE WORD...: solutions/ship.sh of that tree, with a build directory of its own. Sets
# status, output and stderr.
ship() {
  local -
  untraced
  local tree=$1
  shift
  FORKLAB_BUILD=$tree/build run --separate-stderr "$tree/solutions/ship.sh" "$@"
}

# a_copy: a copy of the tree in which every exercise is as shipped. Sets TREE.
a_copy() {
  local -
  untraced
  TREE=$BATS_TEST_TMPDIR/tree
  copy_tree "$TREE"
  rm -f "$TREE"/chapters/*/exercise.c*
  ship "$TREE"
  assert_is "exit status of ship.sh, which says: $stderr" 0 "$status"
}

# flags: those of the Makefile, so that what it promises is what is checked.
flags() {
  sed -n 's/^STANDARD = \(.*\) \$(WARNINGS)$/\1/p' Makefile
}

# ---- the files ----

@test "every chapter with a server has an exercise, its solution, hints and questions" {
  local missing='' server slug file
  for server in chapters/[0-9]*/server.c; do
    slug=${server%/server.c}
    slug=${slug#chapters/}
    for file in "chapters/$slug/exercise.c" "solutions/$slug/exercise.c" "solutions/$slug/hints" "chapters/$slug/predict"; do
      [[ -s $file ]] || missing+="$file "
    done
  done
  assert_is 'missing' '' "$missing"
  assert_is 'solutions' "$(printf '%s\n' chapters/*/server.c | sed 's|/server.c||; s|chapters|solutions|')" \
    "$(printf 'solutions/%s\n' "${SLUGS[@]}")"
}

# same_as_git FILE: does the tree hold what was committed?
same_as_git() {
  git diff --quiet HEAD -- "$1" 2>/dev/null
}

@test "every exercise is its solution with the solutions cut out" {
  a_copy
  local slug found=''
  for slug in "${SLUGS[@]}"; do
    cmp -s "$TREE/chapters/$slug/exercise.c" "chapters/$slug/exercise.c" && continue
    # A student at work: the solution is as committed, and so is what was shipped for it.
    if same_as_git "solutions/$slug/exercise.c" && ! same_as_git "chapters/$slug/exercise.c" &&
      git show "HEAD:./chapters/$slug/exercise.c" | cmp -s - "$TREE/chapters/$slug/exercise.c"; then
      continue
    fi
    found+="chapters/$slug/exercise.c (make exercises) "
  done
  assert_is 'exercises out of step' '' "$found"
}

@test "each TODO has a number, and a solution that is not there as shipped" {
  a_copy
  local slug shipped todos
  for slug in "${SLUGS[@]}"; do
    shipped=$TREE/chapters/$slug/exercise.c
    todos=$(grep -oE '\bTODO [0-9]+:' "$shipped" | grep -oE '[0-9]+' | sort -n)
    assert_is "$slug: numbers of the TODOs" "$(seq "$(wc -l <<<"$todos")")" "$todos"
    assert_is "$slug: numbers of the solutions" "$todos" \
      "$(sed -n 's|^ */\* BEGIN SOLUTION \([0-9]*\) \*/$|\1|p' "solutions/$slug/exercise.c" | sort -n)"
    assert_is "$slug: solutions as shipped" '' "$(grep SOLUTION "$shipped" || true)"
    assert_is "$slug: the path in its first lines" "chapters/$slug/exercise.c" \
      "$(sed -n '2s/^ \* \([^ ]*\) - .*/\1/p' "$shipped")"
  done
}

@test "exercises and solutions compile with both compilers without a warning" {
  a_copy
  local compiler source
  assert_holds grep -q -- -Wconversion <(flags)
  for compiler in gcc clang; do
    for source in "$TREE"/chapters/*/exercise.c "$LAB_ROOT"/solutions/*/exercise.c; do
      printf '%s\0' "$compiler" "$source"
    done
  done >"$BATS_TEST_TMPDIR/list"
  assert_is 'programs' $((4 * ${#SLUGS[@]})) $(($(tr -dc '\0' <"$BATS_TEST_TMPDIR/list" | wc -c) / 2))
  # shellcheck disable=SC2046 # flags are words
  xargs -0 -P 2 -n 2 bash -c '"${@: -2:1}" "${@:1:$#-2}" -Werror -O1 -c -o /dev/null "${@: -1}"' \
    - $(flags) <"$BATS_TEST_TMPDIR/list" >"$BATS_TEST_TMPDIR/found" 2>&1 || true
  assert_is 'warnings and errors' '' "$(<"$BATS_TEST_TMPDIR/found")"
}

@test "exercises are formatted, and solutions are clean under cppcheck" {
  a_copy
  run clang-format "--style=file:$LAB_ROOT/.clang-format" --dry-run -Werror "$TREE"/chapters/*/exercise.c
  nothing_said 'what clang-format would change'
  run cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,performance,portability -j 2 \
    --suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches solutions/*/exercise.c
  nothing_said 'cppcheck on the solutions'
}

# serve_twice PROGRAM: start it on a free port, and be served by it, two clients one after the
# other (for exercise 01 one).
serve_twice() {
  local -
  untraced
  local name=$1 program=$2 clients='a b' client
  [[ $name != 01-* ]] || clients=a
  start "$name" "$program" 0
  SERVER=$PID
  wait_until "$name listens" has_line "$OUTPUT" 'listening on port [0-9]+' || return 1
  PORT=$(sed -n 's/^listening on port //p' "$OUTPUT")
  for client in $clients; do
    join "$client" && client exchange "$client" 300000 7 || return 1
    client close "$client" || return 1
  done
  # Another one, who is reset in the middle of an echo.
  if [[ $name != 01-* ]]; then
    join c && client push c 3 && client reset c && join d && client echo d 'are you there?\n' &&
      client close d || return 1
    wait_until "$name has no child that is alive" has_living_children "$SERVER" 0
  fi
}

@test "solutions built with AddressSanitizer and UBSan serve clients, and nothing is reported" {
  local slug program
  for slug in "${SLUGS[@]}"; do
    program=$BATS_TEST_TMPDIR/$slug
    run cc -std=c11 -g -fsanitize=address,undefined -fno-sanitize-recover=all -o "$program" "solutions/$slug/exercise.c"
    nothing_said "compiling $slug"
    serve_twice "$slug" "$program"
    # What it wrote on stderr, of which there must be nothing, is looked at by lab_teardown.
  done
}

# ---- make exercises ----

@test "make exercises writes what is missing or as shipped, and leaves a student's file alone" {
  a_copy
  local one=chapters/${SLUGS[0]}/exercise.c two=chapters/${SLUGS[1]}/exercise.c
  rm "$TREE/$one"
  printf '/* mine */\n' >>"$TREE/$two"
  cp "$TREE/$two" "$BATS_TEST_TMPDIR/mine"
  ship "$TREE"
  assert_is 'exit status' 1 "$status"
  assert_is 'stdout' "$one is new" "$output"
  assert_is 'stderr' "$two has been changed and is left alone: make reset-${SLUGS[1]%%-*} puts it aside" "$stderr"
  assert_holds cmp "$TREE/$two" "$BATS_TEST_TMPDIR/mine"

  rm "$TREE/$two"
  ship "$TREE"
  assert_is 'exit status when nobody has changed one' 0 "$status"
  ship "$TREE"
  nothing_said 'ship.sh when all is done'
}

@test "a changed solution brings its exercise up to date, as often as it is changed" {
  a_copy
  local exercise=chapters/${SLUGS[2]}/exercise.c word
  for word in first second; do
    sed -i "s|^ \* Try: .*|& ($word)|" "$TREE/solutions/${SLUGS[2]}/exercise.c"
    ship "$TREE"
    assert_is "exit status the $word time" 0 "$status"
    assert_is "stdout the $word time" "$exercise is up to date again" "$output"
    assert_holds grep -q "($word)" "$TREE/$exercise"
  done
}

@test "in a clone without a build directory git tells which exercise is as shipped" {
  a_copy
  rm -rf "$TREE/build"
  git -C "$TREE" init -q
  git -C "$TREE" add -A
  git -C "$TREE" -c user.name=a -c user.email=a@b commit -qm all
  local exercise=chapters/${SLUGS[3]}/exercise.c
  sed -i 's|^ \* Try: .*|& (new)|' "$TREE/solutions/${SLUGS[3]}/exercise.c"
  ship "$TREE"
  assert_is 'stdout' "$exercise is up to date again" "$output"

  # What a student has committed is the student's.
  rm -rf "$TREE/build"
  printf '/* mine */\n' >>"$TREE/$exercise"
  git -C "$TREE" -c user.name=a -c user.email=a@b commit -qam mine
  ship "$TREE"
  assert_is 'exit status with a file that a student has committed' 1 "$status"
  assert_holds grep -qx '/\* mine \*/' "$TREE/$exercise"
}

@test "a marker in the wrong place is told with its line, and nothing is written" {
  a_copy
  local slug=${SLUGS[1]} solution=$TREE/solutions/${SLUGS[1]}/exercise.c change line
  cp "$solution" "$BATS_TEST_TMPDIR/good"
  line=$(grep -n 'END SOLUTION 1' "$solution")
  line=${line%%:*}
  for change in "${line}d" "${line}s/1/2/" "${line}s|/\*|x; /*|"; do
    sed "$change" "$BATS_TEST_TMPDIR/good" >"$solution"
    ship "$TREE" "$slug"
    assert_is "exit status after $change" 1 "$status"
    [[ $stderr =~ ^solutions/$slug/exercise.c:[0-9]+:\ [A-Za-z] ]] ||
      assert_is "stderr after $change" "solutions/$slug/exercise.c:LINE: what" "$stderr"
    assert_holds cmp "$TREE/chapters/$slug/exercise.c" "$TREE/build/exercises/$slug.c"
  done
}

# ---- make reset-NN ----

@test "make reset-NN keeps the student's file beside it, whatever is kept there already" {
  a_copy
  local slug=${SLUGS[2]} exercise=chapters/${SLUGS[2]}/exercise.c n
  cp "$TREE/$exercise" "$BATS_TEST_TMPDIR/shipped"
  for n in 1 2 3; do
    printf '/* attempt %d */\n' "$n" >>"$TREE/$exercise"
    TREE_BUILD=build make_it --silent "reset-${slug%%-*}"
    assert_is "exit status of reset $n" 0 "$status"
    assert_is "what reset $n says" "your file:  $exercise.kept-$n
as shipped: $exercise" "$output"
    assert_holds cmp "$TREE/$exercise" "$BATS_TEST_TMPDIR/shipped"
  done
  for n in 1 2 3; do
    assert_is "last line of the file kept by reset $n" "/* attempt $n */" "$(tail -n 1 "$TREE/$exercise.kept-$n")"
  done
  TREE_BUILD=build make_it --silent "reset-${slug%%-*}"
  assert_is 'what it says when nothing was changed' "$exercise is as shipped" "$output"
  assert_is 'files kept' 3 "$(find "$TREE/chapters" -name '*.kept-*' | wc -l)"
  git -C "$TREE" init -q
  assert_is 'files kept that git would take' '' \
    "$(git -C "$TREE" ls-files --others --exclude-standard | grep kept || true)"
}

@test "make reset-NN that cannot keep a file changes nothing" {
  a_copy
  local slug=${SLUGS[2]} exercise=chapters/${SLUGS[2]}/exercise.c
  # A long file, and a limit that its copy exceeds: the same for the program as a full disk.
  seq 50000 | sed 's|.*|// &|' >>"$TREE/$exercise"
  cp "$TREE/$exercise" "$BATS_TEST_TMPDIR/mine"
  run --separate-stderr bash -c 'ulimit -f 100; trap "" XFSZ; exec "$@"' - \
    env FORKLAB_BUILD="$TREE/build" "$TREE/solutions/ship.sh" --reset "$slug"
  assert_is 'exit status' 1 "$status"
  assert_is 'stderr' "$exercise cannot be copied to $exercise.kept-1: is the disk full? It is left as it is" "$stderr"
  assert_holds cmp "$TREE/$exercise" "$BATS_TEST_TMPDIR/mine"
  assert_is 'files kept' '' "$(find "$TREE/chapters" -name '*.kept-*')"
}

# ---- make hint-NN ----

@test "make hint-NN shows one hint after another, and begins anew when told" {
  local slug total n
  TREE_BUILD=$BATS_TEST_TMPDIR/build
  for slug in "${SLUGS[@]}"; do
    make_it --silent "hint-${slug%%-*}"
    assert_is "exit status of make hint-${slug%%-*}" 0 "$status"
    [[ ${lines[0]} =~ ^hint\ 1\ of\ ([23])$ ]] || assert_is "$slug: first line" 'hint 1 of 2, or of 3' "${lines[0]}"
  done
  slug=${SLUGS[2]}
  total=${lines[0]##* }
  for n in $(seq 2 "$total"); do
    make_it --silent "hint-${slug%%-*}"
    assert_is 'first line' "hint $n of $total" "${lines[0]}"
    assert_is 'lines wider than a terminal' '' "$(grep -E '.{81}' <<<"$output" || true)"
  done
  make_it --silent "hint-${slug%%-*}"
  assert_is 'after the last' "you have seen all $total hints; make hint-${slug%%-*} AGAIN=1 begins anew" "$output"
  make_it --silent "hint-${slug%%-*}" AGAIN=1
  assert_is 'first line when begun anew' "hint 1 of $total" "${lines[0]}"
  make_it --silent "hint-${slug%%-*}"
  assert_is 'first line after that' "hint 2 of $total" "${lines[0]}"
}

@test "no hint holds a line of the solution" {
  local slug line found=''
  for slug in "${SLUGS[@]}"; do
    tr -s ' \n' ' ' <"solutions/$slug/hints" >"$BATS_TEST_TMPDIR/hints"
    while read -r line; do
      grep -qF -- "$line" "$BATS_TEST_TMPDIR/hints" && found+="$slug: $line"$'\n'
    done < <(awk '/END SOLUTION/ { inside = 0 } inside && length($0) > 12; /BEGIN SOLUTION/ { inside = 1 }' \
      "solutions/$slug/exercise.c" | sed 's/^ *//; s/;$//' | grep -E '\(|=')
  done
  assert_is 'lines of solutions in hints' '' "$found"
}

@test "hint, predict and reset of a chapter without an exercise say so" {
  local word
  for word in hint-00 predict-00 reset-00; do
    make_it "$word"
    assert_is "exit status of make $word" 2 "$status"
    [[ ${stderr_lines[0]} == 'chapter 00 has no '* ]] ||
      assert_is "first line of make $word" 'chapter 00 has no ...' "${stderr_lines[0]}"
  done
}

# ---- make predict-NN ----

# predict NUMBER ANSWER...: make predict-NUMBER with these answers in a pipe. Sets status, output.
predict() {
  local -
  untraced
  local number=$1
  shift
  run --separate-stderr bash -c 'printf "%s\n" "${@:2}" |
    timeout 120 make --no-print-directory --silent "BUILD=$FORKLAB_BUILD" "predict-$1"' - "$number" "$@"
}

@test "who predicts what the chapters teach is right, each time, with status 0" {
  export FORKLAB_BUILD
  # What this file knows is held against what is measured; chapters/*/predict knows no answer.
  local answers number said
  while read -r number answers; do
    # shellcheck disable=SC2086 # words
    predict "$number" $answers
    assert_is "exit status of make predict-$number, which says: $stderr" 0 "$status"
    said=$(sed -n 's/^[0-9]*\. right: //p' <<<"$output" | tr '\n' ' ')
    assert_is "chapter $number: measured" "$answers" "${said% }"
    assert_is "chapter $number: last line" "$(wc -w <<<"$answers") of $(wc -w <<<"$answers") right" "${lines[-1]}"
  done <<'END'
01 3 4 1 succeed
02 ESTABLISHED 0 6 4
03 2 3 no 12
04 1 yes yes 10
05 wait 0 0
06 accept 2 0
07 0 3 2 9
08 3 0 accept
09 succeed 0 3 yes
END
  assert_is 'chapters with questions' 9 "$(printf '%s\n' chapters/*/predict | wc -l)"
}

@test "a wrong prediction is told with what was measured and what to read, with status 1" {
  export FORKLAB_BUILD
  predict 03 2 2 'perhaps not'
  # make has a status of its own for a command that ended with 1.
  assert_is 'exit status of make' 2 "$status"
  assert_line '1. right: 2'
  assert_line '2. wrong: measured 3, you said 2'
  assert_line '   read chapters/03-naive-fork/README.md, "The second client"'
  assert_line '3. wrong: measured no, you said perhaps not'
  assert_line '4. wrong: measured 12, you said nothing'
  assert_line '1 of 4 right'
  FORKLAB_BUILD=$FORKLAB_BUILD run chapters/predict.sh 03 </dev/null
  assert_is 'exit status of predict.sh' 1 "$status"
  assert_is 'last line without an answer' '0 of 4 right' "${lines[-1]}"
}

@test "a prediction is understood as people write it" {
  export FORKLAB_BUILD
  predict 03 ' 02 ' 3 N 12
  assert_is 'last line' '4 of 4 right' "${lines[-1]}"
  predict 05 'wait()' ' 0' 0
  assert_is 'last line' '3 of 3 right' "${lines[-1]}"
  predict 02 estab 0 6 4
  assert_is 'last line' '4 of 4 right' "${lines[-1]}"
  # As the chapter's own answers are written.
  predict 07 None. Three two nine
  assert_is 'last line' '4 of 4 right' "${lines[-1]}"
}

# build_with SED: a build directory with chapter 04's server as this sed command changes it.
build_with() {
  BUILD_DIR=$BATS_TEST_TMPDIR/build
  mkdir -p "$BUILD_DIR/chapters/04-close-unused"
  ln -sf "$FORKLAB_BUILD/forkscope" "$BUILD_DIR/forkscope"
  sed "$1" chapters/04-close-unused/server.c >"$BATS_TEST_TMPDIR/changed.c"
  ! cmp -s chapters/04-close-unused/server.c "$BATS_TEST_TMPDIR/changed.c" || assert_is 'the server' changed 'as before'
  cc -o "$BUILD_DIR/chapters/04-close-unused/server" "$BATS_TEST_TMPDIR/changed.c"
}

# bats test_tags=long
@test "what is right follows from the run: another server has other answers" {
  # A parent that does not close the connection: two references, and no end of file.
  build_with 's/^        close(conn_fd);$//'
  FORKLAB_BUILD=$BUILD_DIR run bash -c 'printf "2\n" | chapters/predict.sh 04'
  # The scenario of chapter 04 waits for an end of file, which this server never gives.
  assert_is 'exit status' 1 "$status"
  assert_line --regexp '^could not measure: .*(eof|end of file)'

  # A child that does not close the listening socket: the port is not free.
  build_with 's/^            close(listen_fd);$//'
  FORKLAB_BUILD=$BUILD_DIR run bash -c 'printf "1\nyes\nno\n10\n" | chapters/predict.sh 04'
  assert_is 'exit status' 0 "$status"
  assert_line '3. right: no'
}

@test "a server that cannot be measured is told in one line" {
  build_with 's/^int main(.*/int main(void) { return 3; }\nint other(int argc, char *argv[])/'
  FORKLAB_BUILD=$BUILD_DIR run --separate-stderr bash -c 'printf "1\n" | chapters/predict.sh 04'
  assert_is 'exit status' 1 "$status"
  [[ $stderr == 'could not measure: forkscope: '* ]] || assert_is 'stderr' 'could not measure: forkscope: ...' "$stderr"
}

@test "what a question tells to read is a heading of its chapter" {
  local file heading
  for file in chapters/*/predict; do
    while read -r heading; do
      assert_is "headings \"$heading\" in ${file%/predict}/README.md" 1 \
        "$(grep -cxE "#+ $heading" "${file%/predict}/README.md")"
    done < <(sed -n 's/^read  *//p' "$file" | sort -u)
    assert_is "$file: questions without one" "$(grep -c '^ask ' "$file")" "$(grep -c '^read ' "$file")"
  done
}

# predict_on_a_terminal [WORD]...: make predict's script for chapter 05, as env WORD..., with a
# terminal on both sides. Sets SCREEN, KEYS and PID.
predict_on_a_terminal() {
  local command
  printf -v command '%q ' env "$@" FORKLAB_BUILD="$FORKLAB_BUILD" "$LAB_ROOT/chapters/predict.sh" 05
  mkfifo "$BATS_TEST_TMPDIR/keys"
  start 'predict on a terminal' -i "$BATS_TEST_TMPDIR/keys" script -qefc "$command" /dev/null
  SCREEN=$OUTPUT
  exec {KEYS}>"$BATS_TEST_TMPDIR/keys"
}

# shows PATTERN: is there such a line on the screen?
shows() {
  tr -d '\r' <"$SCREEN" | grep -qE -- "$1" || {
    printf 'no line "%s" on the screen: %s\n' "$1" "$(<"$SCREEN")"
    return 1
  }
}

@test "on a terminal it waits for each answer, asks again when it is none of the choices, and uses colour" {
  predict_on_a_terminal
  wait_until 'the first question' shows '^1\. .*'
  printf 'sleep\n' >&"$KEYS"
  wait_until 'it asks again' shows '^one of: accept, read, wait'
  printf 'wait\n' >&"$KEYS"
  wait_until 'the second question' shows '^2\. .*'
  printf '0\n' >&"$KEYS"
  wait_until 'the third question' shows '^3\. .*'
  printf '1\n' >&"$KEYS"
  wait_for_end "$PID"
  assert_is 'exit status' 1 "$STATUS"
  assert_holds shows $'^1\\. \033\\[32mright\033\\[0m: wait'
  assert_holds shows $'^3\\. \033\\[31mwrong\033\\[0m: measured 0, you said 1'
  assert_holds shows '^2 of 3 right'
}

@test "with NO_COLOR predicting on a terminal has no colours" {
  predict_on_a_terminal NO_COLOR=1
  wait_until 'the first question' shows '^1\. .*'
  printf '\n\n\n' >&"$KEYS"
  wait_for_end "$PID"
  assert_holds shows '^0 of 3 right'
  assert_is 'escape codes' 0 "$(grep -c $'\033' "$SCREEN")"
}
