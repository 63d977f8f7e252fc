# tests/lib/sockets.bash - what ss and lsof, tools of other people, say about
# sockets. Both ends of a connection are on this machine and ss lists each end
# by itself: the server's end is the one whose local port is the server's.
# Rests on ss(8), lsof(8).

# listeners_on PORT: prints "ADDRESS:PORT INODE" of each listening socket.
listeners_on() {
  local port=$1
  ss -Htlne "sport = :$port" |
    sed -n 's/^LISTEN *[0-9]* *[0-9]* *\([^ ]*\) .*ino:\([0-9]*\).*/\1 \2/p'
}

# has_listener PORT INODE: is that very socket listening on the port? A free port
# may at any time be given to another program, so ask for the socket.
has_listener() {
  listeners_on "$1" | grep " $2\$"
}

# server_end PORT CLIENT_PORT: prints "STATE UNREAD INODE" of the server's end of
# the connection, or "none". UNREAD: bytes that nobody has read. INODE 0: the
# kernel alone has it, no process ever got a descriptor for it.
server_end() {
  local port=$1 client_port=$2 line state unread rest inode=0
  # State Recv-Q Send-Q Local Peer, then ino:... when it has one.
  line=$(ss -Htane "sport = :$port and dport = :$client_port")
  if [[ -z $line ]]; then
    printf 'none\n'
    return
  fi
  read -r state unread rest <<<"$line"
  [[ $rest =~ ino:([0-9]+) ]] && inode=${BASH_REMATCH[1]}
  printf '%s %s %s\n' "$state" "$unread" "$inode"
}

# server_end_is PORT CLIENT_PORT STATE: ESTAB, CLOSE-WAIT, TIME-WAIT, none, ...
server_end_is() {
  local found
  found=$(server_end "$1" "$2")
  compare "state of the connection from port $2 to port $1" "$3" "${found%% *}"
}

# lsof_references PORT PID...: how many descriptors of these processes lsof
# shows for TCP sockets of that local port, listening and connected together.
lsof_references() {
  local port=$1 pids
  shift
  printf -v pids ',%s' "$@"
  lsof -nP -a -p "${pids#,}" -i "TCP:$port" -F f 2>/dev/null | grep -c '^f' || true
}
