# tests/classes/result.jq - results/STUDENT/NN.json: the key by which it is known again comes first.
# Input: what check or job wrote. --arg key, student, chapter; --argjson max.
def clean: explode | map(select(. >= 32 or . == 9 or . == 10)) | implode;
if has("error") then
  {key: "", $student, submission: "\($student)/\($chapter)", $chapter, state: "not-graded", reason: .error,
   tests: [], points: null, max_points: $max, seconds: 0, limits_hit: []}
elif has("missing") then
  {key: "", $student, submission: "\($student)/\($chapter)", $chapter, state: "missing", reason: "no such file was handed in",
   tests: [], points: 0, max_points: $max, seconds: 0, limits_hit: []}
else
  {$key, $student, submission: "\($student)/\($chapter)", $chapter, state: "graded"}
  + (del(.key, .submission, .chapter) | .tests |= map(.output |= clean))
end
