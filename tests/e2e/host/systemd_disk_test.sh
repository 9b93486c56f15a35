#!/bin/bash
# SPDX-License-Identifier: MIT
# Store disks that the host links, under a real systemd: a VM's unit links its disk as root and runs
# from it as the VMs' user, again after the disk was damaged, and the removal of the last VM removes
# the disk.
# Load: idle
# shellcheck disable=SC2317 # functions that check calls
set -u
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
need_root
need_programs ip unshare nsenter script
[ -x /lib/systemd/systemd ] || skip_all "needs systemd"
guest_setup
chmod 755 "$test_dir" # the VM's user reads its runner
# shellcheck source=tests/e2e/lib/systemd.sh
. "$top/tests/e2e/lib/systemd.sh"
probe=$(guest_build probe-guest) || exit 1
state=/var/lib/microvms disks=/var/lib/microvms/.disks
log=$test_dir/log
host_install_units
mkdir -p "$host_units/usr/local/bin"
cp "$mvmbuild" "$(dirname "$mvmbuild")/microvm" "$host_units/usr/local/bin/"
{
	printf '%s\n' 'mem: 128' 'kernelParams: [probe.do=init]' \
		'storeDisk: {type: erofs, link: host}'
	fast_kernel
} | compile vm "$probe" || finish
host_begin

disk() { host sh -c "echo $disks/*.erofs"; }
host sh -c 'systemd-sysusers && systemd-tmpfiles --create mvmbuild.conf'
host install -d "$state/vm"
host ln -s "$test_dir/vm" "$state/vm/current"
check "systemctl starts the VM" host systemctl start microvm@vm
check "the guest comes up" console_says 1 '^probe: ready'
check "the unit has linked the disk as root" test "$(host stat -c %U:%a "$(disk)")" = root:444
check "the VM's directory names it" test "$(host readlink "$state/vm/vm-store-disk")" = "$(disk)"
check "its link belongs to the VMs' user" \
	test "$(host stat -c %U "$state/vm/vm-store-disk")" = microvm
check "the VM is a reference enough" host test ! -e "$disks/.refs"
check "a collection keeps the disk" host mvmbuild link -q --gc
check "of the running VM" host test -e "$(disk)"

# The guest needs no clean end.
host systemctl kill -s KILL microvm@vm >"$log" 2>&1
host systemctl stop microvm@vm
before=$(host stat -c %i "$(disk)")
host sh -c "chmod u+w $disks/*.erofs
	printf x | dd of=$(disk) bs=1 seek=70000 conv=notrunc status=none"
check "a VM with a damaged disk starts" host systemctl start microvm@vm
check "and comes up" console_says 2 '^probe: ready'
check "from a new disk" test "$(host stat -c %i "$(disk)")" != "$before"
host systemctl kill -s KILL microvm@vm >"$log" 2>&1
check "microvm removes the VM" host microvm -q --stop --remove vm
check "and its disk" host test ! -e "$disks"

# ---- install-host ----
describe() { # LEVEL
	local name
	echo 'vms:'
	for name in web1 web2; do
		echo "  $name:"
		echo '    autostart: false'
		echo '    config:'
		printf '      %s\n' "toplevel: $probe" "storeDir: $NIX_STORE_DIR" \
			"storeDisk: {type: erofs, level: $1, link: host}" "kernel: $vmlinux" \
			"kernelModules: $kernel"
	done
}
installed() { # LEVEL
	describe "$1" >"$test_dir/host.yaml"
	"$mvmbuild" host "$test_dir/host.yaml" --cache "$test_dir/cache" -o "$test_dir/host" \
		>"$log" 2>&1 || return
	host "$test_dir/host/bin/install-host" >"$log" 2>&1
}
count() { host find "$disks" -name '*.erofs' | wc -l; }
check "install-host links the disks" installed 0
check "two VMs share one" test "$(count)" = 1
check "an update" installed 3
check "keeps the disk of the runners before" test "$(count)" = 2
check "another update" installed 6
check "removes the disk that no runner needs" test "$(count)" = 2
host microvm -q --remove web1
check "the disks stay for the other VM" test "$(count)" = 2
host microvm -q --remove web2
check "the last VM takes them with it" host test ! -e "$disks"
finish
