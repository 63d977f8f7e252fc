# tests/forkscope/trace.bash - trace programs, and look at the steps. To be loaded after
# lab.bash and scope.bash.
#
#   setup_file() { load ../lib/lab.bash; load trace.bash; build_traced; }
#   setup() { load ../lib/lab.bash; load scope.bash; load trace.bash; trace_setup; }
#   teardown() { trace_teardown; }

# jq has $names of its own; run sets status, output and stderr; tests read what is set here.
# shellcheck disable=SC2016,SC2034,SC2154

# What every jq filter on a whole trace may use: `steps`, `ending`, and from one step to the next.
TRACE_WORDS='
  def steps: .[] | select(.step);
  def ending: .[] | select(.end);
  def of($who): steps | select(.who == $who);
  def process($name): .processes[] | select(.name == $name);
  def words: "\(.who) \(.call)\(if .result == "" then "" else " = " + .result end)";
  # Where a step stands, innermost first: "on_sigchld:15 ← SIGCHLD ← main:54", library left out.
  def place: [.chain[] | select(.signal or .file >= 0)
              | if .signal then .function else "\(.function):\(.line)" end] | join(" ← ");
'

# build_traced [NAME]...: compile these programs of traced/, or all, as a student would, into
# TRACED, which anybody may read; and the helpers replay, generate and deny.
build_traced() {
  local -
  set +T
  local name names=("$@")
  TRACED=$BATS_FILE_TMPDIR/traced
  mkdir -p "$TRACED"
  if ((${#names[@]} == 0)); then
    for name in "$LAB_ROOT"/tests/forkscope/traced/*.c; do
      name=${name##*/}
      names+=("${name%.c}")
    done
  fi
  printf '%s\n' "${names[@]}" | xargs -P 2 -I {} "${CC:-cc}" -D_GNU_SOURCE -std=c11 -Wall -Wextra -Werror \
    -g -O0 -pthread -o "$TRACED/{}" "$LAB_ROOT/tests/forkscope/traced/{}.c"
  for name in replay generate deny; do
    "${CC:-cc}" -D_GNU_SOURCE -std=c11 -Wall -Wextra -Werror -O1 -g -o "$TRACED/$name" \
      "$LAB_ROOT/tests/forkscope/$name.c" -ljansson
  done
}

# build_chapters: compile the servers of all chapters for tracing: sets SERVERS, a directory with
# 01-single-client/server and so on.
build_chapters() {
  local -
  set +T
  local source
  SERVERS=$BATS_FILE_TMPDIR/servers
  for source in "$LAB_ROOT"/chapters/0[1-9]-*/server.c; do
    source=${source#"$LAB_ROOT"/chapters/}
    mkdir -p "$SERVERS/${source%/*}"
    printf '%s\n' "${source%/*}"
  done | xargs -P 2 -I {} "${CC:-cc}" -std=c11 -Wall -Wextra -g -O0 -o "$SERVERS/{}/server" \
    "$LAB_ROOT/chapters/{}/server.c"
}

trace_setup() {
  scope_setup
  TRACED=$BATS_FILE_TMPDIR/traced
  SERVERS=$BATS_FILE_TMPDIR/servers
  cd "$BATS_TEST_TMPDIR" || return
}

trace_teardown() {
  scope_teardown
}

# tell LINE...: write the scenario `play`.
tell() {
  printf '%s\n' "$@" >play
}

# trace [OPTION]... -- PROGRAM [ARG]...: trace it into the file `trace`; it must succeed.
# Sets FINDINGS to what was said on standard error.
trace() {
  local -
  untraced
  scope trace -o trace "$@"
  FINDINGS=$stderr
  if [[ $status != 0 ]]; then
    assert_is "exit status of forkscope trace $*, which said: $stderr" 0 "$status"
    return 1
  fi
}

# trace_chapter NUMBER [OPTION]...: trace that chapter's server with its own scenario.
trace_chapter() {
  local -
  untraced
  chapter "$1"
  shift
  trace -s "$LAB_ROOT/diagrams/$CHAPTER/scenario" "$@" -- "$SERVERS/$CHAPTER/server" 9000
}

# steps FILTER: what jq makes of the trace as one array, a raw line for each result.
steps() {
  jq -rs "$TRACE_WORDS $1" trace
}

# steps_are WHAT FILTER EXPECTED-LINE...: fails unless steps FILTER prints these lines.
steps_are() {
  local -
  untraced
  local what=$1 filter=$2 expected found
  shift 2
  printf -v expected '%s\n' "$@"
  (($# > 0)) || expected=''
  found=$(steps "$filter" 2>&1 && printf x) || true
  assert_is "$what" "${expected}x" "$found" || {
    printf 'steps:\n'
    steps 'steps | "\(.step) \(.kind) \(words)   \(place)"' | head -n 100
    return 1
  }
}

# agrees: the independent model, moved on by the calls alone, has measured the same.
agrees() {
  local -
  untraced
  local said
  said=$("$TRACED/replay" <trace 2>&1) && return 0
  printf 'the model differs: %s\nsteps:\n' "$said"
  steps 'steps | "\(.step) \(.kind) \(words)"' | head -n 100
  return 1
}

# line_of FILE TEXT: the number of the first line of a traced program that has TEXT.
line_of() {
  grep -nF -m 1 -- "$2" "$LAB_ROOT/tests/forkscope/traced/$1" | cut -d : -f 1
}
