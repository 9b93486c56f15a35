#!/bin/bash
# SPDX-License-Identifier: MIT
# Keeps interfaces open with a VM or another program: tap-up, tap-down, macvtap-up and macvtap-down
# leave them alone and name that process. Uses the test's own network namespace; a QEMU without a
# machine keeps the tap open.
set -u
# A namespace has its own sysfs, and its interfaces vanish with it.
if [ "${1:-}" != inside ] && [ "$(id -u)" = 0 ]; then exec unshare --net --mount -- "$0" inside; fi
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
# shellcheck source=tests/e2e/lib/macvtap.sh
. "$top/tests/e2e/lib/macvtap.sh"
need_root
need_programs ip unshare socat
mount -t sysfs sysfs /sys || skip_all "no sysfs of the network namespace"
[ -c /dev/net/tun ] || skip_all "there is no /dev/net/tun"
ip tuntap add dev mvm-probe mode tap 2>"$test_dir/log" ||
	skip_all "taps cannot be made here: $(cat "$test_dir/log")"
ip link delete dev mvm-probe
guest_setup
guest=$(guest_build lan-guest) || exit 1
log=$test_dir/log
holder=
# shellcheck disable=SC2317 # lib.sh calls it
end_holder() {
	[ -z "$holder" ] || kill "$holder" 2>/dev/null
	wait "$holder" 2>/dev/null
	holder=
}
at_end=end_holder

# Called by check:
# shellcheck disable=SC2317
run() { # RUNNER SCRIPT [USER]
	MICROVM_USER=${3:-nobody} MICROVM_GROUP=0 "$test_dir/$1/bin/$2" >"$log" 2>&1
}
# shellcheck disable=SC2317
fails() { ! run "$@"; }
flags() { cat "/sys/class/net/$1/tun_flags"; }

# A process has it open.
# shellcheck disable=SC2317 # wait_while_alive calls it
is_open() { [ "$(cat "/sys/class/net/$1/carrier" 2>/dev/null)" = 1 ]; }

# hold NAME QUEUES: QEMU opens the tap.
hold() {
	qemu-system-x86_64 -M none -nodefaults -display none -S -netdev \
		"tap,id=a,ifname=$1,script=no,downscript=no,queues=$2" >"$test_dir/holder" 2>&1 \
		</dev/null &
	holder=$!
	wait_while_alive "$holder" is_open "$1"
}

for cpus in 1 2; do
	{ echo 'interfaces: [{type: tap, id: mvm-a}]' && echo 'socket: null' &&
		echo "vcpu: $cpus" && fast_kernel; } | compile "cpus$cpus" "$guest" || finish
done
check "tap-up makes a tap with several queues" run cpus2 tap-up
check "microvm-check accepts the tap for a VM with two CPUs" run cpus2 microvm-check
check "microvm-check refuses the tap for a VM with one CPU" fails cpus1 microvm-check
expect "microvm-check says that the tap is for several queues" \
	"$log" 'the tap interface mvm-a was created for several'
before=$(index mvm-a)
hold mvm-a 2
check "tap-up succeeds for an open tap that fits" run cpus2 tap-up
check "tap-up keeps an open tap that fits" test "$(index mvm-a)" = "$before"
check "tap-up fails for an open tap with another number of queues" fails cpus1 tap-up
expect "tap-up names the process that has the tap open" "$log" \
	"^tap-up: the interface mvm-a does not have the queues and the owner that this VM needs, and qemu-system-x86 \(process $holder\) has it open; stop that first"
check "tap-up fails for an open tap of another user" fails cpus2 tap-up daemon
expect "tap-up names the process that has that user's tap open" \
	"$log" "qemu-system-x86 \(process $holder\) has it open"
check "microvm-check refuses a second VM with an open tap" fails cpus2 microvm-check
expect "microvm-check says that the tap is in use" "$log" 'the tap interface mvm-a is in use'
check "tap-down fails for an open tap" fails cpus2 tap-down
expect "tap-down names the process that has the tap open" "$log" \
	"^tap-down: keeping the interface mvm-a: qemu-system-x86 \(process $holder\) has it open"
ip link set dev mvm-a down
check "tap-down fails for an open tap that is down" fails cpus2 tap-down
check "tap-down leaves that tap down" test $(($(cat /sys/class/net/mvm-a/flags) & 1)) = 0
check "tap-down keeps an open tap" test "$(index mvm-a)" = "$before"
# The script may not look into other processes, as in a unit.
MICROVM_USER=nobody setpriv --bounding-set -all,+net_admin --inh-caps -all,+net_admin \
	"$test_dir/cpus2/bin/tap-down" >"$log" 2>&1
check "tap-down fails for an open tap though it may not see who has it open" test $? = 1
expect "tap-down says how to find out who has it open" \
	"$log" '^tap-down: keeping the interface mvm-a: (another process \("grep|qemu-system-x86).* has it open'
check "the process that has the tap open still runs" kill -0 "$holder"
end_holder
check "tap-up succeeds when the tap is closed" run cpus1 tap-up
check "the new tap has one queue" test "$(flags mvm-a)" = 0x5802
check "tap-down succeeds when the tap is closed" run cpus1 tap-down
check "tap-down removes a closed tap" test ! -e /sys/class/net/mvm-a

# ---- a TUN device ----
ip tuntap add dev mvm-a mode tun
before=$(index mvm-a)
check "tap-up fails for a TUN device of the tap's name" fails cpus1 tap-up
expect "tap-up says that it is a TUN device" \
	"$log" '^tap-up: the interface mvm-a exists and is a TUN device, not a tap$'
check "microvm-check refuses a TUN device" fails cpus1 microvm-check
expect "microvm-check says that it is not a tap" "$log" 'the interface mvm-a is not a tap'
check "tap-down succeeds beside a TUN device" run cpus1 tap-down
expect "tap-down says that it is not a tap" "$log" \
	'^tap-down: keeping the interface mvm-a: it is not a tap'
socat TUN,tun-name=mvm-a,iff-up EXEC:'sleep 9000' 2>"$test_dir/holder" &
holder=$!
wait_while_alive "$holder" is_open mvm-a
check "tap-up fails for an open TUN device" fails cpus1 tap-up
expect "tap-up names the process that has the TUN device open" \
	"$log" "is a TUN device, not a tap; socat \(process $holder\) has it open"
check "the TUN device is not replaced" test "$(index mvm-a)" = "$before"
end_holder
ip link delete dev mvm-a

# ---- a macvtap ----
for mode in bridge private; do
	{
		echo 'interfaces:'
		echo "- {type: macvtap, id: mvm-m, mac: '02:00:00:00:00:ab', macvtap: {link: mvm-eth, mode: $mode}}"
		fast_kernel
	} | compile "$mode" "$guest" || finish
done
ip link add mvm-eth type bridge
ip link set mvm-eth up
if macvtap_possible mvm-eth "$log"; then
	macvtap_file mvm-m &
	check "macvtap-up succeeds" run bridge macvtap-up
	wait
	before=$(index mvm-m) file=/dev/tap$(index mvm-m)
	sleep 9000 9<>"$file" &
	holder=$!
	check "macvtap-up fails for an open macvtap of another mode" fails private macvtap-up
	expect "macvtap-up names the process that has it open" "$log" \
		"^macvtap-up: the interface mvm-m does not have the address, link and mode that this VM needs, and (sleep|bash|open_interfaces).* \(process $holder\) has it open"
	check "macvtap-down fails for an open macvtap" fails bridge macvtap-down
	expect "macvtap-down names the process that has it open" "$log" \
		"^macvtap-down: keeping the interface mvm-m: .* \(process $holder\) has it open"
	check "an open macvtap is not replaced" test "$(index mvm-m)" = "$before"
	end_holder
	MICROVM_USER=nobody MICROVM_GROUP=0 setpriv --bounding-set -all,+net_admin,+chown \
		--inh-caps -all,+net_admin,+chown \
		"$test_dir/private/bin/macvtap-up" >"$log" 2>&1
	check "macvtap-up replaces no macvtap when it may not see who has it open" test $? = 1
	check "macvtap-down succeeds when the macvtap is closed" run bridge macvtap-down
	check "macvtap-down removes a closed macvtap" test ! -e /sys/class/net/mvm-m
	rm -f "$file"
else
	skip "macvtap-up succeeds" "the kernel makes no macvtap: $(cat "$log")"
fi
finish
