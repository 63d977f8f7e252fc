#!/usr/bin/env bash
# One hint for an exercise, the next one each time: solutions/hint.sh [--again] NN
#
# The hints stand in solutions/NN-slug/hints, with a blank line between two of them; lines that
# begin with # are not shown. Which was shown last is kept under build. --again begins anew.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

again=false
if [[ ${1:-} == --again ]]; then
  again=true
  shift
fi
number=${1:?usage: solutions/hint.sh [--again] NN}
file=$(compgen -G "solutions/$number-*/hints" | head -n 1 || true)
if [[ -z $file ]]; then
  printf 'chapter %s has no exercise, and so no hints\n' "$number" >&2
  exit 1
fi
state=${FORKLAB_BUILD:-build}/hints/$number
mkdir -p "${state%/*}"

# Each hint on one line of its own; where it is shown it is wrapped again.
mapfile -t hints < <(
  awk '
    /^#/ { next }
    /^$/ { if (text != "") print text; text = ""; next }
    { text = text (text == "" ? "" : " ") $0 }
    END { if (text != "") print text }' "$file"
)

shown=0
if ! $again && [[ -e $state ]]; then
  read -r shown <"$state" || true
  # The file is only a number of ours; whatever else is in it counts as none.
  [[ $shown =~ ^[0-9]{1,3}$ ]] || shown=0
fi
if ((shown >= ${#hints[@]})); then
  printf 'you have seen all %d hints; make hint-%s AGAIN=1 begins anew\n' "${#hints[@]}" "$number"
  exit 0
fi
printf 'hint %d of %d\n' $((shown + 1)) "${#hints[@]}"
printf '%s\n' "${hints[shown]}" | fold -s -w 78 | sed 's/ *$//'
printf '%d\n' $((shown + 1)) >"$state"
