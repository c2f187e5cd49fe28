#!/bin/bash
# check-state must see each kind of writable storage, and no constant.
set -eu
tool=$(dirname "$(realpath "$0")")/../../tools/check-state
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
number=0
failed=0

# room NAME CODE: makes the archive of a room out of one file.
room()
{
	mkdir -p "$work/src/$1"
	printf '%s\n' "$2" >"$work/$1.c"
	cc -O1 -fPIE -c "$work/$1.c" -o "$work/$1.o"
	rm -f "$work/src/$1/libvipsec_$1.a"
	ar cr "$work/src/$1/libvipsec_$1.a" "$work/$1.o"
}

# expect STATUS WHAT [WORD]
expect()
{
	local status=0 text
	number=$((number + 1))
	text=$("$tool" "$work" 2>&1) || status=$?
	if [ "$status" = "$1" ] && [[ $text == *"${3-}"* ]]; then
		echo "ok $number - $2"
	else
		echo "not ok $number - $2"
		echo "# status $status: $text"
		failed=1
	fi
}

echo 1..8
expect 1 "archives that are not built are no success" "is not built"
for name in base wire crypto policy config ike esp replica node; do
	room "$name" 'int f(void); int f(void) { return 1; }'
done
expect 0 "code alone"
room wire 'extern const char *const names[]; const char *const names[] = {"a", "b"};
	extern const int primes[]; const int primes[] = {2, 3, 5};'
expect 0 "constants, tables of pointers among them"
room wire 'static int n; int f(void); int f(void) { return ++n; }'
expect 1 "a counter of the file" "n"
room wire 'int f(void); int f(void) { static int n = 3; return ++n; }'
expect 1 "a counter of a function" "n"
room wire 'extern int shared; int shared;'
expect 1 "a global" "shared"
room wire 'extern const char *where; const char *where = "x";'
expect 1 "a pointer that can be changed" "where"
room wire 'extern __thread int mine; __thread int mine;'
expect 1 "one for each thread" "mine"
exit $failed
