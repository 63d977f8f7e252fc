# tests/lab/tree.bash - the tree of the lab, and copies of it. To be loaded after
# tests/lib/lab.bash.

# shellcheck disable=SC2034,SC2154 # set by run, and for run

# make(1) hands its variables down through these; a test calls make as a reader does.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES BUILD PORT ALL

# copy_tree DIR: copy everything but what is built and git's own to DIR.
copy_tree() {
  mkdir -p "$1"
  tar -C "$LAB_ROOT" --exclude=./build --exclude=./.git -cf - . | tar -C "$1" -xf -
}

# files PATTERN...: the files of the tree that match one of these patterns of find -name,
# as sorted paths from the root.
files() {
  local tests=() pattern
  for pattern; do
    tests+=(-o -name "$pattern")
  done
  (cd "$LAB_ROOT" && find . \( -path ./build -o -path ./.git \) -prune -o -type f \
    \( "${tests[@]:1}" \) -printf '%P\n' | sort)
}

# make_it WORD...: run make in the tree, to its end, as a reader does, with all output in
# the tests' build directory. Sets status, output and stderr as bats' run does.
make_it() {
  local -
  untraced
  local i # run sets it
  run --separate-stderr timeout 600 make -C "${TREE:-$LAB_ROOT}" --no-print-directory \
    BUILD="${TREE_BUILD:-$FORKLAB_BUILD}" "$@"
}

# nothing_said WHAT: what the last run printed must be nothing at all, with status 0.
nothing_said() {
  local -
  untraced
  assert_is "$1" '' "$output${stderr-}" && assert_is "exit status: $1" 0 "$status"
}
