#!/usr/bin/env bats
# tests/grader/class.bats - make grade: a class in, its results out.
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2153,SC2154 # set by lab.bash, class.bash and run

bats_require_minimum_version 1.5.0

setup() {
  load ../lib/lab.bash
  load class.bash
  lab_setup
  class_setup
}

teardown() {
  lab_teardown
}

@test "each student has a row, each chapter a column, and a missing file counts 0" {
  hand_in anna right
  hand_in ben wrong 02-second
  mkdir -p "$CLASS/cleo"
  printf 'right\n' >"$CLASS/cleo/01-first.c"
  mkdir "$CLASS/dora"
  grade_class
  assert_is 'exit status' 0 "$status"
  assert_row student '01-first|02-second|total'
  assert_row anna '5|5|10'
  assert_row ben '0|1|1'
  assert_row cleo '5|0|5'
  assert_row dora '0|0|0'
  assert_valid
  run cat "$RESULTS/problems.txt"
  assert_output --partial $'missing: 0 points\n  ben: 01-first\n  cleo: 02-second\n  dora: 01-first\n  dora: 02-second'
}

@test "all chapters are graded, in whatever order their scripts lie in the folder" {
  local n all=()
  for n in 05 09 03 08 04 07 06; do
    cp "$FORKLAB_SCRIPTS/02-second.bats" "$FORKLAB_SCRIPTS/$n-second.bats"
  done
  for n in 02 03 04 05 06 07 08 09; do
    all+=("$n-second")
  done
  hand_in anna right 01-first "${all[@]}"
  hand_in ben right 01-first "${all[@]}"
  grade_class
  assert_is 'exit status' 0 "$status"
  assert_is 'calls' 18 "$(calls)"
  assert_row student "01-first$(printf '|%s' "${all[@]}")|total"
  assert_row ben '5|5|5|5|5|5|5|5|5|45'
}

@test "archives and exports are read as the platforms make them" {
  local make=$BATS_TEST_TMPDIR/make
  mkdir -p "$make/mine/01-first" "$make/flat" "$CLASS/Jörg Müller_12345_assignsubmission_file_"
  printf 'right\n' | tee "$make/mine/01-first/exercise.c" >"$make/flat/02-second.c"
  # A student's own archive, with a folder around it, or flat; a platform's folder with an archive in it.
  (cd "$make" && zip -qr "$CLASS/anna.zip" mine && tar -czf "$CLASS/Ben de Boer.tar.gz" -C flat 02-second.c &&
    zip -qr "$CLASS/Jörg Müller_12345_assignsubmission_file_/my work.zip" mine)
  # The same file twice is no contradiction.
  cp "$CLASS/anna.zip" "$CLASS/anna.tgz.zip"
  mv "$CLASS/anna.tgz.zip" "$BATS_TEST_TMPDIR/"
  # Flat files, one with a late mark and a number behind its name.
  printf 'wrong\n' >"$CLASS/Özil_77_assignsubmission_file_01-first.c"
  printf 'right\n' >"$CLASS/doejane_LATE_4711_99_01-first-2.c"
  printf 'right\n' >"$CLASS/doejane_4711_98_02-second.c"
  # The folder of an export.
  mkdir -p "$CLASS/assignment_9_export/submission_55/02-second"
  cp "$make/flat/02-second.c" "$CLASS/assignment_9_export/submission_55/02-second/exercise.c"
  grade_class
  assert_is "exit status ($stderr)" 0 "$status"
  assert_row anna '5|0|5'
  assert_row 'Ben de Boer' '0|5|5'
  assert_row 'Jörg Müller_12345' '5|0|5'
  assert_row 'Özil_77' '1|0|1'
  assert_row doejane_4711 '5|5|10'
  assert_row submission_55 '0|5|5'
  assert_is 'students' 6 "$(find "$RESULTS/results" -mindepth 1 -maxdepth 1 | wc -l)"
  assert_valid
  # The whole class as one archive gives the same.
  (cd "$CLASS" && zip -qr "$BATS_TEST_TMPDIR/class.zip" .)
  SOURCE=$BATS_TEST_TMPDIR/class.zip grade_class --out "$BATS_TEST_TMPDIR/again"
  assert_holds cmp "$RESULTS/gradebook.csv" "$BATS_TEST_TMPDIR/again/gradebook.csv"
}

@test "an archive in the folder is one student's, whatever names are in it" {
  local make=$BATS_TEST_TMPDIR/make
  mkdir -p "$make"/{submission_1,ben/01-first,'Carl_1_assignsubmission_file_'}
  : | tee "$make/submission_1/x" >"$make/Carl_1_assignsubmission_file_/x"
  printf 'wrong\n' >"$make/ben/01-first/exercise.c"
  (cd "$make" && zip -qr "$CLASS/anna.zip" submission_1 ben Carl*)
  hand_in ben right
  grade_class
  assert_is 'exit status' 1 "$status"
  assert_is 'students' 'anna ben' "$(find "$RESULTS/results" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort | paste -sd ' ')"
  assert_row anna '1|0|1'
  assert_row ben '5|5|10'
  assert_holds grep -qxF "  anna: anna.zip: taken for one student's; the export of a class is given by itself: SUBMISSIONS=.../anna.zip" \
    "$RESULTS/problems.txt"
  # Given by itself it is a class.
  SOURCE=$CLASS/anna.zip grade_class --out "$BATS_TEST_TMPDIR/again"
  assert_is 'students of the archive' 'Carl_1 ben submission_1' \
    "$(find "$BATS_TEST_TMPDIR/again/results" -mindepth 1 -maxdepth 1 -printf '%f\n' | LC_ALL=C sort | paste -sd ' ')"
}

@test "numbers in the name of a folder belong to the name" {
  hand_in lab_2024_01_anna right
  hand_in lab_2024_02_ben wrong
  mkdir "$CLASS/Cleo_7_assignsubmission_file_"
  grade_class
  assert_is 'exit status' 0 "$status"
  assert_row lab_2024_01_anna '5|5|10'
  assert_row lab_2024_02_ben '1|1|2'
  assert_row Cleo_7 '0|0|0'
}

@test "names that mean something to a spreadsheet, a page or a shell are only names" {
  local name names=('=1+2|cmd' '@SUM(A1)' '<img src=x onerror=alert(1)>' '$(touch hacked)`id`' "quo\"te, o'clock"
    '**bold** [x](y)' '-rf' '{1} {}' 'Zoë & Ægir')
  for name in "${names[@]}"; do
    hand_in "$name" wrong
  done
  grade_class
  assert_is 'exit status' 0 "$status"
  assert_valid
  for name in "${names[@]}"; do
    case $name in
      [=@-]*) assert_row "'$name" '1|1|2' ;;
      *) assert_row "$name" '1|1|2' ;;
    esac
    assert_holds test -s "$RESULTS/feedback/$name.md"
    assert_holds test -s "$RESULTS/gradescope/$name/results.json"
  done
  assert_is 'pictures in the page' 0 "$(grep -c '<img' "$RESULTS/index.html" || true)"
  assert_is 'text outside of code in the feedback' '' "$(grep -E '^[^ ].*</script>' -r "$RESULTS/feedback" || true)"
  assert_is 'control characters' '' "$(LC_ALL=C grep -rlP '[\x00-\x08\x0b\x0c\x0e-\x1f]' "$RESULTS" || true)"
  assert_is 'files that a name has made' '' "$(find "$BATS_TEST_TMPDIR" -name hacked)"
}

@test "names with control characters or broken text are refused and told" {
  hand_in anna right
  hand_in $'new\nline' right
  hand_in $'bell\a' right
  hand_in $'latin\xe4' right
  grade_class
  assert_is 'exit status' 1 "$status"
  assert_is 'students' anna "$(ls "$RESULTS/results")"
  assert_is 'names that are refused' 3 "$(grep -c 'not a name for a student' "$RESULTS/problems.txt")"
  assert_is 'control characters in the report' '' "$(LC_ALL=C grep -P '[\x00-\x09\x0b-\x1f]' "$RESULTS/problems.txt" || true)"
}

@test "links, pipes and devices in a folder are not followed" {
  local secret=$BATS_TEST_TMPDIR/secret
  hand_in anna right 01-first
  printf 'right\n' >"$secret"
  mkdir -p "$secret.d/02-second"
  printf 'right\n' >"$secret.d/02-second/exercise.c"
  mkdir "$CLASS/anna/02-second" "$CLASS/ben"
  ln -s "$secret" "$CLASS/anna/02-second/exercise.c"
  ln -s "$secret.d/02-second" "$CLASS/ben/02-second"
  ln -s "$secret.d" "$CLASS/cleo"
  mkfifo "$CLASS/ben/01-first.c"
  grade_class
  assert_is 'exit status' 1 "$status"
  assert_row anna '5|0|5'
  assert_row ben '0|0|0'
  assert_row cleo ''
  assert_is 'what is refused' 4 "$(sed -n '/^refused/,/^$/p' "$RESULTS/problems.txt" | grep -c 'not followed')"
}

# pack ARCHIVE WORD...: with GNU tar, which is told to keep names as they are.
pack() {
  local archive=$1
  shift
  tar -P -czf "$archive" "$@"
}

@test "an archive can write nowhere but into its own folder" {
  local make=$BATS_TEST_TMPDIR/make out=$BATS_TEST_TMPDIR/escaped
  mkdir -p "$make/01-first" "$out"
  printf 'right\n' >"$make/01-first/exercise.c"
  cd "$make" || return
  pack "$CLASS/up.tar.gz" --transform "s,^01-first/,../../../../../../../../..$out/01-first/," 01-first/exercise.c
  pack "$CLASS/absolute.tar.gz" --transform "s,^01-first/,$out/01-first/," 01-first/exercise.c
  ln -s "$out" 02-second
  tar -cf two.tar 02-second
  rm 02-second
  mkdir 02-second
  printf 'right\n' >02-second/exercise.c
  tar -rf two.tar 02-second/exercise.c
  gzip -c two.tar >"$CLASS/through.tar.gz"
  mkdir links
  ln -s /etc/passwd links/01-first.c
  mkfifo links/02-second.c
  pack "$CLASS/links.tar.gz" -C links 01-first.c 02-second.c
  mkdir hard
  printf 'right\n' >hard/a.txt
  ln hard/a.txt hard/01-first.c
  pack "$CLASS/hard.tgz" -C hard a.txt 01-first.c
  (cd links && zip -qy "$CLASS/zipped.zip" 01-first.c)
  printf 'no archive\n' >"$CLASS/text.zip"
  hand_in zora right
  grade_class
  assert_is 'exit status' 1 "$status"
  assert_is 'what was written outside' '' "$(find "$out" -type f)"
  assert_row zora '5|5|10'
  assert_row up '0|0|0'
  assert_row absolute '0|0|0'
  # The link is refused; the file behind it stands for itself, in a folder of ours.
  assert_row through '0|5|5'
  assert_row links '0|0|0'
  assert_row hard '0|0|0'
  assert_row zipped '0|0|0'
  assert_row text '0|0|0'
  local reason
  for reason in 'up.tar.gz: .*leads out of the archive' 'absolute.tar.gz: .*leads out' 'through.tar.gz: 02-second: a symbolic link' \
    'links.tar.gz: 02-second.c: a pipe' 'hard.tgz: 01-first.c: a hard link' 'zipped.zip: 01-first.c: a symbolic link' \
    'text.zip: not an archive that can be read'; do
    assert_holds grep -q "$reason" "$RESULTS/problems.txt"
  done
}

@test "an archive that is endless inside is refused, however small it is" {
  local make=$BATS_TEST_TMPDIR/make i
  mkdir -p "$make/many" "$make/01-first"
  cd "$make" || return
  truncate -s 100M 01-first/exercise.c
  tar -czf "$CLASS/bytes.tar.gz" 01-first
  zip -q "$CLASS/zipped.zip" 01-first/exercise.c
  rm 01-first/exercise.c
  for ((i = 0; i < 2100; i++)); do : >"many/$i"; done
  tar -czf "$CLASS/many.tgz" many
  # Archives in archives: the third is not opened.
  printf 'right\n' >01-first/exercise.c
  zip -qr one.zip 01-first && zip -q two.zip one.zip && zip -q "$CLASS/nested.zip" two.zip
  # A file for a chapter that is twice in one archive.
  tar -cf twice.tar 01-first/exercise.c
  printf 'wrong\n' >01-first/exercise.c
  tar -rf twice.tar 01-first/exercise.c
  gzip -c twice.tar >"$CLASS/twice.tar.gz"
  hand_in zora right
  grade_class
  assert_is 'exit status' 1 "$status"
  assert_row zora '5|5|10'
  local reason
  for reason in 'bytes.tar.gz: larger than 32 MiB' 'zipped.zip: larger than 32 MiB' 'many.tgz: more than 2000 entries' \
    'an archive in an archive in an archive' 'twice.tar.gz: 01-first/exercise.c: twice in the archive'; do
    assert_holds grep -q "$reason" "$RESULTS/problems.txt"
  done
}

@test "archives that are too much together are refused with all of that student, and the others go on" {
  local make=$BATS_TEST_TMPDIR/make i
  mkdir -p "$make" "$CLASS/@" "$CLASS/*"
  cd "$make" || return
  printf 'right\n' >01-first.c
  zip -q small.zip 01-first.c
  truncate -s 30M big
  # Each is small enough by itself.
  zip -q big.zip 01-first.c big
  for i in 1 2 3 4; do
    ln big.zip "big-$i.zip"
    cp small.zip "$CLASS/@/$i.zip"
    cp small.zip "$CLASS/*/$i.zip"
  done
  cp small.zip "$CLASS/@/5.zip"
  zip -q "$CLASS/bytes.zip" big-?.zip
  hand_in zora right
  LIMIT_STUDENT_ARCHIVES=4 grade_class
  assert_is 'exit status' 1 "$status"
  # What was opened is not graded either.
  assert_row "'@" '||'
  assert_row bytes '||'
  assert_row '*' '5|0|5'
  assert_row zora '5|5|10'
  run sed -n '/^refused/,/^$/p' "$RESULTS/problems.txt"
  assert_is 'problems' 2 "$(grep -c '^  ' <<<"$output")"
  assert_line '  @: @/5.zip: there are more than 4 archives; no other of this student is opened'
  assert_line '  bytes: bytes.zip: big-3.zip: the archives are larger than 64 MiB when they are unpacked; no other of this student is opened'
  assert_holds grep -qxF '  @: 02-second: there are more than 4 archives' "$RESULTS/problems.txt"
  assert_valid
}

@test "archives that take too long together are refused with all of that student, and the others go on" {
  local make=$BATS_TEST_TMPDIR/make real
  mkdir "$make" "$BATS_TEST_TMPDIR/bin"
  cd "$make" || return
  printf 'right\n' >01-first.c
  zip -q slow-1.zip 01-first.c
  ln slow-1.zip slow-2.zip
  ln slow-1.zip slow-3.zip
  zip -q "$CLASS/anna.zip" slow-?.zip
  hand_in anna right 02-second
  hand_in zora right
  # A bsdtar that never ends with what is named slow.
  real=$(command -v bsdtar)
  cat >"$BATS_TEST_TMPDIR/bin/bsdtar" <<END
#!/usr/bin/env bash
if [[ \$* == *slow* ]]; then
  printf 'slow\n' >>"$STAND_IN/slow"
  read -r <>"$STAND_IN/never"
fi
exec "$real" "\$@"
END
  chmod +x "$BATS_TEST_TMPDIR/bin/bsdtar"
  : >"$STAND_IN/slow"
  PATH=$BATS_TEST_TMPDIR/bin:$PATH LIMIT_STUDENT_SECONDS=5 LIMIT_SECONDS=4 grade_class
  assert_is 'exit status' 1 "$status"
  assert_row anna '||'
  assert_row zora '5|5|10'
  # The first took its 4 seconds, the second what was left.
  assert_holds test "$(wc -l <"$STAND_IN/slow")" -le 2
  assert_holds grep -qE '^  anna: anna\.zip.*: the archives take more than 5 s; no other of this student is opened$' "$RESULTS/problems.txt"
  assert_holds grep -qxF '  anna: 02-second: the archives take more than 5 s' "$RESULTS/problems.txt"
  assert_is 'archives that are told' 1 "$(grep -c 'no other of this student' "$RESULTS/problems.txt")"
  assert_valid
}

@test "what is not understood is reported and not guessed" {
  hand_in anna right 01-first
  printf 'right\n' | tee "$CLASS/anna/02-secnd.c" "$CLASS/anna/exercise.c" "$CLASS/anna/notes.txt" >"$CLASS/02-second.c"
  mkdir -p "$CLASS/anna/.git" "$CLASS/ben/old" "$CLASS/ben/new" "$CLASS/cleo/a/01-first"
  printf 'right\n' >"$CLASS/anna/.git/01-first.c"
  printf 'right\n' >"$CLASS/ben/old/01-first.c"
  printf 'wrong\n' >"$CLASS/ben/new/01-first.c"
  printf 'right\n' | tee "$CLASS/cleo/a/01-first/exercise.c" >"$CLASS/cleo/01-first.c"
  { printf 'right\n' && head -c 300000 /dev/zero; } >"$CLASS/cleo/02-second.c"
  grade_class
  assert_is 'exit status' 1 "$status"
  assert_row anna '5|0|5'
  # Two that differ, or one that is too large: no verdict, hence no total.
  assert_row ben '|0|'
  assert_row cleo '5||'
  run cat "$RESULTS/problems.txt"
  assert_line --partial 'ben: 01-first: ben/new/01-first.c and ben/old/01-first.c differ: which one is meant?'
  assert_line --partial 'cleo: 02-second: cleo/02-second.c: larger than 256 KiB'
  assert_line --partial 'anna: anna/02-secnd.c: not NN-slug'
  assert_line --partial 'anna: anna/exercise.c: not NN-slug'
  assert_line --partial '02-second.c: not NN-slug'
  assert_line '  anna: anna/notes.txt'
  assert_line '  anna: anna/.git/'
}

@test "of what one student hands in 20 problems are listed and the rest counted, of what is nobody's all" {
  local i
  mkdir "$CLASS/anna"
  for ((i = 10; i < 40; i++)); do
    : | tee "$CLASS/name$i.rar" >"$CLASS/anna/name$i.rar"
  done
  grade_class
  assert_is 'exit status' 1 "$status"
  assert_is 'files of nobody that are listed' 30 "$(grep -c '^  name.*\.rar: not NN-slug' "$RESULTS/problems.txt")"
  assert_is 'files of anna that are listed' 20 "$(grep -c '^  anna: anna/name' "$RESULTS/problems.txt")"
  assert_is 'what is told of the others' '  anna: and 10 more like these' "$(grep 'more like' "$RESULTS/problems.txt")"
}

@test "a grader that fails is tried once more, and is no 0 but no verdict; the rest goes on" {
  hand_in anna right
  hand_in ben crash 01-first
  hand_in cleo 'once more' 01-first
  hand_in dora forge 02-second
  hand_in emil hang 01-first
  grade_class --seconds 2
  assert_is 'exit status' 1 "$status"
  assert_row anna '5|5|10'
  assert_row ben '|0|'
  assert_row cleo '5|0|5'
  assert_row dora '0||'
  assert_row emil '|0|'
  assert_is 'times that ben was tried' 2 "$(grep -c crash "$STAND_IN/calls")"
  assert_is 'what is told of the second try' 'class: 4 of 6 submissions got no verdict; they are tried again' \
    "$(grep 'no verdict' <<<"$stderr")"
  run cat "$RESULTS/problems.txt"
  assert_line --partial 'ben: 01-first: the grader ended with status 1 and no result: the grader is broken'
  assert_line --partial 'dora: 02-second: the grader ended with status'
  assert_line --partial 'emil: 01-first: the grader did not end within 2 s'
  assert_valid
  # What was not graded is tried again, and only that.
  rm "$STAND_IN/calls"
  hand_in ben right 01-first
  hand_in dora right 02-second
  hand_in emil right 01-first
  grade_class
  assert_is 'exit status of the second run' 0 "$status"
  assert_is 'submissions graded again' 3 "$(calls)"
}

@test "two runs of one class give the same files but for the times" {
  local student
  for student in zoe anna 'Ben B' mia; do
    hand_in "$student" wrong 01-first
    hand_in "$student" right 02-second
  done
  hand_in tom crash
  grade_class
  assert_is 'exit status, with two that could not be graded' 1 "$status"
  without_times "$BATS_TEST_TMPDIR/first"
  rm -rf "$RESULTS"
  grade_class --jobs 7
  assert_is 'exit status of the second' 1 "$status"
  without_times "$BATS_TEST_TMPDIR/second"
  run diff -r "$BATS_TEST_TMPDIR/first" "$BATS_TEST_TMPDIR/second"
  assert_is 'what differs' '' "$output"
  assert_is 'exit status of diff' 0 "$status"
  # The rows are in the order of the names.
  assert_is 'the order of the rows' 'student Ben B anna mia tom zoe' \
    "$(cut -d, -f1 "$RESULTS/gradebook.csv" | tr -d '"' | paste -sd ' ')"
}

@test "the number that a process got by chance is none in the results, that of a child's child neither" {
  local text='evidence:\n   process  pid     state     descriptors\n   C1       24928   running   only 0, 1, 2\n   C2 of C1 24929   running   only 0, 1, 2'
  run jq -r --arg key k --arg student s --arg chapter 03 --argjson max 10 -f "$LAB_ROOT/tests/classes/result.jq" \
    <<<"{\"tests\":[{\"output\":\"$text\"}]}"
  assert_is 'the rows' '   C1       -       running   only 0, 1, 2|   C2 of C1 -       running   only 0, 1, 2' \
    "$(jq -r '.tests[0].output' <<<"$output" | tail -n 2 | paste -sd '|')"
}

@test "a port that the kernel has chosen is no number in the results" {
  local trial text
  unset FORKLAB_CHECK FORKLAB_SCRIPTS
  mkdir -p "$CLASS/anna"
  # It asks for port 0, and so gets any.
  sed 's/htons(port)/htons(0)/' "$LAB_ROOT/solutions/01-single-client/exercise.c" \
    >"$CLASS/anna/01-single-client.c"
  for trial in first second; do
    RESULTS=$BATS_TEST_TMPDIR/$trial grade_class --chapters 01
    assert_is "exit status ($stderr)" 0 "$status"
    text=$(jq -r '.tests[1].output' "$BATS_TEST_TMPDIR/$trial/results/anna/01.json")
    assert_is 'what was found' 'found:    it listens on port ?????, which the kernel has chosen, not on 6799' \
      "$(grep '^found:' <<<"$text")"
    assert_is 'ports that were chosen' 0 "$(grep -cE '[3-6][0-9]{4}' <<<"$text" || true)"
  done
  assert_holds cmp "$BATS_TEST_TMPDIR"/{first,second}/feedback/anna.md
}

@test "a result is taken again only for the same bytes, scripts and seed" {
  hand_in anna right
  hand_in ben wrong
  grade_class
  assert_is 'calls of the first run' 4 "$(calls)"
  grade_class
  assert_is 'exit status' 0 "$status"
  assert_is 'calls after an unchanged second' 4 "$(calls)"
  assert_row ben '1|1|2'
  hand_in ben right 01-first
  grade_class
  assert_is 'calls after one submission has changed' 5 "$(calls)"
  assert_row ben '5|1|6'
  grade_class --seed 7
  assert_is 'calls after another seed' 9 "$(calls)"
  printf '# changed\n' >>"$FORKLAB_SCRIPTS/01-first.bats"
  grade_class --seed 7
  assert_is 'calls after a changed script' 13 "$(calls)"
  rm -r "$CLASS/ben/01-first" "$CLASS/anna"
  grade_class --seed 7
  assert_row ben '0|1|1'
  assert_row anna ''
  assert_holds grep -q 'anna: results of an earlier run' "$RESULTS/problems.txt"
}

# bats test_tags=long
@test "numbers that come in parts, and without a newline, are whole numbers" {
  local i real
  real=$(command -v parallel)
  mkdir "$BATS_TEST_TMPDIR/bin"
  # Each number is torn for longer than the second that the reader waits at a time, and bash loses the
  # newline when that second is over just as it comes.
  cat >"$BATS_TEST_TMPDIR/bin/parallel" <<END
#!/usr/bin/env bash
"$real" "\$@" | while IFS= read -r n; do
  printf '%s' "\${n:0:1}"
  read -r -t 1.2 <>"$STAND_IN/never" || true
  printf '%s' "\${n:1}"
done
END
  chmod +x "$BATS_TEST_TMPDIR/bin/parallel"
  for ((i = 1; i <= 6; i++)); do
    hand_in "a$i" right
  done
  PATH=$BATS_TEST_TMPDIR/bin:$PATH grade_class
  assert_is 'exit status' 0 "$status"
  assert_is 'calls, of 12 submissions' 12 "$(calls)"
  assert_row a6 '5|5|10'
}

# none_of MARK: has every process with this in its environment ended?
none_of() {
  compare 'processes of the run' '' "$(grep -lzxF -- "$1" /proc/[0-9]*/environ 2>/dev/null | tr '\n' ' ')"
}

@test "a run that is killed leaves valid files and nothing running, and a second one goes on" {
  # A class takes its time where much else is running.
  local DEADLINE=90 mark=CLASS_MARK=$BATS_TEST_TMPDIR i
  mkfifo "$STAND_IN/never"
  for i in 1 2 3 4; do
    hand_in "a$i" right
  done
  hand_in b wait
  hand_in c right
  start class env "$mark" "$LAB_ROOT/tests/grading/class" --jobs 2 --out "$RESULTS" "$CLASS"
  wait_until 'both jobs wait' has_calls 10
  wait_until 'what is complete is written' grep -q '"a4",5,5,10' "$RESULTS/gradebook.csv"
  kill -KILL "$PID"
  wait_until 'nothing of it is left' none_of "$mark"
  # Its progress.
  allow_errors "$PID" "$(<"$ERRORS")"
  assert_valid
  assert_is 'rows of students who are not complete' '' "$(csv_row b)"
  assert_holds test ! -e "$RESULTS/results/b/01.json"
  : >"$STAND_IN/go"
  grade_class
  assert_is 'exit status' 0 "$status"
  assert_row b '5|5|10'
  assert_row c '5|5|10'
  assert_is 'calls in both runs' 14 "$(calls)"
  assert_is "what is left of the run's own files" '' "$(ls -d "$RESULTS/.work" 2>/dev/null || true)"
}

has_calls() {
  compare 'calls of the grader' "$1" "$(calls)"
}

@test "a run that is ended by a signal says how to go on, and two runs into one folder are not possible" {
  # A class takes its time where much else is running.
  local DEADLINE=90 mark=CLASS_MARK=$BATS_TEST_TMPDIR
  mkfifo "$STAND_IN/never"
  hand_in b wait
  start class env "$mark" "$LAB_ROOT/tests/grading/class" --jobs 2 --out "$RESULTS" "$CLASS"
  wait_until 'both jobs wait' has_calls 2
  grade_class
  assert_is 'exit status of a second run' 1 "$status"
  assert_is 'what it says' "class: another run is writing to $RESULTS" "$stderr"
  kill -TERM "$PID"
  wait_for_end "$PID"
  assert_is 'exit status' 1 "$STATUS"
  assert_holds grep -q 'the same command goes on where it stopped' "$ERRORS"
  wait_until 'nothing of it is left' none_of "$mark"
  assert_holds test ! -e "$RESULTS/.work"
  allow_errors "$PID" "$(<"$ERRORS")"
}

@test "in a pipe the progress is plain lines, on a terminal one line that is written anew" {
  hand_in anna right
  hand_in ben right
  grade_class
  assert_is 'control characters in a pipe' 0 "$(grep -c $'[\r\033]' <<<"$stderr" || true)"
  assert_regex "$stderr" 'class: [0-9] of 4 submissions graded; ben is complete'
  rm -rf "$RESULTS"
  run script -qec "$(printf '%q ' "$LAB_ROOT/tests/grading/class" --jobs 2 --out "$RESULTS" "$CLASS")" /dev/null </dev/null
  assert_is 'exit status' 0 "$status"
  assert_regex "$output" $'\r\033\\[K4 of 4 submissions graded, 0 not gradable'
  assert_output --partial "gradebook: $RESULTS/gradebook.csv"
}

# bats test_tags=long
@test "memory does not grow with the class" {
  local i small large
  for ((i = 0; i < 10; i++)); do
    printf 'right\n' >"$CLASS/s${i}_1_assignsubmission_file_01-first.c"
  done
  small=$("$FORKLAB_BUILD/tests/peak" "$LAB_ROOT/tests/grading/class" --jobs 2 --out "$RESULTS" "$CLASS" 2>/dev/null | tail -n 1)
  for (( ; i < 100 * REPEAT; i++)); do
    printf 'right\n' >"$CLASS/s${i}_1_assignsubmission_file_01-first.c"
  done
  large=$("$FORKLAB_BUILD/tests/peak" "$LAB_ROOT/tests/grading/class" --jobs 2 --out "$RESULTS.2" "$CLASS" 2>/dev/null | tail -n 1)
  assert_is 'rows' $((100 * REPEAT + 1)) "$(wc -l <"$RESULTS.2/gradebook.csv")"
  # The largest process of all that ran, in KiB. Ten times the class: not a quarter more.
  ((large < small + small / 4)) || assert_is "peak for $i students" "about the $small KiB for 10" "$large KiB"
}

@test "the overview of the class is complete without a script and names what matters" {
  hand_in anna right
  hand_in ben wrong
  hand_in cleo crash 01-first
  grade_class
  local page=$RESULTS/index.html
  assert_holds well_formed_page "$page"
  run cat "$page"
  assert_output --partial '<html lang="en">'
  assert_output --partial '<p>3 students, 1 of them with full points; 6.0 of 10 points on average; 1 without a total'
  assert_output --partial '<a href="feedback/anna.md">anna</a>'
  assert_output --partial '<td class="open" data-v="-1"><small>not graded</small></td>'
  assert_output --partial '<th scope="row">01-first</th><td class="left">it echoes &amp; &lt;returns&gt; | all</td><td>1</td>'
  assert_output --partial 'prefers-color-scheme: dark'
  # The rows can be sorted: numbers stand beside what is shown.
  assert_is 'cells with a number to sort by' 9 "$(grep -c 'data-v=' "$page")"
}

@test "the feedback tells a student points, results and the grader's words as they are" {
  hand_in ben wrong 01-first
  grade_class
  run cat "$RESULTS/feedback/ben.md"
  assert_line '1 of 10 points.'
  assert_line '| 02-second | 0 (missing) | 5 |'
  assert_line '| it echoes \& \<returns\> \| all | failed | 0 of 4 |'
  assert_line '    </script><b>&amp;</b>]]>[31m | =cmd()'
  assert_line '    # ends'
}

@test "wrong use is one line and status 2" {
  local words line
  hand_in anna right
  for words in '' '/nowhere' '--jobs 0 CLASS' '--jobs' '--what CLASS' '--seed x CLASS' '--chapters 42 CLASS' \
    '--hosts /nowhere CLASS' '--out CLASS/results CLASS' 'CLASS CLASS' '--seconds 0 CLASS'; do
    # shellcheck disable=SC2086 # words
    run --separate-stderr "$LAB_ROOT/tests/grading/class" ${words//CLASS/$CLASS}
    assert_is "exit status for: $words" 2 "$status"
    assert_is "lines for: $words" 1 "$(wc -l <<<"$stderr")"
    assert_regex "$stderr" '^class: .*; tests/grading/class --help tells more$'
  done
  run --separate-stderr "$LAB_ROOT/tests/grading/class" --help
  assert_is 'exit status of --help' 0 "$status"
}

# bats test_tags=long
@test "make grade gives a generated class the same results twice, with the real grader" {
  load ../lab/tree.bash
  unset FORKLAB_SCRIPTS FORKLAB_CHECK
  "$LAB_ROOT/tests/grader/make-class" "$CLASS/all" 4
  local run
  for run in first second; do
    make_it --silent grade SUBMISSIONS="$CLASS/all" OUT="$RESULTS" CHAPTERS='01 03' JOBS=2
    # make says 2 for every failure; misnamed files are one.
    assert_regex "$output" '4 students, 8 submissions: [0-9]+ graded now, 0 known before'
    assert_valid
    refute_regex "$output" '[1-9][0-9]* not graded'
    without_times "$BATS_TEST_TMPDIR/$run"
    cp "$RESULTS/gradebook.csv" "$BATS_TEST_TMPDIR/$run.csv"
    mv "$RESULTS" "$RESULTS.$run"
  done
  run diff -r "$BATS_TEST_TMPDIR/first" "$BATS_TEST_TMPDIR/second"
  assert_is 'what differs' '' "$output"
  assert_is 'exit status of diff' 0 "$status"
  assert_holds grep -qE ',10,' "$BATS_TEST_TMPDIR/first.csv"
}
