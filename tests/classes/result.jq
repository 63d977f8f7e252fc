# tests/classes/result.jq - results/STUDENT/NN.json: the key by which it is known again comes first.
# Input: what check or job wrote. --arg key, student, chapter; --argjson max.
def clean: explode | map(select(. >= 32 or . == 9 or . == 10)) | implode;

# A port that the kernel has chosen is another one in every run.
def without_chosen_port:
  [scan("listens on port ([0-9]+), which the kernel has chosen")[0]] as $ports
  | reduce $ports[] as $port (.; gsub("\\b\($port)\\b"; "?????"));

# In the tables that forkscope prints as evidence: which number a process or a port got by chance is of
# no use afterwards, and two runs of one class shall be the same.
def without_chance:
  if contains("evidence:") then
    reduce split("\n")[] as $line ({table: "", lines: []};
      .table = (if $line | test("^ *process +pid ") then "processes"
                elif $line | test("^ *client +state +port") then "clients"
                elif $line | test("^ *$|^[a-z]") then "" else .table end)
      | .lines += [if .table == "processes" then $line | sub("^(?<name> *\\S+( of \\S+)? +)[0-9]+ *"; "\(.name)-       ")
                   elif .table == "clients" then $line | sub(" [0-9]+ *$"; " -")
                   else $line end])
    | .lines | join("\n")
  else . end;

if has("error") then
  {key: "", $student, submission: "\($student)/\($chapter)", $chapter, state: "not-graded", reason: .error,
   tests: [], points: null, max_points: $max, seconds: 0, limits_hit: []}
elif has("missing") then
  {key: "missing", $student, submission: "\($student)/\($chapter)", $chapter, state: "missing", reason: "no such file was handed in",
   tests: [], points: 0, max_points: $max, seconds: 0, limits_hit: []}
else
  {$key, $student, submission: "\($student)/\($chapter)", $chapter, state: "graded"}
  + (del(.key, .submission, .chapter) | .tests |= map(.output |= (clean | without_chosen_port | without_chance)))
end
