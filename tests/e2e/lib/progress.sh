# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Waits that end when nothing makes progress any more, and not after a number of seconds: the
# machine may be slow, or busy with something else. lib.sh sources it.

# Seconds after which wait_until gives up. Only a test that fails takes that long.
patience=600

# wait_until COMMAND...: runs it every $poll seconds (default: 0.1) until it succeeds.
wait_until() {
	local deadline=$((SECONDS + patience))
	until "$@"; do
		[ "$SECONDS" -lt "$deadline" ] || return 1
		sleep "${poll:-0.1}"
	done
}

# wait_while_alive PID COMMAND...: like wait_until, but gives up as soon as the process has ended.
wait_while_alive() {
	local pid=$1 deadline=$((SECONDS + patience))
	shift
	until "$@"; do
		kill -0 "$pid" 2>/dev/null && [ "$SECONDS" -lt "$deadline" ] || return 1
		sleep 0.1
	done
}

# progress_begin SECONDS FILE GROUP: begins to watch a process group that writes to FILE.
# `progress` then succeeds as long as it is worth waiting. It fails when FILE has not grown for
# SECONDS, measured by the group's own clock: time in which its threads wait for a processor does
# not count, and time in which they compute counts a fifth, as the machine may be that slow.
progress_begin() {
	progress_limit=$(($1 * 1000000)) progress_file=$2 progress_group=$3
	progress_size='' progress_at=0
	progress_grown
}

# Starts to count now. The clock is read last: on a busy machine, reading the times takes seconds,
# which must not count as time in which the group did nothing.
progress_grown() {
	read -r progress_cpu progress_queued < <(progress_times)
	progress_since=${EPOCHREALTIME/./}
}

# Prints the microseconds for which the group has run, and has waited for a processor. Threads that
# have ended are not among them. proc(5), /proc/PID/schedstat.
progress_times() {
	local pid
	for pid in $(pgrep -g "$progress_group"); do
		cat "/proc/$pid/task/"*/schedstat 2>/dev/null
	done |
		awk '{ cpu += $1; queued += $2 }
			END { printf "%d %d\n", cpu / 1000, queued / 1000 }'
}

# Times count from FILE's last growth, not from the previous call: reading them takes long on a busy
# machine, and the errors of the readings would add up.
progress() {
	local now=${EPOCHREALTIME/./} size cpu queued elapsed
	[ $((now - progress_at)) -ge 1000000 ] || return 0
	progress_at=$now
	size=$(stat -c %s -- "$progress_file" 2>/dev/null)
	if [ "$size" != "$progress_size" ]; then
		progress_size=$size
		progress_grown
		return 0
	fi
	read -r cpu queued < <(progress_times)
	elapsed=$((now - progress_since))
	cpu=$((cpu - progress_cpu)) queued=$((queued - progress_queued))
	# A thread has ended, and its times with it: the group makes progress.
	if [ "$cpu" -lt 0 ] || [ "$queued" -lt 0 ]; then
		progress_grown
		return 0
	fi
	# Many threads have more time together than has passed.
	cpu=$((cpu < elapsed ? cpu : elapsed))
	queued=$((queued < elapsed - cpu ? queued : elapsed - cpu))
	[ $((elapsed - queued - cpu + cpu / 5)) -lt "$progress_limit" ]
}
