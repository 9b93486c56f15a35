#!/bin/bash
# SPDX-License-Identifier: MIT
# mvmbuild host, and its install-host on a host with a real systemd: VMs start, what has not changed is not touched, what has changed restarts, what is
# not declared any more is named. Before that, without systemd: what it makes, and another system's tree.
# shellcheck disable=SC2317 # functions that check calls
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
	printf '      %s\n' "toplevel: $probe" "storeDir: $NIX_STORE_DIR" 'mem: 128' 'kernelParams: [probe.do=init]' "interfaces: [{type: tap, id: $2}]" \
		"kernel: $vmlinux" "kernelModules: $kernel" "${@:4}"
}
hosts() { { echo 'vms:'; "$@"; } >"$test_dir/host.yaml"; }
build() { "$mvmbuild" host "$test_dir/host.yaml" --cache "$test_dir/cache" -o "$out" >"$log" 2>&1; }
fails() { ! "$@"; }
all_of() { (cd "$1" && find . -printf '%p %y %m %l %i\n' | LC_ALL=C sort); }
contents() { (cd "$1" && find . -printf '%p %y %m %l\n' | LC_ALL=C sort && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum); }
same() { diff "$1" "$2"; }
disks() { find "$1" -name 'stage1.squashfs' -printf '%i\n' | sort -u | wc -l; }

# ---- building ----
three() {
	vm web1 mvm-one 'autostart: true'
	vm web2 mvm-two 'autostart: true'
	vm web3 mvm-three 'autostart: false'
}
hosts three
check "a host is built" build
check "all VMs are there" test "$(find "$out/runners" -mindepth 1 -maxdepth 1 | wc -l)" = 3
check "with one store disk" test "$(disks "$out")" = 1
check "and one kernel" test "$(find "$out" -name kernel -printf "%i\n" | sort -u | wc -l)" = 1
check "each with its own name" test "$(jq -r .hostName "$out/runners/web2/share/microvm/vm.json")" = web2
all_of "$out" >"$test_dir/before"
check "a second build" build
all_of "$out" >"$test_dir/after"
check "changes nothing" same "$test_dir/before" "$test_dir/after"
contents "$out" >"$test_dir/before"
rm -rf "$out"
check "elsewhere, with one thread" "$mvmbuild" -q host "$test_dir/host.yaml" -j1 --no-cache -o "$out"
contents "$out" >"$test_dir/after"
check "it is the same" same "$test_dir/before" "$test_dir/after"
wrong() {
	three
	vm web4 mvm-four 'autostart: true' 'vcpu: none'
	vm web5 mvm-one 'autostart: true'
}
hosts wrong
check "a host with mistakes is not built" fails build
expect "one is named" "$log" 'vcpu: expected'
expect "the other too" "$log" 'the VMs web1 and web5 have the same interface mvm-one'
contents "$out" >"$test_dir/after"
check "and what was there stays" same "$test_dir/before" "$test_dir/after"
# The plan is good, but there is no room for one of the volumes.
failing() {
	three
	vm web4 mvm-four 'autostart: true' 'volumes: [{image: a, size: 200}]'
}
hosts failing
check "a host that cannot be built is not" fails bash -c "ulimit -f 102400; trap '' XFSZ; exec '$mvmbuild' -q host '$test_dir/host.yaml' --cache '$test_dir/cache' -o '$out' >'$log' 2>&1"
expect "the VM is named" "$log" 'web4: '
contents "$out" >"$test_dir/after"
check "and what was there stays" same "$test_dir/before" "$test_dir/after"
check "without litter" test -z "$(find "$test_dir" -maxdepth 1 -name '.*mvmbuild*')"

# ---- another system's tree ----
mkdir "$tree"
check "installed into a tree" bash -c "'$out/bin/install-host' --root '$tree' >'$log' 2>&1"
expect "it says what it did" "$log" 'web1 is installed'
check "the VMs are there" test -x "$tree$state/web3/current/bin/microvm-run"
check "with one store disk" test "$(disks "$tree$state")" = 1
check "two start at boot" test "$(find "$tree/etc/systemd/system/microvms.target.wants" -name 'microvm@*' -printf '%f\n' | sort | xargs)" = \
	"microvm@web1.service microvm@web2.service"
all_of "$tree" >"$test_dir/before"
check "again" bash -c "'$out/bin/install-host' --root '$tree' >'$log' 2>&1"
check "says nothing" test ! -s "$log"
all_of "$tree" >"$test_dir/after"
check "and changes nothing" same "$test_dir/before" "$test_dir/after"
SYSTEMD_UNIT_PATH=$tree/etc/systemd/system: systemd-analyze verify --man=no "$tree/etc/systemd/system/microvms.target" >"$log" 2>&1
check "systemd-analyze has no complaint" test ! -s "$log"
rm -rf "$tree"

# ---- a host that runs ----
mkdir -p "$host_units/etc/systemd/system"
printf '[Unit]\nDescription=What the test needs\nRequires=basic.target\nAfter=basic.target\nAllowIsolate=yes\n' >"$host_units/etc/systemd/system/mvm-test.target"
cp "$(dirname "$mvmbuild")/microvm" "$test_dir/microvm"
if host_start; then ok "systemd runs"; else not_ok "systemd runs" "$test_dir/host-console"; host_stop; finish; fi
# shellcheck disable=SC2034 # lib.sh calls it
at_end=host_stop
install_host() { host "$out/bin/install-host" >"$log" 2>&1; }
process() { property MainPID "microvm@$1"; }
check "the host is installed" install_host
check "its directory is root's, and the group may write" test "$(host stat -c %U:%G:%a "$state/web1")" = root:microvm:1775
check "the first VM comes up" console_says 1 '^probe: ready' microvm@web1
check "the second too" console_says 1 '^probe: ready' microvm@web2
check "the third does not start" test "$(property ActiveState microvm@web3)" = inactive
one=$(process web1) two=$(process web2)
host sh -c "cd $state && find . /etc/systemd -printf '%p %i %l\n'" | LC_ALL=C sort >"$test_dir/before"
check "installed again" install_host
check "it says nothing" test ! -s "$log"
host sh -c "cd $state && find . /etc/systemd -printf '%p %i %l\n'" | LC_ALL=C sort >"$test_dir/after"
check "changes nothing" same "$test_dir/before" "$test_dir/after"
check "and restarts nothing" test "$(process web1) $(process web2)" = "$one $two"
other() {
	vm web1 mvm-one 'autostart: true'
	vm web2 mvm-other 'autostart: true'
}
hosts other
check "another host: one VM changed, one gone" build
check "is installed" install_host
expect "the change is said" "$log" 'web2 is updated'
expect_no "and nothing of the other one" "$log" 'web1'
expect "the one that is gone is named" "$log" 'web3 is not declared any more; it stays until microvm --remove web3'
check "it is still there" host test -x "$state/web3/current/bin/microvm-run"
check "the changed VM has restarted" console_says 2 '^probe: ready' microvm@web2
check "with its new tap" host test -e /sys/class/net/mvm-other -a ! -e /sys/class/net/mvm-two
check "the other one runs on" test "$(process web1)" = "$one"
host "$test_dir/microvm" -l >"$log" 2>&1
expect "the command knows them" "$log" '^web2: current\(.*\), running$'
check "but does not update them" fails host "$test_dir/microvm" -u web1
check "the one that is gone is removed" host "$test_dir/microvm" --remove web3
check "with all its files" host test ! -e "$state/web3"
one_alone() { vm web1 mvm-one 'restartIfChanged: false' 'vcpu: 2'; }
hosts one_alone
check "a VM that is not to be restarted changes" bash -c "'$mvmbuild' -q host '$test_dir/host.yaml' --cache '$test_dir/cache' -o '$out'"
check "is installed" install_host
check "it runs on" test "$(process web1)" = "$one"
host "$test_dir/microvm" -l >"$log" 2>&1
expect "and is stale" "$log" '^web1: stale'
check "no unit has failed" test -z "$(host systemctl --failed --plain --no-legend)"
host "$test_dir/microvm" --remove web1 --stop --volumes >/dev/null 2>&1
host "$test_dir/microvm" --remove web2 --stop --volumes >/dev/null 2>&1
check "removed, nothing is left" test -z "$(host ls -A "$state")"
finish
