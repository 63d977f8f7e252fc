# tests/forkscope/pictures.bash - look at .dot and .svg files, for draw.bats and diagrams.bats.

# positions DOT...: prints "NODE X,Y" for every node of every file.
positions() {
  sed -n 's/^  \([A-Za-z0-9_]*\) \[pos="\([^"]*\)".*/\1 \2/p' "$@"
}

# texts_of SVG: the texts that a reader sees, and the title and description, sorted.
texts_of() {
  sed -n 's/.*<text[^>]*>\(.*\)<\/text>.*/\1/p; /<title id/p; /<desc/,/<\/desc>/p' "$1" | sort
}

# is_well_formed SVG: is it XML? By xmllint where that is installed, and always by hand:
# one root, every element closed in order, no bare & or <.
is_well_formed() {
  if command -v xmllint >/dev/null; then
    xmllint --noout --nonet "$1" || return 1
  fi
  awk '
    { text = text $0 "\n" }
    function wrong(what) { print FILENAME ": " what; failed = 1; exit 1 }
    END {
      if (failed) exit 1
      gsub(/<!--([^-]|-[^-])*-->|<\?[^>]*\?>|<!DOCTYPE[^>]*>/, "", text)
      while (match(text, /<[^>]*>/)) {
        before = substr(text, 1, RSTART - 1); tag = substr(text, RSTART + 1, RLENGTH - 2)
        text = substr(text, RSTART + RLENGTH)
        if (before ~ /&/ && before !~ /^([^&]|&(#[0-9]+|#x[0-9a-fA-F]+|amp|lt|gt|quot|apos);)*$/)
          wrong("a bare & in: " before)
        if (depth == 0 && before ~ /[^ \n]/) wrong("text outside of the root: " before)
        name = tag; sub(/[ \n\/].*/, "", name)
        if (tag ~ /^\//) {
          name = substr(tag, 2)
          if (depth == 0 || open[depth] != name) wrong("</" name "> where <" open[depth] "> is open")
          depth--
        } else if (tag ~ /\/$/) {
          if (depth == 0) roots++
        } else {
          if (depth == 0) roots++
          open[++depth] = name
        }
      }
      if (depth > 0) wrong("<" open[depth] "> is not closed")
      if (roots != 1) wrong(roots + 0 " roots")
      if (text ~ /[^ \n]/) wrong("text after the root: " text)
    }' "$1"
}
