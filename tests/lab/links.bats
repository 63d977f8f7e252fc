#!/usr/bin/env bats
# tests/lab/links.bats - what the texts point at is there.
# shellcheck disable=SC2013,SC2016,SC2030,SC2031,SC2034,SC2153,SC2154 # set by lab.bash and by run

bats_require_minimum_version 1.5.0

setup() {
  load ../lib/lab.bash
  load tree.bash
  lab_setup
  cd "$LAB_ROOT" || return
  mapfile -t TEXTS < <(files '*.md')
}

teardown() {
  lab_teardown
}

# links FILE: the targets of its links and images, one a line; not those in code.
links() {
  awk '
    /^ {4}/ || /^```/ { next }
    {
      gsub(/`[^`]*`/, "")
      while (match($0, /\]\([^)]*\)/)) {
        print substr($0, RSTART + 2, RLENGTH - 3)
        $0 = substr($0, RSTART + RLENGTH)
      }
    }' "$1"
}

# anchors FILE: what a web host calls its headings.
anchors() {
  awk '
    /^```/ { code = !code }
    !code && /^#+ / {
      sub(/^#+ +/, "")
      text = tolower($0)
      gsub(/[^a-z0-9 _-]/, "", text)
      gsub(/ /, "-", text)
      print text
    }' "$1"
}

@test "there are texts to check: one for the lab and one for each chapter" {
  assert_is 'texts' "$(printf '%s\n' README.md chapters/[0-9]*/ | sed 's|/$|/README.md|' | LC_ALL=C sort)" \
    "$(printf '%s\n' "${TEXTS[@]}" | grep -E '^(README.md|chapters/)' | LC_ALL=C sort)"
}

@test "every link and every image of a text leads to a file and a heading that exist" {
  local text link path broken='' count=0
  for text in "${TEXTS[@]}"; do
    while read -r link; do
      [[ $link != http*:* && $link != mailto:* ]] || continue
      count=$((count + 1))
      path=${link%%#*}
      path=${path:+$(dirname "$text")/$path}
      path=${path:-$text}
      if [[ ! -e $path ]]; then
        broken+="$text: $link"$'\n'
      elif [[ $link == *'#'* ]] && ! grep -qxF -- "${link#*#}" < <(anchors "$path"); then
        broken+="$text: $link: there is no such heading"$'\n'
      fi
    done < <(links "$text")
  done
  assert_is 'links that lead nowhere' '' "$broken"
  ((count > 20)) || assert_is 'links that were found' 'more than 20' "$count"
}

@test "every image has a text that says what it shows" {
  run grep -nE '!\[[^]]{0,15}\]\(' "${TEXTS[@]}"
  assert_is 'images without one' '' "$output"
}

@test "every make command that a text or a program names is one that make knows" {
  local line word unknown='' count=0
  local -A said=()
  while IFS=: read -r line word; do
    count=$((count + 1))
    # NN stands for any chapter's number.
    if [[ -z ${said[$word]-} ]]; then
      make_it -n "${word/NN/03}"
      said[$word]=.$stderr
    fi
    [[ ${said[$word]} != *'No rule to make target'* ]] || unknown+="$line: make $word"$'\n'
  done < <(
    # In texts: a line of its own, or in backticks. In programs: anywhere after "make".
    {
      grep -oHE '(^ {4}|`)make [a-z]+(-(NN|[0-9]+))?' "${TEXTS[@]}"
      grep -oHE '\bmake [a-z]+-(NN|[0-9]+)|\bmake (client|tour|test|help|clean|diagrams)\b' chapters/*/*.c chapters/*.sh
    } | sed -E 's/:.*make /:/' | sort -u
  )
  assert_is 'commands that make does not know' '' "$unknown"
  ((count > 10)) || assert_is 'commands that were found' 'more than 10' "$count"
}

@test "a chapter's program names itself, and commands for its own number" {
  local source number first
  for source in chapters/[0-9]*/{client,server}.c; do
    [[ -e $source ]] || continue
    first=$(sed -n 's/^ \* \(chapters\/[^ ]*\) .*/\1/p' "$source" | head -n 1)
    assert_is "the path in the first lines of $source" "$source" "$first"
    # The client serves every chapter.
    [[ $source != *client.c ]] || continue
    number=${source#chapters/}
    number=${number%%-*}
    assert_is "$source: make run-NN for another number" '' \
      "$(sed -n '/^ \*\/$/q; p' "$source" | grep -oE 'make (run|watch)-[0-9]+' | grep -v -- "-$number\$" || true)"
  done
}

@test "the text of every chapter with a server says how to step through it, behind how to run it" {
  local text number run
  for text in chapters/[0-9]*/README.md; do
    [[ -e ${text%README.md}server.c ]] || continue
    number=${text#chapters/}
    number=${number%%-*}
    run=$(sed -n '/^## Run/,/^## Investigate/p' "$text" | grep -oE '`make trace-[0-9]+`' || true)
    assert_is "$text, its section Run: the command" "\`make trace-$number\`" "$run"
  done
}

@test "every path that a text names exists" {
  # In backticks or code lines: what has a slash and begins with a folder of ours.
  local text word missing='' count=0
  for text in "${TEXTS[@]}"; do
    for word in $(grep -oE '(^|[` ])(\./)?(chapters|diagrams|tests|solutions|build)/[A-Za-z0-9_./*-]*' "$text" |
      sed -E 's/^[` ]//; s/[.,:;]$//'); do
      # NN-slug, OUT and the like stand for something; what is built need not be there.
      [[ $word != *[A-Z][A-Z]* && $word != build/* ]] || [[ $word == */README.md ]] || continue
      count=$((count + 1))
      compgen -G "$word" >/dev/null || missing+="$text: $word"$'\n'
    done
  done
  assert_is 'paths that do not exist' '' "$missing"
  ((count > 10)) || assert_is 'paths that were found' 'more than 10' "$count"
}

@test "no text and no program names a folder of somebody's machine" {
  run grep -rnE '(^|[^A-Za-z0-9_.-])/(home|root|Users|work|mnt|srv)/' . \
    --include='*' --exclude-dir=.git --exclude-dir=build --exclude=links.bats
  assert_is 'lines that do' '' "$output"
}

@test "the top level holds only what has a place there" {
  local name extra=''
  for name in *; do
    case $name in
      Makefile | README.md | LICENSE | chapters | diagrams | solutions | tests | build) ;;
      *) extra+="$name " ;;
    esac
  done
  assert_is 'what else is there' '' "$extra"
}

@test "every folder of a chapter has its number to itself, and a place in the README's ladder" {
  local chapter
  assert_is 'numbers that two chapters have' '' \
    "$(printf '%s\n' chapters/[0-9]*/ | sed 's|chapters/\([0-9]*\)-.*|\1|' | sort | uniq -d)"
  for chapter in chapters/[0-9]*/; do
    chapter=${chapter%/}
    run grep -cE "^\| \[${chapter#chapters/}\]\($chapter/README.md\) \|" README.md
    assert_is "lines for $chapter in the ladder of README.md" 1 "$output"
  done
}

@test "the texts use nothing but plain punctuation that every editor has, and no trailing blanks" {
  run grep -nE '[[:blank:]]+$' "${TEXTS[@]}"
  assert_is 'lines with blanks at their end' '' "$output"
}
