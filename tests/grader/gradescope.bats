#!/usr/bin/env bats
# tests/grader/gradescope.bats - make gradescope: the autograder in the layout that Gradescope documents.
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2153,SC2154 # set by lab.bash and by run

bats_require_minimum_version 1.5.0

setup() {
  load ../lib/lab.bash
  lab_setup
  unset SUBMISSIONS OUT JOBS HOSTS CHAPTERS SEED UNSANDBOXED FORKLAB_CHECK FORKLAB_SCRIPTS
  # As Gradescope lays it out, elsewhere than in the root of the file system.
  export AUTOGRADER=$BATS_TEST_TMPDIR/autograder
  mkdir -p "$AUTOGRADER"/{source,submission,results}
  RESULT=$AUTOGRADER/results/results.json
}

teardown() {
  lab_teardown
}

# install_autograder [CHAPTERS]: make it, and unpack it as the platform does. What setup.sh compiles
# is there already.
install_autograder() {
  local build=$BATS_TEST_TMPDIR/build
  CHAPTERS=${1-} FORKLAB_BUILD=$build run "$LAB_ROOT/tests/grading/gradescope/make.sh"
  assert_success
  bsdtar -xf "$build/gradescope/autograder.zip" -C "$AUTOGRADER/source"
  cp "$AUTOGRADER/source/run_autograder" "$AUTOGRADER/"
  export FORKLAB_BUILD
}

# autograde: run it as the platform does.
autograde() {
  cd "$AUTOGRADER" || return
  run --separate-stderr timeout 120 ./run_autograder
  assert_is "exit status ($stderr)" 0 "$status"
  assert_holds jq -e '(.score | type) == "number" and (.tests | type) == "array"
    and (.tests | all(.score <= .max_score and (.status | IN("passed", "failed")) and (.number | type) == "string"))' "$RESULT"
}

@test "the autograder has its two programs at the root, and no solution in it" {
  install_autograder
  assert_holds test -x "$AUTOGRADER/source/setup.sh"
  assert_holds test -x "$AUTOGRADER/source/run_autograder"
  assert_is 'solutions' '' "$(find "$AUTOGRADER/source" -name solutions -o -name exercise.c)"
  assert_is 'solutions in the text' '' "$(grep -rl 'BEGIN SOLUTION [0-9]' "$AUTOGRADER/source/forklab/chapters" || true)"
}

# bats test_tags=long
@test "one handed-in file is graded where only its chapter is" {
  install_autograder 03
  cp "$LAB_ROOT/solutions/03-naive-fork/exercise.c" "$AUTOGRADER/submission/exercise.c"
  autograde
  assert_is 'score' 10 "$(jq .score "$RESULT")"
  assert_is 'tests that failed' 0 "$(jq '[.tests[] | select(.status == "failed")] | length' "$RESULT")"
  cp "$LAB_ROOT/chapters/03-naive-fork/exercise.c" "$AUTOGRADER/submission/exercise.c"
  autograde
  assert_holds jq -e '.score < 10 and (.tests | any(.output | contains("expected:")))' "$RESULT"
}

@test "where the container lets no sandbox run, the result says so" {
  install_autograder 03
  cp "$LAB_ROOT/solutions/03-naive-fork/exercise.c" "$AUTOGRADER/submission/exercise.c"
  # A bwrap that is not permitted, as in a container without user namespaces. Who looks for it is nobody,
  # and would go on along PATH to the real one where it may not come to this one.
  chmod a+x "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" "$BATS_TEST_TMPDIR"
  mkdir "$BATS_TEST_TMPDIR/bin"
  printf '#!/bin/sh\necho "bwrap: No permissions to create new namespace" >&2\nexit 1\n' >"$BATS_TEST_TMPDIR/bin/bwrap"
  chmod +x "$BATS_TEST_TMPDIR/bin/bwrap"
  PATH=$BATS_TEST_TMPDIR/bin:$PATH autograde
  assert_is 'score' 0 "$(jq .score "$RESULT")"
  assert_holds jq -e '.output | contains("could be graded") and contains("sandbox")' "$RESULT"
}
