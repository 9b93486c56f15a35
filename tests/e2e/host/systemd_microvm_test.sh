#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs the command microvm on a host with a real systemd: a VM is created, starts at boot, is
# listed, updated, rolled back and removed. Then both ways of compatibility: a runner laid out
# like microvm.nix's under mvmbuild's units, and a runner of mvmbuild under units like
# microvm.nix's.
# Load: idle
set -u
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
need_root
need_programs ip unshare nsenter script dumpe2fs jq
[ -x /lib/systemd/systemd ] || skip_all "needs systemd"
guest_setup
chmod 755 "$test_dir" # the VM's user reads its runner
# shellcheck source=tests/e2e/lib/systemd.sh
. "$top/tests/e2e/lib/systemd.sh"
probe=$(guest_build probe-guest) || exit 1
# The host builds it, and sees only this directory.
cp -al "$kernel" "$test_dir/kernel" 2>/dev/null || cp -a "$kernel" "$test_dir/kernel"
kernel=$test_dir/kernel
state=/var/lib/microvms
log=$test_dir/log
mkdir "$test_dir/bin"
cp "$(dirname "$mvmbuild")/microvm" "$test_dir/bin/"
host_install_units
mkdir -p "$NIX_STATE_DIR/gcroots"

describe() { # TAP [LINE]...: $test_dir/vm.yaml
	{
		printf '%s\n' 'hostName: vm' "toplevel: $probe" "storeDir: $NIX_STORE_DIR" \
			'mem: 128' 'kernelParams: [probe.do=init]'
		printf '%s\n' 'volumes: [{image: data.img, size: 16, mountPoint: /data}]' \
			"interfaces: [{type: tap, id: $1}]" "${@:2}"
		fast_kernel
	} >"$test_dir/vm.yaml"
}
m() {
	host env NIX_STATE_DIR="$NIX_STATE_DIR" XDG_CACHE_HOME="$test_dir/cache" \
		"$test_dir/bin/microvm" "$@" >"$log" 2>&1
}
# shellcheck disable=SC2317 # check calls it
fails() { ! "$@"; }
listed() {
	host env NIX_STATE_DIR="$NIX_STATE_DIR" "$test_dir/bin/microvm" -l --json |
		jq -r ".vms[] | select(.name == \"vm\") | $1"
}
states() { listed '"\(.state) \(.running) \(.booted != null)"'; }
everything() {
	host find /etc "$state" "$NIX_STATE_DIR/gcroots" |
		grep -vx "$NIX_STATE_DIR/gcroots/microvm" | LC_ALL=C sort
}

host_begin
host sh -c 'systemd-sysusers && systemd-tmpfiles --create mvmbuild.conf'
everything >"$test_dir/before"

# ---- create and start ----
describe mvm-one
if m -c vm -f "$test_dir/vm.yaml"; then
	ok "a VM is created"
else
	not_ok "a VM is created" "$log"
	finish
fi
check "the VM's directory is root's and its group may write there" \
	test "$(host stat -c %U:%G:%a "$state/vm")" = root:microvm:1775
check "the new VM is current and does not run" test "$(states)" = "current false false"
check "systemctl enables and starts the VM" host systemctl enable --now microvm@vm
check "the VM comes up" console_says 1 '^probe: ready'
check "the VM is listed as enabled and running" test "$(states)" = "current true true"
m -l
expect "the list says that the VM runs" "$log" '^vm +running .* yes +current '
check "a running VM is not removed" fails m --remove vm
check "the VM still runs after the refusal" test "$(property ActiveState microvm@vm)" = active

# ---- update ----
describe mvm-two
check "a VM with a changed description is outdated" test "$(states)" = "outdated true true"
check "an update succeeds" m -u vm
check "an update does not restart the VM" \
	test "$(property NRestarts microvm@vm) $(states)" = "0 stale true true"
check "an update with -R succeeds" m -Ru vm
check "the VM comes up after -R" console_says 2 '^probe: ready'
check "it runs the new runner" test "$(states)" = "current true true"
check "it has its new tap" host test -e /sys/class/net/mvm-two
pid=$(property MainPID microvm@vm)
check "-R succeeds when nothing changed" m -Ru vm
check "-R restarts nothing when nothing changed" test "$(property MainPID microvm@vm)" = "$pid"

# ---- rollback ----
check "a rollback with -R succeeds" m -R --rollback vm
check "the VM comes up after the rollback" console_says 3 '^probe: ready'
check "it has its old tap" host test -e /sys/class/net/mvm-one -a ! -e /sys/class/net/mvm-two
check "the list shows the VM as outdated after the rollback" test "$(states)" = "outdated true true"
check "an update with -R goes forward again" m -Ru vm
check "the VM comes up after that update" console_says 4 '^probe: ready'
check "two runners are kept" test "$(host sh -c "ls $state/vm/runners | wc -l")" = 2

# ---- removal ----
check "a running VM is removed with --stop" m --remove vm --stop
check "its taps are gone when the removal returns" host sh -c '! ls -d /sys/class/net/mvm-*'
expect "the removal names the volume that it keeps" "$log" 'Kept in .*: data.img$'
host dumpe2fs -h "$state/vm/data.img" >"$test_dir/dump" 2>&1
expect "the kept volume is clean" "$test_dir/dump" '^Filesystem state: *clean$'
check "nothing wants the removed VM's unit" test -z "$(property Wants microvms.target)"
check "a VM with the kept volume is created" m -c vm -f "$test_dir/vm.yaml"
check "that VM is removed with its volume" m --remove vm --volumes
everything >"$test_dir/after"
check "the host is as it was before" diff "$test_dir/before" "$test_dir/after"
check "no unit of the VM is left" \
	test -z "$(host systemctl list-units --all --plain --no-legend --state=active,failed \
		'microvm*' | grep -v 'slice\|target')"
check "no interface of the VM is left" host sh -c '! ls -d /sys/class/net/mvm-*'

# ---- a runner like the reference's, under our units and command ----
# The runner has links to scripts, absolute paths of programs, and its own ways to open and to stop.
fake=$test_dir/fake
mkdir -p "$fake/bin" "$fake/share/microvm" "$fake/scripts"
echo qemu >"$fake/share/microvm/hypervisor"
echo ref-tap >"$fake/share/microvm/tap-interfaces"
ln -s "/nix/store/00000000000000000000000000000000-nixos-system-ref-24.05" \
	"$fake/share/microvm/system"
script() { # NAME: its text on standard input
	{ echo '#!/bin/bash -e'; cat; } >"$fake/scripts/$1"
	chmod +x "$fake/scripts/$1"
	ln -s "$fake/scripts/$1" "$fake/bin/$1"
}
script microvm-run <<'E2'
[ -e /sys/class/net/ref-tap ]
echo "ref: runs in $PWD as $(id -un)"
exec -a microvm@ref sleep infinity
E2
script microvm-shutdown <<'E2'
echo "ref: shutdown"
pkill -f -u microvm '^microvm@ref'
E2
script tap-up <<'E2'
ip link delete ref-tap 2>/dev/null || true
ip tuntap add name ref-tap mode tap user microvm vnet_hdr
E2
script tap-down <<'E2'
ip link delete ref-tap
E2
# Changes the host as macvtap-up and pci-setup do, which this kernel does not support, to show that
# the hardened units permit it.
script macvtap-up <<'E2'
ip link add ref-mac type bridge
ip link set dev ref-mac allmulticast on
if [ -e /proc/sys/net/ipv6/conf/ref-mac/disable_ipv6 ]; then echo 1 >/proc/sys/net/ipv6/conf/ref-mac/disable_ipv6; fi
chown microvm:kvm /dev/ref-tap
E2
script macvtap-down <<'E2'
ip link delete ref-mac
E2
script pci-setup <<'E2'
modprobe --dry-run --quiet no-such-module || true
[ -w /sys/bus/pci ] || [ ! -e /sys/bus/pci ]
echo 1000 >/sys/class/net/lo/tx_queue_len
chown microvm:kvm /dev/ref-vfio
E2
for device in ref-tap ref-vfio; do host mknod "/dev/$device" c 1 3; done
host install -d -o microvm -g kvm -m 775 "$state/ref"
host ln -s "$fake" "$state/ref/current"
host ln -s "/nix/store/00000000000000000000000000000000-nixos-system-ref-24.05" \
	"$state/ref/toplevel"
check "a runner laid out like microvm.nix's starts" host systemctl start microvm@ref
check "it runs in its directory as its user" \
	console_says 1 "^ref: runs in $state/ref as microvm$" microvm@ref
check "its macvtap's device file is the user's" \
	test "$(host stat -c %U:%G /dev/ref-tap)" = microvm:kvm
check "its PCI device's file is the user's" test "$(host stat -c %U:%G /dev/ref-vfio)" = microvm:kvm
check "booted leads to the runner itself" test "$(host readlink "$state/ref/booted")" = "$fake"
m -l
expect "it is listed as running" "$log" '^ref +running .* current +nixos-system-ref-24.05$'
check "it is not updated as the host declares it" fails m -u ref
check "it is stopped and removed" m --remove ref --stop
journal microvm@ref
expect "it was stopped by its own script" "$log" '^ref: shutdown'
check "its tap is gone" host test ! -e /sys/class/net/ref-tap
check "its macvtap is gone" host test ! -e /sys/class/net/ref-mac
check "its directory is gone" host test ! -e "$state/ref"

# ---- a runner of mvmbuild under units like the reference's ----
unit() { cat >"$test_dir/unit" && host cp "$test_dir/unit" "/etc/systemd/system/$1"; }
helper() { # NAME START STOP
	unit "microvm-$1@.service" <<E2
[Unit]
Before=microvm@%i.service
PartOf=microvm@%i.service
After=network.target microvm-set-booted@%i.service
ConditionPathExists=$state/%i/current/bin/$2
[Service]
Type=oneshot
RemainAfterExit=true
ExecStart=$state/%i/current/bin/$2
${3:+ExecStop=$state/%i/booted/bin/$3}
E2
}
helper tap-interfaces tap-up tap-down
helper macvtap-interfaces macvtap-up macvtap-down
helper pci-devices pci-setup ''
unit microvm-virtiofsd@.service <<E2
[Unit]
Before=microvm@%i.service
After=local-fs.target microvm-set-booted@%i.service
PartOf=microvm@%i.service
ConditionPathExists=$state/%i/current/bin/virtiofsd-run
[Service]
WorkingDirectory=$state/%i
ExecStart=$state/%i/current/bin/virtiofsd-run
LimitNOFILE=1048576
NotifyAccess=all
PrivateTmp=yes
Restart=always
RestartSec=5s
Type=notify
KillMode=mixed
E2
unit microvm-set-booted@.service <<E2
[Unit]
Before=microvm@%i.service
PartOf=microvm@%i.service
[Service]
Type=oneshot
RemainAfterExit=true
WorkingDirectory=$state/%i
User=microvm
Group=kvm
ExecStart=/bin/sh -c 'rm -f booted; ln -s \$(readlink current) booted'
ExecStop=/bin/rm booted
E2
others='microvm-tap-interfaces@%i.service microvm-macvtap-interfaces@%i.service microvm-pci-devices@%i.service microvm-virtiofsd@%i.service'
unit microvm@.service <<E2
[Unit]
Requires=$others microvm-set-booted@%i.service
After=network.target systemd-modules-load.service $others microvm-set-booted@%i.service
ConditionPathExists=$state/%i/current/bin/microvm-run
[Service]
Type=simple
WorkingDirectory=$state/%i
ExecStart=$state/%i/current/bin/microvm-run
ExecStop=$state/%i/booted/bin/microvm-shutdown
ExecStartPost=+/bin/sh -c 'if [ -x $state/%i/current/bin/microvm-register ]; then $state/%i/current/bin/microvm-register \$MAINPID; fi'
ExecStopPost=+/bin/sh -c 'if [ -x $state/%i/current/bin/microvm-unregister ]; then $state/%i/current/bin/microvm-unregister; fi'
TimeoutSec=150
Restart=always
RestartSec=5s
User=microvm
Group=kvm
LimitNOFILE=1048576
NotifyAccess=all
LimitMEMLOCK=infinity
E2
host systemctl daemon-reload
describe mvm-one 'systemSymlink: true'
check "a runner of mvmbuild is created under units like microvm.nix's" \
	m -c vm -f "$test_dir/vm.yaml"
for file in bin/microvm-run bin/microvm-shutdown bin/tap-up bin/tap-down share/microvm/hypervisor \
	share/microvm/tap-flags share/microvm/tap-interfaces; do
	check "that runner has $file, which these units read" host test -e "$state/vm/current/$file"
done
# The link may lead nowhere: the system is on the guest's disk.
check "its system is where microvm.nix's list reads it" \
	test "$(host readlink "$state/vm/current/share/microvm/system")" = "$probe"
journal
seen=$(grep -c '^probe: ready' "$log")
check "it starts" host systemctl start microvm@vm
check "the guest comes up under these units" console_says $((seen + 1)) '^probe: ready'
check "booted leads to what current led to" \
	test "$(host readlink "$state/vm/booted")" = "$(host readlink "$state/vm/current")"
check "systemctl stops the VM" host systemctl stop microvm@vm
check "the unit ends with success" test "$(property Result microvm@vm)" = success
journal
check "the guest went down by itself" test "$(grep -c '^probe: unmounted' "$log")" -ge $((seen + 1))
host dumpe2fs -h "$state/vm/data.img" >"$test_dir/dump" 2>&1
expect "its volume is clean" "$test_dir/dump" '^Filesystem state: *clean$'
check "its tap is removed" wait_until host test ! -e /sys/class/net/mvm-one
check "no unit has failed" test -z "$(host systemctl --failed --plain --no-legend)"
check "it is removed with its volumes" m --remove vm --volumes
finish
