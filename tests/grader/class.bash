# tests/grader/class.bash - a class and a grader to try tests/grading/class with. To be loaded
# after tests/lib/lab.bash.
#
# The grader here is a stand-in: it takes no time, and does what the submission's first line
# says (see stand_in). What is tested with it is everything around the grading of one submission.

# shellcheck disable=SC2034,SC2154 # set for the tests to read; set by run

# class_setup: sets CLASS (an empty folder for submissions) and RESULTS, and the stand-in.
class_setup() {
  CLASS=$BATS_TEST_TMPDIR/class
  RESULTS=$BATS_TEST_TMPDIR/results
  mkdir "$CLASS"
  export FORKLAB_SCRIPTS=$BATS_TEST_TMPDIR/scripts FORKLAB_CHECK=$BATS_TEST_TMPDIR/check
  export STAND_IN=$BATS_TEST_TMPDIR/stand-in
  unset SUBMISSIONS OUT JOBS HOSTS CHAPTERS SEED UNSANDBOXED
  mkdir "$FORKLAB_SCRIPTS" "$STAND_IN"
  printf '@test "it compiles [1]" {\n@test "it echoes & <returns> | all [4]" {\n' >"$FORKLAB_SCRIPTS/01-first.bats"
  printf '@test "it compiles [1]" {\n@test "it echoes & <returns> | all [4]" {\n' >"$FORKLAB_SCRIPTS/02-second.bats"
  stand_in >"$FORKLAB_CHECK"
  chmod +x "$FORKLAB_CHECK"
}

# stand_in: prints the grader. It obeys the words of the first line:
#   right     full points
#   wrong     1 of 5, with a text that means something in every format
#   forge     a result with more points than there are
#   crash     no result
#   once      no result the first time, full points the second
#   hang      no result and no end
#   wait      full points as soon as $STAND_IN/go is there
# and notes each call in $STAND_IN/calls.
stand_in() {
  cat <<'END'
#!/usr/bin/env bash
set -euo pipefail
number=$1 file=$2 out=$4
read -r word rest <"$file" || true
printf '%s %s %s\n' "$number" "${word-}" "$SEED" >>"$STAND_IN/calls"
slug=first
[[ $number == 01 ]] || slug=second
points=4 status=passed output=''
case ${word-} in
  wrong) points=0 status=failed
    output=$'found:\t```\n</script><b>&amp;</b>]]>\e[31m\x01 | =cmd()\n# ends' ;;
  forge) points=40 ;;
  crash) echo 'the grader is broken' >&2; exit 1 ;;
  once) [[ -e $STAND_IN/$rest ]] || { : >"$STAND_IN/$rest"; exit 1; } ;;
  hang) read -r <>"$STAND_IN/never" ;;
  wait) until [[ -e $STAND_IN/go ]]; do read -r -t 0.05 <>"$STAND_IN/never" || true; done ;;
esac
# Written by hand: this runs thousands of times.
output=${output//\\/\\\\} output=${output//$'\n'/\\n} output=${output//$'\t'/\\t} output=${output//\"/\\\"}
output=${output//$'\e'/\\u001b} output=${output//$'\x01'/\\u0001}
printf '{"submission":"%s","chapter":"%s-%s","seed":%s,"tests":[' "$PWD/$file" "$number" "$slug" "$SEED" >"$out"
printf '{"number":1,"name":"it compiles","points":1,"max_points":1,"status":"passed","output":"","seconds":0.%d},' "$RANDOM" >>"$out"
printf '{"number":2,"name":"it echoes & <returns> | all","points":%d,"max_points":4,"status":"%s","output":"%s","seconds":0.%d}' \
  "$points" "$status" "$output" "$RANDOM" >>"$out"
printf '],"points":%d,"max_points":5,"seconds":0.%d,"limits_hit":[]}\n' $((points + 1)) "$RANDOM" >>"$out"
((points == 4))
END
}

# hand_in STUDENT WORD [CHAPTER]...: a folder with a submission for each chapter (01-first, 02-second).
hand_in() {
  local student=$1 word=$2 chapter
  shift 2
  (($# > 0)) || set -- 01-first 02-second
  for chapter; do
    mkdir -p "$CLASS/$student/$chapter"
    printf '%s\n' "$word" >"$CLASS/$student/$chapter/exercise.c"
  done
}

# grade_class WORD...: grade CLASS into RESULTS. Sets status, output and stderr.
grade_class() {
  local -
  untraced
  local i # run sets it
  [[ -p $STAND_IN/never ]] || mkfifo "$STAND_IN/never"
  run --separate-stderr timeout 300 "$LAB_ROOT/tests/grading/class" --jobs 2 --out "$RESULTS" "$@" "${SOURCE:-$CLASS}"
  # bats shows this where a test fails.
  printf 'make grade: %s\n' "${stderr_lines[@]}"
}

# csv_row STUDENT: the fields of the student's row in gradebook.csv, with "|" between them. Reads as
# RFC 4180 says: quoted fields, doubled quotes, line ends within quotes, CRLF after each row.
csv_row() {
  read_csv "$RESULTS/gradebook.csv" | awk -v RS='\x1e' -v FS='\x1f' -v OFS='|' -v who="$1" '
    $1 == who { for (i = 2; i <= NF; i++) printf "%s%s", $i, i < NF ? OFS : "\n" }'
}

# read_csv FILE: its records, each ended by \x1e, their fields by \x1f. Fails where it is no CSV.
read_csv() {
  LC_ALL=C.UTF-8 awk -v RS='\001' '
    {
      n = length($0); state = "start"; field = ""
      for (i = 1; i <= n; i++) {
        c = substr($0, i, 1)
        if (state == "quoted") {
          if (c != "\"") field = field c
          else if (substr($0, i + 1, 1) == "\"") { field = field c; i++ }
          else state = "closed"
        } else if (c == "\"" && state == "start") state = "quoted"
        else if (c == ",") { printf "%s\x1f", field; field = ""; state = "start" }
        else if (c == "\r" && substr($0, i + 1, 1) == "\n") { printf "%s\x1e", field; field = ""; state = "start"; i++ }
        else if (c == "\"" || c == "\n" || state == "closed") { print "no CSV at character " i > "/dev/stderr"; exit 1 }
        else { field = field c; state = "plain" }
      }
      if (state != "start" || field != "") { print "no line end at the end" > "/dev/stderr"; exit 1 }
    }' "$1"
}

# assert_row STUDENT FIELDS: the student's points, such as "5|1|6".
assert_row() {
  assert_is "the row of $1" "$2" "$(csv_row "$1")"
}

# assert_valid: every file of RESULTS is what its name says.
assert_valid() {
  assert_holds read_csv "$RESULTS/gradebook.csv"
  assert_holds xmllint --noout "$RESULTS/junit.xml"
  assert_holds well_formed_page "$RESULTS/index.html"
  assert_is 'results that are none' '' "$(find "$RESULTS/results" -name '*.json' -exec jq -r '
    select(((.points == null or .points <= .max_points) and (.tests | type) == "array") | not) | input_filename' {} + 2>&1)"
  assert_is 'results for Gradescope that are none' '' "$(find "$RESULTS/gradescope" -name results.json -exec jq -r '
    select(((.score | type) == "number"
      and .score == (.tests | map(.score) | add)
      and (.tests | all((.name | type) == "string" and .score <= .max_score and (.number | type) == "string"
        and (.status | IN("passed", "failed")) and (.output | type) == "string"))
      and (keys - ["score", "output", "output_format", "visibility", "stdout_visibility", "tests"]) == []) | not)
    | input_filename' {} + 2>&1)"
  assert_is 'empty results' '' "$(find "$RESULTS/results" "$RESULTS/gradescope" -name '*.json' -empty)"
  assert_is 'unfinished files' '' "$(find "$RESULTS" -name '*.new' -not -path '*/.work/*')"
}

# well_formed_page FILE: every tag is closed, nothing comes from elsewhere.
well_formed_page() {
  # As XML, once what HTML leaves open is closed; script and style are not markup.
  sed -e '/<script>/,/<\/script>/d' -e '/<style>/,/<\/style>/d' -e 's/<!DOCTYPE html>//' \
    -e 's/<\(meta\|input\)\([^>]*[^/>]\)>/<\1\2\/>/g' -e 's/ hidden>/ hidden="">/' "$1" | xmllint --noout - || return 1
  ! grep -nE '(src|href)="(https?:|//)|@import|url\(' "$1"
}

# calls: how often the stand-in was called.
calls() {
  if [[ -e $STAND_IN/calls ]]; then wc -l <"$STAND_IN/calls"; else printf '0\n'; fi
}

# without_times DIR: copies the results to DIR, each time in them replaced.
without_times() {
  cp -r "$RESULTS" "$1"
  find "$1" -type f -exec sed -i -E 's/"seconds":[0-9.e-]+/"seconds":T/g; s/time="[0-9.e-]+"/time="T"/g' {} +
}
