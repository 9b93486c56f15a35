#!/bin/bash
# SPDX-License-Identifier: MIT
# Sends SIGINT, SIGTERM or SIGHUP at every step of a build and at random moments: the old or the new
# output is there, complete; nothing is left behind; and the message is true.
# SIGNALS=N sends N random signals for each kind of command, STRIDE=N takes every Nth step of a
# host, and SEED=N repeats the moments of a run.
# shellcheck disable=SC2317 # functions that check calls
set -u
# shellcheck source=tests/e2e/lib/own_mounts.sh
. "$(dirname "$0")/../lib/own_mounts.sh"
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/golden/lib/fixture.sh
. "$top/tests/golden/lib/fixture.sh"
MVMBUILD=$(realpath "${MVMBUILD:-$top/build/mvmbuild}")
microvm=$(realpath "${MICROVM:-$top/build/microvm}")
SIGNALS=${SIGNALS:-12}
STRIDE=${STRIDE:-5}
RANDOM=${SEED:-11}
cd "$test_dir" || exit 1
fixture=$test_dir/fixture out=$test_dir/out cache=$test_dir/cache log=$test_dir/log
mkdir -p "$fixture" "$out" "$test_dir/nix/gcroots"
export NIX_STATE_DIR=$test_dir/nix # the machine's own gets no roots
fixture_make "$fixture"
cc -std=c11 -D_GNU_SOURCE -o kill_at "$top/tests/e2e/lib/kill_at.c" || exit 1

# describe MIB: the description of a VM; only its memory differs.
describe() {
	printf '%s\n' "hostName: vm" "storeDir: $fixture/store" \
		"toplevel: $fixture/store/$fixture_hash-system" "closure: $fixture/registration" \
		"kernel: $fixture/kernel" "mem: $1" \
			'volumes: [{image: data.img, mountPoint: /data, size: 16}]'
}
describe 600 >600.yaml
describe 601 >601.yaml
printf '%s\n' 'vms:' "  a: {source: $PWD/600.yaml}" "  b: {source: $PWD/600.yaml}" >host-600.yaml
printf '%s\n' 'vms:' "  a: {source: $PWD/601.yaml}" "  b: {source: $PWD/600.yaml}" >host-601.yaml

# Prints everything that makes up a tree: names, types, modes, link targets, contents.
all_of() {
	(cd "$1" && find . -printf '%p %y %m %l\n' | LC_ALL=C sort && find . -type f -print0 |
		LC_ALL=C sort -z | xargs -0 sha256sum) 2>/dev/null
}
build() { "$MVMBUILD" -q "$1.yaml" -o out/vm --cache "$cache"; }
build_host() { "$MVMBUILD" -q host "host-$1.yaml" -o out/vm --cache "$cache"; }
litter() { (shopt -s dotglob nullglob && cd "$out" && printf '%s\n' * | grep -vx vm); }

# judge STATUS FROM TO: checks the result of a build of TO over FROM that got a signal.
judge() {
	local now
	now=$(all_of out/vm)
	case $now in "${whole[$2]}") state=old ;; "${whole[$3]}") state=new ;; *) state=broken \
		;; esac
	if [ "$state" = broken ]; then
		complaint="neither the old nor the new one is there"
	elif [ -n "$(litter)" ]; then
		complaint="litter: $(litter)"
	elif [ "$state" = old ] && [ "$1" -gt 128 ] && [ ! -s "$log" ]; then
		# The signal came before the program's first instructions, so it had its default
		# effect.
		return 0
	elif [ "$1" != 130 ] && { [ "$1" != 0 ] || [ "$state" != new ]; }; then
		complaint="status $1"
	elif [ "$1" = 130 ] && [ "$state" = old ] &&
		! grep -Eq '^interrupted(; any previous output is unchanged)?$' "$log"
	then
		complaint="the old one is there, and it says: $(cat "$log")"
	elif [ "$1" = 130 ] && [ "$state" = new ] &&
		! grep -q "^interrupted; $out/vm is complete$" "$log"
	then
		complaint="the new one is there, and it says: $(cat "$log")"
	else
		return 0
	fi
	complaints+=("$complaint")
	return 1
}
# again COMMAND: completes the current output, which becomes the old one.
again() { "$1" "$from" >/dev/null 2>"$log"; }

# told DESCRIPTION: prints one result for all tries of a campaign.
told() {
	if [ "${#complaints[@]}" = 0 ]; then
		ok "$1 ($tries tries, $new_ones of them published)"
	else
		printf '%s\n' "${complaints[@]}" | sort | uniq -c | sort -rn >complaints
		not_ok "$1 ($tries tries, ${#complaints[@]} bad)" complaints
	fi
}

# ---- at every step ----

# every_step COMMAND [STRIDE]: sends SIGTERM at each (every STRIDEth) system call of the first
# thread that changes a file.
every_step() {
	local stride=${2:-1}
	declare -gA whole=()
	complaints=() tries=0 new_ones=0 from=600 to=601
	local status step=0
	rm -rf out/vm
	for mib in 600 601 600; do
		"$1" "$mib" >/dev/null 2>"$log" || return
		whole[$mib]=$(all_of out/vm)
	done
	while :; do
		status=0
		"$1" "$to" at $((step += stride)) >/dev/null 2>"$log" || status=$?
		if [ "$status" = 3 ]; then break; fi
		tries=$((tries + 1))
		judge "$status" "$from" "$to"
		if [ "$state" = broken ]; then again "${1%_at}"; fi
		if [ "$state" = new ]; then
			new_ones=$((new_ones + 1))
			to=$from from=$((1201 - to))
		fi
	done
}
build_at() { # MIB [at NUMBER]
	if [ $# = 1 ]; then
		build "$1"
	else
		./kill_at -TERM "$3" "$MVMBUILD" -q "$1.yaml" -o out/vm --cache "$cache"
	fi
}
build_host_at() {
	if [ $# = 1 ]; then
		build_host "$1"
	else
		./kill_at -TERM "$3" "$MVMBUILD" -q host "host-$1.yaml" -o out/vm --cache "$cache"
	fi
}
every_step build_at
told "a build that gets a signal at any step of its main thread ends well"
check "there were more than 40 such steps" test "$tries" -gt 40
check "some of the builds had published the new runner" test "$new_ones" -gt 1
every_step build_host_at "$STRIDE"
told "a host that gets a signal at every ${STRIDE}th step of its main thread ends well"

# ---- at random moments ----

# signalled SECONDS COMMAND...: sends one of the signals at a random moment within SECONDS. Sets
# $status.
signalled() {
	local signals=(INT TERM HUP) at pid
	at=$(awk -v seconds="$1" -v part="$RANDOM" 'BEGIN { print seconds * part / 32768 }')
	shift
	status=0
	# A background job of a shell that controls no jobs ignores SIGINT, and so would its
	# children.
	env --default-signal=INT "$@" >/dev/null 2>"$log" &
	pid=$!
	sleep "$at"
	kill "-${signals[RANDOM % 3]}" "$pid" 2>/dev/null
	wait "$pid" || status=$?
}

# random_moments COMMAND [cold] ARGUMENT...: the program builds FROM over TO or TO over FROM; {}
# stands for the one that it builds.
random_moments() {
	declare -gA whole=()
	complaints=() tries=0 new_ones=0 from=600 to=601
	local begin seconds cold=false mib
	if [ "$1" = cold ]; then cold=true && shift; fi
	rm -rf out/vm
	for mib in 600 601 600; do
		if [ "$cold" = true ]; then rm -rf "$cache"; fi
		begin=${EPOCHREALTIME/./}
		"${@//\{\}/$mib}" >/dev/null 2>"$log" || return
		seconds=$(awk -v us=$((${EPOCHREALTIME/./} - begin)) \
			'BEGIN { print us * 1.1 / 1e6 }')
		whole[$mib]=$(all_of out/vm)
	done
	while [ "$tries" -lt "$SIGNALS" ]; do
		tries=$((tries + 1))
		if [ "$cold" = true ]; then rm -rf "$cache"; fi
		signalled "$seconds" "${@//\{\}/$to}"
		judge "$status" "$from" "$to"
		if [ "$state" = broken ]; then
			rm -rf out/vm
			"${@//\{\}/$from}" >/dev/null 2>"$log"
		elif [ "$state" = new ]; then
			new_ones=$((new_ones + 1))
			to=$from from=$((1201 - to))
		fi
	done
}
random_moments "$MVMBUILD" -q {}.yaml -o out/vm --cache "$cache"
told "a build that gets a signal at a random moment ends well"
random_moments "$MVMBUILD" -q {}.yaml -o out/vm --cache "$cache" --no-sync
told "a build with --no-sync that gets a signal at a random moment ends well"
random_moments cold "$MVMBUILD" -q {}.yaml -o out/vm --cache "$cache"
told "a build with a cold cache that gets a signal at a random moment ends well"
random_moments "$MVMBUILD" -q host host-{}.yaml -o out/vm --cache "$cache"
told "a host that gets a signal at a random moment ends well"
check "the cache is sound after all these signals" "$MVMBUILD" cache verify --cache "$cache"

# ---- other processes that take part ----

# A program of the build that ignores signals must end with the build.
mkdir bin
printf '#!/bin/sh\ntrap "" TERM INT HUP\necho $$ >%s/stubborn.new\nmv %s/stubborn.new %s/stubborn\nwhile :; do sleep 1; done\n' "$PWD" "$PWD" "$PWD" >bin/mksquashfs
chmod +x bin/mksquashfs
PATH=$PWD/bin:$PATH "$MVMBUILD" -q 600.yaml --no-cache --set storeDisk.engine=mksquashfs \
	-o out/stubborn >/dev/null 2>"$log" &
pid=$!
wait_while_alive "$pid" test -e stubborn
kill -TERM "$pid"
wait "$pid"
status=$?
check "a build with a program that ignores signals ends with status 130" test "$status" = 130
check "the program that ignores signals has ended too" test ! -e "/proc/$(cat stubborn)"
check "that build leaves no litter" test -z "$(litter)"

# An ignored signal stays ignored, as nohup's SIGHUP.
trap '' HUP
"$MVMBUILD" -q 600.yaml -o out/nohup --cache "$cache" >/dev/null 2>"$log" &
pid=$!
trap 'exit 130' HUP
for ((i = 0; i < 40; i++)); do kill -HUP "$pid" 2>/dev/null || break; done
check "an ignored signal does not end a build" wait "$pid"

# ---- the VMs of a host ----

state=$test_dir/state
export MICROVM_GCROOTS=$test_dir/roots
mkdir "$MICROVM_GCROOTS"
microvm_quietly() { "$microvm" -q --cache "$cache" --state-dir "$state" "$@"; }
cp 600.yaml vm.yaml
check "microvm creates a VM" microvm_quietly -c vm -f "$PWD/vm.yaml"
echo precious >"$state/vm/data.img"
# is_whole LINK [VM]: whether the runner that a link points to is complete, according to its own
# list of files and to another build of the same description.
is_whole() {
	local mib
	for mib in 600 601; do
		if [ "$(all_of "$state/${2:-vm}/$1/")" = "${runners[$mib]}" ]; then return 0; fi
	done
	return 1
}
declare -A runners=()
for mib in 601 600; do
	cp "$mib.yaml" vm.yaml
	microvm_quietly -u vm >/dev/null 2>"$log" || not_ok "an update" "$log"
	runners[$mib]=$(all_of "$state/vm/current/")
done
complaints=() tries=0 new_ones=0
begin=${EPOCHREALTIME/./}
microvm_quietly -u vm >/dev/null 2>&1
seconds=$(awk -v us=$((${EPOCHREALTIME/./} - begin)) 'BEGIN { print us * 2 / 1e6 }')
while [ "$tries" -lt "$SIGNALS" ]; do
	tries=$((tries + 1))
	cp "$((600 + tries % 2)).yaml" vm.yaml
	if [ $((tries % 9)) = 0 ]; then rm -rf "$cache"; fi
	signalled "$seconds" "$microvm" -q --cache "$cache" --state-dir "$state" -u vm
	if [ "$status" != 0 ] && [ "$status" != 130 ] && { [ "$status" -lt 128 ] ||
		[ -s "$log" ]; }; then complaints+=("status $status: $(cat "$log")"); fi
	if ! is_whole current; then complaints+=("the current runner is broken"); fi
	if [ -e "$state/vm/old" ] && ! is_whole old; then
		complaints+=("the old runner is broken")
	fi
	if [ "$(cat "$state/vm/data.img")" != precious ]; then complaints+=("the volume"); fi
	if [ "$status" = 0 ]; then new_ones=$((new_ones + 1)); fi
	if [ $((tries % 3)) = 0 ]; then
		if ! microvm_quietly -u vm >/dev/null 2>"$log"; then
			complaints+=("the next update: $(cat "$log")")
		fi
		left=$(find "$state" -maxdepth 3 -name '.*' ! -name .store-disks)
		if [ -n "$left" ]; then complaints+=("litter after the next update: $left"); fi
	fi
done
told "an update that gets a signal at a random moment ends well"

complaints=() tries=0 new_ones=0
while [ "$tries" -lt "$SIGNALS" ]; do
	tries=$((tries + 1))
	signalled "$seconds" "$microvm" -q --cache "$cache" --state-dir "$state" -c "new$tries" \
		-f "$PWD/vm.yaml"
	if [ -e "$state/new$tries" ]; then
		new_ones=$((new_ones + 1))
		if ! is_whole current "new$tries"; then complaints+=("half a VM is there"); fi
	fi
	left=$(find "$state" -maxdepth 1 -name '.*' ! -name .store-disks &&
		find "$NIX_STATE_DIR/gcroots/microvm/.runners" -maxdepth 1 -type d -empty)
	if [ -n "$left" ]; then complaints+=("litter: $left"); fi
done
told "a creation that gets a signal at a random moment ends well"

# A program that takes long ends with the build.
mkdir slow
cat >slow/mkfs.erofs <<'E2'
#!/bin/sh
case $1 in
-V) echo "mkfs.erofs 1.5"; echo "Available compressors are: zstd" ;;
*) echo $$ >"$SLOW_PID"; exec sleep 1000 ;;
esac
E2
chmod +x slow/mkfs.erofs
for signal in INT TERM HUP; do
	rm -rf slow.pid "$cache"
	before=$(all_of out)
	set -m # without it, a program in the background ignores SIGINT
	SLOW_PID=$PWD/slow.pid PATH=$PWD/slow:$PATH "$MVMBUILD" 600.yaml -o out/slow \
		--set storeDiskType=erofs --set storeDisk.compression=zstd --cache "$cache" \
		>"$log" 2>&1 &
	builder=$!
	set +m
	check "the build calls mkfs.erofs before SIG$signal" \
		wait_while_alive "$builder" test -s slow.pid
	begin=${EPOCHREALTIME/./}
	kill -"$signal" "$builder"
	wait "$builder"
	check "SIG$signal ends a build whose mkfs.erofs takes long" test $? = 130
	check "the build ends within 5 s" test $((${EPOCHREALTIME/./} - begin)) -lt 5000000
	check "mkfs.erofs has ended with the build" test ! -d "/proc/$(cat slow.pid)"
	check "neither output nor litter is left" test "$(all_of out)" = "$before"
done

rm -rf slow.pid "$cache"
{ cat 600.yaml && echo 'storeDisk: {type: erofs, compression: zstd}'; } >slow.yaml
before=$(all_of "$NIX_STATE_DIR/gcroots")
SLOW_PID=$PWD/slow.pid PATH=$PWD/slow:$PATH "$microvm" -q --cache "$cache" --state-dir "$state" \
	-c slow -f "$PWD/slow.yaml" >"$log" 2>&1 &
builder=$!
wait_while_alive "$builder" test -s slow.pid
kill -TERM "$builder"
wait "$builder"
check "SIGTERM ends a creation whose mkfs.erofs takes long" test $? = 130
check "an interrupted creation leaves no directory of roots" \
	test "$(all_of "$NIX_STATE_DIR/gcroots")" = "$before"

# The new host has links to the disk of the old one, which break the old seal.
rm -rf out/vm "$cache" slow.pid
printf '%s\n' 'vms:' "  a: {source: $PWD/600.yaml}" "  b: {source: $PWD/erofs.yaml}" \
	>host-erofs.yaml
{ cat 600.yaml && echo 'storeDisk: {type: erofs, compression: zstd}'; } >erofs.yaml
check "a host builds" build_host 600
set -m
SLOW_PID=$PWD/slow.pid PATH=$PWD/slow:$PATH "$MVMBUILD" host host-erofs.yaml -o out/vm \
	--cache "$cache" >"$log" 2>&1 &
builder=$!
set +m
check "a host with another disk gets as far as that disk" \
	wait_while_alive "$builder" test -s slow.pid
check "it has a link to the disk of the old host by then" \
	test "$(find out/.vm.* -path '*/store-disks/*' -links +1 | wc -l)" -gt 0
kill -TERM "$builder"
wait "$builder"
"$MVMBUILD" host host-600.yaml -o out/vm --cache "$cache" --progress plain >"$log" 2>&1
expect "after a signal the old host is still known as complete" "$log" 'nothing has changed'
finish
