#!/usr/bin/env bats
# tests/forkscope/scenario.bats - the grammar of scenarios: what is wrong is named with
# file, line and column, before any program is started.
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
  cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
  scope_teardown
}

# refuses WHERE TEXT MESSAGE: the scenario TEXT (printf %b) must be refused with this
# message for "file:WHERE", and the program not be started.
refuses() {
  local -
  untraced
  printf '%b' "$2" >play
  rm -f started
  scope_says 1 "forkscope: play:$1: $3" run -s play -- touch started &&
    assert_is "files that the program made for '$2'" '' "$(find . -name started)"
}

@test "an unknown action is refused, with its column" {
  refuses 1:1 'hello\n' 'no such action'
  refuses 3:1 '# a comment\n\nconnects A\n' 'no such action'
  refuses 2:3 'connect A\n  sned A x\n' 'no such action'
  refuses 1:1 'connect-a-name-that-is-longer-than-any A' 'no such action'
}

@test "a missing name, text or number is refused, with the column where it should stand" {
  local verb
  for verb in connect half-close close reset stop continue; do
    refuses "1:$((${#verb} + 1))" "$verb\n" \
      'a name is missing here (or longer than 23 characters)'
  done
  refuses 2:7 'connect A\nsend A\n' 'text is missing here'
  refuses 2:10 'connect A\nreceive A  \n' 'text is missing here'
  refuses 1:14 'picture start\n' 'text is missing here'
  refuses 1:6 'title\n' 'text is missing here'
  refuses 1:4 'say\n' 'text is missing here'
  refuses 1:14 'until zombies\n' 'a number is missing here'
  refuses 1:15 'until zombies two\n' 'a number is missing here'
  refuses 1:15 'until zombies 1x\n' 'a number is missing here'
  refuses 1:15 'until zombies -1\n' 'a number is missing here'
  refuses 1:15 'until zombies 1234567\n' 'a number is missing here'
}

@test "what follows an action that is complete is refused" {
  refuses 1:11 'connect A B\n' 'nothing may follow here'
  refuses 2:9 'connect A\nclose A now\n' 'nothing may follow here'
}

@test "a client can act only from its connect to its close, and connect only once" {
  local act
  for act in 'send A x' 'receive A x' 'receive A eof' 'receive A reset' 'half-close A' 'close A' 'reset A'; do
    refuses 1:1 "$act\n" 'this client is not connected'
    refuses 3:1 "connect A\nclose A\n$act\n" 'this client is not connected'
    refuses 3:1 "connect A\nreset A\n$act\n" 'this client is not connected'
    refuses 2:1 "connect AB\n$act\n" 'this client is not connected'
  done
  refuses 2:1 'connect A\nconnect A\n' 'this client has connected before; use another name'
  refuses 3:3 'connect A\nclose A\n  connect A\n' 'this client has connected before; use another name'
}

@test "signal takes the signals that end or tell, by name, and limit a number" {
  refuses 1:9 'signal P\n' 'text is missing here'
  refuses 1:1 'signal P STOP\n' 'signals: HUP, INT, KILL, TERM, USR1, USR2, CHLD'
  refuses 1:1 'signal P 15\n' 'signals: HUP, INT, KILL, TERM, USR1, USR2, CHLD'
  refuses 1:8 'limit P\n' 'a number is missing here'
  refuses 1:9 'limit P few\n' 'a number is missing here'
}

@test "until counts processes, zombies and backlog, nothing else" {
  refuses 1:1 'until children 1\n' 'until counts processes, zombies or backlog'
}

@test "the name of a moment is one that a file may have, used once" {
  local name
  for name in After after_fork a/b ../b .hidden ä; do
    refuses 1:1 "picture $name text\n" 'a moment is named by a-z, 0-9 and - (it becomes a file name)'
  done
  refuses 2:1 'picture one text\npicture one text\n' 'this moment has been recorded before; use another name'
}

@test "a client has a name that DOT can take" {
  local name
  for name in a-b "a.b" "\"" ä; do
    refuses 1:1 "connect $name\n" "a client is named by letters, digits and _"
  done
}

@test "names of 23 and texts of 511 characters are taken, longer ones refused" {
  local name=abcdefghijklmnopqrstuvw text
  printf -v text '%511s' ''
  text=${text// /x}
  refuses 1:9 "connect ${name}x\n" 'a name is missing here (or longer than 23 characters)'
  refuses 2:8 "connect A\nsend A ${text}x\n" 'text longer than 511 bytes'

  printf 'connect %s\nsend %s %s\npicture a b\n' "$name" "$name" "$text" >play
  scope run -s play -- "$FORKLAB_BUILD/chapters/02-one-at-a-time/server" 0
  assert_is 'stderr' '' "$stderr"
  assert_is 'exit status' 0 "$status"
  JSON=$output
  json_is 'the client' "[\"$name\"]" '[.clients[].name]'
}

@test "comments, blank lines, indentation, tabs and DOS line ends are taken" {
  printf '# comment\n\n \t \n\t  connect \t A  \r\nsend A  two  words \n#close A\npicture here  a caption  ' >play
  scope run -s play -- "$SHAPES" listen
  assert_is 'stderr' '' "$stderr"
  JSON=$output
  json_is 'the moment' '["here","a caption",11]' '[.moment, .caption, .objects[1].unread]'
}

@test "a scenario that is not there, or is a directory, is named" {
  scope_says 1 'forkscope: nowhere: No such file or directory' run -s nowhere -- "$SHAPES" listen
  scope_says 1 'forkscope: .: Is a directory' run -s . -- "$SHAPES" listen
}

@test "an empty scenario records nothing" {
  : >play
  scope run -s play -- "$SHAPES" listen
  assert_success
  assert_output ''
}

@test "title and caption in any script are recorded whole, or cut between letters" {
  local before korean='소켓은 커널의 것이고 프로세스는 디스크립터만 가진다.' long='' i
  for ((i = 0; i < 6; i++)); do long+=$korean; done
  for before in '' x xx; do
    printf 'title %s%s\npicture here %s%s\n' "$before" "$korean" "$before" "$long" >play
    scope run -s play -- "$SHAPES" listen
    assert_success
    JSON=$output
    json_is 'the title' "\"$before$korean\"" '.title'
    json_is 'the beginning of the caption' "\"$before$korean\"" ".caption[:$((${#korean} + ${#before}))]"
  done
}

# ---- what fails while it is played ----

# fails_at LINE TEXT PATTERN: the scenario TEXT is well-formed, and fails in LINE with
# a message that matches PATTERN.
fails_at() {
  local -
  untraced
  printf '%b' "$2" >play
  scope run -s play -o records -- "$SHAPES" listen
  assert_is "exit status of '$2'" 1 "$status"
  assert_is "stdout of '$2'" '' "$output"
  [[ $stderr =~ ^forkscope:\ play:$1:\ $3$ ]] ||
    assert_is "stderr of '$2'" "forkscope: play:$1: $3" "$stderr"
}

@test "an action that fails is named with its line" {
  fails_at 2 'connect A\nstop C7\n' 'there is no living process C7'
  fails_at 2 'connect A\ncontinue A\n' 'there is no living process A'
  fails_at 3 'connect A\nhalf-close A\nsend A x\n' 'client A: send: Broken pipe'
}

@test "other bytes than those to be received are told, both texts" {
  cat >play <<'END'
connect A
send A hello
receive A help
END
  scope_says 1 "forkscope: play:3: client A: expected 'help', received 'hello'" \
    run -s play -- "$FORKLAB_BUILD/chapters/02-one-at-a-time/server" 9000
  sed -i 's/help/hello world/' play
  scope run -s play -- "$FORKLAB_BUILD/chapters/02-one-at-a-time/server" 9000
  assert_is 'exit status' 1 "$status"
  [[ $stderr == "forkscope: play:3: client A: expected 'hello world', received 'hello"* ]] ||
    assert_is 'stderr' "forkscope: play:3: client A: expected 'hello world', received 'hello...'" "$stderr"
}

@test "signal ends the process that it names" {
  printf 'connect A\nsend A x\nreceive A x\nsignal C1 KILL\nuntil zombies 1\npicture killed by 9\n' >play
  scope run -s play -- "$FORKLAB_BUILD/chapters/04-close-unused/server" 9000
  assert_is 'stderr' '' "$stderr"
  JSON=$output
  json_is 'C1' '["zombie","signal 9"]' 'process("C1") | [.state, .doing]'
  json_is 'P' '["blocked","accept(3)"]' 'process("P") | [.state, .doing]'
}

@test "limit leaves a server no descriptor for one more client" {
  # accept has taken the number 4 before it waits, so B still gets it. Then chapter 04 ends.
  printf 'connect A\nsend A x\nreceive A x\nlimit P 4\nconnect B\nsend B x\nreceive B x\nuntil processes 2\npicture ended it\n' >play
  scope run -s play -- "$FORKLAB_BUILD/chapters/04-close-unused/server" 9000
  assert_is 'stderr' '' "$stderr"
  JSON=$output
  json_is 'P' '["reaped","exit 1"]' 'process("P") | [.state, .doing]'
  json_is 'C2' '["blocked","read(4)"]' 'process("C2") | [.state, .doing]'
}
