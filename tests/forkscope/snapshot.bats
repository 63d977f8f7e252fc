#!/usr/bin/env bats
# tests/forkscope/snapshot.bats - what snapshot says of the chapters' servers, beside
# what /proc, lsof and ss say.
# shellcheck disable=SC2030,SC2031,SC2034,SC2153,SC2154 # set by lab.bash and by run

bats_require_minimum_version 1.5.0

setup() {
  load ../lib/lab.bash
  load scope.bash
  scope_setup
}

teardown() {
  scope_teardown
}

# two_clients NUMBER: start the chapter's server with two clients, a and b. Where it
# serves one at a time b waits; sets B_WAITS to 1 then, else to 0.
two_clients() {
  start_server "$1"
  join_served a
  B_WAITS=0
  case $1 in
    01 | 02 | 05)
      B_WAITS=1
      join b
      client send b 'six by\n'
      wait_until 'the seven bytes of b have arrived' server_end_is "$PORT" "$CLIENT_PORT" ESTAB
      wait_until 'the seven bytes of b wait' unread_is 7
      ;;
    *) join_served b ;;
  esac
  # Served, a process is about to block in read: only then is it at rest.
  wait_until 'all processes of the server sleep' all_sleep "$SERVER"
}

unread_is() {
  local found
  found=$(server_end "$PORT" "$CLIENT_PORT")
  compare 'bytes that wait' "$1" "$(cut -d ' ' -f 2 <<<"$found")"
}

counts_agree() {
  local pids expected
  two_clients "$1"
  mapfile -t pids < <(tree_of "$SERVER")
  take_snapshot "$SERVER"

  assert_is "$CHAPTER: processes" "$(printf '%s\n' "${pids[@]}")" "$(pick '.processes[].pid' | sort -n)"
  expected=$(pairs_of_proc "${pids[@]}")
  assert_is "$CHAPTER: pairs of process and descriptor: /proc, forkscope" "$expected" "$(pairs_of_json)"
  assert_is "$CHAPTER: the same: lsof, forkscope" "$(pairs_of_lsof "$PORT" "${pids[@]}")" "$(pairs_of_json)"
  assert_is "$CHAPTER: the same: ss, forkscope" "$(pairs_of_ss "$PORT")" "$(pairs_of_json)"
  counts_are_true
  backlog_agrees
}

# What is in the backlog, by ss: connections without an inode, and the listening
# socket's Recv-Q.
backlog_agrees() {
  json_is "$CHAPTER: connections in the backlog" "$B_WAITS" \
    '[.objects[] | select(.kind == "connection" and .waiting and .refs == 0 and .inode == 0)] | length'
  json_is "$CHAPTER: connections that no descriptor refers to" "$B_WAITS" \
    '[.objects[] | select(.refs == 0)] | length'
  json_is "$CHAPTER: the listening socket's backlog and ss Recv-Q" \
    "$(ss -Htln "sport = :$PORT" | awk '{ print $2 }')" \
    '.objects[] | select(.kind == "listening").backlog'
  ((B_WAITS == 0)) && return
  assert_is "$CHAPTER: the connection in the backlog, by ss" "ESTAB 7 0" \
    "$(server_end "$PORT" "$CLIENT_PORT")"
  json_is "$CHAPTER: the same, by forkscope" "[\"ESTABLISHED\",7,$CLIENT_PORT]" \
    ".objects[] | select(.waiting) | [.tcp, .unread, .peer_port]"
}

@test "with two clients of chapter 01 the references are those that /proc, lsof and ss show" {
  counts_agree 01
}

@test "with two clients of chapter 02 the references are those that /proc, lsof and ss show" {
  counts_agree 02
}

@test "with two clients of chapter 03 the references are those that /proc, lsof and ss show" {
  counts_agree 03
  json_is 'references of the first connection' 3 'fd("P"; 4).refs'
}

@test "with two clients of chapter 04 the references are those that /proc, lsof and ss show" {
  counts_agree 04
  json_is 'references of all objects' '[1,1,1]' '[.objects[].refs]'
}

@test "with two clients of chapter 05 the references are those that /proc, lsof and ss show" {
  counts_agree 05
}

@test "with two clients of chapters 06 to 08 the references are those that /proc, lsof and ss show" {
  local number
  for number in 06 07 08; do
    counts_agree "$number"
    client close a
    client close b
    stop_server
  done
}

@test "--json is one line with the documented fields, and names are as in the table" {
  two_clients 02
  take_snapshot "$SERVER"

  assert_is 'lines' 1 "${#lines[@]}"
  json_is 'fields of the record' '["clients","objects","processes"]' 'keys'
  json_is 'fields of a process' \
    '["descriptors","doing","name","parent","pid","standard","state"]' '.processes[0] | keys'
  json_is 'fields of the listening socket' \
    '["backlog","inode","kind","name","port","refs","tcp"]' 'fd("P"; 3) | keys'
  json_is 'fields of a connection' \
    '["client","end_of_file","inode","kind","name","peer_port","port","refs","tcp","unread","waiting"]' \
    'fd("P"; 4) | keys'
  json_is 'fields of a client' '["closed","name","port","tcp"]' '.clients[0] | keys'
  json_is 'the server' "[\"P\",null,$SERVER,\"blocked\",\"read(4)\",[0,1,2]]" \
    '.processes[0] | [.name, .parent, .pid, .state, .doing, .standard]'
  json_is 'the listening socket' "[\"S1\",\"listening\",\"LISTEN\",$PORT,1]" \
    '.objects[0] | [.name, .kind, .tcp, .port, .refs]'
  json_is 'the connection in the backlog' '["S3","connection","ESTABLISHED",0,7,false,true,"B"]' \
    '.objects[2] | [.name, .kind, .tcp, .refs, .unread, .end_of_file, .waiting, .client]'
  json_is 'client B' "[\"B\",\"ESTABLISHED\",false,$CLIENT_PORT]" \
    '.clients[1] | [.name, .tcp, .closed, .port]'

  scope snapshot "$SERVER"
  assert_line --regexp "^P +$SERVER +blocked in read\(4\) +3 listening, 4 A\$"
  assert_line --regexp "^S1 listening socket :$PORT +1 +LISTEN +P:3 +backlog: 1\$"
  assert_line --regexp '^S3 connection with B +0 +ESTABLISHED nobody +backlog, 7 bytes$'
  assert_line --regexp "^B +ESTABLISHED +$CLIENT_PORT\$"
  assert_line '1 process alive, 0 zombies, 3 sockets, 1 in the backlog'
}

@test "a process is found by the port it listens on, the parent when a child listens too" {
  start_server 03
  join_served a
  scope snapshot --json ":$PORT"
  assert_success
  JSON=$output
  json_is 'the first process' "$SERVER" '.processes[0].pid'
  json_is 'its child' "$CHILD" '.processes[1].pid'
}

@test "children whose parent has ended are found by their port, as orphans of nobody" {
  start_server 03
  join_served a
  local first=$CHILD
  join_served b
  local second=$CHILD
  kill -KILL "$SERVER"
  wait_for_end "$SERVER"
  scope snapshot --json ":$PORT"
  assert_is 'stderr' '' "$stderr"
  JSON=$output
  json_is 'the orphans' "[[\"C1\",null,$first],[\"C2\",null,$second]]" '[.processes[] | [.name, .parent, .pid]]'
  json_is 'references' '[2,2,1]' '[.objects[].refs]'
  counts_are_true
  scope snapshot ":$PORT"
  assert_output --partial 'The parent has ended'
}

@test "a child that has ended is a zombie without descriptors, with its exit status" {
  start_server 03
  join_served a
  client close a
  wait_until 'the child has ended' has_zombies "$SERVER" 1
  take_snapshot "$SERVER"
  json_is 'the zombie' "[$CHILD,\"zombie\",\"exit 0\",[],[]]" \
    'process("C1") | [.pid, .state, .doing, .standard, .descriptors]'
  json_is 'the connection' '[1,"CLOSE_WAIT",false]' 'fd("P"; 4) | [.refs, .tcp, .end_of_file]'
  counts_are_true
}

@test "a stopped server is told as stopped, with the SIGCHLD that waits for it" {
  start_server 07
  join_served a
  join_served b
  stop "$SERVER"
  take_snapshot "$SERVER"
  json_is 'stopped' '["stopped",""]' 'process("P") | [.state, .doing]'
  client close a
  client close b
  wait_until 'both children have ended' has_zombies "$SERVER" 2
  take_snapshot "$SERVER"
  json_is 'stopped with a signal' '["stopped","SIGCHLD pending"]' 'process("P") | [.state, .doing]'
  json_is 'zombies' 2 '[.processes[] | select(.state == "zombie")] | length'
  resume "$SERVER"
  wait_until 'the handler has run' is_settled "$SERVER"
  take_snapshot "$SERVER"
  json_is 'going on' '["blocked","accept(3)"]' 'process("P") | [.state, .doing]'
}

@test "--dot is a drawing that Graphviz takes without a word" {
  two_clients 03
  scope snapshot --dot "$SERVER"
  assert_success
  printf '%s\n' "$output" >"$BATS_TEST_TMPDIR/now.dot"
  run --separate-stderr neato -n2 -Tsvg -o "$BATS_TEST_TMPDIR/now.svg" "$BATS_TEST_TMPDIR/now.dot"
  assert_is 'exit status of neato' 0 "$status"
  assert_is 'stderr of neato' '' "$stderr"
  # Three processes, three objects and two clients: every one is there by name.
  local name
  for name in P C1 C2 S1 S2 S3 client_A client_B; do
    run grep -c "<title>$name</title>" "$BATS_TEST_TMPDIR/now.svg"
    assert_is "nodes called $name" 1 "$output"
  done
  run grep -c 'refs = 3' "$BATS_TEST_TMPDIR/now.svg"
  assert_is 'objects with three references' 2 "$output"
}
