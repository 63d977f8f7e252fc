# tests/lib/lab.bash - start the lab's programs in a test, talk to them, end them.
#
#   setup() { load ../lib/lab.bash; lab_setup; }
#   teardown() { lab_teardown; }
#
# Everything that is started runs in a session of its own, with no descriptor
# above 2 (bats leaks its own into children) and with default signals. It is
# recorded, and teardown ends exactly what was recorded: by session, so that
# children whose parent was killed are found too. Call these functions from the
# test itself, not in $(...) and not by run: they set variables.
#
# FORKLAB_BUILD: where the programs are. REPEAT: how often long trials repeat. LAB_ROOT: the lab, from
# whoever knows it already (to find it starts a process).

# shellcheck disable=SC2034 # most of what is set here is for the tests to read

LAB_ROOT=${LAB_ROOT:-$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)}
FORKLAB_BUILD=${FORKLAB_BUILD:-$LAB_ROOT/build}
REPEAT=${REPEAT:-1}

# shellcheck source=tests/lib/wait.bash
source "${BASH_SOURCE[0]%/*}/wait.bash"
# shellcheck source=tests/lib/processes.bash
source "${BASH_SOURCE[0]%/*}/processes.bash"
# shellcheck source=tests/lib/sockets.bash
source "${BASH_SOURCE[0]%/*}/sockets.bash"

# lab_setup: to be called by setup.
lab_setup() {
  bats_load_library bats-support
  bats_load_library bats-assert
  STARTED=() # sessions, in the order of starting
  LABELS=()  # what each is
  ALLOWED=() # what each may have written on stderr
  CLIENTS_PID=''
  CHAPTERS=()
  local source
  for source in "$LAB_ROOT"/chapters/0[1-8]-*/server.c; do
    source=${source%/server.c}
    CHAPTERS+=("${source##*/}")
  done
}

# chapter NUMBER: sets CHAPTER to its directory's name, 03 -> 03-naive-fork.
chapter() {
  local found=("$LAB_ROOT/chapters/$1"-*)
  CHAPTER=${found[0]##*/}
}

# ---- programs ----

# start LABEL [-n FILES] [-i INPUT] [-o OUTPUT] COMMAND [WORD]...: run COMMAND
# in the background. INPUT and OUTPUT: files or fifos, else /dev/null and a file
# of its own. FILES: the limit on open descriptors.
# Sets PID, OUTPUT and ERRORS (the files of its stdout and stderr).
start() {
  local -
  untraced
  local label=$1 files='' input=/dev/null option OPTIND=1
  shift
  OUTPUT=$BATS_TEST_TMPDIR/${#STARTED[@]}.out
  ERRORS=$BATS_TEST_TMPDIR/${#STARTED[@]}.err
  while getopts n:i:o: option; do
    case $option in
      n) files=$OPTARG ;;
      i) input=$OPTARG ;;
      o) OUTPUT=$OPTARG ;;
      *) return 2 ;;
    esac
  done
  shift $((OPTIND - 1))
  if ! command -v "$1" >/dev/null; then
    printf 'start: there is no program %s: has the lab been compiled?\n' "$1"
    return 1
  fi
  : >"$ERRORS"
  [[ -p $OUTPUT ]] || : >"$OUTPUT"
  (
    trap - EXIT ERR DEBUG
    set +eET
    # Close before opening anything: a fifo that blocks shall hold nothing of bats.
    for fd in /proc/self/fd/*; do
      fd=${fd##*/}
      ((fd <= 2)) || exec {fd}>&-
    done
    exec <"$input" >"$OUTPUT" 2>"$ERRORS"
    [[ -z $files ]] || ulimit -n "$files"
    # A background command of a shell ignores SIGINT and SIGQUIT: undo that.
    exec setsid env --default-signal "$@"
  ) &
  PID=$!
  STARTED+=("$PID")
  LABELS+=("$label")
  ALLOWED+=('')
}

# occupy_processors: start a loop for each of them that does nothing but run, until teardown. What runs
# beside them is late, at any place. More loops would only slow the other tests down.
occupy_processors() {
  local -
  untraced
  local i
  for ((i = $(nproc); i > 0; i--)); do
    start 'busy loop' /bin/sh -c 'while :; do :; done'
  done
}

# wait_for_end PID: wait until the program, one that start started, has ended.
# Sets STATUS to its exit status (128 + n: ended by signal n).
wait_for_end() {
  local -
  untraced
  local pid=$1
  wait_until "process $pid ends" is_in_state "$pid" ZX || return 1
  STATUS=0
  wait "$pid" || STATUS=$?
}

# stop PID: SIGSTOP, and wait until it is stopped, since that takes a moment.
stop() {
  local -
  untraced
  local pid=$1
  kill -STOP "$pid"
  wait_until "process $pid is stopped" is_in_state "$pid" T
}

# resume PID: SIGCONT.
resume() {
  kill -CONT "$1"
}

# end_session PID: kill the program and everything it has left behind, and wait
# until it is gone. Nothing to kill is no error.
end_session() {
  local -
  untraced
  local pid=$1
  # Stopped ones too: SIGKILL needs no SIGCONT. The group is the session here.
  kill -KILL -- "-$pid" 2>/dev/null || true
  # In braces, so that the shell's own "Killed" is hidden too.
  { wait "$pid" || true; } 2>/dev/null
  wait_until "nothing of $pid is left" has_nothing_running "$pid"
}

# has_nothing_running PID: has every process of the session ended?
has_nothing_running() {
  local left
  left=$(running_of "$1")
  [[ -z $left ]] || {
    printf 'still there: %s\n' "${left//$'\n'/ }"
    return 1
  }
}

# ---- servers ----

# start_server NUMBER [-n FILES] [-o OUTPUT] [PORT]: start the chapter's server,
# on a free port or on PORT, and wait until it says that it listens.
# Sets SERVER (its pid), PORT, OUTPUT, ERRORS.
start_server() {
  local -
  untraced
  local number=$1 options=() option OPTIND=1
  shift
  while getopts n:o: option; do
    options+=("-$option" "$OPTARG")
  done
  shift $((OPTIND - 1))
  chapter "$number"
  start "server $number" "${options[@]}" "$FORKLAB_BUILD/chapters/$CHAPTER/server" "${1:-0}" ||
    return 1
  SERVER=$PID
  [[ -p $OUTPUT ]] && return 0
  wait_until "server $number listens" has_line "$OUTPUT" 'listening on port [0-9]+' || return 1
  read -r PORT <"$OUTPUT"
  PORT=${PORT##* }
}

# build_handler NUMBER: compile tests/chapters/handler.c around the chapter's
# server, to $BATS_TEST_TMPDIR/handler.
build_handler() {
  local -
  untraced
  chapter "$1"
  run "${CC:-cc}" -std=c11 -Wall -Wextra -Werror -g -I "$LAB_ROOT/chapters/$CHAPTER" \
    -o "$BATS_TEST_TMPDIR/handler" "$LAB_ROOT/tests/chapters/handler.c"
  assert_success
}

# start_handler NUMBER: build_handler, and start it as the server. Sets what
# start_server sets.
start_handler() {
  local -
  untraced
  build_handler "$1" || return 1
  start "handler $1" "$BATS_TEST_TMPDIR/handler" serve 0 || return 1
  SERVER=$PID
  wait_until 'the server listens' has_line "$OUTPUT" 'listening on port [0-9]+' || return 1
  PORT=$(sed -n 's/listening on port //p' "$OUTPUT")
}

# stop_server: end the server that was started last, with all its children.
stop_server() {
  end_session "$SERVER"
}

# has_line FILE PATTERN: is there a whole line that matches (grep -E)?
has_line() {
  grep -qxE -- "$2" "$1" || {
    printf 'no line "%s" in: %s\n' "$2" "$(<"$1")"
    return 1
  }
}

# has_lines FILE PATTERN COUNT: are there exactly COUNT such lines?
has_lines() {
  compare "lines \"$2\"" "$3" "$(grep -cxE -- "$2" "$1")"
}

# removed: the pids that the server has printed as removed, by rising pid.
removed() {
  sed -n 's/^remove proc id //p' "$OUTPUT" | sort -n
}

# assert_output_is FILE LINE...: the file holds these lines and nothing else.
assert_output_is() {
  local file=$1 expected
  shift
  printf -v expected '%s\n' "$@"
  (($# > 0)) || expected=''
  # The x keeps the newlines at the end, which $(...) would cut off.
  assert_is "the text of ${file##*/}" "${expected}x" "$(cat "$file" && printf x)"
}

# allow_errors PID TEXT: the program is expected to have written exactly TEXT
# (one line) on stderr. Checked at once and at teardown.
allow_errors() {
  local pid=$1 text=$2 i
  for i in "${!STARTED[@]}"; do
    [[ ${STARTED[i]} == "$pid" ]] && ALLOWED[i]=$text
  done
  assert_output_is "$ERRORS" "$text"
}

# references INODE: descriptors that refer to the socket, in all processes of
# the server's session.
references() {
  local inode=$1 pids
  mapfile -t pids < <(session_of "$SERVER")
  references_to "$inode" "${pids[@]}"
}

# has_references INODE COUNT
has_references() {
  compare "descriptors that refer to socket $1" "$2" "$(references "$1")"
}

# newest_child: sets CHILD to the living child of the server that was born last.
newest_child() {
  local -
  untraced
  CHILD=$(youngest_of "$SERVER")
  [[ -n $CHILD ]]
}

# ---- clients ----

# client COMMAND [WORD]...: tell tests/lib/clients.c to do it. Sets ANSWER to
# what stands behind "ok". An "error" answer fails the test.
client() {
  local -
  untraced
  ask "$@" || return 1
  if [[ $ANSWER != ok && $ANSWER != 'ok '* ]]; then
    printf 'client %s\nfound:    %s\n' "$*" "$ANSWER"
    context
    return 1
  fi
  ANSWER=${ANSWER#ok}
  ANSWER=${ANSWER# }
}

# client_refuses COMMAND [WORD]...: it must answer with an error. Sets ANSWER to it.
client_refuses() {
  local -
  untraced
  ask "$@" || return 1
  if [[ $ANSWER != 'error '* ]]; then
    printf 'client %s\nexpected: an error\nfound:    %s\n' "$*" "$ANSWER"
    context
    return 1
  fi
}

# ask COMMAND [WORD]...: one line to the clients, one line back into ANSWER.
ask() {
  [[ -n $CLIENTS_PID ]] || start_clients || return 1
  # Writing to a program that has ended would end this shell by SIGPIPE.
  if ! is_in_state "$CLIENTS_PID" RSDT; then
    return 1
  fi
  printf '%s\n' "$*" >&"$CLIENTS_IN"
  if ! take_answer; then
    printf 'client %s\nfound:    no answer\n' "$*"
    context
    return 1
  fi
}

# take_answer: sets ANSWER to the line that comes back, unless none does.
take_answer() {
  # Whatever the command's own deadlines add up to, the answer comes before this.
  read -r -t "$((DEADLINE * 12))" -u "$CLIENTS_OUT" ANSWER
}

# start_clients: done by the first client command.
start_clients() {
  local saved=("${OUTPUT-}" "${ERRORS-}") fifo=$BATS_TEST_TMPDIR/clients
  mkfifo "$fifo.in" "$fifo.out"
  start clients -i "$fifo.in" -o "$fifo.out" "$FORKLAB_BUILD/tests/clients" \
    "$((DEADLINE * 1000))" || return 1
  CLIENTS_PID=$PID
  exec {CLIENTS_IN}>"$fifo.in"
  exec {CLIENTS_OUT}<"$fifo.out"
  OUTPUT=${saved[0]}
  ERRORS=${saved[1]}
}

# join NAME: connect a client to the server. Sets CLIENT_PORT.
join() {
  client connect "$1" "$PORT" && CLIENT_PORT=$ANSWER
}

# join_served NAME: connect, and be served: hence its child, if the server forks,
# has come to its echo loop. Sets CLIENT_PORT, and CHILD to that child.
join_served() {
  local -
  untraced
  join "$1" && client echo "$1" 'are you there?\n' || return 1
  newest_child || CHILD=''
}

# leave NAME TOTAL: the client closes; wait until its server process has said so,
# as the TOTALth that has.
leave() {
  local -
  untraced
  client close "$1" || return 1
  wait_until "the server tells that client $1 has left" \
    has_lines "$OUTPUT" 'client disconnected\.\.\.' "$2"
}

# fill NAME SEED PID: send without reading, until PID, the process that echoes to
# this client, sleeps in send because nobody takes its bytes.
fill() {
  local -
  untraced
  wait_until "process $3 sleeps in send" push_until_blocked "$@"
}

push_until_blocked() {
  client push "$1" "$2" && blocked_in "$3" sendto
}

# lose_together NAME COUNT: stop the parent, let the COUNT clients NAME1.. leave,
# wait until all their children have ended, and let the parent go on. Hence one
# pending SIGCHLD stands for all of them, in every run.
lose_together() {
  local -
  untraced
  local name=$1 count=$2 before
  stop "$SERVER" || return 1
  before=$(zombies_of "$SERVER" | wc -l)
  client close-many "$name" || return 1
  assert_is "clients that left" "$count" "$ANSWER" || return 1
  wait_until "$count more children have ended" has_zombies "$SERVER" $((before + count)) || return 1
  resume "$SERVER"
  wait_until 'the server is back in accept, no signal pending' is_settled "$SERVER"
}

# ---- the end ----

# context: what a failure message shows: every program, its text, its processes.
context() {
  local i pid file
  for i in "${!STARTED[@]}"; do
    file=$BATS_TEST_TMPDIR/$i
    printf -- '--- %s, started as %s\n' "${LABELS[i]}" "${STARTED[i]}"
    [[ -f $file.out ]] && sed 's/^/   stdout: /' "$file.out" | head -n 40
    [[ -f $file.err ]] && sed 's/^/   stderr: /' "$file.err" | head -n 40
    [[ ${LABELS[i]} == clients ]] && continue
    for pid in $(session_of "${STARTED[i]}" | head -n 20); do
      describe_process "$pid"
    done
  done
}

# lab_teardown: end what was started; fail when something wrote on stderr what no
# test allowed (a sanitizer's report, say), or when something is left running.
lab_teardown() {
  local -
  untraced
  local i result=0
  # Backwards: the end of a server would make its clients write on stderr.
  for ((i = ${#STARTED[@]} - 1; i >= 0; i--)); do
    end_session "${STARTED[i]}" || result=1
  done
  for i in "${!STARTED[@]}"; do
    if [[ "$(<"$BATS_TEST_TMPDIR/$i.err")" != "${ALLOWED[i]}" ]]; then
      printf 'stderr of %s\nexpected: %s\nfound:    %s\n' "${LABELS[i]}" "${ALLOWED[i]:-nothing}" \
        "$(<"$BATS_TEST_TMPDIR/$i.err")"
      result=1
    fi
  done
  return "$result"
}
