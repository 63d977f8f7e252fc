#!/usr/bin/env bash
# Measure and draw the diagrams of the chapters: diagrams/measure.sh OUT [NN-slug...]
#
# Each scenario diagrams/NN-slug/scenario is played against the chapter's server, which is
# traced: so the moments between two calls can be seen too. Those that the scenario names become
# OUT/NN-slug/MOMENT.dot and .svg. With OUT=diagrams the committed pictures are replaced.
# Needs build/forkscope, the servers as `make traced` compiles them, and Graphviz.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

out=${1:?usage: diagrams/measure.sh OUT [NN-slug...]}
build=${FORKLAB_BUILD:-build}
shift
if (($# == 0)); then
  set -- diagrams/[0-9]*/scenario
  set -- "${@%/scenario}"
  set -- "${@#diagrams/}"
fi

# The program that the clients of a chapter talk to: its server, or, for a chapter
# that is itself a client, the first server of the ladder.
server_of() {
  local program=$build/traced/$1/server
  if [[ ! -e chapters/$1/server.c ]]; then
    program=$(printf '%s\n' "$build"/traced/*/server | head -n 1)
  fi
  printf '%s\n' "$program"
}

file=$(mktemp)
messages=$(mktemp)
trap 'rm -f "$file" "$messages"' EXIT
for chapter; do
  printf 'measuring %s\n' "$chapter"
  # What it finds wrong in a server, the chapter says itself: its messages matter when it fails.
  "$build/forkscope" trace -s "diagrams/$chapter/scenario" -o "$file" -- "$(server_of "$chapter")" 9000 \
    2>"$messages" || { cat "$messages" >&2 && exit 1; }
  mkdir -p "$out/$chapter"
  # A moment that the scenario no longer names leaves no picture behind.
  rm -f "$out/$chapter"/*.dot "$out/$chapter"/*.svg
  "$build/forkscope" draw -o "$out/$chapter" "$file"
done
