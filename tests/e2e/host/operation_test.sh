#!/bin/bash
# SPDX-License-Identifier: MIT
# What an operator does on a host with a real systemd, where things go wrong: a reboot, all VMs
# stopped at once. The hypervisor is a program that only waits, or fails, so no guest boots.
# shellcheck disable=SC2317 # functions that check calls
set -u
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/golden/lib/fixture.sh
. "$top/tests/golden/lib/fixture.sh"
need_root
need_programs ip unshare nsenter script jq
[ -x /lib/systemd/systemd ] || skip_all "needs systemd"
chmod 755 "$test_dir" # the VMs' user reads its runner
# shellcheck source=tests/e2e/lib/systemd.sh
. "$top/tests/e2e/lib/systemd.sh"
fixture_make "$test_dir"
state=/var/lib/microvms
log=$test_dir/log
mkdir "$test_dir/bin"
cp "$(dirname "$(realpath "${MVMBUILD:-$top/build/mvmbuild}")")/microvm" "$test_dir/bin/"
make -s -C "$top" install-systemd DESTDIR="$host_units" >"$log" 2>&1 ||
	{ not_ok "make install-systemd installs the units" "$log"; finish; }
mkdir -p "$host_units/etc/systemd/system" "$host_units/usr/local/bin"
printf '%s\n' '[Unit]' 'Description=What the test needs' 'Requires=basic.target' \
	'After=basic.target' 'Wants=multi-user.target' 'AllowIsolate=yes' \
	>"$host_units/etc/systemd/system/mvm-test.target"
# It is first in the PATH of units. A VM whose kernel parameters contain "crash" ends at once.
cat >"$host_units/usr/local/bin/qemu-system-x86_64" <<'E2'
#!/bin/sh
echo "the hypervisor runs as $(id -un):$(id -gn) in the groups $(id -Gn)"
case $* in *crash*)
	printf '\rthe guest has crashed\n'
	exit 1
	;;
esac
exec sleep infinity
E2
chmod 755 "$host_units/usr/local/bin/qemu-system-x86_64"

describe() { # NAME [LINE]...: $test_dir/NAME.yaml
	printf '%s\n' "hostName: $1" "storeDir: $test_dir/store" \
		"toplevel: $test_dir/store/$fixture_hash-system" "closure: $test_dir/registration" \
		"kernel: $test_dir/kernel" "${@:2}" >"$test_dir/$1.yaml"
}
m() { host env XDG_CACHE_HOME="$test_dir/cache" "$test_dir/bin/microvm" "$@" >"$log" 2>&1; }
fails() { ! "$@"; }
has_property() { [ "$(property "$1" "$2")" = "$3" ]; }
hypervisor_runs() { # NAME
	[ "$(host cat "/proc/$(property MainPID "microvm@$1")/comm" 2>/dev/null)" = sleep ]
}
systemd_waits_for() { # UNIT PROPERTY VALUE
	wait_until has_property "$2" "$1" "$3"
}

if host_start; then
	ok "systemd runs"
else
	not_ok "systemd runs" "$test_dir/host-console"
	host_stop
	finish
fi
# shellcheck disable=SC2034 # lib.sh calls it
at_end=host_stop
host sh -c 'systemd-sysusers && systemd-tmpfiles --create mvmbuild.conf'

# ---- at boot, and all at once ----
describe web1
check "a VM is created" m -c web1 -f "$test_dir/web1.yaml"
expect "the command says how to start it, now and at each boot" \
	"$log" 'systemctl enable --now microvm@web1$'
check "what it says works" host systemctl enable --now microvm@web1
check "the VM runs" systemd_waits_for microvm@web1 ActiveState active
check "the host boots again" host_reboot
check "the VM has started with the host" systemd_waits_for microvm@web1 ActiveState active
check "systemctl stops the target of all VMs" host systemctl stop microvms.target
check "the VM stops with it" systemd_waits_for microvm@web1 ActiveState inactive
check "systemctl starts the target of all VMs" host systemctl start microvms.target
check "the VM starts with it" systemd_waits_for microvm@web1 ActiveState active

# ---- by hand, as root ----
volume='volumes: [{image: data.img, size: 16, mountPoint: /data}]'
describe hand "$volume" 'kernelParams: [crash]'
m -c hand -f "$test_dir/hand.yaml"
m -r hand
expect "microvm -r as root runs the hypervisor as the unit's user and groups" \
	"$log" '^the hypervisor runs as microvm:microvm in the groups microvm kvm'
check "the new volume is the unit's user's" \
	test "$(host stat -c %U "$state/hand/data.img")" = microvm
host chown root:root "$state/hand/data.img"
describe hand "$volume"
m -u hand
host systemctl start microvm@hand
check "the unit reports a volume that it cannot read" \
	console_says 1 'the volume data.img cannot be read' microvm@hand
expect "the report names the owner and the user" \
	"$log" 'it belongs to root:root, mode .*, and the VM runs as microvm'
expect "the report has the command that mends it" \
	"$log" "as root, run: chown microvm: $state/hand/data.img"
check "that command works" host chown microvm: "$state/hand/data.img"
check "the VM starts then" wait_until hypervisor_runs hand
host systemctl stop microvm@hand
finish
