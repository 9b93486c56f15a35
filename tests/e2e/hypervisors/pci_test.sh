#!/bin/bash
# SPDX-License-Identifier: MIT
# Gives a PCI device of the host to a guest: the lab has an IOMMU and a spare network card.
# pci-setup takes the card from its driver for the VM's user, whose guest then drives it.
set -u
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/e2e/lib/nix.sh
. "$top/tests/e2e/lib/nix.sh"
# shellcheck source=tests/e2e/lib/lab.sh
. "$top/tests/e2e/lib/lab.sh"
MVMBUILD=${MVMBUILD:-$top/build/mvmbuild}
need_programs nix-build busybox qemu-system-x86_64 ldd ip
kernel=$("$top/tests/e2e/lib/kernel.sh") || skip_all "no kernel to boot"
nix_env_setup "$test_dir/nix"
console=$test_dir/console
mac=02:00:00:00:00:99
guest=$(nix_build "$top/tests/e2e/lib/nix/lan-guest.nix" toplevel) || exit 1

# runner NAME ADDRESS: makes $test_dir/runners/NAME.
# shellcheck disable=SC2317 # check calls it
runner() {
	"$MVMBUILD" -q - --set hostName="$1" --set toplevel="$guest" \
		--set storeDir="$NIX_STORE_DIR" --set kernel="$kernel" -o "$test_dir/runners/$1" \
		<<-E2
		mem: 256
		devices: [{bus: pci, path: "$2"}]
		stage1: {modules: [e1000e]}
		kernelParams: [quiet, lan.address=10.0.2.15, lan.host=10.0.2.100]
	E2
}
mkdir "$test_dir/runners" "$test_dir/www"
check "a VM with a PCI device compiles" runner card 0000:00:10.0
check "a VM with a PCI device that does not exist compiles" runner absent 0000:00:11.0

cat >"$test_dir/script" <<'E2'
device=/sys/bus/pci/devices/0000:00:10.0
driver() { basename "$(readlink "$device/driver")"; }
bound() { stat -c %i "$device/driver"; } # the link's inode, which changes when it is bound again
setup() { # WHICH RUNNER
	"$runners/$2/bin/pci-setup"
	echo "lab: $1: status $?, driver $(driver), owner $([ ! -e "$group" ] || stat -c %u:%g "$group")"
}
export MICROVM_USER=1000 MICROVM_GROUP=100
group=/dev/vfio/$(basename "$(readlink "$device/iommu_group")")
setup absent absent
setup first card
chown 0:0 "$group"
before=$(bound)
setup again card
[ "$(bound)" = "$before" ] && echo "lab: again: nothing was bound"
chown 1000:100 . /dev/kvm
ulimit -l unlimited # the guest's memory gets locked
timeout 1500 chroot --userspec=1000:100 / bash -c "cd $PWD && exec $runners/card/bin/microvm-run"
echo "lab: guest: status $?"
E2
seq 20000 >"$test_dir/www/file"
lab_stage "$test_dir/files" && stage_programs "$test_dir/files" basename chown chroot stat || exit 1
# The card's network has one server program, which QEMU starts for each connection.
httpd=$(type -P busybox)
lab_build "$test_dir" "$test_dir/runners" "$test_dir/script" \
	--set stage1.modules='[kvm-amd, e1000e, vfio-pci, vfio_iommu_type1]' \
	--set kernelParams='[quiet, intel_iommu=on]' --set qemu.extraArgs="[-device, 'intel-iommu,intremap=on,caching-mode=on,aw-bits=48',
		-netdev, 'user,id=spare,restrict=on,guestfwd=tcp:10.0.2.100:80-cmd:$httpd httpd -i -h $test_dir/www',
		-device, 'e1000e,netdev=spare,mac=$mac,bus=pcie.0,addr=10.0']" ||
			{ not_ok "the lab is built"; finish; }
lab_run 240 "$console" "$test_dir"
expect "pci-setup fails for a device that does not exist" \
	"$console" '^lab: absent: status 1, driver e1000e, owner $'
expect "pci-setup names the device that does not exist" \
	"$console" '^pci-setup: the PCI device 0000:00:11\.0 does not exist$'
expect "pci-setup takes the device from its driver for the VM's user" \
	"$console" '^lab: first: status 0, driver vfio-pci, owner 1000:100$'
expect "pci-setup mends a wrong owner when it runs again" \
	"$console" '^lab: again: status 0, driver vfio-pci, owner 1000:100$'
expect "pci-setup does not bind the device a second time" \
	"$console" '^lab: again: nothing was bound$'
expect "the guest of that user has the network card" "$console" "^lan: mac $mac\$"
expect "a file reaches the guest by the card undamaged" \
	"$console" "^lan: fetched $(md5sum <"$test_dir/www/file" | cut -d ' ' -f 1)\$"
expect "the VM with the card ends with status 0" "$console" '^lab: guest: status 0$'
expect "the lab ends with status 0" "$console" '^lab: done, status 0'
finish
