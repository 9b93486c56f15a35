#!/bin/bash
# SPDX-License-Identifier: MIT
# Tests `mvmbuild host` and an installation into another system's tree, and then runs install-host
# with a real systemd: VMs start; unchanged ones keep running, changed ones restart, and those that
# are no longer declared are named.
# shellcheck disable=SC2317 # functions that check calls
# Load: idle
set -u
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
need_root
need_programs ip unshare nsenter script jq
[ -x /lib/systemd/systemd ] || skip_all "needs systemd"
guest_setup
chmod 755 "$test_dir"
# shellcheck source=tests/e2e/lib/systemd.sh
. "$top/tests/e2e/lib/systemd.sh"
probe=$(guest_build probe-guest) || exit 1
state=/var/lib/microvms
log=$test_dir/log out=$test_dir/host tree=$test_dir/tree

# A VM's entry: NAME TAP ENTRY [LINE of its description]...
vm() {
	printf '  %s:\n    %s\n    config:\n' "$1" "$3"
	printf '      %s\n' "toplevel: $probe" "storeDir: $NIX_STORE_DIR" 'mem: 128' \
		'kernelParams: [probe.do=init]' "interfaces: [{type: tap, id: $2}]" \
		"kernel: $vmlinux" "kernelModules: $kernel" "${@:4}"
}
hosts() { { echo 'vms:'; "$@"; } >"$test_dir/host.yaml"; }
build() { "$mvmbuild" host "$test_dir/host.yaml" --cache "$test_dir/cache" -o "$out" >"$log" 2>&1; }
fails() { ! "$@"; }
all_of() { (cd "$1" && find . -printf '%p %y %m %l %i\n' | LC_ALL=C sort); }
contents() {
	(cd "$1" && find . -printf '%p %y %m %l\n' | LC_ALL=C sort && find . -type f -print0 |
		LC_ALL=C sort -z | xargs -0 sha256sum)
}
same() { diff "$1" "$2"; }
disks() { find "$1" -name 'stage1.squashfs' -printf '%i\n' | sort -u | wc -l; }

# ---- building ----
three() {
	vm web1 mvm-one 'autostart: true'
	vm web2 mvm-two 'autostart: true'
	vm web3 mvm-three 'autostart: false'
}
hosts three
check "a host builds" build
check "the host has all of its VMs" \
	test "$(find "$out/runners" -mindepth 1 -maxdepth 1 | wc -l)" = 3
check "the VMs share one store disk" test "$(disks "$out")" = 1
check "the VMs share one kernel" \
	test "$(find "$out" -name kernel -printf "%i\n" | sort -u | wc -l)" = 1
check "each VM has its own name" \
	test "$(jq -r .hostName "$out/runners/web2/share/microvm/vm.json")" = web2
all_of "$out" >"$test_dir/before"
check "a second build succeeds" build
all_of "$out" >"$test_dir/after"
check "the second build changes nothing" same "$test_dir/before" "$test_dir/after"
contents "$out" >"$test_dir/before"
rm -rf "$out"
check "a build elsewhere with one thread succeeds" \
	"$mvmbuild" -q host "$test_dir/host.yaml" -j1 --no-cache -o "$out"
contents "$out" >"$test_dir/after"
check "it makes the same bytes" same "$test_dir/before" "$test_dir/after"
wrong() {
	three
	vm web4 mvm-four 'autostart: true' 'vcpu: none'
	vm web5 mvm-one 'autostart: true'
}
hosts wrong
check "a host with mistakes is not built" fails build
expect "the mistake in one VM is reported" "$log" 'vcpu: expected'
expect "the conflict between two VMs is reported" \
	"$log" 'the VMs web1 and web5 have the same interface mvm-one'
contents "$out" >"$test_dir/after"
check "the old output stays after mistakes" same "$test_dir/before" "$test_dir/after"
# The plan succeeds, but the disk has no room for one of the volumes.
failing() {
	three
	vm web4 mvm-four 'autostart: true' 'volumes: [{image: a, size: 200}]'
}
hosts failing
check "a host with a disk that cannot be written is not built" fails bash \
	-c "ulimit -f 102400; trap '' XFSZ; exec '$mvmbuild' -q host '$test_dir/host.yaml' --cache '$test_dir/cache' -o '$out' >'$log' 2>&1"
expect "the message names the VM" "$log" 'web4: '
contents "$out" >"$test_dir/after"
check "the old output stays after that failure" same "$test_dir/before" "$test_dir/after"
check "that failure leaves no litter" test -z "$(find "$test_dir" -maxdepth 1 -name '.*mvmbuild*')"

# ---- another system's tree ----
mkdir "$tree"
check "install-host --root installs into a tree" \
	bash -c "'$out/bin/install-host' --root '$tree' >'$log' 2>&1"
expect "install-host reports what it installed" "$log" 'web1 is installed'
check "the tree has the VMs" test -x "$tree$state/web3/current/bin/microvm-run"
check "the tree has one store disk" test "$(disks "$tree$state")" = 1
check "two of the VMs start at boot" \
	test "$(find "$tree/etc/systemd/system/microvms.target.wants" -name 'microvm@*' \
		-printf '%f\n' | sort | xargs)" = \
	"microvm@web1.service microvm@web2.service"
all_of "$tree" >"$test_dir/before"
check "install-host --root succeeds a second time" \
	bash -c "'$out/bin/install-host' --root '$tree' >'$log' 2>&1"
check "it reports nothing" test ! -s "$log"
all_of "$tree" >"$test_dir/after"
check "it changes nothing" same "$test_dir/before" "$test_dir/after"
SYSTEMD_UNIT_PATH=$tree/etc/systemd/system:$tree/usr/local/lib/systemd/system: \
	systemd-analyze verify --man=no \
	"$tree/usr/local/lib/systemd/system/microvms.target" >"$log" 2>&1
check "systemd-analyze verify finds nothing wrong in the units" test ! -s "$log"
rm -rf "$tree"

# ---- a host that runs ----
cp "$(dirname "$mvmbuild")/microvm" "$test_dir/microvm"
host_begin
install_host() { host "$out/bin/install-host" >"$log" 2>&1; }
process() { property MainPID "microvm@$1"; }
check "install-host succeeds on the running host" install_host
check "a VM's directory is root's and its group may write there" \
	test "$(host stat -c %U:%G:%a "$state/web1")" = root:microvm:1775
check "the first VM comes up" console_says 1 '^probe: ready' microvm@web1
check "the second VM comes up" console_says 1 '^probe: ready' microvm@web2
check "the VM that is not to start is inactive" \
	test "$(property ActiveState microvm@web3)" = inactive
one=$(process web1) two=$(process web2)
host sh -c "cd $state && find . /etc/systemd -printf '%p %i %l\n'" |
	LC_ALL=C sort >"$test_dir/before"
check "install-host succeeds a second time" install_host
check "the second run reports nothing" test ! -s "$log"
host sh -c "cd $state && find . /etc/systemd -printf '%p %i %l\n'" |
	LC_ALL=C sort >"$test_dir/after"
check "the second run changes nothing" same "$test_dir/before" "$test_dir/after"
check "the second run restarts nothing" test "$(process web1) $(process web2)" = "$one $two"
other() {
	vm web1 mvm-one 'autostart: true'
	vm web2 mvm-other 'autostart: true'
}
hosts other
check "a host with one VM changed and one gone builds" build
check "install-host succeeds with it" install_host
expect "install-host reports the VM that changed" "$log" 'web2 is updated'
expect_no "install-host reports nothing about the VM that did not change" "$log" 'web1'
expect "install-host reports the VM that is not declared any more" \
	"$log" 'web3 is no longer declared; "microvm --remove web3" removes it'
check "that VM is still there" host test -x "$state/web3/current/bin/microvm-run"
check "the changed VM restarts" console_says 2 '^probe: ready' microvm@web2
check "the changed VM has its new tap" \
	host test -e /sys/class/net/mvm-other -a ! -e /sys/class/net/mvm-two
check "the VM that did not change runs on" test "$(process web1)" = "$one"
host "$test_dir/microvm" -l >"$log" 2>&1
expect "microvm -l lists the host's VMs" "$log" '^web2 +running .* yes +current '
check "microvm -u does not update the host's VMs" fails host "$test_dir/microvm" -u web1
check "microvm --remove removes the VM that is not declared any more" \
	host "$test_dir/microvm" --remove web3
check "nothing of that VM is left" host test ! -e "$state/web3"
one_alone() { vm web1 mvm-one 'restartIfChanged: false' 'vcpu: 2'; }
hosts one_alone
check "a host builds with a change in a VM that is not to be restarted" \
	bash -c "'$mvmbuild' -q host '$test_dir/host.yaml' --cache '$test_dir/cache' -o '$out'"
check "install-host succeeds with that change" install_host
check "that VM runs on" test "$(process web1)" = "$one"
host "$test_dir/microvm" -l >"$log" 2>&1
expect "microvm -l shows that VM as stale" "$log" '^web1 .* stale '
check "no unit has failed" test -z "$(host systemctl --failed --plain --no-legend)"
host "$test_dir/microvm" --remove web1 --stop --volumes >/dev/null 2>&1
host "$test_dir/microvm" --remove web2 --stop --volumes >/dev/null 2>&1
check "nothing is left of the removed VMs" test -z "$(host ls -A "$state")"
finish
