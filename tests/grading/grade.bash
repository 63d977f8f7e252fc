# tests/grading/grade.bash - judge an untrusted submission from outside.
#
#   setup_file() { load grade.bash; grade_compile; }
#   setup() { load grade.bash; grade_setup; }
#   teardown() { grade_teardown; }
#
# SUBMISSION (a C file; default: the exercise of the chapter) is compiled once, in the
# sandbox, and each test runs it in a sandbox of its own. The tests are outside: they
# are its clients, and look at its processes in /proc. Nothing it prints is ever taken
# for a result.
#
# A test says why it matters, what is expected and where to read, and then acts; whatever
# fails adds what was found and the evidence. What cannot be judged, because the
# program does not compile or does not listen, is skipped as "not run: ...".
#
# Random bytes, ports and numbers come from SEED, which every failure names.

# shellcheck disable=SC2034,SC2119,SC2120 # most of what is set here is for the tests to read

# bats notes every command by a DEBUG trap, which costs more than the commands. Here it notes those of the
# test itself: a failure of the script names the line of the test, and `check` shows our own words anyway.
set +T

# How long a client waits for its next byte, and a test, twice as long, for a state of the processes. Only a test
# that fails ever waits so long, and only where something may still come, so it does not matter that this is generous.
FORKLAB_DEADLINE=${FORKLAB_DEADLINE:-8}
# shellcheck source=tests/lib/lab.bash
source "${BASH_SOURCE[0]%/*}/../lib/lab.bash"

SANDBOX=$FORKLAB_BUILD/tests/sandbox
FORKSCOPE=$FORKLAB_BUILD/forkscope

# grade_run: sets GRADE_RUN, where this run keeps its files. `check` names it, so that it can
# read them afterwards.
grade_run() {
  GRADE_RUN=${GRADE_RUN:-$BATS_FILE_TMPDIR}
  SEED=${SEED:-1}
  local slug=${BATS_TEST_FILENAME##*/}
  GRADE_CHAPTER=${slug%.bats}
  SUBMISSION=${SUBMISSION:-$LAB_ROOT/chapters/$GRADE_CHAPTER/exercise.c}
}

# in_sandbox: the words that start a sandbox. UNSANDBOXED=1: limits only.
in_sandbox() {
  SANDBOX_WORDS=("$SANDBOX" run)
  [[ ${UNSANDBOXED-} != 1 ]] || SANDBOX_WORDS+=(-u)
}

# note_lost STATUS: 3, and something was lost for which there was no room: there is no verdict. The file `whole`
# goes then, since to remove one needs no room.
note_lost() {
  (($1 != 3)) || rm -f "$GRADE_RUN/whole"
}

# grade_compile: compile the submission, once a file. What comes of it is judged by the first test.
grade_compile() {
  grade_run
  in_sandbox
  local source=$SUBMISSION compiler=${CC:-cc} place=/tmp/exercise.c out=/tmp/program script status=0
  if [[ ! -f $source || ! -r $source ]]; then
    printf 'there is no file %s that can be read\n' "$source" >"$GRADE_RUN/warnings"
    printf 'it does not compile\n' >"$GRADE_RUN/not-run"
    return 0
  fi
  if [[ ${UNSANDBOXED-} == 1 ]]; then
    mkdir -p "$GRADE_RUN/unsandboxed"
    chmod 777 "$GRADE_RUN/unsandboxed"
    place=$GRADE_RUN/unsandboxed/exercise.c
    out=$GRADE_RUN/unsandboxed/program
    install -m 644 "$source" "$place"
  fi
  # The program leaves the sandbox through standard output: nothing out here is writable.
  # shellcheck disable=SC2016 # expanded inside
  script='cd "${1%/*}" && "$0" -std=c11 -Wall -Wextra -g -pthread -o "$2" "${1##*/}" && cat "$2"'
  "${SANDBOX_WORDS[@]}" -b "$source:$place" -r "$GRADE_RUN/compile" -o "$GRADE_RUN/program" \
    -e "$GRADE_RUN/compiler" -f 8000 -k 8000 -c 5 -t 40 -M 1024 \
    -- /bin/sh -c "$script" "$compiler" "$place" "$out" 2>"$GRADE_RUN/trouble" </dev/null || status=$?
  note_lost "$status"
  ((status != 3)) || return 1
  keep_limits "$GRADE_RUN/compile"
  if [[ -z $ENDED && ! -s $GRADE_RUN/limits ]]; then
    printf '%s\n' "$(cat "$GRADE_RUN/compiler" "$GRADE_RUN/trouble" 2>/dev/null | clean | head -n 1)" \
      'the sandbox does not start' | grep -m 1 . >"$GRADE_RUN/no-sandbox"
    return 1
  fi
  chmod 755 "$GRADE_RUN/program"
  if [[ -s $GRADE_RUN/compiler ]]; then
    # How much memory the compiler had by then is another number each time.
    head -c 65536 "$GRADE_RUN/compiler" | clean | sed 's/ after a total of [0-9]* bytes$//' >"$GRADE_RUN/warnings"
  fi
  if [[ $ENDED != 'exit 0' ]]; then
    sed -n 's/^limit \(.*\)/the compiler reached the limit on its \1/p' "$GRADE_RUN/compile" >>"$GRADE_RUN/warnings"
    cat "$GRADE_RUN/trouble" >>"$GRADE_RUN/warnings"
    printf 'it does not compile\n' >"$GRADE_RUN/not-run" || note_lost 3
  fi
}

# clean: text of a stranger, made fit to print: printable ASCII, lines of 160 characters.
clean() {
  LC_ALL=C tr -c '\12\40-\176' '?' | LC_ALL=C cut -c 1-160
}

# grade_setup: to be called by setup.
grade_setup() {
  STARTED=() LABELS=() ALLOWED=() BOXES=()
  CLIENTS_PID='' SERVER='' INIT='' SERVER_PARENT='' SERVER_INSIDE=''
  WHY='' EXPECTED='' FOUND='' READ='' DECIDES=''
  DEADLINE=$FORKLAB_DEADLINE
  grade_run
  in_sandbox
  # Each test its own port, which tells nobody what test it is, and its own bytes. The kernel chooses none of
  # these ports.
  PORT=$((5000 + (SEED * 577 + BATS_TEST_NUMBER * 611) % 4999))
  # None reads the same in the other byte order: who forgets htons shall be found.
  ((PORT / 256 != PORT % 256)) || PORT=$((PORT + 1))
  BYTES=$((SEED * 100 + BATS_TEST_NUMBER))
  if ((BATS_TEST_NUMBER > 1)) && [[ -s $GRADE_RUN/not-run ]]; then
    skip "not run: $(<"$GRADE_RUN/not-run")"
  fi
}

# ---- what a test says ----

# why TEXT: why what is tested matters.
why() { WHY=$1; }

# expected TEXT: what should be seen next.
expected() { EXPECTED=$1; }

# read_on SECTION [NUMBER]: the section of a chapter's README that explains it.
read_on() {
  READ="chapter ${2:-${GRADE_CHAPTER%%-*}}, \"$1\""
}

# decides NAME REASON: when this test fails from here on, the tests that depend on NAME cannot be judged, for
# REASON. decides '': from here on not any more.
decides() {
  DECIDES=$1
  REASON=${2-}
}

# depends NAME...: a test that decides one of them has failed: this one is not run.
depends() {
  local name
  for name; do
    [[ ! -s $GRADE_RUN/undecided.$name ]] || skip "not run: $(<"$GRADE_RUN/undecided.$name")"
  done
}

# fails FOUND: the test fails; tell the student everything.
fails() {
  FOUND=$1
  [[ -z $DECIDES ]] || printf '%s\n' "$REASON" >"$GRADE_RUN/undecided.$DECIDES" || note_lost 3
  printf 'why:      %s\nexpected: %s\nfound:    %s\n' "$WHY" "$EXPECTED" "$FOUND"
  printf 'evidence:\n'
  evidence | sed 's/^/   /'
  printf 'read:     %s\nseed:     %s\n' "$READ" "$SEED"
  return 1
}

# is WHAT EXPECTED FOUND: two values are the same.
is() {
  [[ $2 == "$3" ]] || fails "$1: $3 (not $2)"
}

# at_most WHAT MOST FOUND
at_most() {
  (($3 <= $2)) || fails "$1: $3 (at most $2)"
}

# evidence: the processes, descriptors and references now, and what the program said.
evidence() {
  local pid box alive
  if ((${#BOXES[@]} == 0)); then
    head -n 40 "$GRADE_RUN/warnings"
    return 0
  fi
  for box in "${BOXES[@]}"; do
    sed -n -e 's/^ended exit \(.*\)/the program has ended with exit status \1/p' \
      -e 's/^ended signal \(.*\)/the program was ended by signal \1/p' \
      -e 's/^limit \(.*\)/it reached the limit on its \1/p' "$box.report"
  done
  mapfile -t alive < <([[ -z $INIT ]] || "$SANDBOX" look "$INIT" "$PORT" |
    awk -v init="$INIT" '$1 == "process" && $3 == init { print $2 }' | head -n 4)
  for pid in "${alive[@]}"; do
    # The last process may end in this moment, and is then no evidence.
    "$FORKSCOPE" snapshot "$pid" 2>/dev/null | head -n 40 || true
  done
  for box in "${BOXES[@]}"; do
    said "stdout" "$box.out"
    said "stderr" "$box.err"
  done
}

# said WHAT FILE: the last lines that the program wrote there.
said() {
  [[ -s $2 ]] || return 0
  printf 'its last lines on %s:\n' "$1"
  tail -c 2000 "$2" | clean | tail -n 5 | sed 's/^/   | /'
}

# ---- the program ----

# launch [OPTION]... [-- WORD]...: start the program in a new sandbox; see sandbox --help for
# the options. WORD: its arguments instead of PORT. Sets BOX, the stem of its files.
launch() {
  local options=() words=("$PORT") program=/server
  while (($# > 0)) && [[ $1 != -- ]]; do
    options+=("$1")
    shift
  done
  (($# == 0)) || words=("${@:2}")
  BOX=$GRADE_RUN/$BATS_TEST_NUMBER.${#BOXES[@]}
  BOXES+=("$BOX")
  [[ ! -e $BOX.report ]] || rm -f "$BOX".*
  if [[ ${UNSANDBOXED-} == 1 ]]; then
    program=$GRADE_RUN/unsandboxed/program
  else
    options+=(-b "$GRADE_RUN/program:/server")
  fi
  start "the program" "${SANDBOX_WORDS[@]}" -r "$BOX.report" -o "$BOX.out" -e "$BOX.err" \
    "${options[@]}" -- "$program" "${words[@]}" || return 1
  BOX_PID=$PID
}

# serve [OPTION]...: launch, and wait until someone inside listens on PORT and all sleep: a server may do much
# after it has begun to listen, become a daemon, say, or make its children. Sets SERVER, the eldest process
# that holds the listening socket, and RESTING, the number of processes without a client.
serve() {
  # Where this very thing was judged and found wrong, nothing behind it can be judged.
  depends listening echoing
  launch "$@" || return 1
  # Who never sleeps is taken as it is by then: its processor time is limited.
  if inside listening; then
    inside rest || true
  fi
  if [[ -z $LISTENER ]]; then
    fails "$(not_listening)"
    return 1
  fi
  SERVER=$LISTENER
  RESTING=$ALIVE
  SERVER_PARENT=${PARENT[$SERVER]}
  pid_inside "$SERVER"
}

# pid_inside PID: sets SERVER_INSIDE to the number that the process has inside the sandbox.
pid_inside() {
  local status
  { status=$(<"/proc/$1/status"); } 2>/dev/null || status=''
  SERVER_INSIDE=''
  [[ ! $status =~ NSpid:[^$'\n']*[[:blank:]]([0-9]+) ]] || SERVER_INSIDE=${BASH_REMATCH[1]}
}

# not_listening: why, for a student.
not_listening() {
  local line port first last
  line=$(sed -n 's/^ended exit \(.*\)/it has ended with exit status \1/p; s/^ended signal \(.*\)/it was ended by signal \1/p' "$BOX.report")
  if [[ -n $line ]]; then
    printf '%s, and does not listen on port %s' "$line" "$PORT"
  elif ((${#LISTENING[@]} > 0)); then
    port=${LISTENING[0]%% *}
    read -r first last </proc/sys/net/ipv4/ip_local_port_range
    if ((port >= first && port <= last)); then
      printf 'it listens on port %s, which the kernel has chosen, not on %s' "$port" "$PORT"
    else
      printf 'it listens on port %s, not on %s' "$port" "$PORT"
    fi
  else
    printf 'nobody listens on port %s' "$PORT"
  fi
}

# inside CONDITION [SECONDS]: wait until it holds of the processes in the sandbox (sandbox --help), and
# note how they are: see note_census. Returns 1 when it does not come true; LATE says why.
inside() {
  local seen=$GRADE_RUN/seen result=0
  "$SANDBOX" wait "$BOX.report" "$PORT" "${2:-$((DEADLINE * 2))}" "$1" >"$seen" || result=$?
  note_lost "$result"
  note_census "$seen"
  return "$result"
}

# nothing_comes SECONDS: wait until everything has ended, or all sleep and no clock wakes them: nothing more comes by
# itself. Fails when that is not so after SECONDS.
nothing_comes() {
  inside over "$1" || [[ $LATE == 'nothing can move any more' ]]
}

# look: how the processes in the sandbox are now.
look() {
  local result=0
  "$SANDBOX" look "$INIT" "$PORT" >"$GRADE_RUN/seen" || result=$?
  note_lost "$result"
  ((result == 0)) || return "$result"
  note_census "$GRADE_RUN/seen"
}

# note_census FILE: sets INIT (process 1 of the sandbox), LISTENER (who listens), ALIVE and ZOMBIES
# (counts), PROCESSES (pids), LISTENING ("PORT INODE loopback|anywhere"), and for each pid
# PARENT, STATE, THREADS, TICKS (processor time), HOLDS (descriptors of the listening
# socket), SOCKETS and DESCRIPTORS (counts).
note_census() {
  local what first rest words
  LISTENER='' ALIVE=0 ZOMBIES=0 PROCESSES=() LISTENING=() LATE=''
  declare -gA PARENT=() STATE=() THREADS=() TICKS=() HOLDS=() SOCKETS=() DESCRIPTORS=()
  while read -r what first rest; do
    case $what in
      late) LATE="$first $rest" ;;
      init) INIT=$first ;;
      listening) LISTENING+=("$first $rest") ;;
      server) LISTENER=$first ;;
      alive) ALIVE=$first ;;
      zombies) ZOMBIES=$first ;;
      process)
        read -ra words <<<"$rest"
        PROCESSES+=("$first")
        PARENT[$first]=${words[0]}
        STATE[$first]=${words[1]}
        THREADS[$first]=${words[2]}
        TICKS[$first]=${words[3]}
        HOLDS[$first]=${words[4]}
        SOCKETS[$first]=${words[5]}
        DESCRIPTORS[$first]=${words[6]}
        ;;
    esac
  done <"$1"
}

# reaches CONDITION FOUND: inside, or the test fails. FOUND may use $ALIVE, $ZOMBIES as they are then.
reaches() {
  inside "$1" && return 0
  fails "$(found_instead "$1")"
}

# found_instead CONDITION: what the condition is about, as it is.
found_instead() {
  case $1 in
    zombies*) printf 'zombies: %s' "$ZOMBIES" ;;
    alive*) printf 'processes that live: %s (%s without a client)' "$ALIVE" "$RESTING" ;;
    over) printf 'the program still runs' ;;
    gone*) printf 'the process still runs' ;;
    idle*) printf 'it uses the processor: %s' "$LATE" ;;
    stopped*)
      # One that is sent the signal in its last moment does not stop any more.
      if lives "${1##*=}"; then
        printf 'the process is not stopped'
      else
        printf 'SIGSTOP cannot be sent: the process has ended'
      fi
      ;;
    *) printf '%s' "$LATE" ;;
  esac
}

# signals NAME PID: send it the signal. That it has ended is the submission's failure.
signals() {
  kill "-$1" "$2" 2>/dev/null || fails "SIG$1 cannot be sent: the process has ended"
}

# ends: wait until the program has ended: what was launched, and SERVER, which is another process where the
# program became a daemon. Sets ENDED to how SERVER did: "exit N" or "signal N".
ends() {
  local NOW end
  now_ms
  end=$((NOW + DEADLINE * 1000))
  until has_ended; do
    now_ms
    if ((NOW >= end)) || { nothing_comes $(((end - NOW) / 1000 + 1)) && ! has_ended; }; then
      fails 'it still runs'
      return 1
    fi
    breathe
  done
}

# has_ended: has the program ended? Sets ENDED as far as that is known.
has_ended() {
  local launched
  launched=$(sed -n 's/^ended //p' "$BOX.report")
  ENDED=$(sed -n "s/^left ${SERVER_INSIDE:-none} //p" "$BOX.report")
  [[ -n $launched ]] || return 1
  [[ -z $ENDED ]] || return 0
  # Process 1 tells how its children ended. Of a server whose parent waits for it that parent tells.
  if lives "$SERVER" || [[ -n $SERVER_INSIDE && $SERVER_PARENT == "$INIT" ]]; then
    return 1
  fi
  ENDED=$launched
}

# lives PID: has the process not ended?
lives() {
  ! is_in_state "$1" ZX >/dev/null
}

# ---- clients ----

# client COMMAND [WORD]...: as in lab.bash, but a failure is the submission's.
client() {
  if ! ask "$@"; then
    fails 'the clients of the grader do not answer'
    return 1
  fi
  if [[ $ANSWER != ok && $ANSWER != 'ok '* ]]; then
    fails "client ${ANSWER#error }"
    return 1
  fi
  ANSWER=${ANSWER#ok}
  ANSWER=${ANSWER# }
}

# take_answer: as in lab.bash, but a program that sleeps, and that no clock wakes, answers now or never. The
# clients are told so, and wait no longer.
take_answer() {
  local hurry part result=0 reports=("${BOXES[@]/%/.report}")
  read -r -t 0.5 -u "$CLIENTS_OUT" ANSWER && return 0
  part=$ANSWER
  "$SANDBOX" hurry "$CLIENTS_PID" "${reports[@]}" </dev/null >/dev/null 2>&1 3>&- &
  hurry=$!
  read -r -t "$((DEADLINE * 12))" -u "$CLIENTS_OUT" ANSWER || result=1
  ANSWER=$part$ANSWER
  # SIGKILL: any other may be ignored since before this shell was started.
  kill -KILL "$hurry" 2>/dev/null || true
  wait "$hurry" 2>/dev/null || true
  return "$result"
}

# joins NAME: connect and be served: its greeting comes back.
joins() {
  client connect "$1" "$PORT" && CLIENT_PORT=$ANSWER && client echo "$1" 'hello\n'
}

# unanswered NAME: the client gets nothing, and would not if it waited longer: the program sleeps until something
# happens, or has slept for a while and has not thought better of it.
unanswered() {
  inside in-vain || true
  client no-eof "$1" 1
}

# ---- the end ----

# keep_limits REPORT: note the limits that were reached. Sets LAST, the report's last line, and ENDED,
# "exit N" or "signal N", as the program has, or nothing.
keep_limits() {
  local line
  LAST='' ENDED=''
  [[ -e $1 ]] || return 0
  while read -r line; do
    LAST=$line
    [[ $line != 'ended '* ]] || ENDED=${line#ended }
    [[ $line != 'limit '* ]] || printf '%s\n' "${line#limit }" >>"$GRADE_RUN/limits"
  done <"$1"
}

# context: lab.bash prints it when a wait of its own is late.
context() { :; }

# grade_teardown: end everything that the submission started; nothing may be left of it.
grade_teardown() {
  local i box result=0
  for ((i = ${#STARTED[@]} - 1; i >= 0; i--)); do
    # The clients are one process. The sandbox ends everything inside of it, and says that it has.
    if [[ ${LABELS[i]} == clients ]]; then
      kill -KILL "${STARTED[i]}" 2>/dev/null || true
    else
      kill -TERM "${STARTED[i]}" 2>/dev/null || true
    fi
    { wait "${STARTED[i]}" || note_lost "$?"; } 2>/dev/null
  done
  for box in "${BOXES[@]}"; do
    keep_limits "$box.report"
    if [[ $LAST != over ]]; then
      printf 'the sandbox %s is not over\n' "${box##*/}"
      result=1
    fi
  done
  return "$result"
}

# ---- tests that every chapter has ----

# compiles: the first test of each chapter.
compiles() {
  why 'a program that does not compile cannot be judged'
  expected 'the compiler makes a program of it'
  read_on 'Run' 01
  [[ -s $GRADE_RUN/not-run ]] || return 0
  fails 'the compiler says no'
}

# listens: the second one.
listens() {
  why 'clients find a server by its port'
  expected "someone listens on port $PORT, the first argument"
  read_on 'Investigate' 01
  decides listening 'it does not listen on its port'
  serve
}

# echoes: binary, with NUL bytes, longer than any buffer, sent while reading; one byte at a
# time; and no line end.
echoes() {
  why 'bytes are not text: there are NUL bytes, no line ends, and more of them than fit any buffer'
  expected 'exactly the bytes that were sent come back'
  read_on 'Investigate' 01
  serve
  # A short word first: where not even that comes back, nothing else can be judged.
  decides echoing 'it does not send anything back'
  joins a
  decides ''
  # The same once more, which is told from what came before by nothing but its coming.
  client echo a 'hello\n'
  client exchange a 100 "$BYTES" 1
  client exchange a 3000000 "$BYTES"
}

# prints COUNT LINE...: the program has printed each of these lines, exactly so often.
prints() {
  local line
  # Who would print once too often has done so when nobody moves any more.
  inside settled || true
  for line in "${@:2}"; do
    has_printed -xF "$line" "$1"
  done
}

# prints_like COUNT PATTERN: the same for lines that match (grep -E).
prints_like() {
  inside settled || true
  has_printed -xE "$2" "$1"
}

# has_printed HOW LINE COUNT
has_printed() {
  local how=$1 line=$2 count=$3 found NOW start end
  now_ms
  start=$NOW end=$((NOW + DEADLINE * 1000))
  # What was printed may still be on its way to the file.
  until found=$(grep -ac "$how" -e "$line" "$BOX.out" || true) && ((found >= count)); do
    now_ms
    ((NOW < end)) || break
    if ((NOW - start >= 300)) && nothing_comes $(((end - NOW) / 1000 + 1)); then
      end=0
    fi
    breathe
  done
  is "times \"$line\" was printed" "$count" "$found"
}
