#!/bin/bash
# Every configuration that we hand out is accepted by `vipsec check`: the examples, and
# what stands in the README.
set -eu
source=$(realpath "$(dirname "$0")/../..")
vipsec=${VIPSEC_BUILDDIR:-$PWD}/vipsec
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The secret that they name stands elsewhere for us.
printf 'a secret that nobody uses\n' >"$work/secret"
chmod 600 "$work/secret"

cp "$source"/docs/examples/*.conf "$work"
awk -v work="$work" '
	/^```vipsec$/ { inside = 1; file = work "/readme-" ++n ".conf"; next }
	/^```$/ { inside = 0 }
	inside { print >file }' "$source/README.md"

number=0
failed=0
for file in "$work"/*.conf; do
	number=$((number + 1))
	sed -i "s,/etc/vipsec/secrets/[a-z]*,$work/secret," "$file"
	if text=$("$vipsec" check "$file" 2>&1); then
		echo "ok $number - ${file##*/} is a good configuration"
	else
		echo "not ok $number - ${file##*/}"
		printf '%s\n' "$text" | sed 's/^/# /'
		failed=1
	fi
done
echo "1..$number"
[ "$number" -ge 4 ] || failed=1
exit $failed
