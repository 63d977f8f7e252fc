#!/usr/bin/env bats
# tests/forkscope/trace_repeat.bats - the same program and scenario give the same bytes: again and
# again, under load, and with fewer permissions.
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2153,SC2154 # set by lab.bash and by run

bats_require_minimum_version 1.5.0

setup_file() {
  load ../lib/lab.bash
  load trace.bash
  build_traced wake spawn pipeline representative brief
  build_chapters
}

setup() {
  load ../lib/lab.bash
  load scope.bash
  load trace.bash
  trace_setup
}

teardown() {
  trace_teardown
  [[ -z ${PUBLIC-} ]] || rm -rf "$PUBLIC"
}

# same_again COUNT NUMBER: trace that chapter COUNT times; all must equal the file `first`, which
# is made when it is not there.
same_again() {
  local i
  for ((i = 0; i < $1; i++)); do
    trace_chapter "$2"
    [[ -e first.$2 ]] || cp trace "first.$2"
    cmp -s trace "first.$2" || {
      assert_is "trace $i of chapter $2, which differs" '' "$(diff "first.$2" trace | cut -c 1-300 | head -n 6)"
      return 1
    }
  done
}

@test "each chapter's trace is the same in every run" {
  local number
  for number in 01 02 03 04 05 06 07 08 09; do
    same_again "${TRACE_RUNS:-$((5 * REPEAT))}" "$number"
  done
}

# bats test_tags=long
@test "so it is with every processor busy" {
  local number
  for number in 01 02 03 04 05 06 07 08 09; do
    same_again 1 "$number"
  done
  occupy_processors
  for number in 01 02 03 04 05 06 07 08 09; do
    same_again "${TRACE_RUNS:-$((2 * REPEAT))}" "$number"
  done
}

@test "programs with vfork, threads, pipes and exec have the same trace in every run" {
  local name i
  for name in wake spawn pipeline representative brief; do
    for ((i = 0; i < 5 * REPEAT; i++)); do
      trace -- "$TRACED/$name"
      [[ -e first.$name ]] || cp trace "first.$name"
      assert_is "trace $i of $name" "$(<"first.$name")" "$(<trace)"
    done
  done
}

# in_public: copy what another user needs to trace chapter 03 to PUBLIC.
in_public() {
  PUBLIC=$(mktemp -d)
  chmod 755 "$PUBLIC"
  chapter "$1"
  mkdir "$PUBLIC/$CHAPTER"
  cp "$FORKSCOPE" "$PUBLIC"
  cp "$LAB_ROOT/chapters/$CHAPTER/server.c" "$PUBLIC/$CHAPTER"
  cp "$LAB_ROOT/diagrams/$CHAPTER/scenario" "$PUBLIC/$CHAPTER/scenario"
  chmod -R a+rX "$PUBLIC"
  (cd "$PUBLIC/$CHAPTER" && "${CC:-cc}" -std=c11 -g -O0 -o server server.c)
}

# traced_by [WORD]...: what chapter's trace is when forkscope is started by these words.
traced_by() {
  run --separate-stderr bare timeout 60 "$@" env "$MARK" "$PUBLIC/forkscope" trace \
    -s "$PUBLIC/$CHAPTER/scenario" -- "$PUBLIC/$CHAPTER/server" 9000
  assert_is "exit status of the trace by $*, which said: $stderr" 0 "$status"
}

@test "an ordinary user gets the same trace as root" {
  ((EUID == 0)) || skip 'only root can become another user'
  command -v setpriv >/dev/null || skip 'setpriv is not installed'
  local nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups) number expected
  "${nobody[@]}" unshare --user --map-root-user --net true 2>/dev/null ||
    skip 'this machine permits no user namespaces'
  for number in 03 07 09; do
    in_public "$number"
    traced_by
    expected=$output
    [[ -n $expected ]] || assert_is 'the trace of root' 'some lines' ''
    traced_by "${nobody[@]}"
    assert_is "the trace of chapter $number by nobody" "$expected" "$output"
    rm -rf "$PUBLIC"
  done
}

@test "inside bubblewrap the trace is the same" {
  command -v bwrap >/dev/null || skip 'bubblewrap is not installed'
  local box=(bwrap --ro-bind / / --unshare-all --dev /dev --proc /proc --die-with-parent) expected
  "${box[@]}" true 2>/dev/null || skip 'bubblewrap may make no sandbox on this machine'
  in_public 03
  traced_by
  expected=$output
  traced_by "${box[@]}"
  assert_is 'the trace inside bubblewrap' "$expected" "$output"
  # Chapter 07 prints process ids, from a handler: inside they have two digits, outside mostly more.
  rm -rf "$PUBLIC"
  in_public 07
  traced_by
  expected=$output
  # shellcheck disable=SC2016 # expanded inside
  traced_by "${box[@]}" bash -c 'for i in {1..12}; do /bin/true; done; exec "$@"' bash
  assert_is 'the trace of chapter 07 inside bubblewrap' "$expected" "$output"
}

@test "where kcmp is refused the counts are the same, and what is inferred is marked" {
  local expected name
  build_traced pipe_leak
  in_public 03
  traced_by
  # A socket that is not bound yet is known by its descriptor alone, which pidfd_getfd has to give.
  local as_denied='del(.objects[]?.inferred, .notes)
    | if .objects then .objects |= map(if .tcp == "CLOSED" and .port == 0 then {name, kind: "socket", refs} else . end) else . end'
  expected=$(jq -c "$as_denied" <<<"$output")
  traced_by "$TRACED/deny" EPERM
  assert_is 'chapter 03 without kcmp' "$expected" "$(jq -c 'del(.objects[]?.inferred, .notes)' <<<"$output")"
  # Files and pipes are what kcmp is for. The model knows by the calls which are the same.
  run --separate-stderr bare timeout 60 "$TRACED/deny" EPERM env "$MARK" "$FORKSCOPE" trace -o trace -- "$TRACED/pipe_leak"
  assert_is "exit status, which said: $stderr" 0 "$status"
  agrees
  # With one reference there is nothing to compare.
  steps_are 'objects that are pipes, held twice and not marked' \
    'steps | .objects[] | select((.kind | startswith("pipe")) and .refs > 1 and .inferred != true) | .name'
  steps_are 'some are marked' '[steps | .objects[] | select(.inferred)] | length > 0' true
}
