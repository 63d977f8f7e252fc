#!/usr/bin/env bash
# Install what a command of this lab lacks: tests/lib/need.sh tour|predict|grade|class|test|diagrams|arm
#
# Looks for each tool first. What is missing is named, then installed with apt-get,
# as root or through sudo; where that cannot be done the exact command is printed
# and the exit status is 1.
set -euo pipefail

# tool, how to see that it is there, and the Debian package it comes in
tour=(
  'command cc' build-essential
  'header libmnl/libmnl.h' libmnl-dev
  'header jansson.h' libjansson-dev
  'header elfutils/libdwfl.h' libdw-dev
)
diagrams=(
  "${tour[@]}"
  'command neato' graphviz
  'font DejaVu' fonts-dejavu-core
)
predict=(
  "${tour[@]}"
  'command jq' jq
)
grade=(
  "${predict[@]}"
  'command bats' bats
  'command bwrap' bubblewrap
  'command ip' iproute2
)
class=(
  "${grade[@]}"
  'command parallel' parallel
  'command bsdtar' libarchive-tools
  'command rsync' rsync
  'command ssh' openssh-client
  'command zip' zip
)
test=(
  "${diagrams[@]}"
  "${class[@]}"
  'library bats-support' bats-support
  'library bats-assert' bats-assert
  'command sshd' openssh-server
  'command xmllint' libxml2-utils
  'command ss' iproute2
  'command lsof' lsof
  'command git' git
  'command chromium' chromium
  'command node' nodejs
  'command npm' npm
  'command clang' clang
  'command clang-format' clang-format
  'command cppcheck' cppcheck
  'command shellcheck' shellcheck
  'command shfmt' shfmt
  'command aarch64-linux-gnu-gcc' gcc-aarch64-linux-gnu
  'file /usr/aarch64-linux-gnu/include/stdio.h' libc6-dev-arm64-cross
)
arm=(
  'command aarch64-linux-gnu-gcc' gcc-aarch64-linux-gnu
  'command qemu-system-aarch64' qemu-system-arm
  'command cpio' cpio
  'command depmod' kmod
  'command git' git
)

is_there() {
  local kind=$1 name=$2
  case $kind in
    command) command -v "$name" >/dev/null ;;
    file) [[ -e $name ]] ;;
    header) cc -E -x c -o /dev/null - 2>/dev/null <<<"#include <$name>" ;;
    # The pictures are laid out with this font, so that they are the same everywhere.
    font) [[ $(fc-match "$name Sans" 2>/dev/null) == *"$name Sans"* ]] ;;
    library) [[ -d /usr/lib/bats/$name || -d /usr/share/bats/$name || -d ${BATS_LIB_PATH:-/nowhere}/$name ]] ;;
  esac
}

case ${1:-} in
  tour) list=("${tour[@]}") ;;
  grade) list=("${grade[@]}") ;;
  class) list=("${class[@]}") ;;
  diagrams) list=("${diagrams[@]}") ;;
  predict) list=("${predict[@]}") ;;
  test) list=("${test[@]}") ;;
  arm) list=("${arm[@]}") ;;
  *)
    printf 'usage: tests/lib/need.sh tour|predict|grade|class|test|diagrams|arm\n' >&2
    exit 2
    ;;
esac

missing=()
for ((i = 0; i < ${#list[@]}; i += 2)); do
  read -r kind name <<<"${list[i]}"
  # Two lists, or two tools, may want the same package.
  [[ " ${missing[*]} " != *" ${list[i + 1]} "* ]] || continue
  is_there "$kind" "$name" || missing+=("${list[i + 1]}")
done
((${#missing[@]} > 0)) || exit 0

as_root=()
if ((EUID != 0)); then
  as_root=(sudo)
fi
install="${as_root[*]:+${as_root[*]} }apt-get install -y --no-install-recommends ${missing[*]}"
printf 'make %s needs: %s\n' "$1" "${missing[*]}"

# Without a terminal sudo may only be used where it asks for no password.
can_install() {
  command -v apt-get >/dev/null || return 1
  ((EUID == 0)) && return 0
  command -v sudo >/dev/null || return 1
  [[ -t 0 ]] || sudo -n true 2>/dev/null
}
if ! can_install; then
  printf 'install it with:\n  %s\n' "$install" >&2
  exit 1
fi
printf 'installing (about a minute): %s\n' "$install"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
# The list of packages may be old, or empty on a new machine: fetch it and try again.
if ! $install >"$log" 2>&1; then
  if ! { "${as_root[@]}" apt-get update && $install; } >"$log" 2>&1; then
    tail -n 5 "$log" >&2
    printf 'that failed; by hand: apt-get update, then\n  %s\n' "$install" >&2
    exit 1
  fi
fi
