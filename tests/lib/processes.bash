# tests/lib/processes.bash - what /proc says about processes and descriptors.
#
# Every function reads and changes nothing. A process that is gone is no error:
# it has no state, no children, no descriptors. Rests on proc(5).
#
# blocked_in must be called by the shell that started the process, not in $(...)
# or by run: where Yama protects /proc/PID/syscall, only an ancestor may read it.

# state_of PID: prints the state letter (R S D T Z ...), or "gone".
state_of() {
  local pid=$1 stat
  if { read -r stat <"/proc/$pid/stat"; } 2>/dev/null; then
    # The name in parentheses may hold anything; the state follows the last one.
    stat=${stat##*) }
    printf '%s\n' "${stat%% *}"
  else
    printf 'gone\n'
  fi
}

# is_in_state PID LETTERS: is its state one of LETTERS? "gone" counts as X.
is_in_state() {
  local pid=$1 letters=$2 state
  state=$(state_of "$pid")
  [[ $state == gone ]] && state=X
  [[ $letters == *"$state"* ]] || {
    printf 'process %s is in state %s, wanted one of %s\n' "$pid" "$state" "$letters"
    return 1
  }
}

# select_processes FIELD VALUE [STATES]: prints the pid of each process whose
# field is VALUE, by rising pid. FIELD: 4 for the parent, 6 for the session (the
# numbers of proc(5)). STATES: only those in one of these states.
select_processes() {
  # Not a loop in bash: bats traces every command of the shell, which is slow.
  cat /proc/[0-9]*/stat 2>/dev/null | awk -v field="$1" -v value="$2" -v states="${3-}" '
    {
      pid = $1
      sub(/.*\) /, "") # the name may hold anything, the fields after it do not
      if ($(field - 2) == value && (states == "" || index(states, $1))) print pid
    }' | sort -n
}

# children_of PID: its children, zombies included, one pid a line.
children_of() {
  select_processes 4 "$1"
}

# zombies_of PID: its children that have ended and were not waited for.
zombies_of() {
  select_processes 4 "$1" Z
}

# living_children_of PID: its children that have not ended.
living_children_of() {
  select_processes 4 "$1" RSDTt
}

# youngest_of PID: its living child that was born last: by its start, and within one clock tick by its
# number, unless the numbers have begun again in between.
youngest_of() {
  cat /proc/[0-9]*/stat 2>/dev/null | awk -v parent="$1" '
    {
      pid = $1
      sub(/.*\) /, "")
      if ($2 != parent || $1 == "Z" || $1 == "X") next
      apart = pid - youngest
      later = (apart > 0) == (apart < 16384 && apart > -16384)
      if (youngest == "" || $20 > start || ($20 == start && later)) { youngest = pid; start = $20 }
    }
    END { if (youngest != "") print youngest }'
}

# needs_own_numbers: skips the test where numbers of processes cannot be chosen. Sets OWN_NUMBERS, the words
# before a command that runs it where they can, by /proc/sys/kernel/ns_last_pid: pid_namespaces(7).
needs_own_numbers() {
  ((EUID == 0)) || skip 'only root can choose the next number of a process'
  OWN_NUMBERS=(unshare --pid --fork --mount-proc)
  "${OWN_NUMBERS[@]}" true 2>/dev/null || skip 'this machine permits no namespace of processes'
}

# needs_list_of_children: skips the test where the kernel does not list children in the order of their birth.
needs_list_of_children() {
  [[ -e /proc/thread-self/children ]] || skip 'this kernel does not list children by their birth'
}

# session_of PID: every process of the session that PID began, zombies included.
# It outlives its first process, and holds what that one left behind.
session_of() {
  select_processes 6 "$1"
}

# running_of PID: those of them that have not ended. An orphaned zombie is the
# business of process 1, which in a container may never wait for it.
running_of() {
  select_processes 6 "$1" RSDTt
}

# has_children PID COUNT: does it have exactly COUNT children, zombies included?
has_children() {
  local pid=$1 count=$2
  compare "children of $pid" "$count" "$(children_of "$pid" | wc -l)"
}

# has_zombies PID COUNT: does it have exactly COUNT zombies?
has_zombies() {
  local pid=$1 count=$2
  compare "zombies of $pid" "$count" "$(zombies_of "$pid" | wc -l)"
}

# has_living_children PID COUNT: does it have exactly COUNT children that run?
has_living_children() {
  local pid=$1 count=$2
  compare "living children of $pid" "$count" "$(living_children_of "$pid" | wc -l)"
}

# compare WHAT EXPECTED FOUND: 0 when equal, else one line that says so.
compare() {
  [[ $2 == "$3" ]] || {
    printf '%s: expected %s, found %s\n' "$1" "$2" "$3"
    return 1
  }
}

# descriptors_of PID...: prints "PID FD TARGET" of each open descriptor.
descriptors_of() {
  local pid
  for pid; do
    find "/proc/$pid/fd" -mindepth 1 -printf "$pid %f %l\n" 2>/dev/null | sort -n -k 2
  done
}

# socket_of PID FD: the inode of the socket that the descriptor refers to.
# Prints nothing when there is no such descriptor, or it is no socket.
socket_of() {
  local pid=$1 fd=$2
  descriptors_of "$pid" | sed -n "s/^$pid $fd socket:\[\([0-9]*\)\]\$/\1/p"
}

# holds_no_socket PID FD: is that descriptor closed, or no socket?
holds_no_socket() {
  compare "socket that descriptor $2 of $1 refers to" '' "$(socket_of "$1" "$2")"
}

# references_to INODE PID...: how many descriptors of these processes refer to
# the socket with this inode.
references_to() {
  local inode=$1
  shift
  descriptors_of "$@" | grep -c " socket:\[$inode\]\$" || true
}

# system_call_number NAME: its number on this machine, for /proc/PID/syscall.
system_call_number() {
  case $HOSTTYPE:$1 in
    x86_64:read) printf '0\n' ;;
    x86_64:accept) printf '43\n' ;;
    x86_64:sendto) printf '44\n' ;;
    x86_64:wait4) printf '61\n' ;;
    aarch64:read) printf '63\n' ;;
    aarch64:accept) printf '202\n' ;;
    aarch64:sendto) printf '206\n' ;;
    aarch64:wait4) printf '260\n' ;;
    *)
      printf 'system_call_number: %s on %s is not in the list\n' "$1" "$HOSTTYPE" >&2
      return 1
      ;;
  esac
}

# blocked_in PID CALL: does the process sleep inside this system call (accept,
# read, sendto, wait4)? A stopped one does not sleep.
blocked_in() {
  local pid=$1 call=$2 wanted line='' state
  wanted=$(system_call_number "$call") || return 1
  { read -r line <"/proc/$pid/syscall"; } 2>/dev/null || line=unreadable
  state=$(state_of "$pid")
  [[ $state == S && ${line%% *} == "$wanted" ]] || {
    printf 'process %s: expected asleep in %s (%s), found state %s in: %s\n' \
      "$pid" "$call" "$wanted" "$state" "$line"
    return 1
  }
}

# signal_set PID FIELD: a mask of /proc/PID/status as a decimal number. FIELD:
# SigCgt (has a handler), SigIgn, SigBlk, ShdPnd (pending for the process), SigPnd.
signal_set() {
  local pid=$1 field=$2 key value
  while read -r key value; do
    [[ $key == "$field:" ]] && printf '%d\n' "$((16#$value))"
  done <"/proc/$pid/status" 2>/dev/null
}

# has_signal PID FIELD NUMBER: is signal NUMBER (17 is SIGCHLD) in that mask?
has_signal() {
  local pid=$1 field=$2 number=$3 mask
  mask=$(signal_set "$pid" "$field")
  ((${mask:-0} >> (number - 1) & 1)) || {
    printf 'process %s: signal %s is not in %s\n' "$pid" "$number" "$field"
    return 1
  }
}

# is_settled PID: is it asleep in accept with no SIGCHLD left to handle? Then its
# handler has run for every child that ended before.
is_settled() {
  local pid=$1
  blocked_in "$pid" accept || return 1
  if has_signal "$pid" ShdPnd 17 >/dev/null; then
    printf 'process %s: SIGCHLD is pending\n' "$pid"
    return 1
  fi
}

# describe_process PID: one block for a failure message: state, system call,
# signals, descriptors.
describe_process() {
  local pid=$1 call=''
  { read -r call <"/proc/$pid/syscall"; } 2>/dev/null || call='?'
  printf 'process %s: state %s, system call %s\n' "$pid" "$(state_of "$pid")" "${call%% *}"
  descriptors_of "$pid" | sed 's/^[0-9]*/   descriptor/'
}
