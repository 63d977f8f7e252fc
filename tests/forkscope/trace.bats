#!/usr/bin/env bats
# tests/forkscope/trace.bats - what stands in a trace: for each thing that ptrace gets wrong when
# it is used simply, a program that shows it.
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2153,SC2154 # set by lab.bash and by run

bats_require_minimum_version 1.5.0

setup_file() {
  load ../lib/lab.bash
  load trace.bash
  build_traced
  build_chapters
}

setup() {
  load ../lib/lab.bash
  load scope.bash
  load trace.bash
  trace_setup
}

teardown() {
  trace_teardown
}

# ends_with WHO HOW: the process has ended like that.
ends_with() {
  steps_are "how $1 ended" "[steps | select(.kind == \"exit\" and .who == \"$1\")][-1] | .processes[] | select(.name == \"$1\") | .doing" "$2"
}

@test "two readers that are woken by one process are held until their turn comes" {
  trace -- "$TRACED/wake"
  agrees
  steps_are 'moments at which two run at once' \
    'steps | select([.processes[] | select(.state == "running")] | length > 1) | .step'
  ends_with C1 'exit 0'
  ends_with C2 'exit 0'
  ends_with P 'exit 0'
}

@test "a child is a zombie from its end until its parent has waited" {
  trace_chapter 05
  agrees
  local filter='[steps | select(.processes | map(.name) | index("C1")) | process("C1").state] | . as $all
                | [range(length) | select(. == 0 or $all[.] != $all[. - 1]) | $all[.]] | map(select(. == "zombie" or . == "reaped"))[]'
  steps_are 'the states of C1 at its end' "$filter" zombie reaped
}

@test "where SIGCHLD is ignored there never is a zombie" {
  trace -- "$TRACED/ignore"
  agrees
  steps_are 'states of C1 after its end' 'steps | process("C1").state | select(. == "zombie")'
  steps_are 'the end of C1' '[steps | select(.kind == "exit") | process("C1").state][]' 'reaped'
}

@test "signals that are ignored interrupt nothing, one that is caught interrupts once" {
  trace -- "$TRACED/undisturbed"
  agrees
  steps_are 'what was interrupted' 'of("P") | select(.result == "-1 EINTR") | .call' 'read(3)'
  ends_with P 'exit 1'
}

@test "SA_RESTART decides whether an interrupted call says so" {
  trace -- "$TRACED/restart"
  steps_are 'interrupted without it' 'of("P") | select(.result == "-1 EINTR") | .call' 'read(3)'
  ends_with P 'exit 11'
  trace -- "$TRACED/restart" restarted
  steps_are 'interrupted with it' 'of("P") | select(.result == "-1 EINTR") | .call'
  ends_with P 'exit 10'
}

@test "a new process begins where its fork returns 0, with the whole chain" {
  trace -- "$TRACED/forks"
  agrees
  local first second main
  first=$(line_of forks.c '    fork();')
  second=$((first + 1))
  main=main:$(line_of forks.c '    twice();')
  steps_are 'where the children begin' 'steps | select(.kind == "born") | "\(.who) \(place)"' \
    "C1 twice:$first ← $main" "C2 twice:$second ← $main" "C3 twice:$second ← $main"
  steps_are 'their parents' '[steps][-1].processes[] | "\(.name) \(.parent)"' 'P null' 'C1 P' 'C2 P' 'C3 C1'
}

@test "a return from main has a line: the last one of main" {
  trace -- "$TRACED/forks"
  steps_are 'where P ends' 'of("P") | select(.kind == "exit") | .chain[-1] | "\(.function):\(.line)"' \
    "main:$(wc -l <"$LAB_ROOT/tests/forkscope/traced/forks.c")"
}

@test "a stopped child is not taken for an ended one" {
  trace -- "$TRACED/stopped"
  agrees
  steps_are 'waits that returned' 'of("P") | select(.call | startswith("waitpid")) | select(.kind == "call") | .result' \
    'C1, stopped' 'C1'
  steps_are 'C1 was stopped' '[steps | select(.processes | length > 1) | process("C1").state | select(. == "stopped")] | length > 0' true
  ends_with P 'exit 5'
}

@test "vfork, posix_spawn, system, threads and clone are seen, each at its line" {
  trace -- "$TRACED/spawn"
  agrees
  local name
  for name in 'vfork()' 'posix_spawn(' 'system(' 'pthread_create(' ' = clone('; do
    steps_are "$name at its line" \
      "[steps | select(.kind == \"call\" and (.call | test(\"^(v?fork|clone|pthread_create)[(]\"))) | .chain[-1].line] | index($(line_of spawn.c "$name")) != null" true
  done
  steps_are 'functions of the library that made them' \
    'of("P") | select(.kind == "call" and (.call | startswith("vfork("))) | .chain[0].function' main posix_spawn system
  # posix_spawn sets signals that are at their default to their default; system's own are its own affair.
  steps_are 'signals set' 'steps | select(.call | startswith("sigaction(")) | words'
  # What a thread and a clone with CLONE_FILES close is closed in the one table there is.
  steps_are 'descriptors at the end' '[steps | select(.kind == "exit" and .who == "P")] | length' 1
  steps_are 'tables counted twice' 'steps | . as $s | .objects[] | select(.refs != (.name as $n | [$s.processes[] | select(.shares_table_of == null) | .descriptors[] | select(.object == $n)] | length)) | .name'
  ends_with P 'exit 7'
}

@test "execve ends the other threads, whichever thread does it, and the trace goes on" {
  local who
  for who in first other; do
    trace -- "$TRACED/thread_exec" "$who"
    agrees
    steps_are "programs that were executed by the $who" 'of("P") | select(.call | startswith("execve(")) | .result' 0
    ends_with P 'exit 3'
  done
}

@test "SIGKILL ends a process with threads, whoever sends it" {
  local order
  for order in parent-first child-first random=2; do
    trace --order "$order" -- "$TRACED/killed_threads"
    agrees
    ends_with C1 'signal 9'
    ends_with P 'exit 9'
  done
  tell 'connect A' 'send A x' 'receive A x' 'signal P KILL'
  trace -s play -- "$TRACED/threads" 9000
  agrees
  ends_with P 'signal 9'
}

@test "what a program forks before its main is let go, and a note says so" {
  trace -- "$TRACED/early_fork"
  ends_with P 'exit 4'
  steps_are 'notes' 'ending | .notes[]' 'early_fork forks before its main begins: that child is not followed'
}

@test "a timer goes off at its time in the trace, again if it was set so, and no sooner" {
  trace -- "$TRACED/timers" again
  ends_with P 'exit 3'
  # The clock has gone off long before all wait, and the trace is the same as if it had not.
  trace -- "$TRACED/timers" late
  steps_are 'what happened' 'steps | words' 'P main' 'P sigaction(SIGALRM, on_alarm, SA_RESTART) = 0' 'P pause()' \
    'P SIGALRM = handled' 'P SIGALRM' 'P pause() = -1 EINTR' 'P exit(1)'
  trace -- "$TRACED/timers" computing
  steps_are 'the end' 'ending | .end' 'every process waits, and nothing here will wake one'
}

@test "select and poll are over in the order of their times" {
  trace -- "$TRACED/raw_select"
  steps_are 'who was ready first' 'steps | select(.kind == "exit") | .who' C1 P
  steps_are 'P waits for C1' 'of("P") | select(.call | test("^wait")) | .kind' call
}

@test "a line that came before a reset is received, and then the reset" {
  tell 'connect A' 'send A x' 'receive A bye' 'receive A reset'
  trace -s play -- "$TRACED/parting" 9000
  ends_with P 'exit 0'
}

@test "the chain of a handler in a handler names both signals and what they interrupted" {
  trace -- "$TRACED/handler"
  local note usr2 raised usr1 main
  note="note:$(line_of handler.c 'write(')"
  usr2="on_usr2:$(line_of handler.c 'note("2")')"
  raised="on_usr1:$(line_of handler.c 'raise(SIGUSR2)')"
  usr1="on_usr1:$(line_of handler.c 'note("1")')"
  main="main:$(line_of handler.c 'raise(SIGUSR1)')"
  steps_are 'who wrote what' 'steps | select(.call | startswith("write(")) | place' \
    "$note ← $usr1 ← SIGUSR1 ← $main" \
    "$note ← $usr2 ← SIGUSR2 ← $raised ← SIGUSR1 ← $main"
  steps_are 'handlers that returned' 'steps | select(.kind == "return") | .call' SIGUSR2 SIGUSR1
}

@test "lines are those of the program's own files, also in a header and in a callback of the library" {
  trace -- "$TRACED/lines"
  steps_are 'the files' '.[0].files[].name' lines.c net.h
  steps_are 'socket' 'steps | select(.call | startswith("socket")) | place' \
    "listener:$(line_of net.h 'socket(AF_INET') ← main:$(line_of lines.c 'close(listener')"
  steps_are 'dup' 'steps | select(.call == "dup(0)") | place' \
    "compare:$(line_of lines.c 'close(dup') ← main:$(line_of lines.c 'qsort(')"
  steps_are 'the text of the header' '.[0].files[1].text' "$(<"$LAB_ROOT/tests/forkscope/traced/net.h")"$'\n'
}

@test "what the loader does before main is no step" {
  trace -- "$TRACED/forks"
  steps_are 'the first step' '[steps][0] | "\(.kind) \(.who) \(.chain[-1].function)"' 'start P main'
  steps_are 'opened files' 'steps | select(.call | test("^(open|mmap|read)")) | .call'
}

@test "many connections in TIME_WAIT leave the picture as it is" {
  trace -- "$TRACED/time_wait" 9000
  agrees
  steps_are 'states of connections that the server has closed and still knows' \
    '[steps][-1].objects[] | select(.refs > 0) | .kind'
  ends_with P 'exit 0'
}

@test "time stands still while anyone can go on, however short a wait is" {
  trace -- "$TRACED/brief"
  agrees
  # The clock has gone past a microsecond before a tracer can see that somebody waits.
  steps_are 'what P waited for, its child running meanwhile' \
    'of("P") | select(.kind == "block") | .call' \
    'select(4, for a time)' 'select(4, for a time)' 'poll(for a time)' 'poll(for a time)' \
    'epoll_wait(5, for a time)' 'sigwait(for a time)' 'sleep(for a time)' 'poll(for a time)'
  steps_are 'what the program saw' '[steps | .output // ""] | join("")' \
    $'way 0: 1\nway 1: 1\nway 2: 1\nway 3: 1\nway 4: 1\nway 5: 1\n'
  ends_with P 'exit 0'
}

@test "an end of file is not a byte to read, and FIN_WAIT is one state" {
  tell 'connect A' 'send A hello' 'receive A hello' 'half-close A'
  chapter 03
  trace -s play -- "$SERVERS/$CHAPTER/server" 9000
  agrees
  steps_are 'after A has sent end of file' \
    'steps | select(.kind == "client" and (.call | startswith("half-close"))) | .objects[] | select(.client == "A") | "\(.tcp) \(.unread) \(.end_of_file)"' \
    'CLOSE_WAIT 0 true'
  steps_are 'states of the client' '[steps | .clients[].tcp] | unique[]' ESTABLISHED FIN_WAIT
}

@test "each of several sockets that listen on one port has its own state and backlog" {
  trace -- "$TRACED/same_port"
  agrees
  ends_with P 'exit 0'
  steps_are 'how many listen, as it changes' \
    '[steps | [.objects[] | select(.tcp == "LISTEN")] | length] | . as $all
     | [range(length) | select(. == 0 or $all[.] != $all[. - 1]) | $all[.]][]' 0 1 2 1 0 1 0
  # Which of the two the kernel chooses is its own matter.
  steps_are 'clients in all backlogs, beside the connections that are seen to wait there' \
    '[steps | [([.objects[] | select(.tcp == "LISTEN") | .backlog] | add // 0),
               ([.objects[] | select(.waiting)] | length)] | join(" ")] | unique[]' '0 0' '1 1'
  steps_are 'connections that have waited' \
    '[steps | .objects[] | select(.waiting) | .name] | unique | length' 2
}

@test "a process with the number of one that has ended is itself, with its own children" {
  needs_own_numbers
  run --separate-stderr bare timeout -k 5 60 env "$MARK" "${OWN_NUMBERS[@]}" \
    "$FORKSCOPE" trace -o trace -- "$TRACED/same_number"
  assert_is "exit status of the trace, which said: $stderr" 0 "$status"
  agrees
  ends_with P 'exit 0'
  steps_are 'whose children they are' '[steps | .processes[] | "\(.name) \(.parent)"] | unique[]' \
    'C1 P' 'C2 P' 'C3 C2' 'P null'
}

@test "a file goes from hand to hand and stays the same object" {
  trace -- "$TRACED/representative"
  agrees
  steps_are 'how often each was opened and left' \
    '[steps | .objects[] | select(.kind == "file" and .refs > 0) | .name] | unique | length' 2
}

@test "a file stays the same one when its descriptor is duplicated onto itself" {
  cat >same.c <<'END'
#include <fcntl.h>
#include <unistd.h>

int main(void)
{
    int fd = open("/dev/null", O_RDWR);

    dup2(fd, fd);
    fcntl(fd, F_SETFL, O_APPEND);
    return dup(fd) == -1;
}
END
  "${CC:-cc}" -g -O0 -o same same.c
  trace -- ./same
  agrees
  steps_are 'how many files descriptors 3 and 4 refer to, in all steps' \
    '[steps | process("P").descriptors[]? | select(.fd == 3 or .fd == 4) | .object] | unique | length' 1
}

@test "a pipeline is followed through dup2 and exec" {
  trace -- "$TRACED/pipeline"
  agrees
  steps_are 'what was executed' 'steps | select(.call | startswith("execve")) | "\(.who) \(.call)"' \
    'C1 execve(/bin/echo)' 'C2 execve(/usr/bin/wc)' 'C3 execve(/bin/cat)'
  steps_are 'what was printed' '[steps | .output] | join("")' $'2\n'
}

@test "a program that crashes is traced to its end" {
  printf '#include <stdlib.h>\nint main(void)\n{\n    abort();\n}\n' >crash.c
  "${CC:-cc}" -g -O0 -o crash crash.c
  trace -- ./crash
  ends_with P 'signal 6'
  steps_are 'where' '[steps | select(.kind == "signal")][-1] | "\(.call) \(.chain[-1].line)"' 'SIGABRT 4'
}

@test "a program that never ends is cut, and the trace says so" {
  printf '#include <unistd.h>\nint main(void)\n{\n    for (;;)\n        close(dup(0));\n}\n' >endless.c
  "${CC:-cc}" -g -O0 -o endless endless.c
  trace --max-steps 20 -- ./endless
  steps_are 'number of steps' '[steps] | length' 20
  steps_are 'the end' 'ending.end | test("20 steps")' true
  printf 'int main(void)\n{\n    for (;;)\n        ;\n}\n' >spin.c
  "${CC:-cc}" -g -O0 -o spin spin.c
  trace --deadline 1 -- ./spin
  steps_are 'the end after a second' 'ending.end | test("1 s")' true
}

@test "much that is printed is recorded whole, and too much is cut, and the trace says so" {
  # Ten digits: no number is one that a process could have.
  printf '#include <stdio.h>\n#include <stdlib.h>\nint main(int argc, char **argv)\n{\n    for (int i = 0; argc > 1 && i < atoi(argv[1]); i++)\n        printf("line %%010d\\n", i);\n}\n' >much.c
  "${CC:-cc}" -g -O0 -o much much.c
  trace -- ./much 20000
  jq -js "$TRACE_WORDS"'[steps | .output // ""] | join("")' trace >found
  ./much 20000 >expected
  assert_is 'what was printed' "$(md5sum <expected)" "$(md5sum <found)"
  trace -- ./much 100000
  jq -js "$TRACE_WORDS"'[steps | .output // ""] | join("")' trace >found
  ./much 100000 | head -c 1048576 >expected
  assert_is 'the first 1 MiB' "$(md5sum <expected)" "$(md5sum <found)"
  steps_are 'what is said of it' 'ending.notes | map(select(test("1 MiB"))) | length' 1
}

@test "who runs first after a fork is what --order says, the same for the same seed" {
  local order
  for order in parent-first child-first random=1 random=2 random=3; do
    trace --order "$order" -- "$TRACED/forks"
    agrees
    steps 'steps | words' >"order.$order"
    trace --order "$order" -- "$TRACED/forks"
    assert_is "the steps of $order, once more" "$(<"order.$order")" "$(steps 'steps | words')"
  done
  steps_are 'the order, as told' '.[0].order' random=3
  trace --order child-first -- "$TRACED/forks"
  steps_are 'child first' '[steps | select(.who == "C1" or (.result == "C1"))][0] | .kind' born
}
