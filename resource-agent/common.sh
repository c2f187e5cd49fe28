# shellcheck shell=sh disable=SC2034 # these names are used by the agents
# Shared by ocf:vipsec:daemon and ocf:vipsec:vip; POSIX sh.
#
# The agents do without ocf-shellfuncs: sourcing it costs more time than all the work
# that a planned move has for them.

OCF_SUCCESS=0
OCF_ERR_GENERIC=1
OCF_ERR_ARGS=2
OCF_ERR_UNIMPLEMENTED=3
OCF_ERR_PERM=4
OCF_ERR_INSTALLED=5
OCF_ERR_CONFIGURED=6
OCF_NOT_RUNNING=7
OCF_DEGRADED=190 # active, and not as it should be: shown, and left to others

VIPSEC_ABSENT=69 # vipsec's exit code for "no daemon, or it does not answer"

: "${OCF_RESKEY_rundir:=/run/vipsec}"
: "${OCF_RESKEY_ctl:=vipsec}"

say() {
	printf '%s: %s\n' "${OCF_RESOURCE_INSTANCE:-vipsec}" "$*" >&2
}

# Why an action failed: the cluster's tools show this line.
fail() {
	printf 'ocf-exit-reason:%s\n' "$*" >&2
}

# Seconds that Pacemaker gives this action, less a margin to answer in.
patience() {
	ms=${OCF_RESKEY_CRM_meta_timeout:-20000}
	echo $((ms > 2000 ? ms / 1000 - 1 : 1))
}

# To a daemon that is about to be ended, whatever it says.
vipsec_quick() {
	"$OCF_RESKEY_ctl" --timeout 1 "$@"
}

# A daemon that is taken for silent is ended, with all its SAs, and a node where all peers come
# back at once may be too busy to start this program within a second. Who does not answer for a
# quarter of the action's time serves nobody.
vipsec_patient() {
	"$OCF_RESKEY_ctl" --timeout "$((($(patience) + 3) / 4))" "$@"
}

# Sets daemon_pid and daemon_start from the pid file; fails when no daemon is recorded.
read_record() {
	daemon_pid='' daemon_start=''
	[ -r "$OCF_RESKEY_rundir/vipsecd.pid" ] || return 1
	read -r daemon_pid daemon_start <"$OCF_RESKEY_rundir/vipsecd.pid" || :
	[ -n "$daemon_pid" ] && [ -n "$daemon_start" ]
}

# Is the recorded process the one that wrote the record, and alive? A pid alone may belong
# to somebody else by now. A zombie does no work, but while it has threads that are still
# ending it holds its lock and its sockets.
daemon_alive() {
	read_record || return 1
	[ -r "/proc/$daemon_pid/stat" ] || return 1
	read -r stat_line <"/proc/$daemon_pid/stat" || return 1
	stat_line=${stat_line##*) }
	# shellcheck disable=SC2086 # the fields are wanted one by one
	set -- $stat_line
	[ "${20}" = "$daemon_start" ] || return 1
	case $1 in
	X) return 1 ;;
	Z)
		set -- "/proc/$daemon_pid/task"/*
		[ $# -gt 1 ]
		;;
	esac
}

# Sets daemon_is, and what read_record() sets.
# stopped: no record, or the daemon ended by itself and emptied it.
# running: alive. dead: recorded, and no longer there.
find_daemon() {
	if ! read_record; then
		daemon_is=stopped
	elif daemon_alive; then
		daemon_is=running
	else
		daemon_is=dead
	fi
}

# The daemon's own resource notes here that it knows of its daemon's failure.
failure_noted=$OCF_RESKEY_rundir/failed

# Kills the recorded daemon for good and waits until it is gone. SAs of the userspace plane
# live in its memory and go with it; the guard and the TUN's closed routes stay. Fails when it
# is still there after five seconds: stuck in the kernel, it may yet send.
kill_daemon() {
	daemon_alive || return 0
	say "killing vipsecd (pid $daemon_pid): $1"
	kill -KILL "$daemon_pid" 2>/dev/null
	kill_tries=0
	while daemon_alive; do
		[ $kill_tries -lt 250 ] || {
			fail "vipsecd (pid $daemon_pid) cannot be killed"
			return 1
		}
		sleep 0.02
		kill_tries=$((kill_tries + 1))
	done
}

# SAs of the kernel's plane outlive a daemon that did not end by itself, and would go on
# sending. The guard stands meanwhile. Fails when one of them is still there.
flush_kernel() {
	said=$("$OCF_RESKEY_ctl" flush 2>&1) || {
		fail "${said#vipsec: }"
		return 1
	}
}

# A daemon that was killed left its record behind: clean that up, so that the next monitor
# reports it as stopped and not as broken.
clear_record() {
	daemon_alive || : >"$OCF_RESKEY_rundir/vipsecd.pid"
}
