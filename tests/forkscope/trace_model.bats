#!/usr/bin/env bats
# tests/forkscope/trace_model.bats - are the counts of a trace true? Held against a model that is
# moved on by the calls alone, and against ss and lsof.
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2153,SC2154 # set by lab.bash and by run

bats_require_minimum_version 1.5.0

setup_file() {
  load ../lib/lab.bash
  load trace.bash
  build_traced
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
}

@test "every step of every chapter is what its calls must lead to" {
  local number
  for number in 01 02 03 04 05 06 07 08 09; do
    trace_chapter "$number"
    agrees
  done
}

@test "so is every step of the small programs, in every order" {
  local name order
  tell 'connect A' 'send A one' 'receive A one' 'connect B' 'send B two' 'receive B two' 'close A' 'close B'
  for order in parent-first child-first random=4; do
    for name in wake ignore zombie stopped spawn representative pipeline pipe_leak; do
      trace --order "$order" -- "$TRACED/$name"
      agrees
    done
    for name in prefork threads double_fork ignoring_server signalfd_server pidfd_server; do
      trace --order "$order" -s play -- "$TRACED/$name" 9000
      agrees
    done
  done
}

@test "the model finds a count that is wrong, a descriptor too much, and a zombie that is none" {
  trace_chapter 04
  agrees
  cp trace right
  local change
  for change in '(.objects[0].refs) += 1' 'del(.processes[0].descriptors[0])' \
    '(.processes[0].descriptors) += [{"fd": 9, "object": .objects[0].name}]' \
    '.processes[0].state = "zombie"' '.processes += [{"name": "C9", "state": "blocked", "standard": [], "descriptors": []}]'; do
    jq -c "if .step == 20 then $change else . end" right >trace
    run "$TRACED/replay" <trace
    assert_is "what the model says of $change: $output" 1 "$status"
    [[ $output == 'step 20: '* ]] || assert_is 'where' 'step 20: ...' "$output"
  done
}

# sockets_of_step STEP: what the trace shows then: "P 3" for each descriptor of a TCP socket. Without
# those in state CLOSED, before listen or after a reset: they are in none of the kernel's tables, so
# ss and lsof do not know of them.
sockets_of_step() {
  steps "steps | select(.step == $1) | . as \$s | .processes[] | .name as \$p | .descriptors[]
    | select(.object as \$o | \$s.objects[] | select(.name == \$o)
      | (.kind | test(\"^(listening|connection)\$\")) and .tcp != \"CLOSED\")
    | \"\(\$p) \(.fd)\"" | sort
}

@test "ss and lsof see the same descriptors as the steps, whenever forkscope is stopped" {
  # In the network of the test, so that ss and lsof see it: on a port that no other test uses.
  local port=9100 name lines=() run sample=0
  for name in {A..F}; do
    lines+=("connect $name" "send $name x" "receive $name x" "half-close $name")
  done
  tell "${lines[@]}" 'close C' 'close E'
  chapter 03
  # How many moments one trace gives depends on how fast it is, so take as many as it needs.
  for ((run = 0; run < 40 && sample < 5; run++)); do
    compare_with_others
  done
  ((sample >= 5)) || assert_is 'moments compared' 'at least 5' "$sample"
}

# compare_with_others: trace once, stop forkscope now and then, and ask ss and lsof. Counts up sample.
compare_with_others() {
  local server tree index number found first=$sample
  start 'forkscope trace' env "$MARK" "$FORKSCOPE" trace --shared-network -s play -o trace -- \
    "$SERVERS/$CHAPTER/server" "$port"
  while is_in_state "$PID" RSDT >/dev/null; do
    kill -STOP "$PID" 2>/dev/null || break
    wait_until 'forkscope is stopped, or has ended' is_in_state "$PID" TZX
    is_in_state "$PID" T >/dev/null || break
    # The trace is over: forkscope ends what it traced, and no step tells of that.
    if [[ $(tail -n 1 trace 2>/dev/null) == '{"end"'* ]]; then
      resume "$PID"
      break
    fi
    server=$(children_of "$PID" | head -n 1)
    # What it traces is stopped by ptrace or sleeps: then nothing moves any more.
    if [[ -s trace && -n $server ]] && tree_is_still "$server"; then
      mapfile -t tree < <(tree_of "$server")
      # Whole lines only, without the header: the last one may be half written.
      index=$(($(wc -l <trace) - 1))
      in_order_of_birth "$server" "${tree[@]}" | awk '{ print $1, NR == 1 ? "P" : "C" NR - 1 }' >names
      printf '%s\n' "$index" >"sample.$sample.step"
      pairs_of_lsof "$port" "${tree[@]}" | named | sort >"sample.$sample.lsof"
      pairs_of_ss "$port" | named | sort >"sample.$sample.ss"
      sample=$((sample + 1))
    fi
    resume "$PID"
  done
  wait_for_end "$PID"
  # Its findings, which are not this test's affair.
  allow_errors "$PID" "$(<"$ERRORS")"
  assert_is 'exit status of the trace' 0 "$STATUS"
  # The step after the last one written may have been measured already, and its successor begun.
  for ((index = first; index < sample; index++)); do
    assert_is "ss and lsof in sample $index" "$(<"sample.$index.lsof")" "$(<"sample.$index.ss")"
    found=no
    for ((number = $(<"sample.$index.step"); number <= $(<"sample.$index.step") + 2; number++)); do
      [[ "$(sockets_of_step "$number")" == "$(<"sample.$index.lsof")" ]] && found=yes
    done
    assert_is "lsof after step $(<"sample.$index.step"): $(<"sample.$index.lsof")" yes "$found"
  done
  rm trace
}

# in_order_of_birth FIRST PID...: the same, a line each. Numbers are given upwards from that of the
# first; after the highest they begin again at the bottom.
in_order_of_birth() {
  local first=$1
  shift
  printf '%s\n' "$@" | awk -v first="$first" '{ print ($1 < first), $1 }' | sort -n -k 1,1 -k 2,2 | cut -d ' ' -f 2
}

# named: from "PID FD INODE" to "NAME FD", for processes in the file names.
named() {
  awk 'NR == FNR { name[$1] = $2; next } $1 in name { print name[$1], $2 }' names -
}

# tree_is_still PID: is every process of the tree stopped, asleep or a zombie, seen twice?
tree_is_still() {
  local turn pid
  for turn in 1 2 3; do
    for pid in $(tree_of "$1"); do
      is_in_state "$pid" SDTtZ >/dev/null || return 1
    done
    breathe
  done
}

# ---- generated programs ----

# fuzz SEED: generate that program, trace it in some order, and hold it against the model.
fuzz() {
  local seed=$1 order
  "$TRACED/generate" "$seed" >fuzz.c
  "${CC:-cc}" -std=gnu11 -g -O0 -o fuzz fuzz.c
  case $((seed % 3)) in
    0) order=parent-first ;;
    1) order=child-first ;;
    2) order=random=$seed ;;
  esac
  # The seed is what one needs to see it again.
  trace --order "$order" -- ./fuzz || {
    printf 'seed %s, order %s\n' "$seed" "$order"
    return 1
  }
  agrees || {
    printf 'seed %s, order %s\n' "$seed" "$order"
    return 1
  }
}

@test "generated programs: every step is what its calls must lead to" {
  # FUZZ_SEED: where to begin, to see one again. Else somewhere new each time.
  local first=${FUZZ_SEED:-$((RANDOM * 32768 + RANDOM))} i
  printf 'seeds from %s\n' "$first"
  for ((i = 0; i < ${FUZZ_COUNT:-25 * REPEAT}; i++)); do
    fuzz "$((first + i))"
  done
}
