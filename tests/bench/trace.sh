#!/usr/bin/env bash
# tests/bench/trace.sh - what a trace costs, beside the bare run and beside strace.
#
#   make bench            rounds: ROUNDS=5; output: build/bench/trace.md
#
# One program, a server with its clients in it, runs bare, under `forkscope trace`, under `strace -f`
# and under `strace -f -k` (which also unwinds), all in every round, one after the other. What
# counts is the ratio to the bare run of the same round: medians, lowest and highest.
set -euo pipefail
cd "${BASH_SOURCE[0]%/*}/../.."
BUILD=${BUILD:-build}
OUT=$PWD/$BUILD/bench
ROUNDS=${ROUNDS:-5}
CLIENTS=${CLIENTS:-20}
WAYS=(bare trace strace unwound)
declare -A TITLE=(
  [bare]='bare' [trace]='forkscope trace' [strace]='strace -f' [unwound]='strace -f -k'
)

mkdir -p "$OUT"
if ! command -v strace >/dev/null; then
  printf 'bench: installing strace\n'
  sudo=()
  ((EUID == 0)) || sudo=(sudo)
  "${sudo[@]}" apt-get install -y --no-install-recommends strace >"$OUT/install.log" 2>&1 || {
    printf 'bench: that failed, see %s; by hand: sudo apt-get install strace\n' "$OUT/install.log" >&2
    exit 1
  }
fi
"${CC:-cc}" -D_GNU_SOURCE -std=c11 -g -O0 -o "$OUT/rounds" tests/forkscope/traced/rounds.c

# run WAY: the program, COUNT times in a row, in that way.
run() {
  case $1 in
    bare) "$OUT/rounds" "$CLIENTS" ;;
    trace) "$BUILD/forkscope" trace --max-steps 1000000 -o "$OUT/rounds.trace" -- "$OUT/rounds" "$CLIENTS" 2>/dev/null ;;
    strace) strace -f -o "$OUT/rounds.strace" "$OUT/rounds" "$CLIENTS" ;;
    unwound) strace -f -k -o "$OUT/rounds.unwound" "$OUT/rounds" "$CLIENTS" ;;
  esac
}

# A bare run is short: several of them are timed, and divided.
declare -A TIMES=([bare]=50 [trace]=1 [strace]=5 [unwound]=1)

for ((round = 1; round <= ROUNDS; round++)); do
  printf 'round %d of %d\n' "$round" "$ROUNDS" >&2
  for way in "${WAYS[@]}"; do
    begin=${EPOCHREALTIME/[.,]/}
    for ((i = 0; i < TIMES[$way]; i++)); do
      run "$way" </dev/null >/dev/null
    done
    end=${EPOCHREALTIME/[.,]/}
    printf '%s %s %s\n' "$round" "$way" $(((end - begin) / TIMES[$way]))
  done
done >"$OUT/trace.txt"

steps=$(grep -c '"step":' "$OUT/rounds.trace")
{
  printf 'One server with %s clients, %s steps; %s rounds. Lowest and highest ratio in brackets.\n\n' \
    "$CLIENTS" "$steps" "$ROUNDS"
  printf '| way | milliseconds | times the bare run | milliseconds a step |\n| --- | --- | --- | --- |\n'
  for way in "${WAYS[@]}"; do
    awk -v way="$way" -v title="${TITLE[$way]}" -v steps="$steps" '
      $2 == "bare" { bare[$1] = $3 }
      $2 == way { time[++n] = $3; ratio[n] = $3 / bare[$1] }
      function median(list, count,    i, k, x) {
        for (i = 2; i <= count; i++)
          for (k = i; k > 1 && list[k] < list[k - 1]; k--) { x = list[k]; list[k] = list[k - 1]; list[k - 1] = x }
        return list[int((count + 1) / 2)]
      }
      END {
        m = median(time, n); r = median(ratio, n)
        printf "| %s | %.1f | %.1f (%.1f–%.1f) | %s |\n", title, m / 1000, r, ratio[1], ratio[n],
          way == "trace" ? sprintf("%.2f", m / 1000 / steps) : "–"
      }' "$OUT/trace.txt"
  done
} | tee "$OUT/trace.md"
