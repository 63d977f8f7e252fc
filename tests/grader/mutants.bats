#!/usr/bin/env bats
# tests/grader/mutants.bats - the grader is graded: wrong programs and right ones.
# shellcheck disable=SC2030,SC2031,SC2034,SC2153,SC2154 # set by lab.bash and by run

bats_require_minimum_version 1.5.0

setup() {
  load ../lib/lab.bash
  lab_setup
  cd "$LAB_ROOT" || return
}

teardown() {
  lab_teardown
}

# judge_all FILE...: judge.sh for each, several at a time, since most of the time they wait. The
# failure shows each one of which the grader says something wrong.
judge_all() {
  local -
  untraced
  printf '%s\0' "$@" | FORKLAB_BUILD=$FORKLAB_BUILD xargs -0 -n 1 -P "$((4 * $(nproc)))" \
    tests/grader/judge.sh >"$BATS_TEST_TMPDIR/said" 2>&1 3>&- 4>&- || true
  assert_is 'of whom the grader says something wrong' '' "$(grep -v '^right ' "$BATS_TEST_TMPDIR/said" || true)"
  assert_is 'programs that were judged' "$#" "$(grep -c '^right ' "$BATS_TEST_TMPDIR/said")"
}

# names_of SLUG: the tests of a grading script, without their points.
names_of() {
  sed -n 's/^@test "\(.*\) \[[0-9]*\]" {$/\1/p' "tests/grading/$1.bats"
}

# wanted_by FILE: the test that a wrong program must fail.
wanted_by() {
  sed -n '1s|^/\* must fail: \(.*\) \*/$|\1|p' "$1"
}

# kind_of FILE: sets KIND to its chapter's folder; with ALL=1 and for a wrong program also the test that it must fail.
kind_of() {
  local line
  read -r line <"$1"
  KIND=${1%/*}
  [[ ${ALL-} != 1 || $line != '/* must fail: '*' */' ]] || KIND+=": ${line:14:-3}"
}

# choose FILE...: sets CHOSEN to the first of the files of each kind; to all of them where REPEAT is more than 1.
choose() {
  local -
  untraced
  local file KIND
  local -A seen=()
  CHOSEN=()
  for file; do
    kind_of "$file"
    ((REPEAT > 1)) || [[ -z ${seen[$KIND]-} ]] || continue
    seen[$KIND]=1
    CHOSEN+=("$file")
  done
}

# kinds FILE...: the kind of each, sorted.
kinds() {
  head -qn 1 "$@" | paste -d ' ' <(printf '%s\n' "${@%/*}") - | sort
}

@test "every wrong program names a test that its chapter's script has" {
  local file slug unknown=''
  for file in tests/mutants/*/*.c; do
    slug=${file%/*}
    slug=${slug##*/}
    names_of "$slug" | grep -qxF -- "$(wanted_by "$file")" || unknown+="$file "
  done
  assert_is 'that do not' '' "$unknown"
  local count
  count=$(printf '%s\n' tests/mutants/*/*.c | wc -l)
  ((count >= 45)) || assert_is 'wrong programs' 'at least 45' "$count"
}

@test "every test that gives points has a wrong program that fails it" {
  local slug name file uncovered=''
  for file in tests/mutants/*/*.c; do
    slug=${file%/*}
    printf '%s: %s\n' "${slug##*/}" "$(wanted_by "$file")"
  done | sort -u >"$BATS_TEST_TMPDIR/covered"
  for slug in tests/grading/[0-9]*.bats; do
    slug=${slug##*/}
    slug=${slug%.bats}
    while read -r name; do
      grep -qxF -- "$slug: $name" "$BATS_TEST_TMPDIR/covered" && continue
      # The tests that all chapters share are one function each: any chapter will do.
      [[ $name == 'it compiles' || $name == 'it listens on'* || $name == 'every byte'* ]] &&
        grep -qE -- "^[^:]*: $name" "$BATS_TEST_TMPDIR/covered" && continue
      uncovered+="$slug: $name"$'\n'
    done < <(names_of "$slug")
  done
  assert_is 'tests that nothing fails' '' "$uncovered"
}

@test "every chapter has wrong programs and right ones of another shape" {
  local slug missing=''
  for slug in tests/grading/[0-9]*.bats; do
    slug=${slug##*/}
    slug=${slug%.bats}
    compgen -G "tests/mutants/$slug/*.c" >/dev/null || missing+="tests/mutants/$slug "
    compgen -G "tests/variants/$slug/*.c" >/dev/null || missing+="tests/variants/$slug "
  done
  assert_is 'missing' '' "$missing"
}

# One for each chapter, with ALL=1 one for each test, and all of them where REPEAT is more than 1: they take minutes.

@test "every wrong program fails the test that it names, and no other" {
  choose tests/mutants/*/*.c
  judge_all "${CHOSEN[@]}"
}

@test "every right program of another shape gets all points" {
  choose tests/variants/*/*.c
  judge_all "${CHOSEN[@]}"
}

@test "of the programs to judge one for each chapter or test is chosen, and all where they are repeated" {
  local -a every=(tests/mutants/*/*.c) chapters=(tests/mutants/*)
  REPEAT=1 ALL=0
  choose "${every[@]}"
  assert_is 'chapters of which one is chosen' "${chapters[*]}" "${CHOSEN[*]%/*}"
  ALL=1
  choose "${every[@]}"
  assert_is 'tests of which one is chosen' \
    "$(kinds "${every[@]}" | sort -u)" "$(kinds "${CHOSEN[@]}")"
  REPEAT=2
  choose "${every[@]}"
  assert_is 'chosen' "${#every[@]}" "${#CHOSEN[@]}"
}

@test "judge.sh tells a wrong program that passes and a right one that fails" {
  local slug=02-one-at-a-time name
  mkdir -p "$BATS_TEST_TMPDIR/$slug"
  name=$(wanted_by "tests/mutants/$slug/one-client.c")
  { printf '/* must fail: %s */\n' "$name" && cat "solutions/$slug/exercise.c"; } >"$BATS_TEST_TMPDIR/$slug/right.c"
  tail -n +2 "tests/mutants/$slug/one-client.c" >"$BATS_TEST_TMPDIR/$slug/wrong.c"
  FORKLAB_BUILD=$FORKLAB_BUILD run tests/grader/judge.sh "$BATS_TEST_TMPDIR/$slug/right.c" "$BATS_TEST_TMPDIR/$slug/wrong.c"
  assert_is 'exit status' 1 "$status"
  assert_line "wrong $BATS_TEST_TMPDIR/$slug/right.c"
  assert_line "  must fail: $name"
  assert_line '  fails:     nothing'
  assert_line "wrong $BATS_TEST_TMPDIR/$slug/wrong.c"
  assert_line '  must fail: nothing'
  assert_line --regexp "^  fails:     $name"
}
