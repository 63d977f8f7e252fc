# tests/lib/wait.bash - conditions with a deadline, and failures that explain.
#
# No test sleeps for a fixed time. What it waits for is a command; its last
# output tells what was found instead. DEADLINE (seconds) is generous, since it
# is only ever reached by a test that fails; FORKLAB_DEADLINE overrides it.

DEADLINE=${FORKLAB_DEADLINE:-10}

# untraced: bats notes every command by a DEBUG trap, which costs more than the
# commands. A function that says `local -` and then this is left out, with all
# that it calls; in a failure bats names the line of the test that called it.
untraced() {
  set +T
}

# breathe: let 10 ms pass, without starting a process (sleep(1) would be one).
breathe() {
  # A pipe that nobody writes into: the read always ends by its time limit.
  if [[ -z ${BREATH_FD-} ]]; then
    mkfifo "$BATS_TEST_TMPDIR/breath"
    exec {BREATH_FD}<>"$BATS_TEST_TMPDIR/breath"
  fi
  read -r -t 0.01 -u "$BREATH_FD" || true
}

# now_ms: sets NOW to the milliseconds since the machine started, a clock that nobody sets. It advances in
# steps of 10.
now_ms() {
  local up rest
  read -r up rest </proc/uptime
  NOW=$((10#${up/./} * 10))
}

# wait_until DESCRIPTION COMMAND [WORD]...: run COMMAND again and again until it
# succeeds. When the deadline comes first: say what was waited for and what
# COMMAND printed last, show the processes, and return 1.
wait_until() {
  local -
  untraced
  poll_until "$@"
}

poll_until() {
  local description=$1 NOW end said=$BATS_TEST_TMPDIR/said
  shift
  now_ms
  end=$((NOW + DEADLINE * 1000))
  until "$@" >"$said" 2>&1; do
    now_ms
    if ((NOW >= end)); then
      printf 'timed out after %s s: %s\n' "$DEADLINE" "$description"
      printf 'command:  %s\nfound:    %s\n' "$*" "$(<"$said")"
      context
      return 1
    fi
    breathe
  done
}

# assert_is WHAT EXPECTED FOUND: fails with both values and the processes.
assert_is() {
  local -
  untraced
  local what=$1 expected=$2 found=$3
  [[ $expected == "$found" ]] && return 0
  printf '%s\nexpected: %s\nfound:    %s\n' "$what" "$expected" "$found"
  context
  return 1
}

# assert_holds COMMAND [WORD]...: the condition holds now, without waiting.
assert_holds() {
  local -
  untraced
  local said=$BATS_TEST_TMPDIR/said
  "$@" >"$said" 2>&1 && return 0
  printf 'does not hold: %s\nfound:    %s\n' "$*" "$(<"$said")"
  context
  return 1
}
