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

# So do a CA, and a certificate by it.
sign() { openssl x509 -req -in "$work/$1.csr" -days 30 "${@:2}" 2>/dev/null; }
for one in ca own; do
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$one" \
		-addext subjectAltName=DNS:mail.example.com \
		-keyout "$work/$one.key" -out "$work/$one.csr" 2>/dev/null
done
sign ca -signkey "$work/ca.key" -extfile <(echo basicConstraints=critical,CA:TRUE) \
	>"$work/ca.pem"
sign own -CA "$work/ca.pem" -CAkey "$work/ca.key" -CAcreateserial \
	-extfile <(echo subjectAltName=DNS:mail.example.com) >"$work/own.pem"
chmod 600 "$work/own.key"

cp "$source"/docs/examples/*.conf "$work"
awk -v work="$work" '
	/^```vipsec$/ { inside = 1; file = work "/readme-" ++n ".conf"; next }
	/^```$/ { inside = 0 }
	inside { print >file }' "$source/README.md"

number=0
failed=0
for file in "$work"/*.conf; do
	number=$((number + 1))
	sed -i -e "s,/etc/vipsec/secrets/[a-z]*,$work/secret," \
		-e "s,/etc/vipsec/certs/[a-z.]*,$work/own.pem," \
		-e "s,/etc/vipsec/private/[a-z.]*,$work/own.key," \
		-e "s,/etc/vipsec/ca/[a-z.]*,$work/ca.pem," "$file"
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
