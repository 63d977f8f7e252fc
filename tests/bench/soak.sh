#!/usr/bin/env bash
# tests/bench/soak.sh - chapter 09's server, and a million clients of four kinds.
#
#   make soak             COUNT=1000000, WORKERS=16 at a time
#
# Ends with one line. Status 0 when no client failed, and no child, descriptor or
# zombie is left; while it runs, a line tells how far it is.

set -euo pipefail
cd "${BASH_SOURCE[0]%/*}/../.."
BUILD=${BUILD:-build}
mkdir -p "$BUILD/bench"
log=$BUILD/bench/soak.log
mkfifo "$log.ready.$$"
trap 'rm -f "$log.ready.$$"' EXIT

# The first line tells the port; the others go to the log, which is kept.
program=("$BUILD"/chapters/09-*/server)
"${program[0]}" 0 >"$log.ready.$$" &
server=$!
trap 'rm -f "$log.ready.$$"; kill -KILL "$server" 2>/dev/null || true' EXIT
exec 7<"$log.ready.$$"
read -r -u 7 line
cat <&7 >"$log" &
exec 7<&-

status=0
"$BUILD/tests/load" soak "${line##* }" "${COUNT:-1000000}" "${WORKERS:-16}" "$server" || status=1

# The end is part of it: stop as one would, and count what the log says.
kill -TERM "$server"
wait "$server" || status=1
trap 'rm -f "$log.ready.$$"' EXIT
wait
removed=$(grep -c '^remove proc id' "$log")
if ((removed != ${COUNT:-1000000})); then
  printf 'soak: %d children removed, not %d\n' "$removed" "${COUNT:-1000000}"
  status=1
fi
exit "$status"
