#!/usr/bin/env bats
# tests/grader/hosts.bats - make grade with several machines: network namespaces of the test's own,
# each with a real sshd and a home of its own.
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2153,SC2154 # set by lab.bash, class.bash and run

bats_require_minimum_version 1.5.0

setup() {
  load ../lib/lab.bash
  load class.bash
  lab_setup
  class_setup
  ((EUID == 0)) || skip 'only root can make network namespaces with an sshd in them'
  # The sockets of ssh want a short path.
  PLACE=$(mktemp -d)
  SPACE=forklab-${PLACE##*.}
  ip netns add "$SPACE-main"
  in_main ip link set lo up
  ssh-keygen -q -t ed25519 -N '' -f "$PLACE/key"
  ssh-keygen -q -t ed25519 -N '' -f "$PLACE/hostkey"
  cp "$PLACE/key.pub" "$PLACE/authorized"
  chmod 600 "$PLACE/authorized"
  cat >"$PLACE/ssh_config" <<-END
	Host *
	    User root
	    IdentityFile $PLACE/key
	    IdentitiesOnly yes
	    StrictHostKeyChecking no
	    UserKnownHostsFile /dev/null
	    LogLevel ERROR
	END
  export GRADE_SSH="ssh -F $PLACE/ssh_config"
}

teardown() {
  local name
  lab_teardown || true
  [[ -n ${SPACE-} ]] || return 0
  for name in main a b; do
    kill_space "$SPACE-$name"
    ip netns delete "$SPACE-$name" 2>/dev/null || true
  done
  rm -rf "$PLACE"
}

# kill_space NAME: end every process in the namespace.
kill_space() {
  local pids
  mapfile -t pids < <(ip netns pids "$1" 2>/dev/null)
  ((${#pids[@]} == 0)) || kill -KILL "${pids[@]}" 2>/dev/null || true
}

in_main() {
  ip netns exec "$SPACE-main" "$@"
}

# add_host NAME NUMBER: the machine 192.0.2.NUMBER, with a home of its own and an sshd on port 2222.
add_host() {
  local name=$1 number=$2 space=$SPACE-$1 home=$PLACE/home-$1
  mkdir "$home"
  ip netns add "$space"
  in_main ip link add "to-$name" type veth peer name eth0 netns "$space"
  in_main ip address add "192.0.2.$((number - 1))/31" dev "to-$name"
  in_main ip link set "to-$name" up
  ip netns exec "$space" ip link set lo up
  ip netns exec "$space" ip address add "192.0.2.$number/31" dev eth0
  ip netns exec "$space" ip link set eth0 up
  # Every command starts in this host's home, and leaves a note that it ran here.
  cat >"$home/login" <<-END
	#!/bin/bash
	export HOME=$home STAND_IN=$STAND_IN STAND_IN_HOST=$name
	cd "\$HOME" && exec /bin/bash -c "\$SSH_ORIGINAL_COMMAND"
	END
  chmod +x "$home/login"
  cat >"$PLACE/sshd-$name" <<-END
	Port 2222
	ListenAddress 192.0.2.$number
	HostKey $PLACE/hostkey
	PidFile none
	AuthorizedKeysFile $PLACE/authorized
	PermitRootLogin prohibit-password
	PasswordAuthentication no
	UsePAM no
	StrictModes no
	MaxStartups 100
	MaxSessions 100
	# So that the login shell reads no file of the real home.
	SetEnv HOME=$home
	ForceCommand $home/login
	END
  mkdir -p /run/sshd
  start "sshd of $name" ip netns exec "$space" "$(command -v sshd)" -D -f "$PLACE/sshd-$name"
  wait_until "host $name listens" in_main bash -c "exec 3<>/dev/tcp/192.0.2.$number/2222"
}

# each_notes_its_host: let the stand-in say where it ran.
each_notes_its_host() {
  sed -i '2a printf "%s %s\\n" "${STAND_IN_HOST-here}" "$1" >>"$STAND_IN/hosts"' "$FORKLAB_CHECK"
}

# grade_on_hosts LINE...: grade CLASS with these log-ins. Sets status, output, stderr.
grade_on_hosts() {
  local -
  untraced
  local i # run sets it
  printf '%s\n' "$@" >"$PLACE/hosts"
  [[ -p $STAND_IN/never ]] || mkfifo "$STAND_IN/never"
  run --separate-stderr in_main timeout 300 "$LAB_ROOT/tests/grading/class" --out "$RESULTS" --hosts "$PLACE/hosts" "$CLASS"
}

# bats test_tags=long
@test "two hosts give the results that this machine gives, and keep nothing of the students" {
  local i who='Student Ä'
  each_notes_its_host
  for i in 1 2 3 4 5; do
    hand_in "$who $i" right 01-first
    hand_in "$who $i" wrong 02-second
  done
  grade_class
  without_times "$BATS_TEST_TMPDIR/here"
  rm -rf "$RESULTS" "$STAND_IN/hosts"
  add_host a 1
  add_host b 3
  grade_on_hosts '# two machines' '2/192.0.2.1:2222' 'root@192.0.2.3:2222'
  assert_is "exit status ($stderr)" 0 "$status"
  without_times "$BATS_TEST_TMPDIR/there"
  run diff -r "$BATS_TEST_TMPDIR/here" "$BATS_TEST_TMPDIR/there"
  assert_is 'what differs' '' "$output"
  assert_is 'exit status of diff' 0 "$status"
  assert_is 'hosts that graded' $'a\nb' "$(cut -d' ' -f1 "$STAND_IN/hosts" | sort -u)"
  assert_is 'submissions graded' 10 "$(wc -l <"$STAND_IN/hosts")"
  assert_is 'what is left of the run on the hosts' '' "$(find "$PLACE"/home-* -maxdepth 1 -name 'forklab-grade-*')"
  assert_is 'names of students on the hosts' '' "$(grep -rl "$who" "$PLACE"/home-* || true)"
}

# bats test_tags=long
@test "a host can grade, and gets neither names nor submissions nor results that lie in the lab's own folder" {
  load ../lab/tree.bash
  local who='Student Ä' solution=$LAB_ROOT/solutions/01-single-client/exercise.c
  copy_tree "$PLACE/lab"
  local LAB_ROOT=$PLACE/lab CLASS=$PLACE/lab/class RESULTS=$PLACE/lab/results
  mkdir -p "$CLASS/$who" "$RESULTS/results/$who"
  sed "1i// by $who" "$solution" >"$CLASS/$who/01-single-client.c"
  printf 'notes of %s\n' "$who" | tee "$LAB_ROOT/chapters/notes" >"$RESULTS/results/$who/notes"
  unset FORKLAB_CHECK FORKLAB_SCRIPTS
  add_host a 1
  CHAPTERS=01 grade_on_hosts '192.0.2.1:2222'
  assert_is "exit status ($stderr)" 0 "$status"
  assert_row "$who" '10|10'
  assert_holds test -d "$PLACE/home-a/.cache/forklab"
  assert_is 'files on the host that name the student' '' "$(grep -rl "$who" "$PLACE/home-a" || true)"
  assert_is 'folders on the host that do' '' "$(find "$PLACE/home-a" -name "*$who*")"
}

# bats test_tags=long
@test "a host that cannot be reached is left out and told; without any host nothing is graded" {
  each_notes_its_host
  hand_in anna right
  add_host a 1
  grade_on_hosts '192.0.2.1:2222' '192.0.2.1:2223'
  assert_is "exit status ($stderr)" 0 "$status"
  assert_row anna '5|5|10'
  assert_regex "$stderr" 'class: host 192.0.2.1 is left out: .*Connection refused'
  rm -rf "$RESULTS"
  grade_on_hosts '192.0.2.1:2223'
  assert_is 'exit status' 1 "$status"
  assert_regex "$stderr" 'class: no host can be used'
  grade_on_hosts 'ssh -o ProxyCommand=x 192.0.2.1'
  assert_is 'exit status for a line that is no log-in' 2 "$status"
}

has_host_calls() {
  compare "calls on host $1" "$2" "$(grep -c "^$1 " "$STAND_IN/hosts" 2>/dev/null || true)"
}

# bats test_tags=long
@test "the work of a host that dies goes to the others" {
  local i
  each_notes_its_host
  for i in 1 2 3 4; do
    hand_in "s$i" wait
  done
  add_host a 1
  add_host b 3
  printf '%s\n' '2/192.0.2.1:2222' '2/192.0.2.3:2222' >"$PLACE/hosts"
  mkfifo "$STAND_IN/never"
  start class ip netns exec "$SPACE-main" "$LAB_ROOT/tests/grading/class" --out "$RESULTS" --hosts "$PLACE/hosts" "$CLASS"
  DEADLINE=180
  wait_until 'host a has begun' has_host_calls a 2
  wait_until 'host b has begun' has_host_calls b 2
  # Its cable is cut: no connection is closed, nothing answers any more.
  in_main ip link set to-a down
  kill_space "$SPACE-a"
  : >"$STAND_IN/go"
  wait_for_end "$PID"
  assert_is "exit status ($(<"$ERRORS"))" 0 "$STATUS"
  assert_holds grep -q 'class: host 192.0.2.1 does not answer any more' "$ERRORS"
  allow_errors "$PID" "$(<"$ERRORS")"
  for i in 1 2 3 4; do
    assert_row "s$i" '5|5|10'
  done
  assert_is 'calls on host a' 2 "$(grep -c '^a ' "$STAND_IN/hosts")"
}
