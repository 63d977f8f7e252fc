#!/usr/bin/env bash
# tests/bench/grading.sh - how fast is grading?
#
#   tests/bench/grading.sh [STUDENTS]    default: 4; wants an otherwise idle machine
#
# Prints ratios: a class against cores times the speed of one submission at a time, the same of a program
# that only forks and executes, the share of the sandbox, and the seconds of each chapter.
set -euo pipefail

root=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
build=$(realpath -m "${FORKLAB_BUILD:-$root/build}")
students=${1:-4}
cores=$(nproc)
export FORKLAB_BUILD=$build
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# now: sets NOW in milliseconds.
now() {
  NOW=$((${EPOCHREALTIME/[.,]/} / 1000))
}

printf 'grading: a right submission of each chapter, one at a time\n'
sum=0 chapters=0
for solution in "$root"/solutions/[0-9]*/exercise.c; do
  slug=$(basename "${solution%/*}")
  now
  from=$NOW
  "$root/tests/grading/check" --quiet --seed 1 "${slug%%-*}" "$solution"
  now
  took=$((NOW - from))
  sum=$((sum + took))
  chapters=$((chapters + 1))
  printf '  %-24s %5d ms (goal: under 2000)\n' "$slug" "$took"
done
printf '  %-24s %5d ms\n' 'all, one after another' "$sum"
now
from=$NOW
# As make progress does it.
# shellcheck disable=SC2016 # expanded by the inner shell
printf '%s\n' "$root"/solutions/[0-9]*/exercise.c | xargs -P "$cores" -I {} sh -c \
  'slug=${1%/*} && slug=${slug##*/} && "$0" --quiet --seed 1 "${slug%%-*}" "$1"' "$root/tests/grading/check" {}
now
printf '  %-24s %5d ms (goal: under 12000)\n' "all, $cores at a time" $((NOW - from))

# The sandbox: its start and end with a program that does nothing, as often as a script starts it.
runs=50
now
from=$NOW
for ((i = 0; i < runs; i++)); do
  "$build/tests/sandbox" run -- /bin/true </dev/null >/dev/null 2>&1
done
now
boxed=$((NOW - from))
now
from=$NOW
for ((i = 0; i < runs; i++)); do
  "$build/tests/sandbox" run -u -- /bin/true </dev/null >/dev/null 2>&1
done
now
plain=$((NOW - from))
tests=$(cat "$root"/tests/grading/[0-9][0-9]-*.bats | grep -c '^@test')
awk -v extra="$((boxed - plain))" -v runs="$runs" -v tests="$tests" -v chapters="$chapters" -v sum="$sum" 'BEGIN {
  each = extra / runs
  printf "sandbox: %.1f ms a start, %.1f %% of the time (goal: under 5 %%)\n", each, 100 * each * (tests + chapters) / sum }'

# What grading does most is to start processes. How much faster is that on all processors than on one? On a
# virtual machine they may hinder each other.
starts() {
  local i
  for ((i = 0; i < 500; i++)); do
    /bin/true
  done
}
now
from=$NOW
starts
now
single=$((NOW - from))
from=$NOW
for ((c = 0; c < cores; c++)); do
  starts &
done
wait
now
awk -v all="$((NOW - from))" -v single="$single" -v cores="$cores" 'BEGIN {
  printf "machine: starting processes on all cores, %.0f %% of %d cores times the single speed\n", 100 * single / all, cores }'

# Every student has every solution, so that the work of a class is known.
for ((s = 1; s <= students; s++)); do
  mkdir -p "$work/class/s$s"
  for solution in "$root"/solutions/[0-9]*/exercise.c; do
    slug=$(basename "${solution%/*}")
    cp "$solution" "$work/class/s$s/$slug.c"
  done
done
now
from=$NOW
"$root/tests/grading/class" --jobs "$cores" --out "$work/out" "$work/class" >/dev/null 2>&1
now
awk -v class=$((NOW - from)) -v one="$sum" -v students="$students" -v cores="$cores" 'BEGIN {
  printf "class: %d students in %.1f s, %.0f %% of %d cores times the single speed (goal: at least 80 %%)\n",
    students, class / 1000, 100 * one * students / cores / class, cores }'
