#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# install-host [--root DIR]: puts a host's VMs and units in place, where `mvmbuild host` made them. Run again it does what has changed, and says it;
# when nothing has, it does nothing. A VM that is not declared any more is named, never removed. With --root another system's tree is filled, and
# nothing is started. Cut off, it is to be run again. The VMs' user makes files where this writes as root: set-booted says what counts there.
set -euo pipefail
umask 022
here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
root=
while [ $# -gt 0 ]; do
	case $1 in
	--root) root=$(cd "${2:?"install-host: --root wants a directory"}" && pwd) && shift 2 ;;
	*)
		echo "usage: install-host [--root DIR]" >&2
		exit 2
		;;
	esac
done
if [ "$root" = / ]; then root=; fi
state=$(cat "$here/share/state-dir") group=$(cat "$here/share/group")
target=$root$state pool=$root$state/.store-disks pending=$root$state/.pending roots=$root/nix/var/nix/gcroots
units=$root/etc/systemd/system
live=
if [ -z "$root" ] && [ -d /run/systemd/system ]; then live=yes; fi

say() { echo "install-host: $*"; }

# What changes something says so in `did`: nothing is called where a failure would not end the script.
did=

# What is to follow a change is written down before it, in a line, for the case that this is cut off in between.
intended() { [ -e "$pending" ] && grep -qxF -- "$*" "$pending"; }
intend() {
	if [ -n "$live" ] && [ $# -gt 0 ] && ! intended "$*"; then echo "$*" >>"$pending"; fi
	did=yes
}
settle() {
	if ! intended "$*"; then return; fi
	grep -vxF -- "$*" "$pending" >"$target/.new" || true
	if [ -s "$target/.new" ]; then mv -- "$target/.new" "$pending"; else rm -- "$target/.new" "$pending"; fi
}

# put FILE PLACE MODE [INTENTION]: in one step, unless it is there already.
put() {
	if cmp -s -- "$1" "$2"; then return; fi
	intend "${@:4}"
	mkdir -p -- "$(dirname -- "$2")"
	cp -- "$1" "$2.new"
	chmod "$3" -- "$2.new"
	mv -f -- "$2.new" "$2"
}

# Whether an entry is there, and of whoever runs this.
is_ours() { [ "$(stat -c %u -- "$1" 2>/dev/null)" = "$EUID" ]; }

# Whether it counts: that of somebody else does where anybody could have made ours too.
counts() {
	[ -L "$1" ] || [ -e "$1" ] || return
	is_ours "$1" || is_exposed "${1%/*}"
}
is_exposed() { [ -n "$(find "$1" -maxdepth 0 \( ! -uid "$EUID" -o -perm /022 ! -perm -1000 \))" ]; }

# A name for what is ours: what somebody else put there goes.
make_room() {
	if ! is_ours "$1"; then rm -rf -- "$1"; fi
}

# link TARGET PLACE [INTENTION]: the same for a link.
link() {
	local directory=${2%/*} new=${2%/*}/.${2##*/}.new
	if [ "$(readlink -- "$2")" = "$1" ] && is_ours "$2"; then return; fi
	intend "${@:3}"
	mkdir -p -- "$directory"
	rm -rf -- "$new"
	ln -sT -- "$1" "$new"
	make_room "$2"
	mv -fT -- "$new" "$2"
}

# ---- units ----
install_units() {
	local file
	did=
	for file in "$here"/share/systemd/*; do
		case $file in
		*.sysusers) put "$file" "$root/etc/sysusers.d/mvmbuild.conf" 644 units ;;
		*.tmpfiles) put "$file" "$root/etc/tmpfiles.d/mvmbuild.conf" 644 units ;;
		*.modules) put "$file" "$root/etc/modules-load.d/mvmbuild.conf" 644 units ;;
		*) put "$file" "$units/${file##*/}" 644 units ;;
		esac
	done
	put "$here/share/set-booted" "$root/usr/local/libexec/mvmbuild/set-booted" 755 units
	link /etc/systemd/system/microvms.target "$units/multi-user.target.wants/microvms.target" units
	if [ -z "$did" ] && ! intended units; then return; fi
	say "the units are installed"
	if [ -n "$live" ]; then
		# The units name users and groups that must be there when they are live: a running VM's stop is theirs as well.
		systemd-sysusers mvmbuild.conf
		systemd-tmpfiles --create mvmbuild.conf
		systemctl daemon-reload
	fi
	settle units
}

# ---- a VM's files ----
compared=' ' # keys of store disks

# The store disk: one for all VMs that have the same.
install_disk() { # KEY PLACE
	mkdir -p -- "$pool"
	# What is there from before may have rotted since: who gets it now gets what was built.
	if [[ $compared != *" $1 "* ]] && ! cmp -s -- "$here/store-disks/$1" "$pool/$1"; then
		if [ -e "$pool/$1" ]; then say "the store disk $pool/$1 is not what was built; it is copied anew"; fi
		cp -f --reflink=auto -- "$here/store-disks/$1" "$pool/$1.new"
		chmod 444 -- "$pool/$1.new"
		sync -- "$pool/$1.new"
		mv -fT -- "$pool/$1.new" "$pool/$1"
	fi
	compared+="$1 "
	ln -- "$pool/$1" "$2"
}

# Copies: what is installed belongs to root, whoever built it.
install_runner() { # NAME PLACE DISK KEY
	local from=$here/runners/$1 new=$target/$1/runners/.new
	if [ -d "$target/$1/$2" ]; then return; fi
	rm -rf -- "$new"
	mkdir -- "$new"
	(cd "$from" && find . -mindepth 1 -type d -print0 | (cd "$new" && xargs -0 -r mkdir -p --))
	(cd "$from" && find . \( -type f -o -type l \) ! -path "./$3" -print0 | xargs -0 -r cp -P --reflink=auto --parents -t "$new" --)
	if [ "$3" != - ]; then install_disk "$4" "$new/$3"; fi
	sync -f -- "$new"
	mv -T -- "$new" "$target/$1/$2"
}

# What the runner needs of the host's store, and the links by which Nix finds the VM.
install_roots() { # NAME PLACE
	local path own=$roots/microvm/.runners/$1/${2##*/}
	if [ ! -d "$roots" ]; then return; fi
	mkdir -p -- "$own"
	while read -r path; do ln -sfn -- "$path" "$own/${path##*/}"; done <"$here/runners/$1/share/microvm/host-store-paths"
	link "$state/$1/current" "$roots/microvm/$1"
	link "$state/$1/booted" "$roots/microvm/booted-$1"
	link "$state/$1/old" "$roots/microvm/old-$1"
}

# The first file in a runner that no build made: a VM was started there. The list of the others is own.h's.
foreign_file() { # RUNNER
	[ ! -e "$1/share/mvmbuild/files" ] ||
		(cd "$1" && find . ! -type d -printf '%P\n' | LC_ALL=C sort | LC_ALL=C comm -23 - share/mvmbuild/files | sed -n 1p)
}

remove_unnamed() { # NAME
	local runner place foreign
	rm -rf -- "$target/$1"/runners/.gone-*
	for runner in "$target/$1"/runners/*; do
		place=runners/${runner##*/}
		case $place in "$(readlink -- "$target/$1/current")" | "$(readlink -- "$target/$1/booted")" | "$(readlink -- "$target/$1/old")") continue ;; esac
		foreign=$(foreign_file "$runner")
		if [ -n "$foreign" ]; then
			say "the old runner $runner stays: it has the file $foreign, which was not built"
			continue
		fi
		# Cut off, half a runner must not have a runner's name.
		mv -T -- "$runner" "$target/$1/runners/.gone-${runner##*/}"
		rm -rf -- "$roots/microvm/.runners/$1/${runner##*/}"
	done
	rm -rf -- "$target/$1"/runners/.gone-*
}

# ---- VMs ----
changed=() started=() status=0
make_current() { # NAME PLACE DISK KEY RESTART
	local before
	before=$(readlink -- "$target/$1/current" || true)
	if [ "$before" = "$2" ] && is_ours "$target/$1/current"; then return; fi
	install_roots "$1" "$2"
	install_runner "$1" "$2" "$3" "$4"
	if [ -n "$before" ]; then link "$before" "$target/$1/old"; fi
	if [ "$5" = yes ] && [ -n "$before" ]; then link "$2" "$target/$1/current" "restart $1"; else link "$2" "$target/$1/current"; fi
	say "$1 is $(if [ -n "$before" ]; then echo updated; else echo installed; fi)"
}

autostart() { # NAME WANTED
	local wants=$units/microvms.target.wants/microvm@$1.service
	if [ "$2" = yes ]; then
		link /etc/systemd/system/microvm@.service "$wants" "start $1"
		if intended "start $1"; then started+=("$1"); fi
	elif [ -L "$wants" ]; then
		rm -- "$wants"
		say "$1 does not start with the host any more"
	fi
}

# A file in a VM's directory; made where nobody else makes any.
remember() { # NAME FILE TEXT
	printf %s "$3" >"$target/.new"
	make_room "$target/$1/$2"
	mv -fT -- "$target/.new" "$target/$1/$2"
}

# What the command microvm builds it from, or the mark that it does not.
remember_source() { # NAME TOPLEVEL KIND SOURCE
	if [ "$3" = - ]; then link "$2" "$target/$1/toplevel"; else remember "$1" "$3" "$4"; fi
	if ! is_ours "$target/$1/declared"; then remember "$1" declared ''; fi
}

# A directory that is ours, as set-booted has it.
make_directory() { # NAME
	local directory=$target/$1
	if [ -L "$directory" ]; then
		echo "install-host: $directory is a link" >&2
		exit 1
	fi
	if [ -d "$directory" ] && is_exposed "$directory"; then
		say "$directory was of $(stat -c '%U:%G, mode %a' -- "$directory"): it is root's now, mode 1775"
	elif [ -n "$live" ] && [ -d "$directory" ] && [ "$(stat -c %G -- "$directory")" != "$group" ]; then
		say "$directory was of the group $(stat -c %G -- "$directory"): it is of the group $group now"
	fi
	mkdir -p -- "$directory"
	if [ -n "$live" ]; then chown -- "root:$group" "$directory"; else chown -- "$EUID" "$directory"; fi
	chmod 1775 -- "$directory"
	make_room "$directory/runners"
	if [ ! -d "$directory/runners" ]; then mkdir -- "$directory/runners"; fi
}

install_vm() { # NAME PLACE DISK KEY AUTOSTART RESTART TOPLEVEL KIND SOURCE
	if counts "$target/$1/current" && ! counts "$target/$1/declared"; then
		echo "install-host: there is another VM $1 already, in $target/$1: it stays; microvm --remove $1 makes room" >&2
		status=1
		return
	fi
	# With updateFrom it is the command's from the first time on.
	make_directory "$1"
	if [ "$8" != - ] && counts "$target/$1/current"; then return; fi
	# Before `current`: cut off here, the next time goes on.
	remember_source "$1" "$7" "$8" "$9"
	make_current "$1" "$2" "$3" "$4" "$6"
	remove_unnamed "$1"
	if intended "restart $1"; then changed+=("$1"); fi
	autostart "$1" "$5"
}

name_undeclared() {
	local directory name
	for directory in "$target"/*/; do
		name=$(basename -- "$directory")
		if counts "${directory}declared" && counts "${directory}current" && ! cut -f 1 "$here/share/vms" | grep -qxF -- "$name"; then
			say "$name is not declared any more; it stays until microvm --remove $name"
		fi
	done
}

# It runs, and not what is current.
is_outdated() { # NAME
	systemctl is-active -q "microvm@$1.service" && [ "$(readlink -- "$target/$1/booted")" != "$(readlink -- "$target/$1/current")" ]
}

restart_and_start() {
	local name
	for name in "${changed[@]}"; do
		if is_outdated "$name"; then
			say "$name is restarted"
			systemctl restart "microvm@$name.service" || status=1
		fi
		settle "restart $name"
	done
	if [ "${#started[@]}" -gt 0 ]; then systemctl daemon-reload; fi
	for name in "${started[@]}"; do
		systemctl start --no-block "microvm@$name.service" || status=1
		settle "start $name"
	done
}

mkdir -p -- "$target"
exec 9<"$target"
flock 9
rm -f -- "$target/.new"
install_units
if [ -n "$live" ]; then
	chown -- "root:$group" "$target"
	chmod 755 -- "$target"
fi
modes=
while IFS=$'\t' read -r name place disk key start restart toplevel kind source; do
	install_vm "$name" "$place" "$disk" "$key" "$start" "$restart" "$toplevel" "$kind" "$source"
	modes+="z $state/$name 1775 root $group -"$'\n'
done <"$here/share/vms"
# In another system's tree the group is made, and given, at its first boot.
if [ -n "$root" ]; then
	printf %s "$modes" >"$target/.new"
	put "$target/.new" "$root/etc/tmpfiles.d/mvmbuild-vms.conf" 644
	rm -- "$target/.new"
fi
if [ -d "$pool" ]; then find "$pool" -type f -links 1 -delete; fi
name_undeclared
if [ -n "$live" ]; then restart_and_start; fi
exit $status
