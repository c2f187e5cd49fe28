#!/bin/sh
# The simulator itself: one seed twice is one run, safeguards taken out are noticed within
# a thousand ordinary seeds, and seeds that once found something find it no more.
# test-timeout: 300
set -u
sim=./tests/sim/vipsec-sim
seeds=${VIPSEC_SRCDIR:-.}/tests/sim/seeds
n=0
failed=0

say() {
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		failed=1
	fi
}

echo "1..10"
one=$($sim --from 7 --seeds 1 | grep '^seed 7 ')
two=$($sim --from 7 --seeds 1 | grep '^seed 7 ')
[ -n "$one" ] && [ "$one" = "$two" ]
say $? "one seed twice gives one trace hash: $one"
other=$($sim --from 8 --seeds 1 | grep '^seed 8 ')
[ "${one#*hash }" != "${other#*hash }" ]
say $? "another seed gives another"

for safeguard in gate quorum claim replay grace haste owner; do
	found=$($sim --break $safeguard --first --from 1 --seeds 1000 --jobs 2 |
		grep -m 1 'FAILED')
	case $safeguard in
	gate | quorum | claim) want=': 3: ' ;;
	replay) want=': 5: ' ;;
	owner) want=': 13: ' ;;
	grace | haste) want=': 10: ' ;;
	esac
	case $found in
	*"$want"*) say 0 "without $safeguard: $found" ;;
	*) say 1 "without $safeguard nothing, or something else: $found" ;;
	esac
done

if out=$($sim --list "$seeds" --jobs 2); then
	say 0 "named seeds: $(echo "$out" | tail -1)"
else
	echo "$out" | grep FAILED | sed 's/^/# /'
	say 1 "named seeds"
fi
exit $failed
