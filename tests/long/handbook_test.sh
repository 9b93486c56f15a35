#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs the handbook's commands as they stand, in a fresh Debian 12 and a fresh Debian 13 made by
# debootstrap, with systemd as PID 1 and one reboot. It differs from a real machine only in this:
# the kernel is copied, because a container has none; packages come through this machine's network;
# and KVM is not used.
set -u
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../e2e/lib/lib.sh"
# shellcheck source=tests/long/lib/container.sh
. "$top/tests/long/lib/container.sh"
# shellcheck source=tests/e2e/lib/handbook.sh
. "$top/tests/e2e/lib/handbook.sh"
PATH=$PATH:/usr/sbin:/sbin
need_root
need_programs debootstrap unshare nsenter script pgrep
kernel=$("$top/tests/e2e/lib/kernel.sh") || skip_all "no kernel to boot"
blocks=$test_dir/blocks
log=$test_dir/log
handbook_blocks "$blocks"
# shellcheck disable=SC2034 # lib.sh calls it
at_end=container_off

# Adds the sources, a kernel and a user to ROOT.
furnish() { # ROOT
	local version
	version=$(basename "$kernel"/boot/vmlinuz-* | sed 's/^vmlinuz-//')
	mkdir -p "$1/boot" "$1/usr/lib/modules" "$1/root/mvmbuild" "$1/root/blocks"
	cp "$kernel/boot/vmlinuz-$version" "$1/boot/"
	cp -a --reflink=auto "$kernel/lib/modules/$version" "$1/usr/lib/modules/"
	(cd "$top" && git ls-files -z --cached --others --exclude-standard |
		tar --null -T - --ignore-failed-read -c) | tar -x -C "$1/root/mvmbuild"
	cp "$blocks"/* "$1/root/blocks/"
	chroot "$1" useradd --create-home --shell /bin/bash alex
}

# Runs one block in a new shell, in the directory where the previous block ended.
step() { # N
	local how
	how=$(<"$blocks/$1.how")
	if [ "$how" = 'as alex' ]; then
		cp "$blocks/$1" "$root/home/alex/block"
		container true su --login alex -c 'bash -euo pipefail block'
	else
		container "$([ "$1" = 1 ] && echo false || echo true)" bash -euo pipefail -c "
			cd /root/mvmbuild; [ ! -d /root/web1 ] || cd /root/web1; . /root/blocks/$1"
	fi >"$log" 2>&1 </dev/null
}

reboot_container() {
	container_off
	container_start "$root"
}

# Checks the output of a block that has succeeded.
look_at_output() { # DEBIAN N TITLE
	if grep -q '^curl ' "$blocks/$2"; then
		expect "$1: $3: the page comes from the guest" "$log" '^hello from web1$'
	fi
	case $3 in
	'The network')
		# Otherwise everything that needs a network would wait for the bridge at boot.
		check "$1: the bridge does not delay a boot" container true timeout 60 \
			systemctl start systemd-networkd-wait-online ;;
	'Create and start it')
		expect "$1: microvm -l lists the VM" "$log" '^web1.*current' ;;
	'Stop it, and remove it')
		check "$1: nothing of the VM is left" test -z "$(container true sh -c '
			ls /var/lib/microvms /nix/var/nix/gcroots/microvm 2>/dev/null | grep web1
			ls /sys/class/net | grep vm-web1
			find /proc -maxdepth 1 -user microvm')" ;;
	esac
}

handbook_in() { # SUITE DEBIAN
	local n title
	root=$test_dir/$1
	if fresh_root "$1" "$root" >"$log" 2>&1 && furnish "$root" >>"$log" 2>&1 &&
		container_start "$root"; then
		ok "$2: systemd runs in a fresh root"
	else
		not_ok "$2: systemd runs in a fresh root" "$log"
		return
	fi
	for ((n = 1; ; n++)); do
		[ -e "$blocks/$n" ] || break
		title=$(<"$blocks/$n.title")
		if [ "$(<"$blocks/$n.how")" = 'after a reboot' ]; then
			reboot_container
			title+=', after a reboot'
		fi
		if ! step "$n"; then
			not_ok "$2: $title" "$log"
			break
		fi
		ok "$2: $title"
		sed 's/^/#   | /' "$log" | tail -n 12
		look_at_output "$2" "$n" "$title"
	done
	check "$2: all blocks of the handbook were run" test "$n" -gt 8
	container_off
	rm -rf "$root"
}

for debian in ${MVM_DEBIANS:-bookworm trixie}; do
	handbook_in "$debian" "Debian $debian"
done
finish
