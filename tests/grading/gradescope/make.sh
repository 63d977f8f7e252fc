#!/usr/bin/env bash
# Make the autograder that Gradescope takes: tests/grading/gradescope/make.sh
#
# Writes build/gradescope/autograder.zip. CHAPTERS="03": only these (default: all). The solutions
# do not go with it: students' programs run where it is unpacked.
set -euo pipefail

root=$(cd "${BASH_SOURCE[0]%/*}/../../.." && pwd)
build=$(realpath -m "${FORKLAB_BUILD:-$root/build}")
chapters=${CHAPTERS-}
for number in $chapters; do
  if [[ ! $number =~ ^[0-9][0-9]$ ]] || ! compgen -G "$root/tests/grading/$number-*.bats" >/dev/null; then
    printf "gradescope: chapter '%s' has no grading script\n" "$number" >&2
    exit 2
  fi
done

out=$build/gradescope
rm -rf "$out"
mkdir -p "$out/source/forklab"
cp "$root"/tests/grading/gradescope/{setup.sh,run_autograder} "$out/source"
printf '%s\n' "$chapters" >"$out/source/chapters"
tar -C "$root" -cf - Makefile LICENSE chapters diagrams/forkscope tests/grading tests/classes tests/lib |
  tar -C "$out/source/forklab" -xf -
# What is graded is the student's; what is shipped must not stand in for it.
rm -f "$out"/source/forklab/chapters/*/exercise.c
(cd "$out/source" && zip -qr -X ../autograder.zip .)
rm -rf "$out/source"
printf 'autograder: %s\nupload it in the settings of the assignment, as "Configure Autograder"\n' "$out/autograder.zip"
