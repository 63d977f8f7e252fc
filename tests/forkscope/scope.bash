# tests/forkscope/scope.bash - run forkscope on programs of known shape, and look
# at what it says. To be loaded after tests/lib/lab.bash.
#
#   setup_file() { load ../lib/lab.bash; load scope.bash; build_shapes; }
#   setup() { load ../lib/lab.bash; load scope.bash; scope_setup; }
#   teardown() { scope_teardown; }

# jq has $names of its own; run sets status, output and stderr; tests read what is set here.
# shellcheck disable=SC2016,SC2034,SC2154

FORKSCOPE=$FORKLAB_BUILD/forkscope

# What every jq filter below may use: a process by its name, and what one of its
# descriptors refers to.
JQ_WORDS='
  def process($name): .processes[] | select(.name == $name);
  def fd($name; $fd):
    (process($name).descriptors[] | select(.fd == $fd).object) as $object
    | .objects[] | select(.name == $object);
'

# build_shapes: compile shapes.c and deny.c, for setup_file. Sets SHAPES_DIR, which
# is open to everybody, since some tests run as another user.
build_shapes() {
  local name
  for name in shapes deny; do
    "${CC:-cc}" -D_GNU_SOURCE -std=c11 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror \
      -O1 -g -pthread -o "$BATS_FILE_TMPDIR/$name" "$LAB_ROOT/tests/forkscope/$name.c"
  done
}

# scope_setup: to be called by setup.
scope_setup() {
  lab_setup
  SHAPES=$BATS_FILE_TMPDIR/shapes
  DENY=$BATS_FILE_TMPDIR/deny
  # What forkscope starts has this in its environment, however far it runs away.
  MARK=SCOPE_MARK=$BATS_TEST_TMPDIR
}

# scope_teardown: to be called by teardown. Fails when forkscope has left a process
# behind, and ends it, even where forkscope itself has crashed.
scope_teardown() {
  local -
  untraced
  local left pid result=0
  left=$(marked)
  for pid in $left; do
    kill -KILL "$pid" 2>/dev/null || true
  done
  lab_teardown || result=1
  if [[ -n $left ]]; then
    printf 'forkscope has left processes behind: %s\n' "${left//$'\n'/ }"
    result=1
  fi
  return "$result"
}

# marked: prints the pid of each living process that was started with MARK.
marked() {
  grep -lzxF -- "$MARK" /proc/[0-9]*/environ 2>/dev/null | tr -cd '0-9\n'
}

# bare COMMAND [WORD]...: become COMMAND, with no descriptor above 2.
bare() {
  local fd
  for fd in /proc/self/fd/*; do
    fd=${fd##*/}
    ((fd <= 2)) || exec {fd}>&-
  done
  exec "$@"
}

# scope WORD...: run forkscope to its end, or for 60 s. Sets status, output and
# stderr as bats' run does.
scope() {
  local -
  untraced
  local i # run sets it
  run --separate-stderr bare timeout -k 5 60 env "$MARK" "$FORKSCOPE" "$@"
}

# scope_says STATUS STDERR WORD...: run forkscope; it must end with STATUS, print
# nothing on stdout and exactly STDERR on stderr.
scope_says() {
  local -
  untraced
  local expected_status=$1 expected=$2
  shift 2
  scope "$@"
  assert_is "exit status of forkscope $*" "$expected_status" "$status" &&
    assert_is "stderr of forkscope $*" "$expected" "$stderr" &&
    assert_is "stdout of forkscope $*" '' "$output"
}

# take_snapshot PID: sets JSON to what snapshot --json says.
take_snapshot() {
  local -
  untraced
  scope snapshot --json "$1"
  assert_is "stderr of forkscope snapshot" '' "$stderr" &&
    assert_is "exit status of forkscope snapshot" 0 "$status" || return 1
  JSON=$output
}

# pick FILTER: what jq makes of JSON with FILTER, one compact line for each result.
pick() {
  jq -c "$JQ_WORDS $1" <<<"$JSON"
}

# json_is WHAT EXPECTED FILTER: fails unless pick FILTER prints EXPECTED.
json_is() {
  local -
  untraced
  local found
  found=$(pick "$3" 2>&1) || true
  assert_is "$1" "$2" "$found" || {
    printf 'in:       %s\n' "$JSON"
    return 1
  }
}

# start_shape MODE [ARGUMENT]...: start shapes, wait until it is set up. Sets SHAPE.
start_shape() {
  local -
  untraced
  start "shapes $1" "$SHAPES" "$@" || return 1
  SHAPE=$PID
  wait_until "shapes $1 is ready" has_line "$OUTPUT" 'ready|listening on port [0-9]+'
  # Its children may be on their way. The parent by vfork sleeps otherwise.
  [[ $1 == vfork ]] || wait_until "all processes of shapes $1 sleep" all_sleep "$SHAPE"
}

# all_sleep PID: do it and all its descendants sleep, or have they ended? Seen twice: one that was
# born during the first look is there in the second.
all_sleep() {
  is_in_state "$1" SZ &&
    compare 'processes that do not sleep' '' "$(tree_of "$1" RDTt)" &&
    compare 'processes that do not sleep' '' "$(tree_of "$1" RDTt)"
}

# tree_of PID [STATES]: prints PID and all its descendants, by their parents alone; of them those in
# one of these states.
tree_of() {
  cat /proc/[0-9]*/stat 2>/dev/null | awk -v root="$1" -v states="${2-}" '
    {
      pid = $1
      sub(/.*\) /, "")
      state[pid] = $1
      parent[pid] = $2
    }
    END {
      if (!(root in parent) && states == "") print root
      for (pid in parent) {
        for (at = pid; at in parent && at != root; at = parent[at]) continue
        if (at == root && (states == "" || index(states, state[pid]))) print pid
      }
    }' | sort -n
}

# The pairs of process and descriptor that refer to a socket, told in four ways,
# each as sorted lines "PID FD INODE".

# pairs_of_proc PID...: by the links in /proc/PID/fd.
pairs_of_proc() {
  descriptors_of "$@" | sed -n 's/ socket:\[\([0-9]*\)\]$/ \1/p' | sort
}

# pairs_of_lsof PORT PID...: by lsof. Only TCP sockets with that local port.
pairs_of_lsof() {
  local port=$1 pids
  shift
  printf -v pids ',%s' "$@"
  lsof -nP -a -p "${pids#,}" -i "TCP:$port" -F pfd 2>/dev/null | awk '
    /^p/ { pid = substr($0, 2) }
    /^f/ { fd = substr($0, 2) }
    /^d/ { print pid, fd, substr($0, 2) }' | sort
}

# pairs_of_ss PORT: by ss; the clients' ends have another local port.
pairs_of_ss() {
  ss -Htanpe "sport = :$1" | awk '
    {
      if (!match($0, /ino:[0-9]+/)) next
      inode = substr($0, RSTART + 4, RLENGTH - 4)
      while (match($0, /pid=[0-9]+,fd=[0-9]+/)) {
        split(substr($0, RSTART + 4, RLENGTH - 4), part, /,fd=/)
        print part[1], part[2], inode
        $0 = substr($0, RSTART + RLENGTH)
      }
    }' | sort
}

# pairs_of_json: by forkscope, from JSON.
pairs_of_json() {
  pick '(.objects | map({(.name): .}) | add) as $object | .processes[] | .pid as $pid
        | .descriptors[] | select($object[.object].kind | test("^(listening|connection|socket)$"))
        | "\($pid) \(.fd) \($object[.object].inode)"' | tr -d '"' | sort
}

# counts_are_true: is the refs of every object in JSON the number of descriptors
# in JSON that name it?
counts_are_true() {
  json_is 'objects whose refs differ from the descriptors that name them' '[]' '
    [.processes[].descriptors[].object] as $named
    | [.objects[] | select(.refs != (.name as $name | [$named[] | select(. == $name)] | length))]'
}

# needs_kcmp: skip where this user may not ask kcmp. Yama allows it for descendants
# only, and then forkscope can but infer.
needs_kcmp() {
  local scope=0
  if [[ -r /proc/sys/kernel/yama/ptrace_scope ]]; then
    scope=$(</proc/sys/kernel/yama/ptrace_scope)
  fi
  ((EUID == 0 || scope == 0)) || skip 'Yama allows kcmp to root only (ptrace_scope)'
}
