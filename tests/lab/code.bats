#!/usr/bin/env bats
# tests/lab/code.bats - the form of the code: compilers, formatters, checkers.
# shellcheck disable=SC2013,SC2016,SC2030,SC2031,SC2034,SC2153,SC2154 # set by lab.bash and by run

bats_require_minimum_version 1.5.0

setup() {
  load ../lib/lab.bash
  load tree.bash
  lab_setup
  cd "$LAB_ROOT" || return
}

teardown() {
  lab_teardown
}

# The flags of the Makefile, so that what it promises is what is checked.
standard() {
  # Without WARNINGS, which is for whoever calls make.
  sed -nE 's/^STANDARD :?= (.*-Wall.*) \$\(WARNINGS\)$/\1/p' Makefile | grep .
}

# bash_files: everything that bash or bats runs, whatever its name.
bash_files() {
  {
    files '*.bash' '*.bats'
    files '*' | xargs grep -lIE '^#!/usr/bin/env (bash|bats)$'
  } | sort -u
}

# bats test_tags=long
@test "bash files are clean under shellcheck" {
  local list
  mapfile -t list < <(bash_files)
  ((${#list[@]} > 40)) || assert_is 'files' 'more than 40' "${#list[@]}"
  printf '%s\0' "${list[@]}" | xargs -0 -P 2 -n 8 shellcheck -x >"$BATS_TEST_TMPDIR/found" 2>&1 || true
  assert_is 'findings' '' "$(<"$BATS_TEST_TMPDIR/found")"
}

@test "bash files are formatted as shfmt -i 2 -ci does it" {
  local list
  mapfile -t list < <(bash_files)
  run shfmt -i 2 -ci -d "${list[@]}"
  nothing_said 'what shfmt would change'
}

@test "C files are formatted as .clang-format says" {
  local list
  mapfile -t list < <(files '*.c' '*.h')
  run clang-format --style=file --dry-run -Werror "${list[@]}"
  nothing_said 'what clang-format would change'
}

# bats test_tags=long
@test "every C file compiles with both compilers without a warning" {
  local file flags=() define
  read -ra flags <<<"$(standard)"
  assert_is 'flags that are checked' yes "$([[ " ${flags[*]} " == *' -Wconversion '* ]] && echo yes)"
  for file in $(files '*.c'); do
    define=-DFORKLAB
    case $file in
      # Compiled by their own tests: an exercise as shipped need not, a mutant may not.
      tests/mutants/* | tests/hostile/* | tests/chapters/* | */exercise.c) continue ;;
      diagrams/* | tests/forkscope/*) define=-D_GNU_SOURCE ;;
    esac
    printf '%s\0' gcc "$define" "$file" clang "$define" "$file"
  done >"$BATS_TEST_TMPDIR/list"
  xargs -0 -P 2 -n 3 bash -c '"${@: -3:1}" "${@: -2:1}" "${@:1:$#-3}" -Werror -O1 -c -o /dev/null "${@: -1}"' \
    - "${flags[@]}" <"$BATS_TEST_TMPDIR/list" >"$BATS_TEST_TMPDIR/found" 2>&1 || true
  assert_is 'warnings and errors' '' "$(<"$BATS_TEST_TMPDIR/found")"
}

@test "the tool compiles for aarch64 without a warning too" {
  # The C library's headers are that machine's, those of the libraries have nothing of a machine.
  local include=$BATS_TEST_TMPDIR/include flags=() name
  mkdir "$include"
  for name in elfutils libmnl jansson.h jansson_config.h libelf.h gelf.h dwarf.h; do
    [[ ! -e /usr/include/$name ]] || ln -s "/usr/include/$name" "$include"
  done
  read -ra flags <<<"$(standard)"
  printf '%s\0' diagrams/forkscope/*.c |
    xargs -0 -P 2 -n 4 aarch64-linux-gnu-gcc -fsyntax-only -D_GNU_SOURCE "${flags[@]}" -Werror -isystem "$include" \
      >"$BATS_TEST_TMPDIR/found" 2>&1 || true
  assert_is 'warnings and errors' '' "$(<"$BATS_TEST_TMPDIR/found")"
}

# bats test_tags=long
@test "C files are clean under cppcheck" {
  local machine
  # Each program for itself: every chapter has a main of its own.
  local options=(--quiet --error-exitcode=1 --std=c11 "--enable=warning,performance,portability"
    --suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches -j 2)
  for machine in x86_64 aarch64; do
    run cppcheck "${options[@]}" -D_GNU_SOURCE "-D__${machine}__" diagrams/forkscope
    nothing_said "cppcheck on the tool, for $machine"
  done
  local list
  mapfile -t list < <(files '*.c' | grep -E '^(chapters|solutions|tests/(lib|forkscope))/' | grep -v '/exercise\.c$')
  run cppcheck "${options[@]}" "${list[@]}"
  nothing_said 'cppcheck on the programs'
  # What it finds may not be hushed up in the code.
  run grep -rn 'cppcheck-suppress' chapters diagrams tests --include='*.[ch]'
  assert_is 'suppressed findings' '' "$output"
}

@test "each file of the tool is short enough to be read at a sitting" {
  assert_is 'files of 470 lines or more' '' \
    "$(wc -l diagrams/forkscope/*.[ch] | awk '$2 != "total" && $1 >= 470 { print $2, $1 }')"
}

@test "each file of the tool begins with a comment that names it" {
  run awk '
    FNR == 1 { name = FILENAME; sub(/.*\//, "", name); said = 0 }
    FNR <= 2 && /^(\/\*| \*) / && index(substr($0, 4), name " - ") == 1 { said = 1 }
    FNR == 2 && !said { print FILENAME }' diagrams/forkscope/*.[ch]
  nothing_said 'files whose first lines do not say: name.c - what it is'
}

@test "each function in a header of the tool has a comment above it" {
  local header
  for header in diagrams/forkscope/*.h; do
    # A declaration begins at the left and ends in ");". A comment may stand above a group of them.
    run awk '
      /^(\/\*| \*)/ { commented = 1; next }
      /^$/ { commented = 0; next }
      /^[a-z].*\(/ && !/^(static|extern|typedef|enum|struct [a-z_]+ \{)/ {
        if (!commented) print FILENAME ": " $0
      }' "$header"
    assert_is 'functions without one' '' "$output"
  done
}

@test "the public runner calls the same command as a reader, with the long tests" {
  assert_holds grep -q '^make test ALL=1 ' .ci/run
}

@test "a test is tagged as long on the line above it, or not at all" {
  local tags
  tags=$(files '*.bats' | xargs grep -hA 1 '^ *# *bats .*tags' | grep -v '^--$')
  assert_is 'tags' '# bats test_tags=long' "$(grep -v '^@test ' <<<"$tags" | sort -u)"
  assert_is 'tests below them' "$(grep -c '^# bats' <<<"$tags")" "$(grep -c '^@test ' <<<"$tags")"
}

@test "no two tests of a file have the same name, and each name is a sentence" {
  local names=$BATS_TEST_TMPDIR/names
  files '*.bats' | xargs grep -HoE '^@test ".*" \{$' >"$names"
  (($(wc -l <"$names") > 400)) || assert_is 'tests' 'more than 400' "$(wc -l <"$names")"
  assert_is 'names that occur twice' '' "$(sort "$names" | uniq -d)"
  assert_is 'names of fewer than three words' '' "$(grep -vE ':@test "[^ ]+ [^ ]+ [^ ]+' "$names" || true)"
}

@test "no test sleeps for a fixed time, and nothing is ended by its name" {
  # The words are put together, so that this line is not found itself.
  run grep -rnE "(^|[;&|({ ])sle""ep [0-9.]|\b(pki""ll|killa""ll)\b" tests chapters diagrams .ci \
    --include='*.bats' --include='*.bash' --include='*.sh' --include=run
  assert_is 'lines that do' '' "$output"
}

@test "every test file requires the bats it is written for" {
  local file
  for file in $(files '*.bats'); do
    assert_is "$file: lines that say which" 1 "$(grep -cE '^bats_require_minimum_version [0-9.]+$' "$file")"
  done
}

@test "scripts that are run can be run, and stop at the first error" {
  local file
  for file in $(files '*.sh') .ci/run; do
    assert_holds test -x "$file"
    assert_is "$file: set -euo pipefail" 1 "$(grep -cx 'set -euo pipefail' "$file")"
    assert_is "$file: its first line" '#!/usr/bin/env bash' "$(head -n 1 "$file")"
  done
}

@test "a text file ends with one newline and has no carriage return" {
  local list
  mapfile -t list < <(files '*.c' '*.h' '*.sh' '*.bash' '*.bats' '*.md' '*.dot' scenario Makefile)
  # With -z a file is one line, whose end is \z.
  assert_is 'files without exactly one newline at their end' '' "$(grep -LzP '[^\n]\n\z' "${list[@]}" || true)"
  assert_is 'files with carriage returns' '' "$(grep -lI $'\r$' "${list[@]}" || true)"
}
