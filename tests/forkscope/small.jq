# tests/forkscope/small.jq - a small trace, made by hand: a server that keeps a connection.
#
#   jq -ncf small.jq              the trace, a line each
#   jq -ncf --arg text TEXT ...   with TEXT wherever a program may put a text

def text($otherwise): $ARGS.named.text // $otherwise;

def source: [
  "#include <stdio.h>", "", "static void on_sigchld(int sig)", "{", "    (void)sig;", "}", "",
  "int main(void) /* \(text("a comment")) */", "{",
  "    int listen_fd = open_listener(9000);", "    for (;;) {",
  "        int conn_fd = accept(listen_fd, NULL, NULL);",
  "        printf(\"%s\", \"\(text("new client"))\");",
  "        if (fork() == 0) {", "            close(listen_fd);", "            echo_client(conn_fd);",
  "            _exit(0);", "        }", "    }", "}"] | join("\n") + "\n";

def frame($function; $line): {function: $function, file: 0, line: $line};
def library($function): {function: $function, file: -1, line: 0};
def main($line): [frame("main"; $line)];

# A process: descriptors as {"3": "S1"}.
def process($name; $state; $doing; $line; $descriptors):
  {name: $name, parent: (if $name == "P" then null else "P" end), state: $state, doing: $doing,
   standard: (if $state == "zombie" or $state == "reaped" then [] else [0, 1, 2] end),
   descriptors: [$descriptors | to_entries[] | {fd: (.key | tonumber), object: .value}],
   at: (if $line > 0 then main($line) else [] end), pending: []};

def listening($refs; $tcp; $backlog):
  {name: "S1", kind: "listening", refs: $refs, tcp: $tcp, port: 9000, backlog: $backlog};
def connection($refs; $tcp; $more):
  {name: "S2", kind: "connection", refs: $refs, tcp: $tcp, port: 9000, unread: 0,
   end_of_file: false, waiting: false, client: "A"} + $more;
def client($tcp; $closed): {name: "A", tcp: $tcp, closed: $closed};

def step($kind; $who; $call; $result; $chain; $processes; $objects; $clients):
  {kind: $kind, who: $who, call: $call, result: $result, output: "", chain: $chain, moment: "",
   caption: "", notes: [], processes: $processes, objects: $objects, clients: $clients};

def p($state; $doing; $line; $descriptors): process("P"; $state; $doing; $line; $descriptors);
def c1($state; $doing; $line; $descriptors): process("C1"; $state; $doing; $line; $descriptors);

{"3": "S1"} as $one | {"3": "S1", "4": "S2"} as $two | {"4": "S2"} as $only
| "ESTABLISHED" as $est
| [
  step("start"; "P"; ""; ""; main(10); [p("running"; ""; 10; {})]; []; []),
  step("call"; "P"; "listen(3)"; "0"; main(10); [p("running"; ""; 10; $one)]; [listening(1; "LISTEN"; 0)]; []),
  step("block"; "P"; "accept(3)"; ""; main(12); [p("blocked"; "accept(3)"; 12; $one)];
    [listening(1; "LISTEN"; 0)]; []),
  step("client"; "A"; "connect"; ""; []; [p("blocked"; "accept(3)"; 12; $one)];
    [listening(1; "LISTEN"; 1), connection(0; $est; {waiting: true})]; [client($est; false)]),
  (step("call"; "P"; "accept(3)"; "4"; main(12); [p("running"; ""; 12; $two)];
    [listening(1; "LISTEN"; 0), connection(1; $est; {})]; [client($est; false)])
    | .output = text("new client") + "\n"),
  (step("call"; "P"; "fork()"; "C1"; [library("fork")] + main(14);
    [p("running"; ""; 14; $two), c1("ready"; ""; 14; $two)];
    [listening(2; "LISTEN"; 0), connection(2; $est; {})]; [client($est; false)])
    | .moment = "after-fork" | .caption = text("After the fork: both hold both")),
  step("block"; "P"; "accept(3)"; ""; main(12);
    [p("blocked"; "accept(3)"; 12; $two), c1("ready"; ""; 14; $two)];
    [listening(2; "LISTEN"; 0), connection(2; $est; {})]; [client($est; false)]),
  step("born"; "C1"; "fork()"; "0"; main(14);
    [p("blocked"; "accept(3)"; 12; $two), c1("running"; ""; 14; $two)];
    [listening(2; "LISTEN"; 0), connection(2; $est; {})]; [client($est; false)]),
  step("call"; "C1"; "close(3)"; "0"; main(15);
    [p("blocked"; "accept(3)"; 12; $two), c1("running"; ""; 15; $only)];
    [listening(1; "LISTEN"; 0), connection(2; $est; {})]; [client($est; false)]),
  step("block"; "C1"; "read(4)"; ""; [library("read")] + main(16);
    [p("blocked"; "accept(3)"; 12; $two), c1("blocked"; "read(4)"; 16; $only)];
    [listening(1; "LISTEN"; 0), connection(2; $est; {})]; [client($est; false)]),
  step("client"; "A"; "half-close"; ""; [];
    [p("blocked"; "accept(3)"; 12; $two), c1("blocked"; "read(4)"; 16; $only)];
    [listening(1; "LISTEN"; 0), connection(2; "CLOSE_WAIT"; {end_of_file: true})];
    [client("FIN_WAIT"; false)]),
  (step("exit"; "C1"; "exit(0)"; ""; main(17);
    [(p("blocked"; "accept(3)"; 12; $two) | .pending = ["SIGCHLD"]), c1("zombie"; "exit 0"; 0; {})];
    [listening(1; "LISTEN"; 0), connection(1; "CLOSE_WAIT"; {end_of_file: true})];
    [client("FIN_WAIT"; false)]) | .notes = [text("a note")]),
  step("signal"; "P"; "SIGCHLD"; "on_sigchld"; [frame("on_sigchld"; 4), {function: "SIGCHLD", file: -1, line: 0, signal: true}] + main(12);
    [(p("running"; ""; 4; $two) | .at = [frame("on_sigchld"; 4), {function: "SIGCHLD", file: -1, line: 0, signal: true}] + main(12)),
     c1("zombie"; "exit 0"; 0; {})];
    [listening(1; "LISTEN"; 0), connection(1; "CLOSE_WAIT"; {end_of_file: true})];
    [client("FIN_WAIT"; false)]),
  step("call"; "P"; "wait()"; "C1"; main(12);
    [p("running"; ""; 12; $two), c1("reaped"; ""; 0; {})];
    [listening(1; "LISTEN"; 0), connection(1; "CLOSE_WAIT"; {end_of_file: true})];
    [client("FIN_WAIT"; false)]),
  step("call"; "P"; "close(4)"; "0"; main(12);
    [p("running"; ""; 12; $one), c1("reaped"; ""; 0; {})];
    [listening(1; "LISTEN"; 0), connection(0; ""; {})];
    [client("TIME_WAIT"; false)])
] | to_entries | map({step: (.key + 1)} + .value)
| {trace: 1, program: "server", arguments: ["9000", text("argument")], title: text("a small trace"),
   order: "parent-first", files: [{name: "server.c", text: source}]},
  .[],
  {end: text("the scenario is over"), steps: length, notes: [text("a note on the whole")],
   findings: [{kind: "descriptor-leaked", who: "P", file: 0, line: 12,
               text: text("P keeps descriptor 4 of connection A open"), steps: [5, 11]}]}
