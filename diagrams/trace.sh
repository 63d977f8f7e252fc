#!/usr/bin/env bash
# Trace a program with a chapter's clients, and make the page: diagrams/trace.sh NN-slug SOURCE
#
# SOURCE is compiled as forkscope wants it, with debug information and unoptimised, to
# build/traced/NN-slug/NAME; beside it come NAME.trace and the page, page.html of the chapter's
# own server and NAME.html of any other. What goes wrong in the program is told, and the steps
# up to there are shown all the same. Needs build/forkscope and Graphviz.
set -euo pipefail

chapter=${1:?usage: diagrams/trace.sh NN-slug SOURCE}
source=${2:?usage: diagrams/trace.sh NN-slug SOURCE}
build=${FORKLAB_BUILD:-build}
cc=${CC:-cc}

if [[ ! -r $source ]]; then
  printf 'there is no program %s to trace\n' "$source" >&2
  exit 1
fi
name=$(basename "$source" .c)
out=$build/traced/$chapter
page=$out/$name.html
[[ $source -ef chapters/$chapter/server.c ]] && page=$out/page.html
mkdir -p "$out"
rm -f "$out/$name" "$out/$name.trace" "$page"

"$cc" -Wall -Wextra -g -O0 -pthread -o "$out/$name" "$source"
status=0
"$build/forkscope" trace -s "diagrams/$chapter/scenario" -o "$out/$name.trace" -- "$out/$name" 9000 ||
  status=$?
# The first line is the header: steps come after it.
steps=$(grep -c '^{"step":' "$out/$name.trace" || true)
((steps > 0)) || exit "$((status > 0 ? status : 1))"
"$build/forkscope" page -o "$page" "$out/$name.trace"
printf '%d steps, on the page %s\n' "$steps" "$page"
printf 'open it in a browser: file://%s\n' "$(realpath "$page")"
exit "$status"
