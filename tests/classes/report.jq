# tests/classes/report.jq - one student's results as the formats that others read.
#
#   jq -rs -f report.jq RESULT...
#
# Input: the results of one student (result.jq), in the order of the chapters. Everything in them
# may come from a stranger and is escaped for its format.

# Code points that XML 1.0 allows.
def xml_chars:
  explode | map(select(. == 9 or . == 10 or . == 13 or (. >= 32 and . <= 55295)
    or (. >= 57344 and . <= 65533) or . >= 65536)) | implode;
def xml: tostring | xml_chars | @html;
# A spreadsheet takes a cell that begins so for a formula: the quote says that it is text.
def cell: if type == "string" and test("^[=+@\t\r-]") then "'" + . else . end;
def csv: map(cell) | @csv;
# Letters that mean something in Markdown or HTML.
def markdown: gsub("(?<c>[\\\\`*_{}\\[\\]()#+.!|<>&~-])"; "\\\(.c)");
# As code: whatever stands in it stays text.
def code: rtrimstr("\n") | split("\n") | map("    " + .) | join("\n");

def student: .[0].student;
def total: if any(.[]; .state == "not-graded") then null else map(.points) | add end;
def most: map(.max_points) | add;
def number: .chapter[0:2];
def status_word: if . == "passed" then "passed" elif . == "failed" then "failed" else "not run" end;

def junit:
  .[] | . as $r
  | "  <testsuite name=\"\(.student | xml)/\(.chapter | xml)\" tests=\"\([.tests | length, 1] | max)\""
    + " failures=\"\(if .state == "missing" then 1 else .tests | map(select(.status == "failed")) | length end)\""
    + " errors=\"\(if .state == "not-graded" then 1 else 0 end)\""
    + " skipped=\"\(.tests | map(select(.status == "not-run")) | length)\" time=\"\(.seconds)\">",
    (if .state == "graded" then
      .tests[]
      | "    <testcase classname=\"\($r.student | xml)/\($r.chapter | xml)\" name=\"\(.name | xml)\" time=\"\(.seconds // 0)\""
        + (if .status == "passed" then "/>"
           elif .status == "failed" then "><failure message=\"\(.points) of \(.max_points) points\">\(.output | xml)</failure></testcase>"
           else "><skipped message=\"\(.output | gsub("\n"; " ") | xml)\"/></testcase>" end)
    else
      "    <testcase classname=\"\(.student | xml)/\(.chapter | xml)\" name=\"handed in\" time=\"0\">"
      + (if .state == "missing" then "<failure message=\"missing\">" else "<error message=\"could not be graded\">" end)
      + (.reason | xml)
      + (if .state == "missing" then "</failure>" else "</error>" end) + "</testcase>"
    end),
    "  </testsuite>";

# One result for each test. The platform knows only passed and failed; what was not run says so.
def gradescope_tests:
  if .state != "graded" then
    [{name: "\(.chapter): handed in", number: "\(number).1", score: 0, max_score: .max_points, status: "failed",
      output: (if .state == "missing" then "missing: " else "could not be graded: " end + .reason)}]
  else
    . as $r | .tests | map({name: "\($r.chapter): \(.name)", number: "\($r | number).\(.number)", score: .points,
      max_score: .max_points, status: (if .status == "passed" then "passed" else "failed" end),
      output: (if .status == "not-run" and (.output | startswith("not run") | not) then "not run: " + .output else .output end)})
  end;
def gradescope:
  {score: (map(.points // 0) | add), output_format: "text", visibility: "visible", stdout_visibility: "hidden",
   output: (if any(.[]; .state == "not-graded") then
     "Not everything could be graded. The points are those of what could; ask your instructor." else "" end),
   tests: (map(gradescope_tests) | add)};

def feedback:
  "# \(student | markdown)", "",
  (if total == null then "Not everything could be graded: there is no total yet."
   else "\(total) of \(most) points." end), "",
  "| chapter | points | of |", "| --- | ---: | ---: |",
  (.[] | "| \(.chapter) | \(if .state == "not-graded" then "not graded" else .points end)\(if .state == "missing" then " (missing)" else "" end) | \(.max_points) |"),
  (.[]
   | "", "## \(.chapter)", "",
     (if .state == "missing" then "Nothing was handed in for this chapter."
      elif .state == "not-graded" then "This could not be graded:\n\n\(.reason | code)\n\nThat says nothing about your program."
      else
        "\(.points) of \(.max_points) points."
        + (if (.limits_hit | length) > 0 then " Limits that were reached: \(.limits_hit | map(tostring) | join(", ") | markdown)." else "" end),
        "", "| test | result | points |", "| --- | --- | ---: |",
        (.tests[] | "| \(.name | markdown) | \(.status | status_word) | \(.points) of \(.max_points) |"),
        (.tests[] | select(.status != "passed" and .output != "") | "", "### \(.name | markdown)", "", (.output | code))
      end));

# The row of the overview page.
def row:
  "<tr><th scope=\"row\"><a href=\"feedback/\(student | @uri).md\">\(student | @html)</a></th>",
  (.[]
   | if .state == "missing" then "<td class=\"none\" data-v=\"0\">0 <small>missing</small></td>"
     elif .state == "not-graded" then "<td class=\"open\" data-v=\"-1\"><small>not graded</small></td>"
     else "<td class=\"\(if .points == .max_points then "full" elif .points == 0 then "none" else "part" end)\" data-v=\"\(.points)\">\(.points)\(if .points == .max_points then " <small>full</small>" else "" end)</td>"
     end),
  "<td data-v=\"\(total // -1)\">\(total // "–")</td></tr>";


# Several formats in one go: each line behind the name of its format and a tab.
def lines($format): (if . == "" then "" else split("\n")[] end) | "\($format)\t\(.)";

(([student] + map(if .state == "not-graded" then "" else .points end) + [total // ""] | csv + "\r") | lines("csv")),
(junit | lines("xml")),
(feedback | lines("feedback")),
(gradescope | tojson | lines("gradescope")),
(row | lines("row")),
# What is counted over the class: state and points of each chapter, and the tests that failed.
((.[] | [.chapter, .state, (.points // 0), .max_points]),
 (.[] | .chapter as $c | .tests[] | select(.status == "failed") | ["failed", $c, .name]),
 ["total", (total // -1), most]
 | @tsv | lines("counts"))
