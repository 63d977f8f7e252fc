#!/usr/bin/env bash
# The exercises that students get: solutions/ship.sh [--reset] [NN-slug...]
#
# chapters/NN-slug/exercise.c is solutions/NN-slug/exercise.c with all cut out that stands
# between BEGIN SOLUTION n and END SOLUTION n. Without --reset (make exercises): write it where
# it is missing or still as shipped; a file that somebody has changed is named and left alone,
# with status 1. With --reset (make reset-NN): put the changed file aside first, under a name
# that no file has.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

build=${FORKLAB_BUILD:-build}

# cut_out FILE: the program without the solutions. FILE -: standard input.
cut_out() {
  awk '
    function fail(what) {
      printf "%s:%d: %s\n", FILENAME, NR, what > "/dev/stderr"
      failed = 1
      exit 1
    }
    /^ *\/\* BEGIN SOLUTION [0-9]+ \*\/$/ {
      if (inside) fail("BEGIN SOLUTION inside of solution " inside)
      inside = $(NF - 1)
      next
    }
    /^ *\/\* END SOLUTION [0-9]+ \*\/$/ {
      if (inside != $(NF - 1)) fail("END SOLUTION " $(NF - 1) " without its beginning")
      inside = 0
      next
    }
    /(BEGIN|END) SOLUTION/ { fail("not a line of its own: /* BEGIN SOLUTION n */") }
    !inside
    END { if (!failed && inside) fail("solution " inside " has no end") }' "$1"
}

# is_as_shipped CHAPTER FILE: is it what this script made before? From the solution as it was
# committed, or from one since then, of which the copy under build tells.
is_as_shipped() {
  local chapter=$1 file=$2
  cmp -s "$file" "$build/exercises/$chapter.c" && return 0
  git show "HEAD:./solutions/$chapter/exercise.c" 2>/dev/null |
    cut_out - 2>/dev/null | cmp -s "$file" -
}

# put_aside FILE: copy it to FILE.kept-1, or -2, ...: sets kept to the first that is free.
put_aside() {
  local n=1
  # With noclobber the shell itself refuses a file that is there, however it came there.
  until (set -o noclobber && : >"$1.kept-$n") 2>/dev/null; do
    if [[ ! -e $1.kept-$n ]]; then
      printf '%s cannot be written: %s is left as it is\n' "$1.kept-$n" "$1" >&2
      exit 1
    fi
    n=$((n + 1))
  done
  kept=$1.kept-$n
  if ! cat "$1" >"$kept" 2>/dev/null || ! cmp -s "$1" "$kept"; then
    rm -f "$kept"
    printf '%s cannot be copied to %s: is the disk full? It is left as it is\n' "$1" "$kept" >&2
    exit 1
  fi
}

reset=false
if [[ ${1:-} == --reset ]]; then
  reset=true
  shift
fi
if (($# == 0)); then
  set -- solutions/[0-9]*/
  set -- "${@%/}"
  set -- "${@#solutions/}"
fi

mkdir -p "$build/exercises"
new=$(mktemp "$build/exercises/new.XXXXXX")
trap 'rm -f "$new"' EXIT
changed=0
for chapter; do
  solution=solutions/$chapter/exercise.c
  exercise=chapters/$chapter/exercise.c
  if [[ ! -e $solution ]]; then
    printf 'chapter %s has no exercise\n' "${chapter%%-*}" >&2
    exit 1
  fi
  cut_out "$solution" >"$new"
  if cmp -s "$new" "$exercise"; then
    $reset && printf '%s is as shipped\n' "$exercise"
  elif [[ ! -e $exercise ]]; then
    cat "$new" >"$exercise"
    printf '%s is new\n' "$exercise"
  elif $reset; then
    put_aside "$exercise"
    cat "$new" >"$exercise"
    printf 'your file:  %s\nas shipped: %s\n' "$kept" "$exercise"
  elif is_as_shipped "$chapter" "$exercise"; then
    cat "$new" >"$exercise"
    printf '%s is up to date again\n' "$exercise"
  else
    printf '%s has been changed and is left alone: make reset-%s puts it aside\n' \
      "$exercise" "${chapter%%-*}" >&2
    changed=1
    continue
  fi
  cat "$new" >"$build/exercises/$chapter.c"
done
((changed == 0))
