#!/usr/bin/env bash
# setup.sh - what Gradescope runs once, as root, when it builds the image of the autograder.
set -euo pipefail
cd "${AUTOGRADER:-/autograder}/source/forklab"
tests/lib/need.sh class
make --silent grader
