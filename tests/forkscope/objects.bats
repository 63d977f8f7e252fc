#!/usr/bin/env bats
# tests/forkscope/objects.bats - every kind of descriptor and of process: what is one
# object, what are two, and what is counted once.
# shellcheck disable=SC2030,SC2031,SC2034,SC2153,SC2154 # set by lab.bash and by run

bats_require_minimum_version 1.5.0

setup_file() {
  load ../lib/lab.bash
  load scope.bash
  build_shapes
}

setup() {
  load ../lib/lab.bash
  load scope.bash
  scope_setup
}

teardown() {
  scope_teardown
}

# ---- descriptors ----

@test "the two ends of a pipe are two objects, each with one reference a process" {
  needs_kcmp
  start_shape pipe
  take_snapshot "$SHAPE"
  json_is 'the ends' '[["S1","pipe read",2],["S2","pipe write",2]]' \
    '[.objects[] | [.name, .kind, .refs]]'
  json_is 'descriptors of the child' '[[3,"S1"],[4,"S2"]]' \
    '[process("C1").descriptors[] | [.fd, .object]]'
  json_is 'inferred objects' '[]' '[.objects[] | select(.inferred)]'
}

@test "a file opened twice is two objects, a duplicated descriptor a second reference" {
  needs_kcmp
  start_shape files /etc/passwd
  take_snapshot "$SHAPE"
  json_is 'the objects' '[["S1","file",1,"/etc/passwd"],["S2","file",2,"/etc/passwd"]]' \
    '[.objects[] | [.name, .kind, .refs, .path]]'
  json_is 'descriptors' '[[3,"S1"],[4,"S2"],[5,"S2"]]' '[process("P").descriptors[] | [.fd, .object]]'
  json_is 'inferred objects' '[]' '[.objects[] | select(.inferred)]'
}

@test "a path of any length and script is shown, by its end, in every form" {
  local name prefix i
  # 21 times two Korean syllables of three bytes each: wherever it is cut, it is inside one or between two.
  for prefix in x xy xyz; do
    name=$BATS_TEST_TMPDIR/$prefix
    for ((i = 0; i < 21; i++)); do name+=소켓; done
    : >"$name"
    start_shape files "$name"
    take_snapshot "$SHAPE"
    json_is 'end of the path' '"소켓소켓"' '.objects[0].path[-4:]'
    scope snapshot --dot "$SHAPE"
    printf '%s\n' "$output" >"$BATS_TEST_TMPDIR/now.dot"
    run --separate-stderr neato -n2 -Tsvg -o /dev/null "$BATS_TEST_TMPDIR/now.dot"
    assert_is 'stderr of neato' '' "$stderr"
    end_session "$SHAPE"
  done
}

@test "a path with quotes, angle brackets and bytes that are no text is shown in every form" {
  local name=$BATS_TEST_TMPDIR/'a "b" <c> & d'$'\xff\n'e
  : >"$name"
  start_shape files "$name"
  take_snapshot "$SHAPE"
  json_is 'the path has its readable parts' true \
    '.objects[0].path | contains("a \"b\" <c> & d") and endswith("e")'
  scope snapshot "$SHAPE"
  assert_line --regexp '^S2 .* 2 +P:4 P:5$'
  scope snapshot --dot "$SHAPE"
  printf '%s\n' "$output" >"$BATS_TEST_TMPDIR/now.dot"
  run --separate-stderr neato -n2 -Tsvg -o /dev/null "$BATS_TEST_TMPDIR/now.dot"
  assert_is 'stderr of neato' '' "$stderr"
}

@test "the two sockets of a socketpair are two objects" {
  start_shape socketpair
  take_snapshot "$SHAPE"
  json_is 'the sockets' '[["S1","socket",1],["S2","socket",1]]' '[.objects[] | [.name, .kind, .refs]]'
  assert_is 'inodes: /proc, forkscope' "$(pairs_of_proc "$SHAPE")" "$(pairs_of_json)"
}

@test "a UDP socket is a socket without a TCP state" {
  start_shape udp
  take_snapshot "$SHAPE"
  json_is 'the socket' '[["socket",1,null]]' '[.objects[] | [.kind, .refs, .tcp]]'
  assert_is 'inode: /proc, forkscope' "$(pairs_of_proc "$SHAPE")" "$(pairs_of_json)"
}

@test "a TCP socket that is not connected is CLOSED, and no client belongs to it" {
  needs_kcmp
  start_shape tcp
  take_snapshot "$SHAPE"
  json_is 'the socket' '[["connection",1,"CLOSED",null,false]]' \
    '[.objects[] | [.kind, .refs, .tcp, .client, .waiting]]'
  json_is 'clients' '[]' '.clients'
}

@test "a process connected to itself holds both ends, and only the server's has a client" {
  start_shape loop
  take_snapshot "$SHAPE"
  json_is 'kinds and states' \
    '[["listening","LISTEN"],["connection","ESTABLISHED"],["connection","ESTABLISHED"]]' \
    '[.objects[] | [.kind, .tcp]]'
  json_is 'the client of each end' '[null,"A"]' '[.objects[1, 2].client]'
  json_is 'ports of the two ends, exchanged' true '
    .objects[1].port == .objects[2].peer_port and .objects[2].port == .objects[1].peer_port'
  counts_are_true
}

@test "many descriptors of one process are all counted" {
  start_shape many 300
  take_snapshot "$SHAPE"
  json_is 'descriptors' '[600,3,602]' '[process("P").descriptors | length, .[0].fd, .[-1].fd]'
  json_is 'objects' '[300,300]' \
    '[.objects | map(select(.kind == "pipe read")), map(select(.kind == "pipe write")) | length]'
  json_is 'names' 600 '[.objects[].name] | unique | length'
  counts_are_true
}

@test "a process without standard streams shows what really is descriptor 0" {
  start 'shapes closed' "$SHAPES" closed
  SHAPE=$PID
  wait_until 'descriptor 0 is a socket' is_socket "$SHAPE" 0
  take_snapshot "$SHAPE"
  json_is 'standard streams' '[]' 'process("P").standard'
  json_is 'descriptors' '[[0,"S1"]]' '[process("P").descriptors[] | [.fd, .object]]'
  json_is 'the socket' '["listening",1]' 'fd("P"; 0) | [.kind, .refs]'
}

is_socket() {
  [[ -n $(socket_of "$1" "$2") ]]
}

@test "forkscope itself may be started without standard streams" {
  start_shape generations
  run bash -c 'exec 0<&- 2>&-; exec "$@"' - "$FORKSCOPE" snapshot --json "$SHAPE"
  assert_success
  JSON=$output
  json_is 'processes' 3 '.processes | length'
  counts_are_true
}

@test "a listener on ::1 and its client are told as those on 127.0.0.1" {
  has_ipv6 || skip 'this machine has no IPv6 loopback'
  start_shape listen ::1
  read -r PORT <"$OUTPUT"
  PORT=${PORT##* }
  client connect a "$PORT" ::1
  wait_until 'the client has been accepted' is_socket "$SHAPE" 4
  take_snapshot "$SHAPE"
  json_is 'the listening socket' "[\"listening\",\"LISTEN\",$PORT,0,1]" \
    'fd("P"; 3) | [.kind, .tcp, .port, .backlog, .refs]'
  json_is 'the connection' "[\"connection\",\"ESTABLISHED\",\"A\",$ANSWER]" \
    'fd("P"; 4) | [.kind, .tcp, .client, .peer_port]'
  json_is 'the client' '[["A","ESTABLISHED",false]]' '[.clients[] | [.name, .tcp, .closed]]'
}

@test "an IPv4 client of a dual-stack listener is found, accepted and in the backlog" {
  has_ipv6 || skip 'this machine has no IPv6 loopback'
  start_shape listen ::
  read -r PORT <"$OUTPUT"
  PORT=${PORT##* }
  client connect a "$PORT" 127.0.0.1
  wait_until 'the client has been accepted' is_socket "$SHAPE" 4
  stop "$SHAPE"
  client connect b "$PORT" 127.0.0.1
  local b=$ANSWER
  client connect c "$PORT" ::1
  take_snapshot "$SHAPE"
  json_is 'the connection' '["connection","ESTABLISHED","A"]' 'fd("P"; 4) | [.kind, .tcp, .client]'
  json_is 'the backlog' 2 'fd("P"; 3).backlog'
  json_is 'ports in the backlog' "[$((b < ANSWER ? b : ANSWER)),$((b < ANSWER ? ANSWER : b))]" \
    '[.objects[] | select(.waiting).peer_port] | sort'
  json_is 'the clients' '["ESTABLISHED","ESTABLISHED","ESTABLISHED"]' '[.clients[].tcp]'
}

has_ipv6() {
  [[ -e /proc/net/if_inet6 ]] && grep -q ' lo$' /proc/net/if_inet6
}

# ---- processes ----

@test "a grandchild is shown below its own parent" {
  start_shape generations
  take_snapshot "$SHAPE"
  json_is 'names and parents' '[["P",null],["C1","P"],["C2","C1"]]' '[.processes[] | [.name, .parent]]'
  json_is 'references' '[3]' '[.objects[].refs]'
  assert_is 'pids by parents, forkscope' "$(tree_of "$SHAPE")" "$(pick '.processes[].pid' | sort -n)"
  assert_is 'pairs: /proc, forkscope' \
    "$(mapfile -t pids < <(tree_of "$SHAPE") && pairs_of_proc "${pids[@]}")" "$(pairs_of_json)"
  scope snapshot "$SHAPE"
  assert_line --regexp '^C2 of C1 [0-9]+ +blocked in pause +3 listening$'
}

@test "one number may mean different things in parent and child" {
  start_shape apart
  take_snapshot "$SHAPE"
  json_is 'descriptor 3 of each' '[["listening",1],["file",1]]' \
    '[fd("P"; 3), fd("C1"; 3) | [.kind, .refs]]'
}

@test "threads share one table: four threads are one process and one reference" {
  start_shape threads
  take_snapshot "$SHAPE"
  json_is 'processes' '[["P",4]]' '[.processes[] | [.name, .threads]]'
  json_is 'references' '[1]' '[.objects[].refs]'
}

@test "a child that shares the table is shown, and its descriptors are counted once" {
  needs_kcmp
  start_shape share
  take_snapshot "$SHAPE"
  json_is 'the child' '["P",[],"P"]' 'process("C1") | [.parent, .descriptors, .shares_table_of]'
  json_is 'references' '[1]' '[.objects[].refs]'
  scope snapshot "$SHAPE"
  assert_line --partial 'the same descriptor table as P'
  assert_line --regexp '^S1 listening socket :[0-9]+ +1 +LISTEN +P:3 '
}

@test "a child by vfork has a table of its own, as /proc and kcmp say" {
  start_shape vfork
  wait_until 'the child is there' has_children "$SHAPE" 1
  wait_until 'the parent waits for it' is_in_state "$SHAPE" D
  take_snapshot "$SHAPE"
  json_is 'what the parent does' '["blocked","vfork"]' 'process("P") | [.state, .doing]'
  json_is 'references' '[2]' '[.objects[].refs]'
  json_is 'shared tables' '[]' '[.processes[].shares_table_of | values]'
  assert_is 'pairs: /proc, forkscope' \
    "$(mapfile -t pids < <(tree_of "$SHAPE") && pairs_of_proc "${pids[@]}")" "$(pairs_of_json)"
}

@test "a child that was killed says by which signal" {
  start_shape killed
  take_snapshot "$SHAPE"
  json_is 'the zombie' '["C1","zombie","signal 9"]' 'process("C1") | [.name, .state, .doing]'
}

@test "a zombie itself can be asked for" {
  start_shape killed
  take_snapshot "$(zombies_of "$SHAPE")"
  json_is 'the zombie' '[["P","zombie","signal 9",[],[]]]' \
    '[.processes[] | [.name, .state, .doing, .standard, .descriptors]]'
  json_is 'objects' '[]' '.objects'
}

@test "a daemon is no descendant any more: it is not in the tree, and not counted" {
  start_shape daemon
  take_snapshot "$SHAPE"
  json_is 'processes' '["P"]' '[.processes[].name]'
  json_is 'references' '[1]' '[.objects[].refs]'
  end_daemons
}

# end_daemons: kill what shapes daemon left in another session: each process that
# was started with this test's own output file.
end_daemons() {
  local -
  untraced
  local fd
  while read -r fd; do
    fd=${fd#/proc/}
    kill -KILL "${fd%%/*}"
  done < <(find /proc/[0-9]*/fd/1 -lname "$OUTPUT" 2>/dev/null)
}

# Six children, among whom the numbers of processes begin again: their numbers as the kernel lists them,
# eldest first, and as a snapshot does. To be run where numbers can be chosen: pid_namespaces(7).
# shellcheck disable=SC2016 # expanded inside
WRAPPED='
  most=$(</proc/sys/kernel/pid_max) elder=(1 2)
  mkfifo told
  while [[ $(printf "%s\n" "${elder[@]}" | sort -n) == "$(printf "%s\n" "${elder[@]}")" ]]; do
    echo $((most - 5)) >/proc/sys/kernel/ns_last_pid || exit
    "$1" children 6 >told &
    read -r <told
    read -ra elder </proc/$!/task/$!/children
    "$2" snapshot --json $! >wrapped.json || exit
    youngest_of $! >youngest
    kill -KILL "${elder[@]}" $!
  done
  echo "${elder[@]}" >elder'

@test "children are named in the order of their birth, also where the numbers begin again" {
  needs_own_numbers
  needs_list_of_children
  cd "$BATS_TEST_TMPDIR" || return
  run bare timeout -k 5 60 "${OWN_NUMBERS[@]}" bash -c "$(declare -f youngest_of)$WRAPPED" bash "$SHAPES" "$FORKSCOPE"
  assert_is "exit status, with: $output" 0 "$status"
  local elder
  elder=$(<elder)
  JSON=$(<wrapped.json)
  json_is 'the elder ones first' "[${elder// /,}]" '[.processes[1:][].pid]'
  json_is 'names' '["C1","C2","C3","C4","C5","C6"]' '[.processes[1:][].name]'
  assert_is 'the youngest, as these tests find it' "${elder##* }" "$(<youngest)"
}

@test "more than 1,000 children are all shown and counted, soon enough" {
  local children=1050 took TIMEFORMAT='%U %S'
  # To make them takes as long as it takes; the picture of them is what shall be soon enough. In
  # processor time, since others work beside it.
  DEADLINE=60 start_shape children "$children"
  { time take_snapshot "$SHAPE"; } 2>"$BATS_TEST_TMPDIR/took"
  took=$(awk '{ ms = ($1 + $2) * 1000 } END { print ms }' "$BATS_TEST_TMPDIR/took")
  printf '# snapshot of %d processes: %d ms of a processor\n' $((children + 1)) "$took" >&3
  json_is 'processes' $((children + 1)) '.processes | length'
  json_is 'names of all' "[\"P\",\"C1\",\"C$children\",$((children + 1))]" \
    '[.processes[0, 1, -1].name, ([.processes[].name] | unique | length)]'
  json_is 'references' "[$((children + 1))]" '[.objects[].refs]'
  ((took < 3000)) || assert_is 'milliseconds of a processor' 'less than 3000' "$took"
}
