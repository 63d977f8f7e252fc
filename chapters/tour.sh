#!/usr/bin/env bash
# Walk the ladder: chapters/tour.sh (called by make tour)
#
# For each chapter: what is new, what to look for, the run with real clients and the
# measured tables, and what is still wrong. Waits for Enter on a terminal only.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

build=${FORKLAB_BUILD:-build}
bold='' plain=''
if [[ -t 1 && -z ${NO_COLOR:-} ]]; then
  bold=$'\033[1m' plain=$'\033[0m'
fi

# One field of the comment that heads a program, on one line: header_field FILE 'New here'
header_field() {
  awk -v field="$2:" '
    index($0, " * " field) == 1 { text = substr($0, 4 + length(field)); next }
    text != "" && /^ \*     / { text = text " " substr($0, 4); next }
    text != "" { exit }
    END { gsub(/ +/, " ", text); sub(/^ /, "", text); print text }
  ' "$1"
}

# Text behind a bold label, wrapped to the width of a terminal.
say() {
  local label=$1 text=$2
  printf '%s: %s\n' "$label" "$text" | fold -s -w 78 | sed -e 's/ *$//' -e "1s/^$label:/$bold&$plain/"
}

# What to do next, also for those who leave before the end.
goodbye() {
  trap - EXIT
  cat <<'END'

Next: see it with your own hands, in three terminals.
  make run-03     the server that leaks
  make watch-03   its processes, descriptors and references, live
  make client     a client; Ctrl-D sends end of file
Then read chapters/00-client/README.md, and predict before you run.
END
}

pause=()
if [[ -t 0 && -t 1 ]]; then
  pause=(--pause)
fi

printf '%sforklab: what fork does to sockets%s\n' "$bold" "$plain"
printf '%s\n' 'Each stage runs now, on this machine. The tables are measured in its kernel.' \
  'P is the server, C1 and C2 are its children, A and B the clients.' \
  'refs: how many descriptors refer to a socket. 3 in P and 3 in C1 count as two.' \
  'Each stage has a network of its own here, so port 9000 need not be free.'
trap goodbye EXIT

for folder in chapters/[0-9]*/; do
  folder=${folder%/}
  chapter=${folder#chapters/}
  scenario=diagrams/$chapter/scenario
  [[ -e $scenario ]] || continue
  source=$folder/server.c program=$build/chapters/$chapter/server
  if [[ ! -e $source ]]; then
    source=$folder/client.c
    program=$(printf '%s\n' "$build"/chapters/*/server | head -n 1)
  fi
  printf '\n%s== %s ==%s\n' "$bold" "$chapter" "$plain"
  say 'New here' "$(header_field "$source" 'New here')"
  "$build/forkscope" run --tell "${pause[@]}" -s "$scenario" -- "$program" 9000
  printf '\n'
  say 'Still wrong' "$(header_field "$source" 'Still wrong')"
done
