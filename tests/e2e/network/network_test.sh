#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs the runner's tap-up, tap-down, macvtap-up and macvtap-down in the test's own network
# namespace, and boots guests with these interfaces: one talks to its host, two talk to each other
# over a bridge.
set -u
# A namespace has its own sysfs, and its interfaces vanish with it.
if [ "${1:-}" != inside ] && [ "$(id -u)" = 0 ]; then exec unshare --net --mount -- "$0" inside; fi
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
# shellcheck source=tests/e2e/lib/macvtap.sh
. "$top/tests/e2e/lib/macvtap.sh"
need_root
need_programs ip unshare busybox
mount -t sysfs sysfs /sys || skip_all "no sysfs of the network namespace"
ip link set lo up
ip tuntap add dev mvm-probe mode tap 2>"$test_dir/log" ||
	skip_all "taps cannot be made here: $(cat "$test_dir/log")"
ip link delete dev mvm-probe
guest_setup
guest=$(guest_build lan-guest) || exit 1
log=$test_dir/log
nobody=$(id -u nobody)

up() { # RUNNER [KIND]
	MICROVM_USER=nobody MICROVM_GROUP=0 "$test_dir/$1/bin/${2:-tap}-up" >"$log" 2>&1
}
down() { # RUNNER [KIND]
	"$test_dir/$1/bin/${2:-tap}-down" >"$log" 2>&1
}

# ---- taps ----
{
	echo 'interfaces:'
	echo '- {type: tap, id: mvm-a, bridge: mvm-br}'
	echo '- {type: tap, id: mvm-b}'
	echo 'vcpu: 2'
	fast_kernel
} | compile taps "$guest" || finish
up taps
check "taps: tap-up fails without the bridge" test $? = 1
expect "taps: tap-up names the bridge" \
	"$log" '^tap-up: the bridge mvm-br of the interface mvm-a does not exist'
check "taps: tap-up leaves no interface when it fails" test ! -e /sys/class/net/mvm-a
ip link add mvm-br type bridge
check "taps: tap-up succeeds" up taps
check "taps: the interfaces belong to the VM's user" \
	test "$(cat /sys/class/net/mvm-a/owner \
		/sys/class/net/mvm-b/owner)" = "$nobody"$'\n'"$nobody"
check "taps: a VM with several CPUs has several queues" \
	test "$(cat /sys/class/net/mvm-a/tun_flags)" = 0x5902
check "taps: the first interface is in its bridge" \
	test "$(basename "$(readlink /sys/class/net/mvm-a/master)")" = mvm-br
check "taps: the second interface is in no bridge" test ! -e /sys/class/net/mvm-b/master
check "taps: the interfaces are up" test $(($(cat /sys/class/net/mvm-b/flags) & 1)) = 1
before=$(index mvm-a) kept=$(index mvm-b)
ip link set dev mvm-a nomaster
check "taps: tap-up succeeds a second time" up taps
check "taps: a second tap-up keeps the interfaces" \
	test "$(index mvm-a) $(index mvm-b)" = "$before $kept"
check "taps: a second tap-up puts an interface back into its bridge" \
	test -e /sys/class/net/mvm-a/master
ip link delete dev mvm-b
ip tuntap add dev mvm-b mode tap
check "taps: tap-up succeeds where an unfit tap is in the way" up taps
check "taps: tap-up replaces the unfit tap" \
	test "$(cat /sys/class/net/mvm-b/owner \
		/sys/class/net/mvm-b/tun_flags)" = "$nobody"$'\n'0x5902
MICROVM_USER=no-such-user "$test_dir/taps/bin/tap-up" >"$log" 2>&1
check "taps: tap-up fails for an unknown user" test $? = 1
expect "taps: tap-up names the unknown user" "$log" 'the user no-such-user does not exist'
check "taps: tap-down succeeds" down taps
check "taps: tap-down removes both interfaces" \
	test ! -e /sys/class/net/mvm-a -a ! -e /sys/class/net/mvm-b
check "taps: tap-down succeeds when there is nothing to remove" down taps
ip link add mvm-b type bridge
up taps
check "taps: tap-up fails for an interface of another kind" test $? = 1
expect "taps: tap-up says that the interface is not a tap" \
	"$log" 'the interface mvm-b exists and is not a tap'
check "taps: tap-down succeeds beside that interface" down taps
check "taps: tap-down keeps that interface" test -e /sys/class/net/mvm-b
ip link delete dev mvm-b
ip link delete dev mvm-br

# ---- macvtaps ----
mac=02:00:00:00:00:AB
{
	echo 'interfaces:'
	echo "- {type: macvtap, id: mvm-m, mac: '$mac', macvtap: {link: mvm-eth, mode: bridge}}"
	fast_kernel
} | compile macvtaps "$guest" || finish
up macvtaps macvtap
check "macvtap: macvtap-up fails without its link" test $? = 1
expect "macvtap: macvtap-up names the link" \
	"$log" '^macvtap-up: the interface mvm-eth, to which mvm-m is to be attached, does not exist'
ip link add mvm-eth type bridge
ip link set mvm-eth up
if macvtap_possible mvm-eth "$log"; then
	macvtap_file mvm-m &
	check "macvtap: macvtap-up succeeds" up macvtaps macvtap
	wait
	tap=/dev/tap$(index mvm-m)
	check "macvtap: the device file belongs to the VM's user" \
		test "$(stat -c %u:%g "$tap")" = "$nobody:0"
	check "macvtap: the interface has its address" \
		test "$(cat /sys/class/net/mvm-m/address)" = "${mac,,}"
	kept=$(index mvm-m)
	check "macvtap: macvtap-up succeeds a second time" up macvtaps macvtap
	check "macvtap: a second macvtap-up keeps the interface" test "$(index mvm-m)" = "$kept"
	check "macvtap: macvtap-down succeeds" down macvtaps macvtap
	check "macvtap: macvtap-down removes the interface" test ! -e /sys/class/net/mvm-m
	check "macvtap: macvtap-down succeeds when there is nothing to remove" down macvtaps macvtap
	rm -f "$tap"
else
	skip "macvtap: macvtap-up succeeds" "the kernel makes no macvtap: $(cat "$log")"
fi
ip link delete dev mvm-eth

# ---- a guest and its host ----
{
	echo 'interfaces: [{type: tap, id: mvm-a}]'
	fast_kernel
} | compile host "$guest" || finish
up host
ip address add 192.0.2.1/24 dev mvm-a
mkdir "$test_dir/www"
seq 100000 >"$test_dir/www/file"
sum=$(md5sum <"$test_dir/www/file" | cut -d ' ' -f 1)
busybox httpd -f -p 192.0.2.1:80 -h "$test_dir/www" &
server=$!
boot host '^lan: ' lan.address=192.0.2.2 lan.host=192.0.2.1
kill "$server"
ends_well "host: the guest ends with status 0"
expect "host: the guest pings its host" "$console" '^lan: ping ok'
expect "host: the guest fetches a file from its host" "$console" "^lan: fetched $sum\$"
expect "host: the guest's address is derived from the names" "$console" \
	"^lan: mac $(jq -r '.interfaces[0].mac' "$test_dir/host/share/microvm/vm.json" |
		tr A-F a-f)\$"
down host

# ---- two guests ----
ip link add mvm-br type bridge
ip link set mvm-br up
# A bridge interface needs no setuid program where tap-up has put a tap into the bridge.
declare -A types=([server]=tap [client]=bridge)
for name in server client; do
	{
		echo "interfaces: [{type: ${types[$name]}, id: mvm-$name, bridge: mvm-br}]"
		echo "socket: $name.sock"
		fast_kernel
	} | compile "$name" "$guest" --set hostName="$name" || finish
	check "$name: tap-up succeeds" up "$name"
done

server_console=$test_dir/server-console
MICROVM_KERNEL_PARAMS="quiet lan.address=192.0.2.2 lan.serve=50000" timeout -k 5 $((20 * limit)) \
	"$test_dir/server/bin/microvm-run" </dev/null >"$server_console" 2>&1 &
server=$!
boot client '^lan: ' lan.address=192.0.2.3 lan.peer=192.0.2.2
ends_well "two guests: the client ends with status 0"
expect "two guests: the client fetches the server's file over the bridge" \
	"$console" "^lan: fetched $(seq 50000 | md5sum | cut -d ' ' -f 1)\$"
wait "$server"
check "two guests: the server ends with status 0" test $? = 0
for name in server client; do down "$name"; done
finish
