# tests/grading/result.jq - bats's TAP (with times) to the result of one submission.
#
# Input: the lines, as raw strings (jq -n -R). What a submission prints can only ever stand
# behind "# ". A run that did not come to its end is an error, never a result.

def round_to_ms: . / 1000;

# "compiles [1] in 12ms # skip not run: why" to its parts.
def parse:
  capture("^(?<bad>not )?ok (?<number>[0-9]+) (?<name>.*?)(?: \\[(?<points>[0-9]+)\\])? in (?<ms>[0-9]+)ms(?: # skip(?<skip>.*))?$");

[inputs] as $lines
| ($lines | map(select(test("^1\\.\\.[0-9]+$"))) | first // "1..0" | .[3:] | tonumber) as $planned
| (reduce $lines[] as $line ([];
    if $line | test("^(not )?ok [0-9]+ ") then
      . + [$line | parse + {output: []}]
    elif ($line | startswith("#")) and length > 0 then
      .[-1].output += [$line | ltrimstr("#") | ltrimstr(" ")]
    else . end)) as $tests
| if $planned == 0 or ($tests | length) != $planned then
    error("\($tests | length) of \($planned) tests ran") else . end
| ($warnings | rtrimstr("\n")) as $warned
| ($tests | map(
    (if .bad != null then "failed" elif .skip != null then "not-run" else "passed" end) as $status
    | (.points // "0" | tonumber) as $max
    # What bats says of its own lines is of no use to a student; ours begins with the reason.
    | (.output | index("why:") // (map(startswith("why: ")) | index(true)) // 0) as $from
    | {number: (.number | tonumber), name,
       points: (if $status == "passed" then $max else 0 end), max_points: $max, $status,
       output: (if $status == "not-run" then .skip | ltrimstr(" ")
                elif $status == "passed" and (.number == "1") and $warned != "" then
                  "the compiler warns:\n" + $warned
                else .output[$from:] | join("\n") end),
       seconds: (.ms | tonumber | round_to_ms)})) as $results
| {$submission, $chapter, $seed, tests: $results,
   points: ($results | map(.points) | add), max_points: ($results | map(.max_points) | add),
   seconds: ($milliseconds | round_to_ms),
   limits_hit: ($limits | split("\n") | map(select(. != "")) | unique)}
