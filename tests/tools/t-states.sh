#!/bin/sh
# docs/STATES.md is what the rules table says today.
set -eu
source=$(realpath "$(dirname "$0")/../..")
build=${VIPSEC_BUILDDIR:-$PWD}
echo 1..1
if "$build/tests/unit/vipsec-states" --markdown | diff "$source/docs/STATES.md" - >&2; then
	echo "ok 1 - docs/STATES.md is up to date"
else
	echo "not ok 1 - docs/STATES.md is old: run tools/states-to-dot"
	exit 1
fi
