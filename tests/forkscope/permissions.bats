#!/usr/bin/env bats
# tests/forkscope/permissions.bats - the same answers with fewer permissions, or one
# clear line.
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
  [[ -z ${PUBLIC-} ]] || rm -rf "$PUBLIC"
}

# as_nobody: sets NOBODY to the words that run a command as another, unprivileged
# user, and PUBLIC to a directory in which that user finds forkscope and shapes.
as_nobody() {
  ((EUID == 0)) || skip 'only root can become another user'
  command -v setpriv >/dev/null || skip 'setpriv is not installed'
  NOBODY=(setpriv --reuid=65534 --regid=65534 --clear-groups)
  PUBLIC=$(mktemp -d)
  chmod 755 "$PUBLIC"
  cp "$FORKSCOPE" "$SHAPES" "$FORKLAB_BUILD/chapters/03-naive-fork/server" \
    "$LAB_ROOT/diagrams/03-naive-fork/scenario" "$PUBLIC"
  chmod 644 "$PUBLIC/scenario"
}

# a_server [WORD]...: start chapter 03's server by these words, with one client.
a_server() {
  chapter 03
  start 'server 03' "$@" "${PUBLIC:-$FORKLAB_BUILD/chapters/$CHAPTER}/server" 0
  SERVER=$PID
  wait_until 'the server listens' has_line "$OUTPUT" 'listening on port [0-9]+'
  read -r PORT <"$OUTPUT"
  PORT=${PORT##* }
  join_served a
  wait_until 'the server sleeps' is_in_state "$SERVER" S
  wait_until 'its child sleeps' is_in_state "$CHILD" S
}

@test "an unprivileged user sees of an own server exactly what root sees" {
  as_nobody
  a_server "${NOBODY[@]}"
  take_snapshot "$SERVER"
  json_is 'references' '[2,2]' '[.objects[].refs]'
  run --separate-stderr "${NOBODY[@]}" "$PUBLIC/forkscope" snapshot --json "$SERVER"
  assert_is 'exit status' 0 "$status"
  assert_is 'what nobody sees' "$JSON" "$output"
  run --separate-stderr "${NOBODY[@]}" "$PUBLIC/forkscope" snapshot --json ":$PORT"
  assert_is 'the same, asked for by its port' "$JSON" "$output"
}

@test "somebody else's process is refused with one line that says what to do" {
  as_nobody
  a_server
  run --separate-stderr "${NOBODY[@]}" "$PUBLIC/forkscope" snapshot "$SERVER"
  assert_is 'exit status' 1 "$status"
  assert_is 'stdout' '' "$output"
  assert_is 'stderr' "forkscope: process $SERVER: not permitted to read its descriptors (run as its owner or root)" \
    "$stderr"
  run --separate-stderr "${NOBODY[@]}" "$PUBLIC/forkscope" watch "$SERVER"
  assert_is 'exit status of watch' 1 "$status"
  assert_is 'stderr of watch' \
    "forkscope: process $SERVER: not permitted to read its descriptors (run as its owner or root)" "$stderr"
}

@test "asked for a port of somebody else, it says that this may not be seen" {
  as_nobody
  a_server
  run --separate-stderr "${NOBODY[@]}" "$PUBLIC/forkscope" snapshot ":$PORT"
  assert_is 'exit status' 1 "$status"
  assert_is 'stderr' \
    "forkscope: port $PORT: not permitted to see who listens (run as its owner or root)" "$stderr"
}

@test "an unprivileged user's run has a network of its own and the same records as root's" {
  as_nobody
  "${NOBODY[@]}" unshare --user --map-root-user --net true 2>/dev/null ||
    skip 'this machine permits no user namespaces'
  scope run -s "$PUBLIC/scenario" -- "$PUBLIC/server" 9000
  local expected=$output
  assert_is 'records of root' 3 "${#lines[@]}"
  # Often, since a process that is just ending may not be looked at, which is no reason to fail.
  local turn
  for ((turn = 1; turn <= 10 * REPEAT; turn++)); do
    run --separate-stderr bare "${NOBODY[@]}" env "$MARK" "$PUBLIC/forkscope" run -s "$PUBLIC/scenario" -- "$PUBLIC/server" 9000
    assert_is "stderr of run $turn" "" "$stderr"
    assert_is "exit status of run $turn" 0 "$status"
    assert_is "the records of run $turn" "$expected" "$output"
  done
}

@test "where kcmp and pidfd_getfd are refused the counts are the same" {
  a_server
  take_snapshot "$SERVER"
  local expected error
  expected=$(pick 'del(.objects[].inferred)')
  for error in EPERM ENOSYS; do
    run --separate-stderr "$DENY" "$error" "$FORKSCOPE" snapshot --json "$SERVER"
    assert_is "exit status with $error" 0 "$status"
    assert_is "stderr with $error" '' "$stderr"
    JSON=$output
    assert_is "what is seen with $error" "$expected" "$(pick 'del(.objects[].inferred)')"
  done
}

@test "where kcmp is refused the connection in the backlog is found too" {
  start_server 02
  join_served a
  join b
  run --separate-stderr "$DENY" EPERM "$FORKSCOPE" snapshot --json "$SERVER"
  JSON=$output
  json_is 'what waits' "[\"ESTABLISHED\",0,$CLIENT_PORT]" \
    '.objects[] | select(.waiting) | [.tcp, .refs, .peer_port]'
}

@test "where kcmp is refused files and pipes are told by path and inode, marked inferred" {
  start_shape files /etc/passwd
  run --separate-stderr "$DENY" EPERM "$FORKSCOPE" snapshot --json "$SHAPE"
  JSON=$output
  json_is 'the one file' '[["/etc/passwd",3,true]]' '[.objects[] | [.path, .refs, .inferred]]'
  run --separate-stderr "$DENY" EPERM "$FORKSCOPE" snapshot "$SHAPE"
  assert_line --regexp '^S1 /etc/passwd +3 +P:3 P:4 P:5 +inferred: kcmp is not permitted$'
  end_session "$SHAPE"

  start_shape pipe
  run --separate-stderr "$DENY" EPERM "$FORKSCOPE" snapshot --json "$SHAPE"
  JSON=$output
  json_is 'the ends of the pipe' '[["pipe read",2,true],["pipe write",2,true]]' \
    '[.objects[] | [.kind, .refs, .inferred]]'
}

@test "where it may not be asked, a TCP socket that is not connected is a plain socket" {
  start_shape tcp
  run --separate-stderr "$DENY" EPERM "$FORKSCOPE" snapshot --json "$SHAPE"
  assert_is 'stderr' '' "$stderr"
  JSON=$output
  json_is 'the socket' '[["socket",1,null]]' '[.objects[] | [.kind, .refs, .tcp]]'
}

@test "a scenario where kcmp is refused has the same records as ever" {
  chapter 03
  scope run -s "$LAB_ROOT/diagrams/$CHAPTER/scenario" -- "$FORKLAB_BUILD/chapters/$CHAPTER/server" 9000
  local expected=$output
  run --separate-stderr "$DENY" EPERM env "$MARK" "$FORKSCOPE" run -s "$LAB_ROOT/diagrams/$CHAPTER/scenario" \
    -- "$FORKLAB_BUILD/chapters/$CHAPTER/server" 9000
  assert_is 'stderr' '' "$stderr"
  assert_is 'the records' "$expected" "$output"
}

@test "a scenario inside bubblewrap has the same records as outside" {
  command -v bwrap >/dev/null || skip 'bubblewrap is not installed'
  local box=(bwrap --ro-bind / / --unshare-all --dev /dev --proc /proc --die-with-parent)
  "${box[@]}" true 2>/dev/null || skip 'bubblewrap may make no sandbox on this machine'
  chapter 03
  scope run -s "$LAB_ROOT/diagrams/$CHAPTER/scenario" -- "$FORKLAB_BUILD/chapters/$CHAPTER/server" 9000
  local expected=$output
  run --separate-stderr bare "${box[@]}" env "$MARK" "$FORKSCOPE" run -s "$LAB_ROOT/diagrams/$CHAPTER/scenario" \
    -- "$FORKLAB_BUILD/chapters/$CHAPTER/server" 9000
  assert_is 'stderr' '' "$stderr"
  assert_is 'the records' "$expected" "$output"
}

# in_a_box: start shapes listen inside bubblewrap, in a network of its own. Sets
# BOX (bubblewrap, outside of that network), INSIDE (the listener) and PORT.
in_a_box() {
  ((EUID == 0)) || skip 'only root may enter the network of another process'
  command -v bwrap >/dev/null || skip 'bubblewrap is not installed'
  local box=(bwrap --ro-bind / / --unshare-net --dev /dev --proc /proc)
  "${box[@]}" true 2>/dev/null || skip 'bubblewrap may make no sandbox on this machine'
  start 'boxed listener' "${box[@]}" "$SHAPES" listen
  BOX=$PID
  wait_until 'the listener is ready' has_line "$OUTPUT" 'listening on port [0-9]+'
  read -r PORT <"$OUTPUT"
  PORT=${PORT##* }
  INSIDE=$(children_of "$BOX")
}

@test "a server in another network is described to root, who may go there" {
  in_a_box
  take_snapshot "$INSIDE"
  json_is 'the listening socket' "[[\"listening\",\"LISTEN\",$PORT,1]]" \
    '[.objects[] | select(.kind != "file") | [.kind, .tcp, .port, .refs]]'
}

@test "a socket of another network than the first process's is never told in a wrong state" {
  in_a_box
  take_snapshot "$BOX"
  counts_are_true
  # It listens. Not to say so is honest, to say anything else is wrong.
  json_is 'states of the listening socket that are wrong' '[]' \
    '[fd("C1"; 3).tcp | values | select(. != "LISTEN")]'
}
