#!/usr/bin/env bash
# The browser's remote control and the accessibility checker, in the versions of
# package-lock.json: tests/page/modules.sh DIR puts them into DIR/node_modules, unless they are
# there. What npm says when it cannot is told, with status 1: it needs the npm registry, so
# tests/run.sh calls this before it goes into a network of its own.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dir=${1:?a folder}

mkdir -p "$dir"
! cmp -s "$here/package-lock.json" "$dir/installed" || exit 0
cp "$here"/package{,-lock}.json "$dir"
cd "$dir"
npm ci --ignore-scripts --no-audit --no-fund >npm.log 2>&1 || {
  cat npm.log
  exit 1
}
cp package-lock.json installed
