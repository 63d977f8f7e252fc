#!/usr/bin/env bash
# Run tests on aarch64, on any machine: tests/aarch64/emulate.sh [FILE.bats...]
#
# An aarch64 machine is emulated, with Debian's kernel and programs for it: they are fetched as packages and only
# unpacked, so nothing of this machine changes. What the tests use is cross-compiled here. Default: the pictures and
# what is found in the servers, measured there and compared with those that are committed, and chapter 03. Everything
# lies in build/aarch64. MINUTES (default 60) is the most that it may take.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

place=$(realpath -m "${FORKLAB_BUILD:-build}")/aarch64
root=$place/root
minutes=${MINUTES:-60}
(($# > 0)) || set -- tests/forkscope/diagrams.bats tests/forkscope/findings.bats tests/chapters/03-naive-fork.bats

for file; do
  [[ -f $file ]] || {
    printf 'aarch64: there is no file %s\n' "$file" >&2
    exit 2
  }
done

# What a test needs there; the kernel too.
packages=(
  linux-image-arm64 kmod base-passwd bash coreutils dash debianutils diffutils findutils gawk grep gzip hostname
  libc-bin login mount ncurses-base netbase passwd procps sed tar util-linux iproute2 git jq lsof make gcc libc6-dev
  libmnl-dev libjansson-dev libdw-dev graphviz fonts-dejavu-core bats bats-support bats-assert
)

# fetch: the packages, by an apt that has a state of its own and the sources of this machine.
fetch() {
  mkdir -p "$place"/apt/{lists,archives}/partial
  : >"$place/apt/status"
  cat >"$place/apt/apt.conf" <<-END
	APT::Architecture "arm64";
	APT::Architectures { "arm64"; };
	APT::Sandbox::User "root";
	Dir::State::status "$place/apt/status";
	Dir::State::lists "$place/apt/lists";
	Dir::Cache::archives "$place/apt/archives";
	END
  local -x APT_CONFIG=$place/apt/apt.conf
  apt-get update && apt-get install -y --no-install-recommends --download-only "${packages[@]}"
}

# unpack: makes the root of the file system, and the kernel beside it.
unpack() {
  local package modules
  rm -rf "$root"
  mkdir -p "$root"
  for package in "$place"/apt/archives/*.deb; do
    dpkg-deb -x "$package" "$root"
  done
  # Of the kernel's modules only those that tell of sockets; no manuals.
  modules=$(echo "$root"/lib/modules/*)
  find "$modules/kernel" -type f ! -name '*_diag.ko' -delete
  depmod -b "$root" "${modules##*/}"
  rm -rf "$root"/usr/share/{doc,man,locale,info}
  # What the packages' own scripts would do.
  cp "$root/usr/share/base-passwd/passwd.master" "$root/etc/passwd"
  cp "$root/usr/share/base-passwd/group.master" "$root/etc/group"
  printf '127.0.0.1 localhost\n' >"$root/etc/hosts"
  ln -sf gawk "$root/usr/bin/awk"
  ln -sf gcc "$root/usr/bin/cc"
  ln -sf which.debianutils "$root/usr/bin/which"
  mv "$root"/boot/vmlinuz-* "$place/kernel"
  rm -rf "${root:?}/boot"
}

if [[ ! -s $place/kernel ]]; then
  printf 'aarch64: fetching and unpacking the packages (about a minute)\n' >&2
  mkdir -p "$place"
  trap 'printf "aarch64: that failed, see %s\n" "$place/log" >&2' EXIT
  fetch >"$place/log" 2>&1
  unpack >>"$place/log" 2>&1
  trap - EXIT
fi

printf 'aarch64: compiling\n' >&2
make --silent BUILD="$place/build" CC="aarch64-linux-gnu-gcc --sysroot=$root" WARNINGS=-Werror programs

# All lies there where it lies here, since the programs know where their source was.
rm -rf "$root$PWD"
mkdir -p "$root$PWD"
git ls-files -z --cached --others --exclude-standard | tar -c --null --files-from=- | tar -x -C "$root$PWD"
tar -c -C / "${place#/}/build" | tar -x -C "$root"
install -m 755 tests/aarch64/init "$root/init"
{
  printf 'cd %q && export FORKLAB_BUILD=%q FORKLAB_DEADLINE=60\n' "$PWD" "$place/build"
  printf 'bats --tap --timing'
  printf ' %q' "$@"
} >"$root/job"
(cd "$root" && find . -print0 | cpio --null --create --format=newc --quiet) >"$place/root.cpio"

printf 'aarch64: starting the machine; a test takes about twenty times as long there\n' >&2
timeout --foreground "$((minutes * 60))" qemu-system-aarch64 -M virt -cpu cortex-a72 -smp 2 -m 4096 \
  -nographic -no-reboot -net none -kernel "$place/kernel" -initrd "$place/root.cpio" \
  -append 'console=ttyAMA0 quiet panic=-1 rdinit=/init' </dev/null | tr -d '\r' | tee "$place/output"
grep -qx 'the job has ended with status 0' "$place/output" || {
  printf 'aarch64: tests have failed, or it took more than %d minutes\n' "$minutes" >&2
  exit 1
}
