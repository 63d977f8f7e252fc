#!/usr/bin/env bats
# tests/lab/need.bats - tests/lib/need.sh: what is lacking is named, installed where that may
# be done, and otherwise told as a command.
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2153,SC2154 # set by lab.bash and by run

bats_require_minimum_version 1.5.0

setup() {
  load ../lib/lab.bash
  load tree.bash
  lab_setup
  NEED=$LAB_ROOT/tests/lib/need.sh
  TOOLS=$(mktemp -d)
  # What the script itself is written with.
  local tool
  for tool in bash env mktemp rm tail cat; do
    ln -s "$(command -v "$tool")" "$TOOLS/$tool"
  done
}

teardown() {
  lab_teardown
  rm -rf "$TOOLS"
}

# fake NAME [SHELL_TEXT]: a tool that notes how it was called in the file "calls", and
# then does this.
fake() {
  printf '#!/usr/bin/env bash\nprintf "%%s\\n" "%s $*" >>"%s/calls"\n%s\n' \
    "$1" "$TOOLS" "${2-}" >"$TOOLS/$1"
  chmod +x "$TOOLS/$1"
}

# need AS WORD...: run need.sh with nothing but TOOLS, as root or as nobody.
need() {
  local as=()
  if [[ $1 == nobody ]]; then
    if ((EUID == 0)); then
      as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
      chmod 777 "$TOOLS"
    fi
  else
    ((EUID == 0)) || skip 'only root can install as root'
  fi
  shift
  run --separate-stderr "${as[@]}" env -i PATH="$TOOLS" BATS_LIB_PATH="$TOOLS" TMPDIR="$TOOLS" \
    bash "$NEED" "$@"
}

calls() {
  if [[ -e $TOOLS/calls ]]; then cat "$TOOLS/calls"; fi
}

ALL_OF_TOUR='build-essential libmnl-dev libjansson-dev libdw-dev'

@test "with everything there nothing is said, nothing is installed" {
  local word
  for word in tour test diagrams; do
    run --separate-stderr bash "$NEED" "$word"
    nothing_said "need.sh $word"
  done
}

@test "another word, or none, prints the usage with status 2" {
  local words
  for words in '' everything 'tour --help'; do
    # shellcheck disable=SC2086 # none, one or two words
    run --separate-stderr bash "$NEED" $words
    [[ $words == tour* ]] && continue
    assert_is "exit status for '$words'" 2 "$status"
    assert_is "stderr for '$words'" 'usage: tests/lib/need.sh tour|predict|grade|class|test|diagrams|arm' "$stderr"
  done
}

@test "somebody who may not install gets the exact command, and status 1" {
  fake apt-get
  need nobody tour
  assert_is 'exit status' 1 "$status"
  assert_is 'stdout' "make tour needs: $ALL_OF_TOUR" "$output"
  assert_is 'stderr' "install it with:"$'\n'"  sudo apt-get install -y --no-install-recommends $ALL_OF_TOUR" "$stderr"
  assert_is 'calls of apt-get' '' "$(calls)"
}

@test "where sudo asks for a password it is not used without a terminal" {
  fake apt-get
  fake sudo '[[ $1 != -n ]]'
  need nobody tour
  assert_is 'exit status' 1 "$status"
  assert_is 'calls' 'sudo -n true' "$(calls)"
}

@test "where sudo asks for nothing it installs" {
  fake apt-get
  fake sudo '[[ $1 == -n ]] || "$@"'
  need nobody tour
  assert_is 'exit status' 0 "$status"
  assert_is 'calls' "sudo -n true
sudo apt-get install -y --no-install-recommends $ALL_OF_TOUR
apt-get install -y --no-install-recommends $ALL_OF_TOUR" "$(calls)"
}

@test "root installs exactly what is lacking, and says so first" {
  fake apt-get
  need root tour
  assert_is 'exit status' 0 "$status"
  assert_is 'stdout' "make tour needs: $ALL_OF_TOUR
installing (about a minute): apt-get install -y --no-install-recommends $ALL_OF_TOUR" "$output"
  assert_is 'calls' "apt-get install -y --no-install-recommends $ALL_OF_TOUR" "$(calls)"
}

@test "only what is lacking is named: a compiler that is there is not" {
  fake apt-get
  # It finds no header.
  fake cc 'exit 1'
  need root diagrams
  assert_is 'first line' 'make diagrams needs: libmnl-dev libjansson-dev libdw-dev graphviz fonts-dejavu-core' "${lines[0]}"
  rm "$TOOLS/calls"
  # Now it finds every header.
  fake cc 'exit 0'
  need root diagrams
  assert_is 'what is installed' 'apt-get install -y --no-install-recommends graphviz fonts-dejavu-core' \
    "$(calls | grep apt-get)"
}

@test "for the tests every package of the list is asked for, each once" {
  fake apt-get
  need root test
  local package
  for package in build-essential libmnl-dev libjansson-dev libdw-dev graphviz bats parallel jq iproute2 lsof git chromium nodejs npm \
    clang clang-format cppcheck shellcheck shfmt; do
    assert_is "how often $package is asked for" 1 "$(tr ' ' '\n' < <(calls) | grep -cx -- "$package")"
  done
}

@test "an old list of packages is fetched anew, once, and then it goes on" {
  fake apt-get '[[ $1 == update || -e $0.updated ]] && : >"$0.updated"'
  need root tour
  assert_is 'exit status' 0 "$status"
  assert_is 'calls' "apt-get install -y --no-install-recommends $ALL_OF_TOUR
apt-get update
apt-get install -y --no-install-recommends $ALL_OF_TOUR" "$(calls)"
}

@test "when installing fails the reason and the command are printed, with status 1" {
  fake apt-get 'echo "E: no network"; exit 100'
  need root tour
  assert_is 'exit status' 1 "$status"
  assert_is 'stderr' "E: no network
that failed; by hand: apt-get update, then
  apt-get install -y --no-install-recommends $ALL_OF_TOUR" "$stderr"
}

@test "a machine without apt-get gets the command too" {
  need root tour
  assert_is 'exit status' 1 "$status"
  assert_is 'last line' "  apt-get install -y --no-install-recommends $ALL_OF_TOUR" "${stderr_lines[1]}"
}

@test "nothing is left of a log" {
  fake apt-get 'exit 100'
  need root tour
  assert_is 'files' '' "$(find "$TOOLS" -mindepth 1 -name 'tmp.*')"
}

@test "every tool that a test or a script calls is in the list, or belongs to every Debian" {
  # The packages that need.sh knows, against the programs that the tests call by command -v.
  local tool
  for tool in bats jq neato ss lsof shellcheck shfmt clang clang-format cppcheck; do
    run grep -cE "'command $tool'" "$NEED"
    assert_is "lines for $tool in need.sh" 1 "$output"
  done
}
