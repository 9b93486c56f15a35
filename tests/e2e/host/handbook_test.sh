#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs the handbook's commands for Debian as they stand there, on a host with a real systemd.
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
log=$test_dir/log

# The host's kernel, as Debian installs one.
version=$(basename "$kernel"/boot/vmlinuz-* | sed 's/^vmlinuz-//')
mkdir -p "$host_units/boot" "$host_units/usr/lib/modules" "$host_units/etc/systemd/system"
cp "$kernel/boot/vmlinuz-$version" "$host_units/boot/"
ln -s "boot/vmlinuz-$version" "$host_units/vmlinuz"
cp -r "$kernel/lib/modules/$version" "$host_units/usr/lib/modules/"
printf '[Unit]\nDescription=What the test needs\nRequires=basic.target\nAfter=basic.target\nAllowIsolate=yes\n' >"$host_units/etc/systemd/system/mvm-test.target"

# Without a network nothing can be installed; that its packages are there under these names can be
# seen.
mkdir -p "$host_units/usr/local/sbin"
cat >"$host_units/usr/local/sbin/apt-get" <<'E2'
#!/bin/sh
for package; do
	case $package in install | -*) ;; *) dpkg-query -W "$package" || exit 1 ;; esac
done
E2
chmod +x "$host_units/usr/local/sbin/apt-get"

# Its blocks, each with the title above it.
awk -v dir="$test_dir" '
	/^## / { wanted = $0 == "## On Debian 12" }
	/^### / { title = substr($0, 5) }
	wanted && /^```sh$/ { n++; file = sprintf("%s/step%d", dir, n); print title >(file ".title"); inside = 1; next }
	/^```$/ { inside = 0 }
	inside { print >file }' "$top/docs/handbook.md"

if host_start; then
	ok "systemd runs"
else
	not_ok "systemd runs" "$test_dir/host-console"
	host_stop
	finish
fi
# shellcheck disable=SC2034 # lib.sh calls it
at_end=host_stop

# As root without the group nixbld Nix builds in the machine itself.
step() { # NUMBER
	host env NIX_CONFIG=$'build-users-group =\nsandbox = false' HOME=/root BUILD="$top/build" \
		bash -euo pipefail \
		-c "cd '$top'; [ ! -d /root/web1 ] || cd /root/web1; . '$test_dir/step$1'" >"$log" \
		2>&1
}
for number in 1 2 3 4 5 6; do
	title=$(cat "$test_dir/step$number.title") ||
		{ not_ok "the handbook has six steps"; finish; }
	if step "$number"; then
		ok "$title"
	else
		not_ok "$title" "$log"
		MVM_TEST_TAIL=60 host journalctl --no-pager -n 40 -o cat 2>/dev/null |
			sed 's/^/#   /'
		finish
	fi
	case $number in
	4) expect "the page comes from the guest" "$log" '^hello from web1$'
		expect "the handbook's VM is listed as current" "$log" 'web1: current' ;;
	5) expect "the list says that there is something to build" "$log" 'web1: outdated'
		expect "the handbook's VM serves its page again" "$log" '^hello from web1$' ;;
	6) expect_no "it is listed no more" "$log" web1: ;;
	esac
done
check "the handbook has no seventh step" test ! -e "$test_dir/step7"
check "nothing of the handbook's VM is left" \
	test -z "$(host sh -c 'ls /var/lib/microvms /nix/var/nix/gcroots/microvm 2>/dev/null | grep web1; ls /sys/class/net | grep vm-web1; pgrep -u microvm')"
finish
