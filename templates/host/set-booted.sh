#!/bin/sh
# SPDX-License-Identifier: MIT
# set-booted DIRECTORY USER GROUP: a VM's directory is made safe, and what the VM boots from is remembered: in DIRECTORY/booted for people and
# programs, in $RUNTIME_DIRECTORY/booted for root's units. As root, before all other units of the VM.
#
# Why. USER runs the hypervisor, the very thing that one isolates, and it has to make files in DIRECTORY: volumes, sockets. But what root's units of
# the VM run (tap-up, pci-setup, virtiofsd-run, ...) is found through a link in there. So that who escapes from a guest and is USER does not become root:
# - The directory of all VMs is root's, and nobody else makes or moves anything in it: a VM's directory is what root made.
# - DIRECTORY is root's with the mode 1775, sticky: USER makes names in it, but can neither move nor remove what belongs to somebody else.
# - USER can still make a name that is not there. So an entry counts only when it belongs to root, and USER can give nothing to root (nor link to it from
#   here: fs.protected_hardlinks).
# - All of this is looked at once, here. Root's units take the runner from /run, where USER writes nothing: nothing that happens in DIRECTORY later,
#   not even the removal of `current`, changes what they run until they stop.
# - What `current` leads to must not be USER's either. That a runner says what is right is not judged: whoever is root made it `current`.
# - GROUP, too, makes names in DIRECTORY: it is the VMs' alone. Where it was another one before (kvm, in which others may be), it is GROUP's from now on.
# A directory as microvm.nix makes it (of USER, or writable by the group without the sticky bit) is mended. Its links are kept when they are root's;
# one that is USER's could lead anywhere by now: it is refused, with what to do.
# The other side of this is `microvm` (compiler/microvm/custody.h) and install-host, which read and
# write the same names as root.
set -eu
directory=$1 user=$2 group=$3

say() { echo "set-booted: $*" >&2; }
refuse() {
	say "$*"
	exit 1
}

# Whether a place, not what it leads to, is of that kind; when that cannot be told, nothing is run.
is() { # PLACE TEST...
	place=$1
	shift
	found=$(find "$place" -maxdepth 0 \( "$@" \)) || refuse "nothing is known of $place"
	[ -n "$found" ]
}

# Somebody else than root can take entries away from it.
is_exposed() { is "$1" ! -user root -o -perm /022 ! -perm -1000; }

# USER, or GROUP, can change what is there.
is_foreign() { is "$1" -user "$user" ! -user root -o -perm -0002 ! -perm -1000 -o -group "$group" -perm -0020 ! -perm -1000; }

mend() { # DIRECTORY MODE
	if is_exposed "$1"; then
		[ ! -L "$1" ] || refuse "$1 is a link"
		say "$1 was of $(stat -c '%U:%G, mode %a' -- "$1"): it is root's now, mode $2"
	elif is "$1" ! -group "$group"; then
		say "$1 was of the group $(stat -c %G -- "$1"): it is of the group $group now"
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
[ -L current ] || refuse "there is no link $directory/current"
target=$(readlink -- current)
is_roots current || refuse "$directory/current belongs to $(stat -c %U -- current), who could have led it anywhere. If it should lead to $target:" \
	"ln -sfn $target $directory/current"
runner=$(readlink -e -- current) || refuse "$directory/current leads to nothing: $target"

# Inside, no second link: that could be USER's.
here=$(pwd -P)
case $target in /*) whole=$target ;; *) whole=$here/$target ;; esac
case $whole in "$directory"/*) whole=$here/${whole#"$directory"/} ;; esac
case $whole in "$here"/*) [ "$whole" = "$runner" ] || refuse "$directory/current leads to $target, which is a link itself" ;; esac
above=$runner
while [ "$above" != / ]; do
	if is_foreign "$above"; then refuse "$above, where $directory/current leads to, can be changed by $user or the group $group"; fi
	above=$(dirname -- "$above")
done

if ! is_roots booted || [ "$(readlink -- booted)" != "$target" ]; then
	rm -rf -- booted
	ln -sT -- "$target" booted
fi
ln -sfnT -- "$runner" "$RUNTIME_DIRECTORY/booted"
