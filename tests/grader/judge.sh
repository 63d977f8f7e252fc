#!/usr/bin/env bash
# Does the grader say the right thing of a program? tests/grader/judge.sh FILE...
#
# FILE: tests/mutants/NN-slug/NAME.c, a wrong program; its first line names the test that it must
# fail, and it must fail no other. Or tests/variants/NN-slug/NAME.c, a right program, which must get
# all points. A failure has to say why, what was expected and found, and where to read. One line a
# file, "right FILE" or "wrong FILE", the second with what was expected and found. Exit status: 0 when
# all are right. Needs what make programs makes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

(($# > 0)) || {
  printf 'usage: tests/grader/judge.sh FILE...\n' >&2
  exit 2
}

# Only a test that fails ever waits so long.
export FORKLAB_DEADLINE=${FORKLAB_DEADLINE:-5}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
result=0
for file; do
  chapter=${file%/*}
  chapter=${chapter##*/}
  expected=$(sed -n '1s|^/\* must fail: \(.*\) \*/$|\1|p' "$file")
  # Fewer points is what is wanted of most, so the status says nothing.
  rm -f "$work/json"
  tests/grading/check --quiet --seed "${SEED:-1}" --json "$work/json" "${chapter%%-*}" "$file" \
    2>"$work/errors" </dev/null || true
  if [[ ! -s $work/json ]]; then
    printf 'wrong %s\n  not graded: %s\n' "$file" "$(head -n 1 "$work/errors")"
    result=1
    continue
  fi
  found=$(jq -r '[.tests[] | select(.status == "failed").name] | join(" + ")' "$work/json")
  # A right program is judged to the end: nothing may be "not run".
  if [[ -z $expected ]]; then
    found+=$(jq -r '.tests[] | select(.status == "not-run") | " + not run: " + .name' "$work/json")
  fi
  # Of a failure a student is told everything, in our own words.
  found+=$(jq -r '.tests[] | select(.status == "failed") |
    select(["^why: ", "\nexpected: ", "\nfound: ", "\nevidence:", "\nread: "] as $words | .output as $said |
      all($words[]; . as $word | $said | test($word)) | not) | " + not explained: " + .name' "$work/json")
  if [[ $found == "$expected" ]]; then
    printf 'right %s\n' "$file"
  else
    printf 'wrong %s\n  must fail: %s\n  fails:     %s\n' "$file" "${expected:-nothing}" "${found:-nothing}"
    jq -r '.tests[] | select(.status == "failed") | "  \(.name):", (.output | split("\n")[] | "    " + .)' "$work/json"
    result=1
  fi
done
exit "$result"
