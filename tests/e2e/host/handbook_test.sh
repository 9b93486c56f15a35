#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs the handbook's commands on a host with a real systemd, over this machine's file system.
# Unlike in tests/long/handbook_test.sh, apt-get does nothing, the tested build is installed, Nix
# builds without its users and its daemon, and there is no reboot.
set -u
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
need_root
need_programs ip unshare nsenter script curl systemctl nix-build busybox
[ -x /lib/systemd/systemd ] || skip_all "needs systemd"
[ ! -e /nix/store ] || [ -w /nix/store ] || skip_all "/nix/store cannot be written"
guest_setup
# shellcheck source=tests/e2e/lib/systemd.sh
. "$top/tests/e2e/lib/systemd.sh"
# shellcheck source=tests/e2e/lib/handbook.sh
. "$top/tests/e2e/lib/handbook.sh"
log=$test_dir/log
blocks=$test_dir/blocks
handbook_blocks "$blocks"

# The host's kernel, as Debian installs one.
version=$(basename "$kernel"/boot/vmlinuz-* | sed 's/^vmlinuz-//')
mkdir -p "$host_units/boot" "$host_units/usr/lib/modules"
cp "$kernel/boot/vmlinuz-$version" "$host_units/boot/"
cp -r "$kernel/lib/modules/$version" "$host_units/usr/lib/modules/"

# Packages cannot be installed without a network.
mkdir -p "$host_units/usr/local/sbin"
printf '#!/bin/sh\n' >"$host_units/usr/local/sbin/apt-get"
chmod +x "$host_units/usr/local/sbin/apt-get"

host_begin

# The user of the handbook, and the group that Debian's nix-setup-systemd makes.
host sh -c '
	useradd --create-home alex
	groupadd --force nix-users && groupadd --force kvm
	# With a read-only /sys, as in a container, systemd-networkd does not wait for udev.
	mount -o remount,ro,bind /sys' >"$log" 2>&1

# Without build users, Nix builds as the calling user.
nix=$'build-users-group =\nsandbox = false\nsubstitute = false'
step() { # NUMBER
	host env NIX_CONFIG="$nix" BUILD="$top/build" bash -euo pipefail -c "
		cd '$top'; [ ! -d /root/web1 ] || cd /root/web1; . '$blocks/$1'"
}
# A store that belongs to the user, at the usual place.
step_of_alex() { # NUMBER
	# shellcheck disable=SC2016 # that shell's
	host unshare -m sh -euc '
		mkdir -p /nix
		mount -t tmpfs tmpfs /nix
		chown alex /nix
		cd /home/alex
		exec setpriv --reuid=alex --regid=alex --init-groups env HOME=/home/alex \
			NIX_CONFIG="$1" bash -euo pipefail -c "$2"' sh "$nix" "$(<"$blocks/$1")"
}

number=0
while [ -e "$blocks/$((++number))" ]; do
	title=$(<"$blocks/$number.title")
	how=$(<"$blocks/$number.how")
	if [ "$how" = 'after a reboot' ]; then
		skip "$title, after a reboot" "tests/long/handbook_test.sh reboots"
		continue
	fi
	if case $how in 'as alex') step_of_alex "$number" ;; *) step "$number" ;; esac \
		>"$log" 2>&1; then
		ok "$title"
	else
		not_ok "$title" "$log"
		MVM_TEST_TAIL=60 host journalctl --no-pager -n 40 -o cat 2>/dev/null |
			sed 's/^/#   /'
		finish
	fi
	if grep -q '^curl ' "$blocks/$number"; then
		expect "$title: the page comes from the guest" "$log" '^hello from web1$'
	fi
	case $title in
	'Create and start it') expect "the handbook's VM is listed as current" "$log" \
		'^web1.*current' ;;
	'Change it') expect "the list shows that the runner is outdated" "$log" \
		'^web1.*outdated' ;;
	'Stop it, and remove it') expect_no "it is no longer listed" "$log" ^web1 ;;
	esac
done
check "the handbook has nine blocks" test "$number" = 10
check "nothing of the handbook's VM is left" \
	test -z "$(host sh -c 'ls /var/lib/microvms /nix/var/nix/gcroots/microvm 2>/dev/null | grep web1; ls /sys/class/net | grep vm-web1; pgrep -u microvm')"
finish
