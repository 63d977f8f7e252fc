# tests/classes/report.bash - write what is known about a class, as it becomes known.
#
# Each student's part of a file that is about all is kept by itself in WORK/parts, so that
# the whole is put together from the disk and memory does not grow with the class. Every file is
# written beside its place and then renamed: a reader never sees half of one.
#
# Wants OUT, WORK, CLASSES (this folder), CHAPTERS, MAX (their points), KINDS.

# put FILE: standard input becomes FILE, at once.
put() {
  mkdir -p "${1%/*}"
  cat >"$1.new"
  mv -f "$1.new" "$1"
}

# put_result STUDENT INDEX KEY: a result, or {"error": why} or {"missing": true}, from standard input.
put_result() {
  jq -c --arg student "$1" --arg chapter "${CHAPTERS[$2]}" --argjson max "${MAX[$2]}" --arg key "$3" \
    -f "$CLASSES/result.jq" | put "$OUT/results/$1/${CHAPTERS[$2]%%-*}.json"
}

# render_student ID STUDENT: everything about one student, from the results on the disk.
render_student() {
  local part=$WORK/parts/$1 student=$2 chapter files=() feedback gradescope
  feedback=$OUT/feedback/$student.md
  gradescope=$OUT/gradescope/$student/results.json
  mkdir -p "$OUT/feedback" "$OUT/gradescope/$student"
  for chapter in "${CHAPTERS[@]}"; do
    files+=("$OUT/results/$student/${chapter%%-*}.json")
  done
  # The names of the files are handed over by the environment: awk would read escapes in them.
  jq -rs -f "$CLASSES/report.jq" "${files[@]}" | PART=$part FEEDBACK=$feedback.new GRADESCOPE=$gradescope.new awk '
    {
      format = substr($0, 1, index($0, "\t") - 1)
      file = format == "feedback" ? ENVIRON["FEEDBACK"] : format == "gradescope" ? ENVIRON["GRADESCOPE"] : \
        ENVIRON["PART"] "." format
      print substr($0, length(format) + 2) >file
    }'
  mv -f "$feedback.new" "$feedback"
  mv -f "$gradescope.new" "$gradescope"
}

# parts ENDING: the parts of all students with that ending, in the students' order.
parts() {
  find "$WORK/parts" -name "*.$1" -print0 | LC_ALL=C sort -z | xargs -0 -r cat
}

# write_all: the files that are about the whole class, from what there is so far.
write_all() {
  {
    jq -rn '$ARGS.positional | @csv + "\r"' --args student "${CHAPTERS[@]}" total
    parts csv
  } | put "$OUT/gradebook.csv"
  {
    printf '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="forklab">\n'
    parts xml
    printf '</testsuites>\n'
  } | put "$OUT/junit.xml"
  write_page | put "$OUT/index.html"
  write_problems | put "$OUT/problems.txt"
}

# write_problems: what the instructor has to look at, by kind and student.
write_problems() {
  if [[ ! -s $WORK/problems ]]; then
    printf 'nothing to report\n'
    return
  fi
  local kind
  for kind in "${!KINDS[@]}"; do
    LC_ALL=C sort -u "$WORK/problems" | awk -F'\t' -v kind="${KINDS[kind]%%:*}" -v title="${KINDS[kind]#*: }" '
      $1 == kind {
        if (!shown++) printf "%s: %s\n", kind, title
        # Somebody who hands in a whole disk shall not hide the others. What belongs to nobody stands nowhere else.
        if ($2 == "" || ++count[$2] <= 20) printf "  %s%s%s\n", $2, $2 == "" ? "" : ": ", $3
        else more[$2]++
      }
      END {
        for (s in more) printf "  %s: and %d more like these\n", s, more[s] | "sort"
        close("sort")
        if (shown) print ""
      }'
  done
}

# escaped TEXT: for HTML.
escaped() {
  jq -rn --arg t "$1" '$t | @html'
}

# write_page: the overview of the class, one file that needs no other and no network.
write_page() {
  printf '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
  printf '<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>Class results</title>\n<style>\n'
  cat "$CLASSES/page.css"
  printf '</style>\n</head>\n<body>\n<main>\n<h1>Class results</h1>\n'
  parts counts | awk -F'\t' '
    $1 == "total" { n++; if ($2 < 0) open++; else { sum += $2; whole += $2 == $3 } most = $3 }
    END {
      printf "<p>%d student%s, %d of them with full points", n, n == 1 ? "" : "s", whole
      if (n > open) printf "; %.1f of %g points on average", sum / (n - open), most
      if (open) printf "; %d without a total, because something could not be graded", open
      print ".</p>"
    }'
  printf '<p>Files: <a href="gradebook.csv">gradebook.csv</a>, <a href="junit.xml">junit.xml</a>, <a href="problems.txt">problems.txt</a>. A name leads to the feedback for that student.</p>\n'
  printf '<h2>Students</h2>\n<p class="tools" hidden><label for="find">Show only names with</label> <input id="find" type="search" autocomplete="off"></p>\n'
  printf '<p id="said" role="status"></p>\n'
  printf '<div class="wide" role="region" aria-label="Points of each student" tabindex="0">\n<table id="class">\n<thead><tr><th scope="col" class="left">Student</th>'
  printf '<th scope="col">%s</th>' "${CHAPTERS[@]%%-*}"
  printf '<th scope="col">Total</th></tr></thead>\n<tbody>\n'
  parts row
  printf '</tbody>\n</table>\n</div>\n<h2>Chapters</h2>\n'
  printf '<div class="wide" role="region" aria-label="Each chapter over the class" tabindex="0">\n<table>\n<thead><tr><th scope="col" class="left">Chapter</th><th scope="col">Points</th>'
  printf '<th scope="col">Average</th><th scope="col">Full points</th><th scope="col">Missing</th><th scope="col">Not graded</th></tr></thead>\n<tbody>\n'
  parts counts | awk -F'\t' '
    NF == 4 { most[$1] = $4; if ($2 == "not-graded") open[$1]++; else { n[$1]++; sum[$1] += $3; full[$1] += $3 == $4 && $2 == "graded"; miss[$1] += $2 == "missing" } }
    END {
      for (c in most)
        printf "<tr><th scope=\"row\">%s</th><td>%g</td><td>%s</td><td>%d</td><td>%d</td><td>%d</td></tr>\n", c, most[c],
          n[c] ? sprintf("%.1f", sum[c] / n[c]) : "–", full[c], miss[c], open[c]
    }' | LC_ALL=C sort
  printf '</tbody>\n</table>\n</div>\n<h2>Tests that failed most often</h2>\n'
  local failed
  failed=$(parts counts | awk -F'\t' '$1 == "failed" { print $2 "\t" $3 }' | LC_ALL=C sort | uniq -c |
    LC_ALL=C sort -k 1,1nr -k 2 | awk 'NR <= 15')
  if [[ -n $failed ]]; then
    printf '<div class="wide" role="region" aria-label="Tests that failed most often" tabindex="0">\n<table>\n<thead><tr><th scope="col" class="left">Chapter</th><th scope="col" class="left">Test</th><th scope="col">Students</th></tr></thead>\n<tbody>\n'
    jq -rR 'capture("^ *(?<n>[0-9]+) (?<c>[^\t]*)\t(?<t>.*)$")
      | "<tr><th scope=\"row\">\(.c | @html)</th><td class=\"left\">\(.t | @html)</td><td>\(.n)</td></tr>"' <<<"$failed"
    printf '</tbody>\n</table>\n</div>\n'
  else
    printf '<p>None.</p>\n'
  fi
  printf '</main>\n<script>\n'
  cat "$CLASSES/page.js"
  printf '</script>\n</body>\n</html>\n'
}
