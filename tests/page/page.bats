#!/usr/bin/env bats
# tests/page/page.bats - the page of a trace, in a real browser: browse.mjs and checks.mjs.
# shellcheck disable=SC2030,SC2031,SC2034,SC2153,SC2154 # set by lab.bash and by run

bats_require_minimum_version 1.5.0

# What a program may print that wants to be more than text.
# shellcheck disable=SC2016 # no expansion is meant
HOSTILE='</script><img src=x onerror="window.owned=1"><svg onload=alert(1)>'\''"&amp;]]>{{js}}<!-- ${x} 文'

setup_file() {
  load ../lib/lab.bash
  export MODULES=$FORKLAB_BUILD/page INSTALLED
  INSTALLED=$("$LAB_ROOT/tests/page/modules.sh" "$MODULES" 3>&- 4>&-) || true
  PAGES=$BATS_FILE_TMPDIR
  export PAGES
  page_of small -f "$LAB_ROOT/tests/forkscope/small.jq"
  page_of hostile -f "$LAB_ROOT/tests/forkscope/small.jq" --arg text "$HOSTILE"
}

# page_of NAME JQ_OPTION...: makes PAGES/NAME.html of the trace that jq makes.
page_of() {
  local name=$1
  shift
  jq -nc "$@" >"$PAGES/$name.trace"
  "$FORKLAB_BUILD/forkscope" page -o "$PAGES/$name.html" "$PAGES/$name.trace" 3>&- 4>&-
}

setup() {
  load ../lib/lab.bash
  load ../forkscope/scope.bash
  lab_setup
}

teardown() {
  lab_teardown
}

# browse CHECK [PAGE]: do the check with the page; it must find nothing wrong.
browse() {
  local -
  untraced
  local i # run sets it
  assert_is 'what npm could not install' '' "$([[ -e $MODULES/installed ]] || printf '%s' "${INSTALLED:-?}")" || return 1
  run bare timeout 400 node "$LAB_ROOT/tests/page/browse.mjs" \
    "$MODULES" "$1" "$PAGES/${2:-small}.html"
  assert_is "what is wrong ($1)" '' "$output" && assert_is "exit status ($1)" 0 "$status"
}

@test "next and previous change the line, the picture, the list and the address together" {
  browse stepping
}

@test "a step shows what changed, where each process stands, and what was printed so far" {
  browse shows
}

@test "arrow keys, Home and End step; Tab comes to everything, and one sees where one is" {
  browse keys
}

@test "an address with a step opens it, and a wrong one opens the first" {
  browse addresses
}

@test "one jumps to the next fork, close, exit, signal or finding, and is told where there is none" {
  browse jumps
}

@test "the slider goes to any step, and says which" {
  browse slider
}

@test "play goes on by itself, and any other way to a step stops it" {
  browse plays
}

@test "findings stand at the end and lead to their steps" {
  browse findings
}

@test "the browser has nothing to complain of, and nothing is fetched" {
  browse quiet
}

@test "what two steps have in common stands at the same place in both" {
  browse still
}

# bats test_tags=long
@test "axe-core finds nothing, light and dark, wide and narrow" {
  browse accessible
}

# bats test_tags=long
@test "every text in the picture has contrast enough, light and dark" {
  browse legible
}

# bats test_tags=long
@test "on a phone nothing sticks out, and the buttons are in view" {
  browse narrow
}

@test "on paper a step is whole, without buttons, on a few sheets" {
  browse prints
}

@test "nothing moves for those who want nothing to move" {
  browse calm
}

@test "a program that prints HTML gets it shown as text, everywhere" {
  HOSTILE_TEXT=$HOSTILE browse hostile hostile
  browse quiet hostile
  # Of all that was put in, no tag is in the file: only the page's own end a script.
  assert_is 'lines with the end of a script' 2 "$(grep -c '</script>' "$PAGES/hostile.html")"
  assert_is 'tags that were printed' 0 "$(grep -cE '<img|<svg onload' "$PAGES/hostile.html")"
}

# bats test_tags=long
@test "a page of 60 steps is under 3 MB, and one of 1,000 steps opens at any of them" {
  page_of sixty -f "$LAB_ROOT/tests/page/long.jq" --argjson clients 6
  local size
  size=$(wc -c <"$PAGES/sixty.html")
  ((size < 3000000)) || assert_is 'bytes of 60 steps' 'less than 3000000' "$size"
  page_of thousand -f "$LAB_ROOT/tests/page/long.jq" --argjson clients 100
  size=$(wc -c <"$PAGES/thousand.html")
  # Without sharing what stays the same it would be several times as much.
  ((size < 8000000)) || assert_is 'bytes of 1,000 steps' 'less than 8000000' "$size"
  browse long thousand
}

# bats test_tags=long
@test "the pages of real traces are quiet, still and accessible" {
  local number
  mkdir "$BATS_TEST_TMPDIR/build"
  ln -s "$FORKLAB_BUILD/forkscope" "$BATS_TEST_TMPDIR/build/forkscope"
  cd "$LAB_ROOT" || return
  for number in 03 07; do
    chapter "$number"
    run --separate-stderr bare env FORKLAB_BUILD="$BATS_TEST_TMPDIR/build" diagrams/trace.sh "$CHAPTER" "chapters/$CHAPTER/server.c"
    assert_is "exit status of diagrams/trace.sh: $stderr" 0 "$status"
    cp "$BATS_TEST_TMPDIR/build/traced/$CHAPTER/page.html" "$PAGES/$number.html"
    browse quiet "$number"
    browse revealed "$number"
    browse accessible "$number"
    browse legible "$number"
  done
}
