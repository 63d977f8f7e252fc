#!/usr/bin/env bash
# Run the tests: tests/run.sh [FILE.bats...]
#
# Without arguments: every test that takes no more than a few seconds. ALL=1: also those tagged `long`, and
# then chapters and forkscope once more as built with AddressSanitizer and UBSan. With files: all that is
# in them, as with ALL=1.
# JOBS (default: three for each processor) files at a time, or tests where FILE is one; REPEAT (default 1)
# multiplies the long repetitions. The last line counts.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

build=$(realpath -m "${FORKLAB_BUILD:-build}")
# A test waits for much of its time, so three for each processor; more only make each other late.
jobs=${JOBS:-$((3 * $(nproc)))}
export REPEAT=${REPEAT:-1} ALL=${ALL:-0}
(($# == 0)) || ALL=1
chosen=()
[[ $ALL == 1 ]] || chosen=(--filter-tags '!long')
# One locale for every tool: what is a letter and what comes first is the same everywhere.
export LC_ALL=C.UTF-8
# Every process a test starts inherits this, so that one left over is found at the end.
export FORKLAB_RUN=$$.$RANDOM

# The tests get a network of their own where that is permitted: no port is taken there, and
# nobody else's connections fill the kernel's tables.
network=()
if unshare --net true 2>/dev/null; then
  # shellcheck disable=SC2016 # expanded by the inner shell
  network=(unshare --net -- sh -c 'ip link set lo up && exec "$@"' sh)
fi

out=$(mktemp)
trap 'rm -f "$out"' EXIT

# A build and its tests: run_with BUILD SETTING FILE... with one setting for make
run_with() {
  local dir=$1 setting=$2 within=(--no-parallelize-within-files)
  shift 2
  # Where the tests of a file are run beside each other, bats looks only once a second whether one more may start.
  if ((jobs == 1)) || { (($# == 1)) && [[ -f $1 ]]; }; then
    within=()
  fi
  printf '# built with %s\n' "$setting" | tee -a "$out"
  make --silent --jobs="$jobs" BUILD="$dir" "$setting" programs
  # Afterwards there is no network to fetch them from. What fails here fails again there, with its reason.
  [[ $* != *tests/page* ]] || tests/page/modules.sh "$dir/page" >/dev/null || true
  # bats says with its status what the lines say too: they are counted below.
  FORKLAB_BUILD=$dir "${network[@]}" bats --tap --timing --jobs "$jobs" "${within[@]}" "${chosen[@]}" "$@" </dev/null |
    tee -a "$out" || true
}

# Processes of this run that are still there: "PID COMMAND" lines.
left_over() {
  local environ pid
  for environ in /proc/[0-9]*/environ; do
    pid=${environ//[!0-9]/}
    # environ is what a program was started with, so this shell does not find itself.
    if grep -qz "^FORKLAB_RUN=$FORKLAB_RUN$" "$environ" 2>/dev/null; then
      printf '%s %s\n' "$pid" "$(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null)"
    fi
  done
}

if (($# > 0)); then
  run_with "$build" WARNINGS= "$@"
else
  # The files that take longest come first, so that none is left to the end alone.
  run_with "$build" WARNINGS=-Werror tests/grader tests/chapters tests/page tests/forkscope tests/lab
  [[ $ALL != 1 ]] || run_with "$build/sanitized" \
    'CFLAGS=-g -Werror -fsanitize=address,undefined -fno-sanitize-recover=all' \
    tests/chapters tests/forkscope
fi

passed=$(grep -c '^ok ' "$out" || true)
failed=$(grep -c '^not ok ' "$out" || true)
skipped=$(grep -Ec '^ok .* # skip' "$out" || true)
planned=$(awk '/^1[.][.][0-9]+$/ { sum += substr($0, 4) } END { print sum + 0 }' "$out")
# What fails in a teardown_file is one more than was planned.
if ((passed + failed < planned)); then
  printf 'only %d of %d tests ran to their end\n' $((passed + failed)) "$planned" >&2
  failed=$((failed + planned - passed - failed))
fi
rest=$(left_over)
if [[ -n $rest ]]; then
  printf 'left running:\n%s\n' "$rest" >&2
  failed=$((failed + 1))
fi
# Each failed test once more, where it is not to be searched for: its name, and what it said first.
awk '
  /^# built with / { built = $0 }
  /^(not )?ok / { said = 0 }
  /^not ok / { print (count++ ? "" : "what failed:\n") $0 " (" substr(built, 3) ")"; said = 12 }
  /^#/ && said > 0 { print "  " $0; said-- }' "$out" >&2
printf '%d passed, %d failed, %d skipped\n' $((passed - skipped)) "$failed" "$skipped"
((failed == 0 && planned > 0))
