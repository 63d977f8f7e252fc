#!/usr/bin/env bats
# tests/grader/grading.bats - solutions get full points, shipped exercises fewer; one verdict each time.
# shellcheck disable=SC2030,SC2031,SC2034,SC2153,SC2154 # set by lab.bash and by run

bats_require_minimum_version 1.5.0

setup() {
  load ../lib/lab.bash
  load grader.bash
  lab_setup
  grader_setup
}

teardown() {
  lab_teardown
}

# every_exercise FOLDER: grade FOLDER/NN-slug/exercise.c of all chapters, two at a time; each
# result is kept in $BATS_TEST_TMPDIR/NN.json.
every_exercise() {
  local script numbers=()
  for script in "$LAB_ROOT"/tests/grading/[0-9][0-9]-*.bats; do
    script=${script##*/}
    numbers+=("${script%.bats}")
  done
  ((${#numbers[@]} >= 9))
  # shellcheck disable=SC2016 # expanded by the inner shell
  printf '%s\n' "${numbers[@]}" | FORKLAB_RUN=$MARK xargs -P 2 -I {} sh -c \
    '"$0" --quiet --seed "$3" --json "$2/$4.json" "${4%%-*}" "$1/$4/exercise.c" || true' \
    "$CHECK" "$LAB_ROOT/$1" "$BATS_TEST_TMPDIR" "${2:-1}" {}
}

# verdicts: the names and verdicts of all results, without what differs from run to run.
verdicts() {
  jq -r '.chapter as $c | .tests[] | "\($c) \(.name): \(.status) \(.points)"' "$BATS_TEST_TMPDIR"/[0-9]*.json
}

@test "each solution gets full points" {
  every_exercise solutions
  assert_is 'tests that do not pass' '' "$(jq -r '.chapter as $c | .tests[] | select(.status != "passed") | "\($c) \(.name): \(.output)"' \
    "$BATS_TEST_TMPDIR"/[0-9]*.json)"
  assert_is 'chapters with ten of ten points' 9 \
    "$(jq -r 'select(.points == 10 and .max_points == 10) | .chapter' "$BATS_TEST_TMPDIR"/[0-9]*.json | wc -l)"
  assert_is 'limits reached' '' "$(jq -r '.limits_hit[]' "$BATS_TEST_TMPDIR"/[0-9]*.json)"
  nothing_is_left
}

@test "each exercise as it is shipped compiles, and gets fewer points" {
  # A program that waits for ever is told by that, not by a deadline.
  FORKLAB_DEADLINE=60 every_exercise chapters
  assert_is 'tests that a deadline has ended' '' "$(jq -r '.chapter as $c | .tests[] | select(.seconds >= 60) | "\($c) \(.name)"' \
    "$BATS_TEST_TMPDIR"/[0-9]*.json)"
  assert_is 'chapters that pass' '' "$(jq -r 'select(.points == .max_points) | .chapter' "$BATS_TEST_TMPDIR"/[0-9]*.json)"
  assert_is 'chapters whose exercise compiles' 9 \
    "$(jq -r 'select(.tests[0].status == "passed") | .chapter' "$BATS_TEST_TMPDIR"/[0-9]*.json | wc -l)"
  # A student is told why, what, and where to read.
  assert_is 'failures that do not say so' '' "$(jq -r '.tests[] | select(.status == "failed") |
    select(.output | (test("^why: ") and test("\nexpected: ") and test("\nfound: ") and test("\nevidence:") and test("\nread: ")) | not) | .name' \
    "$BATS_TEST_TMPDIR"/[0-9]*.json)"
}

# bats test_tags=long
@test "a second grading with another seed, and the processors busy, gives the same verdicts" {
  every_exercise chapters 1
  local first
  first=$(verdicts)
  local trial
  occupy_processors
  for ((trial = 2; trial <= 1 + REPEAT; trial++)); do
    every_exercise chapters "$trial"
    assert_is "verdicts with seed $trial" "$first" "$(verdicts)"
  done
}

@test "every chapter's points add up to ten, and every test of it is worth some" {
  local script
  for script in "$LAB_ROOT"/tests/grading/[0-9][0-9]-*.bats; do
    assert_is "points of ${script##*/}" 10 \
      "$(sed -n 's/^@test ".* \[\([1-9][0-9]*\)\]" {$/\1/p' "$script" | awk '{ sum += $1 } END { print sum }')"
    assert_is "tests of ${script##*/} without points" 0 "$(grep '^@test' "$script" | grep -vc ' \[[1-9]\]" {$' || true)"
  done
}

@test "each section that a failure sends the reader to is there" {
  local script line section number readme
  for script in "$LAB_ROOT"/tests/grading/[0-9][0-9]-*.bats "$LAB_ROOT"/tests/grading/grade.bash; do
    while read -r line; do
      [[ $line =~ read_on\ \'([^\']*)\'(\ ([0-9]+))? ]] || continue
      section=${BASH_REMATCH[1]}
      number=${BASH_REMATCH[3]:-${script##*/}}
      readme=("$LAB_ROOT/chapters/${number%%-*}"-*/README.md)
      assert_is "$script: sections \"$section\" of chapter ${number%%-*}" 1 "$(grep -cE "^##+ $section\$" "${readme[0]}")"
    done <"$script"
  done
}

@test "what a student reads of a right and of a wrong submission is as in tests/grader/golden" {
  local name
  for name in right wrong; do
    golden "$name"
    assert_is "tests/grader/golden/$name" "$(<"$LAB_ROOT/tests/grader/golden/$name.txt")" "$OUTPUT_TEXT"
  done
}

# golden NAME: sets OUTPUT_TEXT to what check prints for it, without pids and ports of the clients.
golden() {
  local file=$LAB_ROOT/solutions/03-naive-fork/exercise.c
  [[ $1 == right ]] || file=$LAB_ROOT/chapters/02-one-at-a-time/server.c
  run clean_shell "$CHECK" --seed 7 03 "$file"
  # shellcheck disable=SC2001 # a pattern
  OUTPUT_TEXT=$(sed -E 's/^(   P +)[0-9]+ */\1PID  /; s/(ESTABLISHED|FIN_WAIT) +[0-9]{4,5}$/\1  PORT/' <<<"$output")
}

# bats test_tags=long
@test "of a server that listens on after SIGTERM the evidence shows one client too many, at any speed" {
  run clean_shell "$CHECK" --quiet --json "$BATS_TEST_TMPDIR/json" 09 "$LAB_ROOT/tests/mutants/09-long-running/still-listens.c"
  local evidence
  evidence=$(jq -r '.tests[] | select(.name | startswith("told to stop it lets nobody in")) | .output' "$BATS_TEST_TMPDIR/json")
  assert_regex "$evidence" 'found:    a client can still connect'
  assert_regex "$evidence" '3 processes alive, 0 zombies, 4 sockets, 1 in the backlog'
}

@test "misuse of check is told in one line, with status 2" {
  local words
  for words in '' '3' '03 /nowhere.c' '98' '--seed x 03' '--sed 1 03' '03 a b' '--json'; do
    # shellcheck disable=SC2086 # several words
    run --separate-stderr clean_shell "$CHECK" $words
    assert_is "status of check $words" 2 "$status"
    assert_is "stdout of check $words" '' "$output"
    assert_is "lines of check $words" 1 "${#stderr_lines[@]}"
  done
}

@test "a result is one JSON object, TAP and JUnit say the same" {
  run clean_shell "$CHECK" --quiet --json "$BATS_TEST_TMPDIR/json" --tap "$BATS_TEST_TMPDIR/tap" --junit "$BATS_TEST_TMPDIR/xml" \
    03 "$LAB_ROOT/chapters/02-one-at-a-time/server.c"
  assert_is 'status' 1 "$status"
  assert_is 'what it printed' '' "$output"
  assert_is 'the fields' 'chapter limits_hit max_points points seconds seed submission tests' \
    "$(jq -r 'keys | join(" ")' "$BATS_TEST_TMPDIR/json")"
  assert_is 'the fields of a test' 'max_points name number output points seconds status' \
    "$(jq -r '.tests[0] | keys | join(" ")' "$BATS_TEST_TMPDIR/json")"
  local failed
  failed=$(jq '[.tests[] | select(.status == "failed")] | length' "$BATS_TEST_TMPDIR/json")
  ((failed > 0))
  assert_is 'failures in TAP' "$failed" "$(grep -c '^not ok' "$BATS_TEST_TMPDIR/tap")"
  assert_holds xmllint --noout "$BATS_TEST_TMPDIR/xml"
  assert_is 'failures in JUnit' "$failed" "$(xmllint --xpath 'count(//testcase/failure)' "$BATS_TEST_TMPDIR/xml")"
  assert_is 'tests in JUnit' "$(jq '.tests | length' "$BATS_TEST_TMPDIR/json")" \
    "$(xmllint --xpath 'number(//testsuite/@tests)' "$BATS_TEST_TMPDIR/xml")"
}
