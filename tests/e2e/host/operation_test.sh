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
printf '[Unit]\nDescription=What the test needs\nRequires=basic.target\nAfter=basic.target\nWants=multi-user.target\nAllowIsolate=yes\n' >"$host_units/etc/systemd/system/mvm-test.target"
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
finish
