#!/usr/bin/env bash
# Show what changed from the chapter before NN to chapter NN: chapters/diff.sh NN
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

number=${1:?usage: chapters/diff.sh NN}
previous=
for source in chapters/[0-9]*/server.c; do
  if [[ $source == chapters/$number-* ]]; then
    if [[ -z $previous ]]; then
      printf '%s is the first server: there is nothing before it to compare with\n' "$source"
      exit 0
    fi
    colour=never
    if [[ -t 1 && -z ${NO_COLOR:-} ]]; then
      colour=always
    fi
    # diff says 1 for "they differ", which is what we are here for.
    diff --color="$colour" -u --label "$previous" --label "$source" "$previous" "$source" || (($? == 1))
    exit 0
  fi
  previous=$source
done
printf 'chapter %s has no server.c\n' "$number" >&2
exit 1
