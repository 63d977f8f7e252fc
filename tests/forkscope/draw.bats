#!/usr/bin/env bats
# tests/forkscope/draw.bats - records to pictures: files, words, and positions that stay.
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2153,SC2154 # set by lab.bash and by run

bats_require_minimum_version 1.5.0

setup() {
  load ../lib/lab.bash
  load scope.bash
  load pictures.bash
  scope_setup
  cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
  scope_teardown
}

# records_of NUMBER: sets RECORDS to a file with the records of the chapter's scenario.
records_of() {
  chapter "$1"
  RECORDS=$BATS_TEST_TMPDIR/records
  scope run -s "$LAB_ROOT/diagrams/$CHAPTER/scenario" -o "$RECORDS" \
    -- "$FORKLAB_BUILD/chapters/$CHAPTER/server" 9000
  assert_is 'stderr' '' "$stderr"
  assert_is 'exit status' 0 "$status"
}

# a_record FILTER: sets JSON to a small record, changed by FILTER, and puts it into one.
a_record() {
  JSON=$(jq -nc '{title: "t", moment: "m", caption: "c",
    processes: [{name: "P", parent: null, state: "blocked", doing: "accept(3)", standard: [0, 1, 2],
                 descriptors: [{fd: 3, object: "S1"}, {fd: 4, object: "S2"}]}],
    objects: [{name: "S1", kind: "listening", refs: 1, tcp: "LISTEN", port: 9000, backlog: 0},
              {name: "S2", kind: "connection", refs: 1, tcp: "ESTABLISHED", port: 9000, unread: 0,
               end_of_file: false, waiting: false, client: "A"}],
    clients: [{name: "A", tcp: "ESTABLISHED", closed: false}]} | '"$1")
  printf '%s\n' "$JSON" >one
}

@test "each moment becomes a .dot and an .svg, and nothing else" {
  records_of 04
  scope draw -o out "$RECORDS"
  assert_success
  assert_is 'output' '' "$output$stderr"
  assert_is 'files' 'after-fork.dot after-fork.svg child-ended.dot child-ended.svg second-client.dot second-client.svg ' \
    "$(cd out && printf '%s ' *)"
}

@test "an SVG is well-formed, and says in words what it shows" {
  records_of 03
  scope draw -o out "$RECORDS"
  local svg
  for svg in out/*.svg; do
    assert_holds is_well_formed "$svg"
    assert_is "$svg: titles of the picture" 1 "$(grep -c '<title id="picture-title">' "$svg")"
    assert_is "$svg: descriptions of the picture" 1 "$(grep -c '<desc id="picture-words">' "$svg")"
    assert_is "$svg: its root's role and label" 1 \
      "$(grep -c '^<svg role="img" aria-labelledby="picture-title picture-words"' "$svg")"
  done
  assert_is 'the title' 'After the fork: both processes hold both descriptors' \
    "$(sed -n 's/.*<title id="picture-title">\(.*\)<\/title>.*/\1/p' out/after-fork.svg)"
  run sed -n '/<desc/,/<\/desc>/p' out/after-fork.svg
  assert_line --partial 'P is blocked in accept(3). Descriptors: 3 listening socket, 4 connection A.'
  assert_line 'C1, child of P, is blocked in read(4). Descriptors: 3 listening socket, 4 connection A.'
  assert_line 'In the kernel: S1 listening socket :9000 has 2 references, state LISTEN, backlog: 0.'
  assert_line --partial 'Client A: ESTABLISHED.'
}

@test "a node stands at the same place in every picture of a run" {
  local number
  for number in 02 03 06 08; do
    records_of "$number"
    rm -rf out
    scope draw --dot-only -o out "$RECORDS"
    assert_success
    local moved
    moved=$(positions out/*.dot | sort -u | cut -d ' ' -f 1 | uniq -d)
    assert_is "$CHAPTER: nodes that move" '' "$moved"
    # The heading, the kernel, P, S1, S2 and client A are in every one of the pictures.
    assert_is "$CHAPTER: nodes that every picture has" 'P S1 S2 client_A heading kernel ' \
      "$(positions out/*.dot | cut -d ' ' -f 1 | sort | uniq -c |
        awk -v all="${#lines[@]}" -v files="$(find out -name '*.dot' | wc -l)" '
          $1 == files && $2 ~ /^(P|S1|S2|client_A|heading|kernel)$/ { printf "%s ", $2 }')"
  done
}

@test "no two boxes of a picture overlap" {
  records_of 08
  scope draw --dot-only -o out "$RECORDS"
  local dot
  for dot in out/*.dot; do
    # By the middle alone: boxes of one column stand at least 60 points apart.
    run awk '
      match($0, /^  [A-Za-z0-9_]+ \[pos="[-0-9.,]+!/) {
        split(substr($0, RSTART, RLENGTH), part, /[ "!,]+/)
        name = part[2]; x = part[4] + 0; y = part[5] + 0
        if (name == "kernel" || name == "heading") next
        for (other in at_x) {
          d = at_y[other] - y
          if (at_x[other] == x && d > -60 && d < 60) print name, other, d
        }
        at_x[name] = x; at_y[name] = y; count++
      }
      END { if (count < 5) print "only", count + 0, "boxes" }' "$dot"
    assert_is "$dot: boxes that overlap" '' "$output"
  done
}

@test "the same records give the same bytes" {
  records_of 07
  scope draw -o one "$RECORDS"
  scope draw -o two "$RECORDS"
  run diff -r one two
  assert_is 'what differs' '' "$output"
}

@test "records are read from standard input too" {
  a_record .
  run --separate-stderr "$FORKSCOPE" draw --dot-only -o out - <one
  assert_success
  assert_is 'files' 'm.dot ' "$(cd out && printf '%s ' *)"
}

@test "text with < > & and quotes is drawn as it is" {
  a_record '.caption = "a <b> & \"c\" ]]> &amp; d" | .title = "<script>alert(1)</script>"'
  scope draw -o out one
  assert_is 'stderr' '' "$stderr"
  assert_holds is_well_formed out/m.svg
  run grep -c '<script' out/m.svg
  assert_is 'elements called script' 0 "$output"
  run sed -n 's/.*<title id="picture-title">\(.*\)<\/title>.*/\1/p' out/m.svg
  assert_output 'a &lt;b&gt; &amp; &quot;c&quot; ]]&gt; &amp;amp; d'
}

@test "what is not JSON is named with line and column" {
  a_record .
  printf '%s\n{"processes": [,]}\n' "$JSON" >bad
  scope draw -o out bad
  assert_is 'exit status' 1 "$status"
  assert_is 'lines on stderr' 1 "$(wc -l <<<"$stderr")"
  [[ $stderr =~ ^forkscope:\ bad:\ line\ 2,\ column\ 1[0-9]:\  ]] ||
    assert_is 'stderr' 'forkscope: bad: line 2, column 16: ...' "$stderr"
}

# refused FILTER MESSAGE: the small record changed by FILTER must be refused.
refused() {
  a_record "$1"
  rm -rf out
  scope_says 1 "forkscope: one: line 1: $2" draw --dot-only -o out one
}

@test "a record that lacks something is named with its line, and what it lacks" {
  refused 'del(.processes)' 'a record lacks processes, objects or clients'
  refused 'del(.objects)' 'a record lacks processes, objects or clients'
  refused 'del(.clients)' 'a record lacks processes, objects or clients'
  refused '[.]' 'a record lacks processes, objects or clients'
  refused 'del(.processes[0].name)' 'a process lacks name, state, doing, standard or descriptors'
  refused '.processes[0].state = 1' 'a process lacks name, state, doing, standard or descriptors'
  refused 'del(.objects[0].refs)' 'an object lacks name, kind or refs'
  refused 'del(.clients[0].closed)' 'a client lacks name, tcp or closed'
  refused '.processes[0].descriptors[0].object = "S7"' 'process P has a descriptor without a known object'
}

@test "a moment whose name is no plain file name is not written anywhere" {
  local name
  mkdir out
  for name in ../escaped a/b .. /tmp/forklab-escaped; do
    a_record ".moment = \"$name\""
    scope draw --dot-only -o out one
    assert_is "exit status for the moment '$name'" 1 "$status"
    assert_is "files for the moment '$name'" '' "$(
      find . -name '*.dot'
      find /tmp -maxdepth 1 -name 'forklab-escaped*'
    )"
  done
}

@test "names that DOT would read as something else are refused" {
  local name
  for name in 'P\" x=\"' 'P] [' 'a b' '' 'P;'; do
    a_record ".processes[0].name = \"$name\""
    scope draw -o out one
    assert_is "exit status for the process '$name'" 1 "$status"
    assert_is "lines on stderr for the process '$name'" 1 "$(wc -l <<<"$stderr")"
  done
}

@test "records damaged in any place are drawn or refused, and never more than that" {
  # A sanitizer's report or a signal is neither.
  local i length at byte
  records_of 06
  length=$(wc -c <"$RECORDS")
  for ((i = 1; i <= 40 * REPEAT; i++)); do
    # The same damage in every run: at, and byte, follow from i.
    at=$((i * 7919 % length))
    byte=$((i * 31 % 94 + 33))
    { head -c "$at" "$RECORDS" && printf '%b' "\\0$(printf '%o' "$byte")" &&
      tail -c "+$((at + 2))" "$RECORDS"; } >damaged
    scope draw --dot-only -o out damaged
    ((status == 0 || status == 1)) || assert_is "exit status, byte $at is $byte" '0 or 1' "$status: $stderr"
    ((status == 0)) || assert_is "lines on stderr, byte $at is $byte" 1 "$(wc -l <<<"$stderr")"
  done
}

@test "a file that is not there, empty, or a directory is named" {
  : >empty
  scope_says 1 'forkscope: none: No such file or directory' draw none
  scope_says 1 'forkscope: empty: no records in it' draw empty
  scope_says 1 'forkscope: .: Is a directory' draw .
}

@test "a directory that cannot be made or written into is named" {
  a_record .
  : >plain
  scope_says 1 'forkscope: no/such/dir: No such file or directory' draw -o no/such/dir one
  scope_says 1 'forkscope: plain/m.dot: Not a directory' draw -o plain one
  scope_says 1 'forkscope: /proc/m.dot: No such file or directory' draw -o /proc one
}

@test "without Graphviz the .dot files are written, and what to install is said" {
  records_of 04
  mkdir bin
  run --separate-stderr env PATH="$PWD/bin" "$FORKSCOPE" draw -o out "$RECORDS"
  assert_is 'exit status' 1 "$status"
  assert_is 'stderr' 'forkscope: neato: No such file or directory (install graphviz)' "$stderr"
  assert_is 'files' 'after-fork.dot child-ended.dot second-client.dot ' "$(cd out && printf '%s ' *)"
  run --separate-stderr env PATH="$PWD/bin" "$FORKSCOPE" draw --dot-only -o out "$RECORDS"
  assert_is 'exit status with --dot-only' 0 "$status"
}

@test "a Graphviz that fails is told, with status 1" {
  a_record .
  mkdir bin
  printf '#!/bin/sh\nexit 3\n' >bin/neato
  chmod +x bin/neato
  run --separate-stderr env PATH="$PWD/bin" "$FORKSCOPE" draw -o out one
  assert_is 'exit status' 1 "$status"
  assert_is 'stderr' 'forkscope: neato: it did not draw (see its messages above)' "$stderr"
}

# ---- traces ----

# a_trace: puts a small trace, made by hand, into steps.
a_trace() {
  jq -ncf "$LAB_ROOT/tests/forkscope/small.jq" >steps
}

@test "of a trace the named steps are drawn, or one, or all" {
  a_trace
  scope draw --dot-only -o named steps
  assert_is 'stderr' '' "$stderr"
  assert_is 'named steps' 'after-fork.dot ' "$(cd named && printf '%s ' *)"
  scope draw --dot-only --step 9 -o single steps
  assert_is 'one step' 'step-009.dot ' "$(cd single && printf '%s ' *)"
  scope draw --all -o all steps
  assert_is 'all steps: files' 30 "$(find all -name 'step-0*' | wc -l)"
  # Which are drawn together changes nothing.
  run diff single/step-009.dot all/step-009.dot
  assert_is 'step 9 alone, and among all' '' "$output"
  scope_says 1 'forkscope: there is no step 16: the last one is 15' draw --step 16 steps
  jq -c 'if .moment then .moment = "" else . end' steps >unnamed
  scope_says 1 'forkscope: no step of this trace has a name: choose with --step N or --all' draw unnamed
  a_record .
  scope_says 1 'forkscope: one: it holds records, and no steps to choose from' draw --all one
}

@test "a picture of a step says what happened, where, and what is new, closed or fewer" {
  a_trace
  scope draw --dot-only --all -o all steps
  local step
  for step in '006|step 6   P: fork() = C1   server.c:14   if (fork() == 0) {' \
    '009|step 9   C1: close(3) = 0' '009|server.c:15   close(listen_fd);' \
    '009|✗ listening socket' '009|(−1)' '010|closed' '006|new: connection A' '006|(+1)' \
    '006|ready at server.c:14' '010|blocked in read(4), server.c:16' '012|pending: SIGCHLD' \
    '013|in the handler of SIGCHLD' '012|zombie (exit 0)' '014|<S>C1, child of P</S>' \
    '015|<S>connection with A</S>' '004|a client acts while every process is held'; do
    assert_holds grep -qF -- "${step#*|}" "all/step-${step%%|*}.dot"
  done
  # What is not new has no such mark.
  assert_is 'new rows in step 7' 0 "$(grep -c 'new: ' all/step-007.dot)"
  assert_is 'changed counts in step 7' 0 "$(grep -cE '\((\+|−)[0-9]+\)' all/step-007.dot)"
}

@test "all pictures of a trace have one size, and nothing in them moves" {
  a_trace
  scope draw --all -o all steps
  assert_is 'sizes' 1 "$(grep -h ' viewBox=' all/*.svg | sort -u | wc -l)"
  assert_is 'nodes that move' '' "$(positions all/*.dot | sort -u | cut -d ' ' -f 1 | uniq -d)"
  local svg
  for svg in all/*.svg; do
    assert_holds is_well_formed "$svg"
  done
}

@test "a step is also told in words, beginning with what changed" {
  a_trace
  scope draw --step 12 -o out steps
  run sed -n '/<desc/,/<\/desc>/p' out/step-012.svg
  assert_line --index 0 '<desc id="picture-words">Step 12, C1: exit(0).'
  assert_line --index 1 'C1 has ended (exit 0) and is a zombie: P has not waited for it.'
  assert_line --index 2 'With the end of C1 the kernel closed its descriptor 4 (connection A).'
  assert_line --index 3 'Connection A has 1 reference now, 1 fewer.'
  assert_line 'C1, child of P, is zombie (exit 0).'
  scope draw --step 7 -o out steps
  assert_is 'where nothing changes' 1 "$(grep -c '^P waits in accept(3).$' out/step-007.svg)"
}

@test "in a trace of very many things a later one takes the place of one that has ended" {
  jq -ncf "$LAB_ROOT/tests/page/long.jq" --argjson clients 30 >steps
  scope draw --dot-only --all -o all steps
  assert_is 'stderr' '' "$stderr"
  # 30 children one after the other need three places, not thirty.
  assert_is 'nodes that move' '' "$(positions all/*.dot | sort -u | cut -d ' ' -f 1 | uniq -d)"
  local places
  places=$(positions all/*.dot | sed -n 's/^C[0-9]* //p' | sort -u | wc -l)
  ((places <= 4)) || assert_is 'places of 30 children' 'at most 4' "$places"
  # Each is seen at work, and no two stand at the same place in one picture.
  assert_is 'children drawn while they run' 30 \
    "$(grep -hoE '<B>C[0-9]+, child of P</B>' all/*.dot | sort -u | wc -l)"
  local dot
  for dot in all/*.dot; do
    run bash -c 'sed -n "s/^  [A-Z][0-9]* \[pos=\"\([^\"]*\)\".*/\1/p" "$1" | sort | uniq -d' - "$dot"
    assert_is "$dot: places taken twice" '' "$output"
  done
}

@test "page refuses what it cannot do, in one line, and leaves no file" {
  a_trace
  scope_says 1 'forkscope: none: No such file or directory' page -o page.html none
  scope_says 1 'forkscope: no/page.html: No such file or directory' page -o no/page.html steps
  scope_says 1 'forkscope: ./steps: is the trace itself; choose another name for the page' page -o ./steps steps
  a_record .
  scope page -o page.html one
  assert_is 'exit status for records' 1 "$status"
  assert_is 'lines for records' 1 "$(wc -l <<<"$stderr")"
  mkdir bin
  run --separate-stderr env PATH="$PWD/bin" "$FORKSCOPE" page -o page.html steps
  assert_is 'without Graphviz' 'forkscope: neato: No such file or directory (install graphviz)' "$stderr"
  assert_holds test ! -e page.html
  scope page
  assert_is 'exit status without a file' 2 "$status"
  run --separate-stderr bash -c '"$1" page steps >/dev/full' - "$FORKSCOPE"
  assert_is 'a full disk' 'forkscope: write: No space left on device' "$stderr"
}

@test "the same trace gives the same page, from a file or a pipe" {
  a_trace
  scope page -o one.html steps
  assert_success
  run --separate-stderr bash -c '"$1" page - <steps >two.html' - "$FORKSCOPE"
  assert_is 'stderr' '' "$stderr"
  assert_holds cmp one.html two.html
}

@test "a trace without a step, or cut off in the middle, is a page that says so" {
  a_trace
  head -n 1 steps >none
  scope page -o page.html none
  assert_is 'stderr' '' "$stderr"
  head -c "$(($(wc -c <steps) - 900))" steps >"cut"
  scope page -o page.html "cut"
  assert_is 'exit status' 0 "$status"
  assert_holds grep -q 'the file is cut off here' page.html
}
