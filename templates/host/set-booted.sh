#!/bin/sh
# SPDX-License-Identifier: MIT
# set-booted DIRECTORY USER GROUP: secures a VM's directory, lets GROUP read a disk that only root
# can read, gives systemd the runner's settings for the VM's unit, and records the runner that the
# VM boots from: in DIRECTORY/booted for people and programs, in $RUNTIME_DIRECTORY/booted for the
# units. Runs as root, before all other units of the VM.
#
# USER runs the hypervisor, which is to be isolated, and must create files in DIRECTORY: volumes,
# sockets. But root's units of the VM (tap-up, pci-setup, virtiofsd-run, ...) find their programs by
# a link in DIRECTORY. These rules keep somebody who escapes from a guest, and so is USER, from
# becoming root:
# - The directory of all VMs belongs to root, and only root can create or move entries in it: a VM's
#   directory is one that root created.
# - DIRECTORY belongs to root and has mode 1775, sticky: USER can create entries in it, but can
#   neither move nor remove those of others.
# - USER can still create an entry that does not exist. So an entry is trusted only if it belongs to
#   root; USER cannot give entries to root, nor hard-link root's here (fs.protected_hardlinks).
# - All of this is checked once, here. Root's units find the runner in /run, where USER cannot
#   write: later changes in DIRECTORY, even the removal of `current`, do not change what they run
#   until they stop.
# - The target of `current` must not be writable by USER either. The contents of a runner are not
#   judged: root made it `current`.
# - GROUP can create entries in DIRECTORY too, so it must be reserved for the VMs. A directory of
#   another group (kvm, which may have other members) is given to GROUP.
# A directory of microvm.nix (owned by USER, or writable by the group without the sticky bit) is
# repaired. Its links are kept if they belong to root; one that belongs to USER may point anywhere
# by now, so it is refused with advice.
# `microvm` (compiler/microvm/custody.h) and install-host read and write the same entries as root,
# by the same rules.
set -eu
directory=$1 user=$2 group=$3

say() { echo "set-booted: $*" >&2; }
refuse() {
	say "$*"
	exit 1
}

# Whether the entry itself, not a link's target, passes the test; if that cannot be determined,
# nothing is run.
is() { # PLACE TEST...
	place=$1
	shift
	found=$(find "$place" -maxdepth 0 \( "$@" \)) || refuse "cannot examine $place"
	[ -n "$found" ]
}

# A user other than root can remove entries from it.
is_exposed() { is "$1" ! -user root -o -perm /022 ! -perm -1000; }

# USER or GROUP can change its contents.
is_foreign() {
	is "$1" -user "$user" ! -user root -o -perm -0002 ! -perm -1000 -o \
		-group "$group" -perm -0020 ! -perm -1000
}

mend() { # DIRECTORY MODE
	if is_exposed "$1"; then
		[ ! -L "$1" ] || refuse "$1 is a symbolic link"
		say "$1 belonged to $(stat -c '%U:%G, mode %a' \
			-- "$1"); it belongs to root now, mode $2"
	elif is "$1" ! -group "$group"; then
		say "$1 belonged to the group $(stat -c %G \
			-- "$1"); it belongs to the group $group now"
	else
		return 0
	fi
	chown -- "root:$group" "$1"
	chmod -- "$2" "$1"
}

is_roots() { # LINK
	[ -L "$1" ] && [ "$(stat -c %u -- "$1")" = 0 ]
}

state=$(dirname -- "$directory")
mend "$state" 0755
mend "$directory" 1775
cd -P -- "$directory"
[ -L current ] || refuse "the link $directory/current is missing"
target=$(readlink -- current)
is_roots current || refuse "$directory/current belongs to $(stat -c %U \
	-- current), who could point it anywhere; if $target is right, run as root:" \
	"ln -sfn $target $directory/current"
runner=$(readlink -e -- current) ||
	refuse "$directory/current points to $target, which does not exist"

# A target below DIRECTORY must not be another link, which could be USER's.
here=$(pwd -P)
case $target in /*) whole=$target ;; *) whole=$here/$target ;; esac
case $whole in "$directory"/*) whole=$here/${whole#"$directory"/} ;; esac
case $whole in
"$here"/*)
	[ "$whole" = "$runner" ] ||
		refuse "$directory/current points to $target, which is itself a symbolic link"
	;;
esac
above=$runner
while [ "$above" != / ]; do
	if is_foreign "$above"; then
		refuse "$directory/current leads through $above, which $user or the group $group can change"
	fi
	above=$(dirname -- "$above")
done

# The disk of a root file system has secrets, so a build lets only the builder read it.
for disk in "$runner"/share/microvm/stage1.*; do
	if [ ! -e "$disk" ] || ! is "$disk" -type f -user root ! -perm -0004 \
		\( ! -group "$group" -o ! -perm -0040 \); then
		continue
	fi
	if ! chgrp -- "$group" "$disk" || ! chmod -- 0440 "$disk"; then
		refuse "$user cannot read $disk; run as root: chgrp $group $disk; chmod 440 $disk"
	fi
done

# The VM's unit, which waits for this one, starts with its new settings. VMs that start together
# share a reload: one that began after the last change in this VM's DIRECTORY is enough.
load_settings() { # DIRECTORY
	stamp=/run/systemd/system/.microvm-reload
	exec 9>>"$stamp.lock"
	! command -v flock >/dev/null || flock 9
	if [ -e "$stamp" ] && is "$stamp" -newer "$1"; then return; fi
	: >"$stamp.$$"
	systemctl daemon-reload 9>&-
	mv -f -- "$stamp.$$" "$stamp"
}

# A runner without the file is not for the confinement (confinement.enable), like those of earlier
# versions and of microvm.nix. Its unit keeps what does not imply NoNewPrivileges=. An empty
# assignment clears a list.
print_settings() {
	if [ -e "$runner/share/microvm/unit.conf" ]; then
		cat -- "$runner/share/microvm/unit.conf"
		return
	fi
	printf '[Service]\n'
	printf '%s=\n' TemporaryFileSystem BindPaths BindReadOnlyPaths DeviceAllow \
		RestrictAddressFamilies SystemCallFilter SystemCallArchitectures
	printf '%s=no\n' PrivateTmp PrivateDevices PrivateIPC PrivateMounts ProtectHome \
		ProtectKernelTunables ProtectKernelModules ProtectKernelLogs ProtectClock \
		ProtectHostname RestrictNamespaces RestrictRealtime RestrictSUIDSGID \
		LockPersonality RemoveIPC NoNewPrivileges
	printf '%s\n' DevicePolicy=auto ProtectSystem=full CapabilityBoundingSet=~
}

# A host without systemd does not have its directory. (cmp is not on the PATH of NixOS's units.)
install_settings() { # DIRECTORY
	settings=$(print_settings)
	if [ ! -d /run/systemd/system ] || { [ -z "$settings" ] && [ ! -e "$1" ]; }; then
		return
	fi
	mkdir -p -- "$1"
	there=$1/runner.conf
	if [ -z "$settings" ]; then
		rm -f -- "$there"
	elif [ ! -e "$there" ] || [ "$settings" != "$(cat -- "$there")" ]; then
		printf '%s\n' "$settings" >"$there.new"
		mv -f -- "$there.new" "$there"
	fi
	load_settings "$1"
	exec 9>&-
}
install_settings "/run/systemd/system/microvm@${here##*/}.service.d"

if ! is_roots booted || [ "$(readlink -- booted)" != "$target" ]; then
	rm -rf -- booted
	ln -sT -- "$target" booted
fi
ln -sfnT -- "$runner" "$RUNTIME_DIRECTORY/booted"
