# tests/page/long.jq - a long trace, made by hand: one client after the other, ten steps each.
#
#   jq -ncf long.jq --argjson clients N

def listening($refs): {name: "S1", kind: "listening", refs: $refs, tcp: "LISTEN", port: 9000, backlog: 0};
def connection($i; $refs; $tcp; $waiting):
  {name: "S\($i + 2)", kind: "connection", refs: $refs, tcp: $tcp, port: 9000, unread: 0,
   end_of_file: false, waiting: $waiting, client: "N\($i)"};
def at($line): [{function: "main", file: 0, line: $line}];
def process($name; $state; $doing; $line; $fds):
  {name: $name, parent: (if $name == "P" then null else "P" end), state: $state, doing: $doing,
   standard: (if $line > 0 then [0, 1, 2] else [] end),
   descriptors: $fds, at: (if $line > 0 then at($line) else [] end), pending: []};
def fd($fd; $object): {fd: $fd, object: $object};

# What clients and children before the i-th have left behind.
def before($i): {
  processes: [range($i) | process("C\(. + 1)"; "reaped"; "exit 0"; 0; [])],
  objects: [range($i) | connection(.; 0; ""; false)],
  clients: [range($i) | {name: "N\(.)", tcp: "", closed: true}]};

def step($i; $kind; $who; $call; $result; $line; $p; $c; $listening; $o; $client):
  before($i) as $old
  | {kind: $kind, who: $who, call: $call, result: $result, output: "step of client \($i)\n",
     chain: (if $line > 0 then at($line) else [] end), moment: "", caption: "", notes: [],
     processes: ([$p] + $old.processes + $c), objects: ([listening($listening)] + $old.objects + $o),
     clients: ($old.clients + $client)};

def steps_of($i):
  "S\($i + 2)" as $s | "C\($i + 1)" as $c
  | [{name: "N\($i)", tcp: "ESTABLISHED", closed: false}] as $up
  | [{name: "N\($i)", tcp: "", closed: true}] as $down
  | fd(3; "S1") as $l | fd(4; $s) as $a
  | process("P"; "blocked"; "accept(3)"; 12; [$l]) as $idle
  | process("P"; "running"; ""; 14; [$l, $a]) as $both
  | [
    step($i; "block"; "P"; "accept(3)"; ""; 12; $idle; []; 1; []; []),
    step($i; "client"; "N\($i)"; "connect()"; ""; 0; $idle; []; 1; [connection($i; 0; "ESTABLISHED"; true)]; $up),
    step($i; "call"; "P"; "accept(3)"; "4"; 12; $both; []; 1; [connection($i; 1; "ESTABLISHED"; false)]; $up),
    step($i; "call"; "P"; "fork()"; $c; 14; $both; [process($c; "ready"; ""; 14; [$l, $a])]; 2;
      [connection($i; 2; "ESTABLISHED"; false)]; $up),
    step($i; "call"; "P"; "close(4)"; "0"; 16; process("P"; "running"; ""; 16; [$l]);
      [process($c; "ready"; ""; 14; [$l, $a])]; 2; [connection($i; 1; "ESTABLISHED"; false)]; $up),
    step($i; "born"; $c; "fork()"; "0"; 14; $idle; [process($c; "running"; ""; 14; [$l, $a])]; 2;
      [connection($i; 1; "ESTABLISHED"; false)]; $up),
    step($i; "call"; $c; "close(3)"; "0"; 15; $idle; [process($c; "running"; ""; 15; [$a])]; 1;
      [connection($i; 1; "ESTABLISHED"; false)]; $up),
    step($i; "client"; "N\($i)"; "close()"; ""; 0; $idle; [process($c; "blocked"; "read(4)"; 16; [$a])]; 1;
      [connection($i; 1; "CLOSE_WAIT"; false)]; $down),
    step($i; "exit"; $c; "exit(0)"; ""; 17; $idle; [process($c; "zombie"; "exit 0"; 0; [])]; 1;
      [connection($i; 0; ""; false)]; $down),
    step($i; "call"; "P"; "wait()"; $c; 12; process("P"; "running"; ""; 12; [$l]);
      [process($c; "reaped"; "exit 0"; 0; [])]; 1; [connection($i; 0; ""; false)]; $down)
  ];

[range($clients) | steps_of(.)[]] | to_entries | map({step: (.key + 1)} + .value)
| {trace: 1, program: "server", arguments: ["9000"], title: "a long trace", order: "parent-first",
   files: [{name: "server.c", text: ([range(1; 41) | "/* line \(.) */"] | join("\n") + "\n")}]},
  .[],
  {end: "the scenario is over", steps: length, notes: [], findings: []}
