# tests/grader/grader.bash - run the grader in a test, as root or as an ordinary user.
#
# Everything it starts inherits FORKLAB_RUN, which each test sets to a mark of its own, also inside
# the sandbox: so what is left running is found, whoever it belongs to.

# shellcheck disable=SC2034 # what is set here is for the tests to read
# shellcheck disable=SC2154 # status, output: set by run

# grader_setup: to be called by setup, after lab_setup.
grader_setup() {
  CHECK=$LAB_ROOT/tests/grading/check
  MARK=${FORKLAB_RUN-alone.$$}.$BATS_SUITE_TEST_NUMBER
  export NO_COLOR=1
  # The grader's own bats must not think it is part of ours.
  unset GRADE_RUN SUBMISSION SEED UNSANDBOXED
  # Nobody has to get at the results too.
  chmod a+x "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" "$BATS_TEST_TMPDIR"
}

# grade USER NUMBER FILE [OPTION]...: grade FILE as root, or as nobody, and keep everything in
# $RESULT.d. Sets RESULT (the JSON file) and status.
grade() {
  local -
  untraced
  local user=$1 number=$2 file=$3 as=()
  shift 3
  RESULT=$BATS_TEST_TMPDIR/result.$user.$number.${file##*/}
  mkdir -p "$RESULT.d"
  chmod 777 "$RESULT.d"
  if [[ $user == nobody ]] && ((EUID == 0)); then
    as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
  fi
  run clean_shell "${as[@]}" env FORKLAB_RUN="$MARK" TMPDIR=/tmp "$CHECK" --quiet \
    --json "$RESULT.d/json" --keep "$RESULT.d" "$@" "$number" "$file"
}

# grade_as USERS NUMBER FILE: grade FILE as each of USERS (words), at the same time.
grade_as() {
  local user users
  read -ra users <<<"$1"
  shift
  for user in "${users[@]}"; do
    (
      grade "$user" "$@"
      printf '%s\n%s\n' "$status" "$output" >"$RESULT.d/said"
    ) &
  done
  wait
}

# result_of USER NUMBER FILE: sets RESULT, status and output to what grade_as has found.
result_of() {
  RESULT=$BATS_TEST_TMPDIR/result.$1.$2.${3##*/}
  {
    read -r status
    read -r output || true
  } <"$RESULT.d/said"
}

# clean_shell COMMAND...: run it with no descriptor above 2.
clean_shell() {
  (
    trap - EXIT ERR DEBUG
    set +eET
    for fd in /proc/self/fd/*; do
      fd=${fd##*/}
      ((fd <= 2)) || exec {fd}>&-
    done
    exec "$@" </dev/null
  )
}

# field FILTER: what jq finds in the result.
field() {
  jq -r "$1" "$RESULT.d/json"
}

# assert_points N: the result has so many points.
assert_points() {
  assert_is "status of check ($output)" "$([[ $1 == 10 ]] && echo 0 || echo 1)" "$status"
  assert_is "points of ${RESULT##*/}: $(field '.tests[] | select(.status != "passed") | .name + ": " + .output')" \
    "$1" "$(field .points)"
}

# nothing_is_left: no process of this test's grading runs, outside or inside of a sandbox.
nothing_is_left() {
  local -
  untraced
  wait_until 'nothing of the grader is left' has_no_marked || return 1
  local spaces pid space
  # A program may have thrown its environment away, but it cannot leave its pid namespace.
  spaces=" $(sed -n 's/^started [0-9]* //p' "$BATS_TEST_TMPDIR"/result.*.d/*.report "$BATS_TEST_TMPDIR"/result.*.d/compile 2>/dev/null | tr '\n' ' ')"
  for pid in /proc/[0-9]*; do
    pid=${pid##*/}
    space=$(pid_space "$pid")
    [[ -z $space || $spaces != *" $space "* ]] || is_of_another_test "$pid" "$space" ||
      assert_is "process $pid in a sandbox" 'gone' "$(tr '\0' ' ' <"/proc/$pid/cmdline")" || return 1
  done
}

# pid_space PID: prints the number of its pid namespace, or nothing once it has ended.
pid_space() {
  local space
  space=$(readlink "/proc/$1/ns/pid" 2>/dev/null) || return 0
  printf '%s\n' "${space//[!0-9]/}"
}

# is_of_another_test PID SPACE: the number of a namespace is given again as soon as it is free. Whose it is
# now, the first process in it tells, which is the sandbox's own and was started with the mark of its test.
is_of_another_test() {
  local first=$1 space=$2 parent mark
  while parent=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$first/status" 2>/dev/null) &&
    [[ -n $parent && $(pid_space "$parent") == "$space" ]]; do
    first=$parent
  done
  # Once it has ended the kernel has ended all others there: pid_namespaces(7).
  [[ -n $parent ]] && is_in_state "$first" RSDTt >/dev/null || return 0
  mark=$(tr '\0' '\n' <"/proc/$first/environ" 2>/dev/null | sed -n 's/^FORKLAB_RUN=//p')
  [[ -n $mark && $mark != "$MARK" ]]
}

has_no_marked() {
  local left
  left=$(grep -lzs "^FORKLAB_RUN=$MARK$" /proc/[0-9]*/environ || true)
  [[ -z $left ]] || {
    printf 'still there: %s\n' "${left//$'\n'/ }"
    return 1
  }
}
