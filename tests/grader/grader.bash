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

# grade USER NUMBER FILE [OPTION]...: grade FILE as root, or as nobody, and keep everything in $RESULT.d;
# or alone, as a user whom no other test has: without a sandbox all processes of a user are counted, on the whole
# machine. Sets RESULT (the JSON file) and status.
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
  elif [[ $user == alone ]] && ((EUID == 0)); then
    as=(setpriv --reuid=$((60000 + BATS_SUITE_TEST_NUMBER)) --regid=$((60000 + BATS_SUITE_TEST_NUMBER)) --clear-groups)
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

# nothing_is_left: no process of this test's grading runs, outside or inside of a sandbox. A moment is given:
# the kernel takes a sandbox's first process its memory, and so its mark, before it kills all others there.
nothing_is_left() {
  local -
  untraced
  wait_until 'nothing of the grader is left' has_no_marked || return 1
  local spaces
  # A program may have thrown its environment away, but it cannot leave its pid namespace.
  spaces=" $(sed -n 's/^started [0-9]* //p' "$BATS_TEST_TMPDIR"/result.*.d/*.report "$BATS_TEST_TMPDIR"/result.*.d/compile 2>/dev/null | tr '\n' ' ')"
  wait_until 'nothing is left in a sandbox' has_none_in "$spaces"
}

has_none_in() {
  local spaces=$1 pid space
  for pid in /proc/[0-9]*; do
    pid=${pid##*/}
    space=$(pid_space "$pid")
    [[ -z $space || $spaces != *" $space "* ]] || is_of_another_test "$pid" || {
      printf 'still there: %s\n' "$pid"
      return 1
    }
  done
}

# pid_space PID: prints the number of its pid namespace, or nothing once it has ended.
pid_space() {
  local space
  space=$(readlink "/proc/$1/ns/pid" 2>/dev/null) || return 0
  printf '%s\n' "${space//[!0-9]/}"
}

# is_of_another_test PID: the number of a namespace is given again as soon as it is free. Whose it is now,
# the first process in it tells, which is the sandbox's own and was started with the mark of its test.
# True also where PID or that first process ends meanwhile: then it is not left.
is_of_another_test() {
  local first=$1 parent inner mark
  while kin_of "$first" && [[ $inner != 1 ]]; do
    # Its number is 0 where it has ended. A parent that ends on the way hands its children on: once more.
    if [[ $inner == 0 ]]; then
      [[ $first != "$1" ]] || return 0
      parent=$1
    fi
    first=$parent
  done
  mark=$(mark_of "$first")
  # One that has ended has no mark, and the kernel has ended all others there with it, pid_namespaces(7): so
  # this is asked after the mark.
  is_in_state "$first" RSDTt >/dev/null || return 0
  [[ -n $mark && $mark != "$MARK" ]]
}

# kin_of PID: sets parent, and inner: its own number in the innermost namespace, 0 once it has ended.
kin_of() {
  parent=0 inner=0
  read -r parent inner < <(awk '/^PPid:/ { parent = $2 } /^NSpid:/ { print parent, $NF }' "/proc/$1/status" 2>/dev/null) || true
}

# mark_of PID: prints the mark in its environment, or nothing once it has ended.
mark_of() {
  { tr '\0' '\n' <"/proc/$1/environ"; } 2>/dev/null | sed -n 's/^FORKLAB_RUN=//p'
}

has_no_marked() {
  local left
  left=$(grep -lzs "^FORKLAB_RUN=$MARK$" /proc/[0-9]*/environ || true)
  [[ -z $left ]] || {
    printf 'still there: %s\n' "${left//$'\n'/ }"
    return 1
  }
}
