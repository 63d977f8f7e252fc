#!/usr/bin/env bats
# tests/grader/containment.bats - what strangers may try is contained, and graded right.
# shellcheck disable=SC2012,SC2016,SC2046,SC2030,SC2031,SC2034,SC2153,SC2154 # set by lab.bash and by run

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

# What may go another way when nobody grades than when root does: the count of a user's processes, who may
# be killed, traced and read, and whose memory is counted. The others are graded as nobody where REPEAT > 1.
AS_NOBODY_TOO=(fork-bomb kill-everyone memory-hog read-others trace-grader)

# hostile NAME: tests/hostile/NAME.c, graded as root (or whoever we are) and perhaps as nobody, gets the points
# that stand in its third line, reaches the limit that stands there, and leaves nothing.
hostile() {
  local name=$1 user users=(root)
  local file=$LAB_ROOT/tests/hostile/$name.c
  [[ $(sed -n 3p "$file") =~ Graded\ as\ ([0-9]+):\ ([0-9]+)\ of\ 10\ points(, limit ([a-z]+))?\. ]]
  local number=${BASH_REMATCH[1]} points=${BASH_REMATCH[2]} limit=${BASH_REMATCH[4]}
  if ((REPEAT > 1)) || [[ " ${AS_NOBODY_TOO[*]} " == *" $name "* ]]; then
    users+=(nobody)
  fi
  grade_as "${users[*]}" "$number" "$file"
  for user in "${users[@]}"; do
    result_of "$user" "$number" "$file"
    assert_points "$points"
    [[ -z $limit ]] || assert_is "limits that $user's grading reached" true \
      "$(field ".limits_hit | index(\"$limit\") != null")"
    assert_is 'what it reached' '' "$(grep -ahs '^reached' "$RESULT.d"/*.out || true)"
    # What is kept of an output has an end.
    assert_is 'outputs of more than 64 KiB' '' "$(find "$RESULT.d" -name '*.out' -size +64k)"
  done
  nothing_is_left
}

# bats test_tags=long
@test "a program that works for ever is contained and graded right" {
  hostile busy-loop
}

@test "a right server that closes every descriptor is contained and graded right" {
  hostile close-everything
}

@test "a text that keeps the compiler busy is contained and graded right" {
  hostile compiler-bomb
}

@test "a program that calls out is contained and graded right" {
  hostile connect-out
}

@test "a program that crashes is contained and graded right" {
  hostile crash-at-start
}

@test "a right server that becomes a daemon is contained and graded right" {
  hostile daemon
}

# bats test_tags=long
@test "a program that prints for ever is contained and graded right" {
  hostile endless-output
}

@test "a program that ends at once is contained and graded right" {
  hostile exit-at-once
}

@test "a program that prints results of its own is contained and graded right" {
  hostile fake-results
}

@test "a program that fills every file system is contained and graded right" {
  hostile file-filler
}

# bats test_tags=long
@test "a fork bomb is contained and graded right" {
  hostile fork-bomb
}

@test "a program of two gigabytes is contained and graded right" {
  hostile huge-array
}

@test "a right server that ignores every signal is contained and graded right" {
  hostile ignore-sigterm
}

@test "a text without an end is contained and graded right" {
  hostile include-itself
}

@test "a text that includes secret files is contained and graded right" {
  hostile include-shadow
}

@test "a program that kills every process it can is contained and graded right" {
  hostile kill-everyone
}

@test "a text with millions of errors is contained and graded right" {
  hostile many-errors
}

@test "a program that takes all memory is contained and graded right" {
  hostile memory-hog
}

@test "a program that does nothing is contained and graded right" {
  hostile never-listen
}

@test "a program that reads what is not its own is contained and graded right" {
  hostile read-others
}

@test "a program that takes all shared memory is contained and graded right" {
  hostile shared-memory-hog
}

@test "a right server that takes its time is contained and graded right" {
  hostile sleep-before-listen
}

@test "a program that traces the grader is contained and graded right" {
  hostile trace-grader
}

@test "each hostile program has a test" {
  local file name
  for file in "$LAB_ROOT"/tests/hostile/*.c; do
    name=${file##*/}
    assert_is "tests of $name" 1 "$(grep -cx "  hostile ${name%.c}" "$BATS_TEST_FILENAME")"
  done
  for name in "${AS_NOBODY_TOO[@]}"; do
    assert_holds test -e "$LAB_ROOT/tests/hostile/$name.c"
  done
}

# bats test_tags=long
@test "a neighbour of hostile programs gets its full points" {
  local name pids=() right=$LAB_ROOT/solutions/02-one-at-a-time/exercise.c
  for name in fork-bomb kill-everyone memory-hog endless-output; do
    (grade root 02 "$LAB_ROOT/tests/hostile/$name.c") &
    pids+=("$!")
  done
  grade root 02 "$right"
  assert_points 10
  wait "${pids[@]}"
  nothing_is_left
}

@test "the sandbox has namespaces of its own, no capability, and its limits" {
  FORKLAB_RUN=$MARK "$FORKLAB_BUILD/tests/sandbox" run -o "$BATS_TEST_TMPDIR/out" -e "$BATS_TEST_TMPDIR/err" -p 7 -n 33 \
    -- /bin/sh -c 'readlink /proc/self/ns/*; cat /proc/self/status /proc/self/limits; echo $PPID; env'
  local out=$BATS_TEST_TMPDIR/out space
  assert_is 'stderr' '' "$(<"$BATS_TEST_TMPDIR/err")"
  for space in pid ipc uts user mnt; do
    assert_is "lines that name our $space namespace" 0 "$(grep -cxF "$(readlink "/proc/self/ns/$space")" "$out" || true)"
  done
  assert_holds has_line "$out" 'CapEff:.0000000000000000'
  assert_holds has_line "$out" 'CapBnd:.0000000000000000'
  assert_holds has_line "$out" 'NoNewPrivs:.1'
  assert_holds has_line "$out" 'Uid:(.65534){4}'
  assert_holds has_line "$out" 'Max processes +7 +7 +processes *'
  assert_holds has_line "$out" 'Max open files +33 +33 +files *'
  assert_holds has_line "$out" 'Max core file size +0 +0 +bytes *'
  # Its parent is process 1, and its environment holds nothing of ours.
  assert_holds has_line "$out" 1
  assert_is 'variables' 'FORKLAB_RUN HOME LC_ALL PATH PWD' \
    "$(sed -n 's/^\([A-Z_]*\)=.*/\1/p' "$out" | sort | tr '\n' ' ' | sed 's/ $//')"
}

# A program with six children in the sandbox, among whom the numbers of processes begin again: their
# numbers as the kernel lists them, eldest first, and as the grader sees them.
# shellcheck disable=SC2016 # expanded inside
WRAPPED='
  most=$(</proc/sys/kernel/pid_max) elder=(1 2) before=4
  while [[ $(printf "%s\n" "${elder[@]}" | sort -n) == "$(printf "%s\n" "${elder[@]}")" ]]; do
    ((++before < 40)) || exit
    rm -f report
    echo $((most - before)) >/proc/sys/kernel/ns_last_pid || exit
    "$1" run -r report -o out -b "$2:/server" -- /server &
    "$1" wait report 0 20 "alive>=7" >seen || exit
    parent=$(awk "\$1 == \"process\" { print \$2; exit }" seen)
    read -ra elder </proc/$parent/task/$parent/children
    awk "\$1 == \"process\" && \$3 == $parent { print \$2 }" seen >grader
    kill -TERM $!
    wait $!
  done
  printf "%s\n" "${elder[@]}" >elder'

@test "the grader sees processes in the order of their birth, also where the numbers begin again" {
  needs_own_numbers
  needs_list_of_children
  cd "$BATS_TEST_TMPDIR" || return
  printf '#include <unistd.h>\nint main(void) { for (int i = 0; i < 6 && fork() != 0; i++) continue; pause(); }\n' >six.c
  cc -o six six.c
  run clean_shell timeout -k 5 60 "${OWN_NUMBERS[@]}" bash -c "$WRAPPED" bash "$FORKLAB_BUILD/tests/sandbox" "$PWD/six"
  assert_is "exit status, with: $output" 0 "$status"
  assert_is 'as the grader sees them' "$(<elder)" "$(<grader)"
}

@test "in the sandbox nothing can be written but /tmp, and of /etc only the linker's cache is seen" {
  "$FORKLAB_BUILD/tests/sandbox" run -o "$BATS_TEST_TMPDIR/out" -e "$BATS_TEST_TMPDIR/err" -- /bin/sh -c '
    for place in / /dev /dev/shm /usr /usr/local /usr/src /etc /proc /tmp; do
      if (: >"$place/x") 2>/dev/null; then echo "writable $place"; fi
    done
    ls /etc; ls -A /usr/local /tmp; ls /'
  assert_output_is "$BATS_TEST_TMPDIR/out" 'writable /tmp' alternatives ld.so.cache '/tmp:' x '' '/usr/local:' \
    $(cd / && ls -d bin lib lib32 lib64 sbin 2>/dev/null | sort | sed '1i dev\netc\ninit\nproc\ntmp\nusr' | sort)
}

@test "a process that is left in a sandbox is found, and is not taken for one of another test" {
  local kept=$BATS_TEST_TMPDIR/result.kept.d
  mkdir "$kept"
  start 'a neighbour' env FORKLAB_RUN="$MARK.other" "$FORKLAB_BUILD/tests/sandbox" run -r "$kept/1.report" -- /usr/bin/tail -f /dev/null
  wait_until 'it runs' grep -q '^started' "$kept/1.report"
  nothing_is_left
  start 'a left one' env -u FORKLAB_RUN "$FORKLAB_BUILD/tests/sandbox" run -r "$kept/2.report" -- /usr/bin/tail -f /dev/null
  wait_until 'it runs' grep -q '^started' "$kept/2.report"
  DEADLINE=1 run nothing_is_left
  assert_is 'status' 1 "$status"
  [[ $output == *'nothing is left in a sandbox'*'still there: '* ]] || assert_is 'what is said' 'that a process is left' "$output"
}

@test "a sandbox that ends while one looks is not taken for one that is left" {
  local kept=$BATS_TEST_TMPDIR/result.kept.d
  mkdir "$kept"
  start 'an ending one' env -u FORKLAB_RUN "$FORKLAB_BUILD/tests/sandbox" run -r "$kept/1.report" -- /usr/bin/tail -f /dev/null
  wait_until 'it runs' grep -q '^started' "$kept/1.report"
  # It ends after its first process was found, and before that one's environment is read.
  mark_of() {
    : >"$BATS_TEST_TMPDIR/asked"
    end_session "$PID" >/dev/null
    # Its first process is in a session of its own.
    wait_until 'it has ended' is_in_state "$1" ZX >/dev/null
  }
  run has_none_in " $(sed -n 's/^started [0-9]* //p' "$kept/1.report") "
  assert_holds test -e "$BATS_TEST_TMPDIR/asked"
  assert_is "status ($output)" 0 "$status"
}

@test "a run is over when its time is, and says so" {
  run "$FORKLAB_BUILD/tests/sandbox" run -t 1 -r "$BATS_TEST_TMPDIR/report" -- /bin/sh -c 'trap "" TERM; while :; do read x </dev/zero; done'
  assert_is 'status' 0 "$status"
  assert_is 'the last two lines' 'limit time over ' "$(tail -n 2 "$BATS_TEST_TMPDIR/report" | tr '\n' ' ')"
}

# without PROGRAM: sets WITHOUT to a PATH in which there is everything but this.
without() {
  WITHOUT=$BATS_TEST_TMPDIR/bin
  mkdir "$WITHOUT"
  # Of two with one name the first one counts, as in PATH.
  find /usr/bin/ /usr/sbin/ /bin/ /sbin/ -maxdepth 1 -xtype f -exec cp -sn -t "$WITHOUT" {} +
  rm "$WITHOUT/$1"
}

@test "without a sandbox nothing is run, and one line says why" {
  local file solution=$LAB_ROOT/solutions/01-single-client/exercise.c
  printf '#include <stdio.h>\nint main(void) { fclose(fopen("%s/ran", "w")); return 0; }\n' \
    "$BATS_TEST_TMPDIR" >"$BATS_TEST_TMPDIR/traitor.c"
  chmod 1777 "$BATS_TEST_TMPDIR"
  # Where it is run, it leaves a file.
  UNSANDBOXED=1 grade alone 01 "$BATS_TEST_TMPDIR/traitor.c"
  assert_holds rm -r "$BATS_TEST_TMPDIR/ran" "$RESULT.d"
  without bwrap
  run --separate-stderr env PATH="$WITHOUT" "$CHECK" --json "$BATS_TEST_TMPDIR/json" 01 "$solution"
  assert_is 'exit status without bubblewrap' 1 "$status"
  assert_is 'printed' '' "$output"
  assert_is 'told' "check: bubblewrap is not installed (apt-get install bubblewrap): a stranger's program is not run \
without a sandbox; UNSANDBOXED=1 runs your own" "$stderr"
  # A system that refuses it the namespaces.
  printf '#!/bin/sh\necho "bwrap: No permissions to create a new namespace" >&2\nexit 1\n' >"$WITHOUT/bwrap"
  chmod +x "$WITHOUT/bwrap"
  for file in "$solution" "$BATS_TEST_TMPDIR/traitor.c"; do
    run --separate-stderr env PATH="$WITHOUT" "$CHECK" --json "$BATS_TEST_TMPDIR/json" 01 "$file"
    assert_is 'exit status where it makes no sandbox' 1 "$status"
    assert_is 'printed' '' "$output"
    assert_is 'told' "check: bwrap: No permissions to create a new namespace: a stranger's program is not run \
without a sandbox; UNSANDBOXED=1 runs your own" "$stderr"
  done
  assert_is 'results, or files that the program has made' '' "$(find "$BATS_TEST_TMPDIR" -name json -o -name ran)"
}

# bats test_tags=long
@test "with UNSANDBOXED=1 a program is run without, and still nothing is left" {
  local name
  for name in daemon fork-bomb; do
    UNSANDBOXED=1 grade alone 02 "$LAB_ROOT/tests/hostile/$name.c"
    assert_points "$(sed -n 's/.*Graded as 02: \([0-9]*\) of.*/\1/p' "$LAB_ROOT/tests/hostile/$name.c")"
  done
  # Root's becomes nobody's, with all that nobody has on this machine counted: others may have much just now.
  DEADLINE=60
  wait_until 'root has all points' is_graded_unsandboxed
  nothing_is_left
}

is_graded_unsandboxed() {
  UNSANDBOXED=1 grade root 01 "$LAB_ROOT/solutions/01-single-client/exercise.c"
  assert_points 10
}
