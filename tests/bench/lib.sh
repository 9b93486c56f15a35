# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154 # run.sh sets what all parts use
# Measures commands and prints rows and bars, for the parts of tests/bench/run.sh, which sets
# $scratch, $mvmbuild, $rounds, $kernel and Nix's variables.

# timed ROW COMMAND...: runs the command and adds "CPU WALL KIB" to the row's file, after a sync, so
# that earlier writes do not count. A command that fails ends the run.
timed() {
	local row=$1 log=$scratch/log
	shift
	sync
	# The shell measures milliseconds, time(1) only hundredths of a second.
	local TIMEFORMAT='%3U %3S %3R' status=0
	{ time command time -o "$scratch/memory" -f %M "$@" >"$log" 2>&1 ||
		status=$?; } 2>"$scratch/time"
	[ "$status" = 0 ] || {
		tail "$log" >&2
		echo "bench: failed: $*" >&2
		exit 1
	}
	cat "$scratch/time" "$scratch/memory" | xargs |
		awk '{ printf "%.3f %.3f %d\n", $1 + $2, $3, $4 }' >>"$scratch/rows/$row"
}
ran() { [ -s "$scratch/rows/$1" ]; }

column() { case $1 in cpu) echo 1 ;; wall) echo 2 ;; memory) echo 3 ;; esac; }
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
value() { cut -d ' ' -f "$(column "$2")" "$scratch/rows/$1" | median; } # ROW cpu|wall|memory
# ratio ROW ROW cpu|wall: the median of the rounds' ratios, since both commands of a round ran one
# after the other; a command that ran only once is compared with every round.
ratio() {
	awk -v column="$(column "$3")" \
		'NR == FNR { a[FNR] = $column; n = FNR; next } { b[FNR] = $column; m = FNR }
		END { most = n > m ? n : m; for (i = 1; i <= most; i++) print a[i <= n ? i : n] / (b[i <= m ? i : m] + 0.0001) }' \
		"$scratch/rows/$1" "$scratch/rows/$2" | median
}

# Arguments: WHAT [LAST COLUMN]
table() { printf '\n| %s | CPU s | wall s | peak MiB | %s |\n|---|---|---|---|---|\n' "$1" "$2"; }
row() { # TITLE ROW [LAST COLUMN]
	awk -v title="$1" -v last="${3:-}" -v cpu="$(value "$2" cpu)" -v wall="$(value "$2" wall)" \
		-v kib="$(value "$2" memory)" \
		'BEGIN { printf "| %s | %.2f | %.2f | %.0f | %s |\n", title, cpu, wall, kib / 1024, last }'
}
megabytes() { awk -v bytes="$(stat -c %s "$1")" 'BEGIN { printf "%.1f", bytes / 1e6 }'; } # FILE

# bar TEXT MEASURED OPERATOR LIMIT: adds a line to the table of bars; a missed bar is not a failure.
bar() {
	awk -v text="$1" -v measured="$2" -v operator="$3" -v limit="$4" 'BEGIN {
		met = operator == "<=" ? measured <= limit : operator == ">=" ? measured >= limit : measured < limit
		printf "| %s | %s %s | %.*f | %s |\n", text, operator, limit, measured < 10 ? 3 : 1, measured, met ? "met" : "missed"
	}' >>"$scratch/bars"
}

paths() { nix-store -qR "$(readlink -f "$work/nix/$1")" | sort; }

# command_of VARIANT OUTPUT [ARGUMENT]...: sets $command_line to the command of a whole build.
command_of() {
	command_line=("$mvmbuild" -q --progress none --set hostName=bench \
		--set toplevel="$(readlink -f "$work/nix/$1")" --set storeDir="$NIX_STORE_DIR"
		--set kernel="$kernel" -o "$2" "${@:3}" "$scratch/empty.yaml")
}
timed_build() { # ROW VARIANT OUTPUT [ARGUMENT]...
	command_of "${@:2}"
	timed "$1" "${command_line[@]}"
}
ours() { # ROW VARIANT [ARGUMENT]...: builds to $scratch/out
	rm -rf "$scratch/out"
	timed_build "$1" "$2" "$scratch/out" "${@:3}"
}

# gensquashfs and mkfs.erofs need one directory that contains the store paths.
stage() {
	[ -e "$scratch/stage" ] && return
	mkdir "$scratch/stage.new"
	paths base | xargs cp -a -t "$scratch/stage.new"
	mv "$scratch/stage.new" "$scratch/stage"
}

# mount_loop FILESYSTEM GIGABYTES: makes a file with this file system and mounts it at
# $scratch/mounted. Prints the reason and returns false if that is impossible.
mount_loop() {
	local fs=$1 image=$scratch/$1.img
	if [ "$(id -u)" != 0 ]; then
		echo "bench: no $fs: it takes root to mount a file" >&2
	elif ! command -v "mkfs.$fs" >/dev/null; then
		echo "bench: no $fs: there is no mkfs.$fs" >&2
	else
		mkdir -p "$scratch/mounted"
		truncate -s "$2G" "$image"
		"mkfs.$fs" -q "$image" >/dev/null && mount -o loop "$image" "$scratch/mounted" \
			2>"$scratch/log" && return
		echo "bench: no $fs: $(head -n 1 "$scratch/log")" >&2
		rm -f "$image"
	fi
	return 1
}
unmount_loop() {
	if mountpoint -q "$scratch/mounted"; then umount "$scratch/mounted"; fi
	rm -f "$scratch"/*.img
}
