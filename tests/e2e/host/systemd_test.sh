#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs the host's units under a real systemd: a VM starts with its interfaces, becomes ready,
# stops with a clean volume, restarts after a crash, changes to another runner and leaves nothing
# behind.
# Load: idle
set -u
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
need_root
need_programs ip unshare nsenter script systemd-analyze machinectl dumpe2fs
[ -x /lib/systemd/systemd ] || skip_all "needs systemd"
guest_setup
chmod 755 "$test_dir" # the VM's user reads its runner
# shellcheck source=tests/e2e/lib/systemd.sh
. "$top/tests/e2e/lib/systemd.sh"
probe=$(guest_build probe-guest) || exit 1
state=/var/lib/microvms
log=$test_dir/log

# ---- the units ----
host_install_units
cp -r "$host_units/usr/local/lib/systemd/system" "$test_dir/verify"
# systemd-analyze exits with 0 even for an unknown key. The units' programs do not exist here.
SYSTEMD_UNIT_PATH=$test_dir/verify: systemd-analyze verify --man=no "$test_dir"/verify/*.target \
	"$test_dir/verify/microvm@vm.service" >"$log" 2>&1
check "systemd-analyze verify finds nothing wrong in the units" test ! -s "$log"

runner() { # NAME INTERFACE [LINE]...
	{
		echo 'mem: 128'
		echo 'kernelParams: [probe.do=init]'
		echo 'volumes: [{image: data.img, size: 16, mountPoint: /data}]'
		echo "interfaces: [{type: tap, id: $2}]"
		echo 'registerWithMachined: true'
		[ $# -lt 3 ] || printf '%s\n' "${@:3}"
		fast_kernel
	} | compile "$1" "$probe" || finish
}
runner first mvm-one
# The daemons that serve a share, if there is one.
virtiofsd=$(PATH=$PATH:/usr/libexec:/usr/lib:/usr/lib/qemu type -P virtiofsd)
second=()
[ -z "$virtiofsd" ] ||
	second=("shares: [{proto: virtiofs, tag: seed, source: seed, mountPoint: /seed}, {proto: virtiofs, tag: etc, source: /etc, mountPoint: /host, readOnly: true}]")
runner second mvm-two "${second[@]}"

host_begin

# shellcheck disable=SC2317 # check calls it
tap_gone() { host test ! -e "/sys/class/net/$1"; }
clean() { # DESCRIPTION
	host dumpe2fs -h "$state/vm/data.img" >"$log" 2>&1
	expect "$1" "$log" '^Filesystem state: *clean$'
	expect_no "$1 and its journal is empty" "$log" needs_recovery
}

check "systemd-sysusers and systemd-tmpfiles make the user and the directory" \
	host sh -c 'systemd-sysusers && systemd-tmpfiles --create mvmbuild.conf'
check "the directory of all VMs is root's" \
	test "$(host stat -c %U:%G:%a "$state")" = root:microvm:755
# As microvm.nix makes it.
host install -d -o microvm -g kvm -m 775 "$state/vm"
host ln -s "$test_dir/first" "$state/vm/current"

# ---- start and stop ----
check "systemctl starts the VM" host systemctl start microvm@vm
check "the VM's unit is active" test "$(property ActiveState microvm@vm)" = active
check "the guest comes up" console_says 1 '^probe: ready'
check "the VM's directory becomes root's and sticky" \
	test "$(host stat -c %U:%G:%a "$state/vm")" = root:microvm:1775
host journalctl --no-pager -o cat -u microvm-set-booted@vm >"$log" 2>&1
expect "the change of the owner is reported" \
	"$log" "$state/vm belonged to microvm:kvm, mode 775; it belongs to root now"
check "the hypervisor runs as the VMs' user" \
	test "$(host ps -o user= -p "$(property MainPID microvm@vm)")" = microvm
check "the VM's tap is in use" test "$(host cat /sys/class/net/mvm-one/carrier)" = 1
check "booted leads to the runner" test "$(host readlink "$state/vm/booted")" = "$test_dir/first"
check "systemd-machined lists the VM" host machinectl status vm
expect "systemd-machined has the VM's process" \
	"$test_dir/.check" "Leader: $(property MainPID microvm@vm) "

# ---- the rights of the hypervisor's user; custody_test.sh has all of them ----
as_user() { host setpriv --reuid microvm --regid microvm --init-groups "$@"; }
# shellcheck disable=SC2317 # check calls it
fails() { ! "$@"; }
for attempt in "ln -sfnT /tmp $state/vm/current" "ln -sfnT /tmp $state/vm/booted" \
	"mv $state/vm $state/x" "ln -sfnT /tmp /run/microvms/vm/booted"; do
	# shellcheck disable=SC2086 # words
	check "the VMs' user cannot do this: $attempt" fails as_user $attempt
done
check "the unit for shares is skipped" \
	test "$(property ActiveState microvm-virtiofsd@vm)" = inactive
check "systemctl stops the VM" host systemctl stop microvm@vm
check "the VM's unit ends with success" test "$(property Result microvm@vm)" = success
journal
expect "the guest went down by itself" "$log" '^probe: unmounted'
clean "the volume is clean"
check "the tap is removed when the VM stops" wait_until tap_gone mvm-one
check "systemd-machined does not list the stopped VM" test -z "$(host machinectl list --no-legend)"
check "booted is removed when the VM stops" wait_until host test ! -e "$state/vm/booted"
check "no unit has failed" test -z "$(host systemctl --failed --plain --no-legend)"
# The VMs' user may create these names now. If root runs a program through them, it records that.
mkdir -p "$test_dir/evil/bin"
printf '#!/bin/sh\nid -un >>%s/ran-as\n' "$test_dir" |
	tee "$test_dir"/evil/bin/{tap-up,tap-down,pci-setup,virtiofsd-run,microvm-run,microvm-register,microvm-unregister} >/dev/null
chmod +x "$test_dir"/evil/bin/*
as_user cp -r "$test_dir/evil" "$state/vm/booted"
as_user cp -r "$test_dir/evil" "$state/vm/runners"
host rm "$state/vm/current"
as_user ln -s "$test_dir/evil" "$state/vm/current"
check "systemctl does not start a runner by the user's own link" \
	fails host systemctl start microvm@vm
for unit in tap-interfaces pci-devices virtiofsd; do
	check "systemctl does not start microvm-$unit by that link" \
		fails host systemctl start "microvm-$unit@vm"
done
host journalctl --no-pager -o cat -u microvm-set-booted@vm >"$log" 2>&1
expect "the journal has the reason" \
	"$log" "$state/vm/current belongs to microvm, who could point it anywhere"
check "no program of the user's has run as root" test ! -e "$test_dir/ran-as"
host ln -sfnT "$test_dir/first" "$state/vm/current"
host systemctl reset-failed

# ---- a crash ----
host systemctl start microvm@vm
check "the guest comes up beside a directory of the user's" console_says 2 '^probe: ready'
check "the user's directory in the place of booted is replaced" \
	test "$(host readlink "$state/vm/booted")" = "$test_dir/first"
check "root's units take the runner from /run" \
	test "$(host readlink /run/microvms/vm/booted)" = "$test_dir/first"
pid=$(property MainPID microvm@vm)
host kill -KILL "$pid"
check "systemd starts the VM again after a crash" console_says 3 '^probe: ready'
check "the VM runs as another process then" test "$(property MainPID microvm@vm)" != "$pid"
check "systemd counts one restart" test "$(property NRestarts microvm@vm)" = 1

# ---- another runner ----
host ln -sfn "$test_dir/second" "$state/vm/current"
as_user mkdir "$state/vm/seed"
check "systemctl restarts the VM with another runner" host systemctl restart microvm@vm
check "the guest comes up from the new runner" console_says 4 '^probe: ready'
check "the new runner's tap is there" host test -e /sys/class/net/mvm-two
check "the old runner's tap is removed" tap_gone mvm-one
if [ -n "$virtiofsd" ]; then
	check "the new runner's shares are served" \
		test "$(property ActiveState microvm-virtiofsd@vm)" = active
	check "a share in the VM's directory belongs to root" \
		test "$(host stat -c %U:%a "$state/vm/seed")" = root:1755
else
	skip "the new runner's shares are served" "no virtiofsd is installed"
fi
check "booted leads to the new runner" \
	test "$(host readlink "$state/vm/booted")" = "$test_dir/second"

# ---- at boot, and gone ----
check "systemctl enables the VM" host systemctl enable microvm@vm
check "the target wants the VM's unit" test "$(property Wants microvms.target)" = microvm@vm.service
check "systemctl disables and stops the VM" host systemctl disable --now microvm@vm
clean "the volume is clean at the end"
wait_until host test ! -e "$state/vm/booted"
check "no program of the user's has run as root until the end" test ! -e "$test_dir/ran-as"
check "nothing of the VM is left in /run" wait_until host test ! -e /run/microvms/vm
host rm -rf "$state/vm"
check "no interface of the VM is left" wait_until tap_gone mvm-two
check "no process of the VMs' user is left" test -z "$(host pgrep -u microvm)"
host systemctl list-units --all --plain --no-legend --state=active,failed "microvm*" 2>&1 |
	grep -v "slice\|target" >"$log"
check "no unit is active or failed" diff /dev/null "$log"
finish
