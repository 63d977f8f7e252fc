#!/usr/bin/env bash
# tests/bench/bench.sh - chapter 09 beside the servers people use.
#
#   make bench            rounds: ROUNDS=5; output: build/bench/table.md and chart.svg
#
# Every server is measured in every round, one after the other, on a loopback of
# its own (a private network namespace), so that whatever else the machine does
# meets all of them alike. What counts is the ratio to chapter 08 in the same round.

set -euo pipefail
cd "${BASH_SOURCE[0]%/*}/../.."
BUILD=${BUILD:-build}
OUT=$PWD/$BUILD/bench
LOAD=$PWD/$BUILD/tests/load
ROUNDS=${ROUNDS:-5}
PORT=7 # echo: openbsd-inetd finds its port by the service's name
SERVERS=(09 08 xinetd inetd socat tcpserver ncat)
declare -A TITLE=(
  [09]='chapter 09' [08]='chapter 08' [xinetd]='xinetd, internal echo'
  [inetd]='openbsd-inetd, internal echo' [socat]='socat fork,PIPE'
  [tcpserver]='ucspi-tcp tcpserver + cat' [ncat]='ncat -k -e cat'
)

# ---- what is needed ----

# install PACKAGE...: with the system's package manager, after saying so.
install() {
  local sudo=()
  ((EUID == 0)) || sudo=(sudo)
  printf 'bench: installing %s\n' "$*"
  "${sudo[@]}" apt-get install -y --no-install-recommends "$@" >"$OUT/install.log" 2>&1 || {
    printf 'bench: that failed, see %s; by hand: sudo apt-get install %s\n' "$OUT/install.log" "$*"
    exit 1
  }
}

# The two super-servers exclude each other as packages, and would start at once:
# they are only unpacked, and what they need is installed.
unpack() {
  local package=$1 program=$2 libraries
  [[ ! -x $OUT/peers/usr/sbin/$program ]] || return 0
  mkdir -p "$OUT/peers"
  (cd "$OUT/peers" && apt-get download "$package" >/dev/null 2>&1 && dpkg-deb -x "$package"_*.deb .)
  if ldd "$OUT/peers/usr/sbin/$program" | grep -q 'not found'; then
    mapfile -t libraries < <(dpkg-deb -f "$OUT/peers/$package"_*.deb Depends |
      tr ',' '\n' | sed 's/(.*//; s/ //g' | grep '^lib')
    install "${libraries[@]}"
  fi
}

prepare() {
  local missing=() program
  mkdir -p "$OUT"
  for program in socat ncat tcpserver; do
    command -v "$program" >/dev/null || missing+=("$program")
  done
  ((${#missing[@]} == 0)) || install "${missing[@]/tcpserver/ucspi-tcp}"
  unpack xinetd xinetd
  unpack openbsd-inetd inetd
  cat >"$OUT/xinetd.conf" <<-END
	service echo
	{
	    type = INTERNAL UNLISTED
	    id = echo
	    port = $PORT
	    bind = 127.0.0.1
	    socket_type = stream
	    protocol = tcp
	    wait = no
	    user = root
	    cps = 1000000 1
	    instances = UNLIMITED
	    per_source = UNLIMITED
	}
	END
  printf '127.0.0.1:echo stream tcp nowait.1000000 root internal\n' >"$OUT/inetd.conf"
}

# ---- one server ----

# command_of SERVER: sets COMMAND. Each gets the limits that suit it best.
command_of() {
  case $1 in
    09 | 08) COMMAND=("$BUILD"/chapters/"$1"-*/server "$PORT") ;;
    socat) COMMAND=(socat "TCP-LISTEN:$PORT,bind=127.0.0.1,reuseaddr,fork,backlog=4096" PIPE) ;;
    ncat) COMMAND=(ncat -l 127.0.0.1 "$PORT" -k -m 2000 -e /bin/cat) ;;
    tcpserver) COMMAND=(tcpserver -q -c 2000 -b 4096 -l 0 -H -R 127.0.0.1 "$PORT" cat) ;;
    xinetd) COMMAND=("$OUT/peers/usr/sbin/xinetd" -dontfork -f "$OUT/xinetd.conf"
      -pidfile "$OUT/xinetd.pid" -filelog /dev/null) ;;
    inetd) COMMAND=("$OUT/peers/usr/sbin/inetd" -i -q 4096 -R 1000000 "$OUT/inetd.conf") ;;
  esac
}

listening() {
  [[ -n $(ss -Htln "sport = :$PORT") ]]
}

# wait_for SECONDS COMMAND...: true as soon as it is.
wait_for() {
  local tries=$(($1 * 50))
  shift
  until "$@"; do
    ((tries-- > 0)) || return 1
    read -r -t 0.02 <>/dev/udp/127.0.0.1/9 || true
  done
}

# begin SERVER: sets SERVER_PID.
begin() {
  command_of "$1"
  wait_for 10 not listening
  setsid "${COMMAND[@]}" </dev/null >/dev/null 2>"$OUT/$1.err" &
  SERVER_PID=$!
  wait_for 10 listening || {
    printf 'bench: %s does not listen: %s\n' "$1" "$(<"$OUT/$1.err")" >&2
    exit 1
  }
}

not() {
  ! "$@"
}

# tree PID: it and all that descend from it.
tree() {
  cat /proc/[0-9]*/stat 2>/dev/null | awk -v root="$1" '
    { pid = $1; sub(/.*\) /, ""); parent[pid] = $2 }
    END {
      for (p in parent) {
        for (q = p; q != "" && q != root; q = parent[q]);
        if (q == root) print p
      }
    }'
}

# finish: end the server with everything it has started.
finish() {
  local pids
  mapfile -t pids < <(tree "$SERVER_PID")
  { kill -KILL -- "-$SERVER_PID" "${pids[@]}" || true; } 2>/dev/null
  { wait "$SERVER_PID" || true; } 2>/dev/null
}

# cpu_ticks: of the server and of all children it has collected.
cpu_ticks() {
  local stat fields
  read -r stat <"/proc/$SERVER_PID/stat"
  read -r -a fields <<<"${stat##*) }"
  printf '%s\n' $((fields[11] + fields[12] + fields[13] + fields[14]))
}

# pss: kilobytes of the whole tree, what is shared counted once.
pss() {
  local pid
  for pid in $(tree "$SERVER_PID"); do
    cat "/proc/$pid/smaps_rollup" 2>/dev/null || true
  done | awk '/^Pss:/ { n += $2 } END { print n + 0 }'
}

record() {
  printf '%s\t%s\t%s\t%s\n' "$ROUND" "$1" "$2" "$3" >>"$OUT/results.tsv"
}

measure() {
  local server=$1 ticks serial parallel
  begin "$server"
  "$LOAD" churn "$PORT" 200 1 >/dev/null || true
  ticks=$(cpu_ticks)
  read -r -a serial < <("$LOAD" churn "$PORT" 1000 1 || true)
  read -r -a parallel < <("$LOAD" churn "$PORT" 1000 16 || true)
  # The last children may not be collected yet.
  wait_for 5 test "$(tree "$SERVER_PID" | wc -l)" -eq 1 || true
  ticks=$(($(cpu_ticks) - ticks))
  record "$server" serial "${serial[0]}"
  record "$server" parallel "${parallel[0]}"
  record "$server" cpu "$(awk -v t="$ticks" -v n=$((serial[1] + parallel[1])) \
    -v hz="$(getconf CLK_TCK)" 'BEGIN { printf "%.1f", t / hz * 1e6 / (n > 0 ? n : 1) }')"
  record "$server" trips1 "$("$LOAD" trips "$PORT" 1 500 || true)"
  record "$server" trips8 "$("$LOAD" trips "$PORT" 8 500 || true)"
  record "$server" bytes "$("$LOAD" bytes "$PORT" 700 || true)"
  finish
}

# memory SERVER COUNT: kilobytes for each of COUNT idle connections.
memory() {
  local before holder
  begin "$1"
  before=$(pss)
  rm -f "$OUT/hold" "$OUT/held"
  mkfifo "$OUT/hold"
  "$LOAD" hold "$PORT" "$2" <"$OUT/hold" >"$OUT/held" 2>&1 &
  holder=$!
  exec 8>"$OUT/hold"
  if wait_for 30 grep -q holding "$OUT/held"; then
    record "$1" "pss$2" "$(awk -v a="$before" -v b="$(pss)" -v n="$2" 'BEGIN { printf "%.0f", (b - a) / n }')"
  else
    record "$1" "pss$2" -
  fi
  exec 8>&-
  wait "$holder" || true
  rm "$OUT/hold"
  finish
}

# ask FD: does the client on this descriptor get its line back?
ask() {
  local line=''
  { printf 'hello\n' >&"$1"; } 2>/dev/null || return 1
  read -r -t 2 -u "$1" line 2>/dev/null && [[ $line == hello ]]
}

# exhaustion SERVER: no descriptor is left, and a client comes.
exhaustion() {
  local text ticks from to share a b
  begin "$1"
  exec {a}<>"/dev/tcp/127.0.0.1/$PORT"
  ask "$a" || true
  # No descriptor above those in use: the next accept fails.
  prlimit --pid "$SERVER_PID" --nofile="$(find "/proc/$SERVER_PID/fd" -mindepth 1 -printf '%f\n' | sort -n |
    awk '$1 == n { n++ } END { print n + 0 }'):"
  exec {b}<>"/dev/tcp/127.0.0.1/$PORT"
  # A server may have reset this client already: then it is lost, which is the result.
  { printf 'hello\n' >&"$b"; } 2>/dev/null || true
  ticks=$(cpu_ticks 2>/dev/null) || ticks=0
  from=${EPOCHREALTIME/[.,]/}
  wait_for 1 false || true
  to=${EPOCHREALTIME/[.,]/}
  if ! kill -0 "$SERVER_PID" 2>/dev/null; then
    text='exits'
  else
    share=$((($(cpu_ticks) - ticks) * 100 * 1000000 / $(getconf CLK_TCK) / (to - from)))
    text="$share % of a core"
    prlimit --pid "$SERVER_PID" --nofile=1024:
    local line=''
    if read -r -t 5 -u "$b" line 2>/dev/null && [[ $line == hello ]]; then
      text+=', the client is served later'
    else
      text+=', the client is lost'
    fi
  fi
  exec {a}>&- {b}>&-
  record "$1" exhaustion "$text"
  finish
}

# sigterm SERVER: what becomes of a client, of the parent, of the port.
sigterm() {
  local text left a
  begin "$1"
  exec {a}<>"/dev/tcp/127.0.0.1/$PORT"
  ask "$a" || true
  mapfile -t left < <(tree "$SERVER_PID" | grep -vx "$SERVER_PID")
  kill -TERM "$SERVER_PID"
  if ! wait_for 2 not listening; then
    text='goes on listening'
    ! gone "$SERVER_PID" || text='child left behind, and the port busy'
  elif ! ask "$a"; then
    text='client cut off'
  elif kill -0 "$SERVER_PID" 2>/dev/null && [[ $(state_of "$SERVER_PID") != Z ]]; then
    text='client finishes'
    exec {a}>&-
    if wait_for 5 gone "$SERVER_PID" && wait "$SERVER_PID"; then
      text+=', then status 0'
    fi
  else
    text='child left behind'
  fi
  record "$1" sigterm "$text"
  exec {a}>&- || true
  { kill -KILL "${left[@]}" || true; } 2>/dev/null
  finish
}

state_of() {
  local stat
  { read -r stat <"/proc/$1/stat"; } 2>/dev/null || stat=') X'
  stat=${stat##*) }
  printf '%s\n' "${stat%% *}"
}

gone() {
  [[ $(state_of "$1") == [ZX] ]]
}

# ---- all of them ----

if [[ ${1-} != inside ]]; then
  prepare
  # root may; others are root in a user namespace of their own, where they are allowed.
  if ((EUID == 0)); then exec unshare -n "$0" inside; else exec unshare -rn "$0" inside; fi
fi

ip link set lo up
trap 'finish 2>/dev/null || true' EXIT
: >"$OUT/results.tsv"
for ((ROUND = 1; ROUND <= ROUNDS; ROUND++)); do
  record floor cpu "$("$LOAD" floor 3000)"
  # Each round begins with another server, so that none always has the same place.
  for ((place = 0; place < ${#SERVERS[@]}; place++)); do
    server=${SERVERS[(ROUND + place) % ${#SERVERS[@]}]}
    printf '\rbench: round %d of %d, %-10s' "$ROUND" "$ROUNDS" "$server" >&2
    measure "$server"
  done
done
for server in "${SERVERS[@]}"; do
  printf '\rbench: memory and faults, %-12s' "$server" >&2
  memory "$server" 500
  memory "$server" 1000
  exhaustion "$server"
  sigterm "$server"
done
printf '\r%60s\r' '' >&2
trap - EXIT

titles=$(for server in "${SERVERS[@]}"; do printf '%s=%s|' "$server" "${TITLE[$server]}"; done)
awk -f tests/bench/report.awk -v titles="$titles" -v order="${SERVERS[*]}" -v chart="$OUT/chart.svg" \
  -v when="$(date -u +%F)" -v machine="Linux $(uname -r | cut -d- -f1), $(nproc) cores" \
  "$OUT/results.tsv" | tee "$OUT/table.md"
printf '\nbench: %s and %s\n' "$OUT/table.md" "$OUT/chart.svg" >&2
