#!/usr/bin/env bats
# tests/lab/run.bats - what runs the tests counts each of them, and none that has failed is lost.
# shellcheck disable=SC2016,SC2153 # expanded by the inner shell; set by lab.bash

bats_require_minimum_version 1.5.0

setup() {
  load ../lib/lab.bash
  lab_setup
  cd "$BATS_TEST_TMPDIR" || return
  printf '@test "one" { true; }\n' >one.bats
  printf '@test "two" { true; }\n@test "three" { true; }\n' >two.bats
}

teardown() {
  lab_teardown
}

# counts STATUS LAST, with JOBS: run the tests of all files here. LAST is the last line.
counts() {
  # That is another run of bats, of which ours must know nothing: neither its variables nor its descriptors.
  start run env -i PATH="${PATH//"$BATS_LIBEXEC:"/}" HOME="$PWD" FORKLAB_BUILD="$FORKLAB_BUILD" JOBS="$JOBS" \
    sh -c 'exec "$0" "$@" 2>complaints' "$LAB_ROOT/tests/run.sh" "$PWD"/*.bats
  wait_for_end "$PID"
  assert_is 'exit status' "$1" "$STATUS"
  assert_is 'last line' "$2" "$(tail -n 1 "$OUTPUT")"
}

@test "however many files are run at a time, each test counts" {
  JOBS=1 counts 0 '3 passed, 0 failed, 0 skipped'
  JOBS=2 counts 0 '3 passed, 0 failed, 0 skipped'
  rm one.bats
  JOBS=2 counts 0 '2 passed, 0 failed, 0 skipped'
}

@test "a test that fails or is left out is told" {
  printf '@test "bad" { false; }\n@test "none" { skip; }\n' >bad.bats
  JOBS=2 counts 1 '3 passed, 1 failed, 1 skipped'
  assert_is 'named once more' 1 "$(grep -c '^not ok .* bad in .*(built with' complaints)"
}

@test "a file that cannot be read, or fails before or after its tests, is told" {
  printf 'setup_file() { false; }\n@test "four" { true; }\n' >bad.bats
  JOBS=2 counts 1 '3 passed, 1 failed, 0 skipped'
  printf 'teardown_file() { false; }\n@test "four" { true; }\n' >bad.bats
  JOBS=2 counts 1 '4 passed, 1 failed, 0 skipped'
  printf 'setup() { load nothing; }\n@test "four" { true; }\n' >bad.bats
  JOBS=2 counts 1 '3 passed, 1 failed, 0 skipped'
}
