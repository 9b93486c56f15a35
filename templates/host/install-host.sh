#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# install-host [--root DIR]: puts a host's VMs and units in place, where `mvmbuild host` made them. Run again it does what has changed, and says it;
# when nothing has, it does nothing. A VM that is not declared any more is named, never removed. With --root another system's tree is filled, and
# nothing is started.
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
target=$root$state pool=$root$state/.store-disks roots=$root/nix/var/nix/gcroots
units=$root/etc/systemd/system
live=
if [ -z "$root" ] && [ -d /run/systemd/system ]; then live=yes; fi

say() { echo "install-host: $*"; }

# What changes something says so in `did`: nothing is called where a failure would not end the script.
did=

# put FILE PLACE: in one step, unless it is there already.
put() {
	if cmp -s -- "$1" "$2"; then return; fi
	mkdir -p -- "$(dirname -- "$2")"
	cp -- "$1" "$2.new"
	chmod 644 -- "$2.new"
	mv -f -- "$2.new" "$2"
	did=yes
}

# link TARGET PLACE: the same for a link.
link() {
	local directory=${2%/*}
	if [ "$(readlink -- "$2")" = "$1" ]; then return; fi
	mkdir -p -- "$directory"
	ln -sfn -- "$1" "$directory/.${2##*/}.new"
	mv -fT -- "$directory/.${2##*/}.new" "$2"
	did=yes
}

# ---- units ----
install_units() {
	local file
	did=
	for file in "$here"/share/systemd/*; do
		case $file in
		*.sysusers) put "$file" "$root/etc/sysusers.d/mvmbuild.conf" ;;
		*.tmpfiles) put "$file" "$root/etc/tmpfiles.d/mvmbuild.conf" ;;
		*.modules) put "$file" "$root/etc/modules-load.d/mvmbuild.conf" ;;
		*) put "$file" "$units/${file##*/}" ;;
		esac
	done
	link /etc/systemd/system/microvms.target "$units/multi-user.target.wants/microvms.target"
	if [ -z "$did" ]; then return; fi
	say "the units are installed"
	if [ -n "$live" ]; then
		systemctl daemon-reload
		systemd-sysusers mvmbuild.conf
		systemd-tmpfiles --create mvmbuild.conf
	fi
}

# ---- a VM's files ----
# The store disk: one for all VMs that have the same.
install_disk() { # KEY PLACE
	mkdir -p -- "$pool"
	if [ ! -e "$pool/$1" ]; then
		cp --reflink=auto -- "$here/store-disks/$1" "$pool/$1.new"
		chmod 444 -- "$pool/$1.new"
		sync -- "$pool/$1.new"
		mv -- "$pool/$1.new" "$pool/$1"
	fi
	ln -- "$pool/$1" "$2"
}

# Copies: what is installed belongs to root, whoever built it.
install_runner() { # NAME PLACE DISK KEY
	local from=$here/runners/$1 new=$target/$1/.runner.new
	if [ -d "$target/$1/$2" ]; then return; fi
	rm -rf -- "$new"
	mkdir -p -- "$new" "$target/$1/runners"
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

remove_unnamed() { # NAME
	local runner place
	for runner in "$target/$1"/runners/*; do
		place=runners/${runner##*/}
		case $place in "$(readlink -- "$target/$1/current")" | "$(readlink -- "$target/$1/booted")" | "$(readlink -- "$target/$1/old")") continue ;; esac
		rm -rf -- "$runner" "$roots/microvm/.runners/$1/${runner##*/}"
	done
}

# ---- VMs ----
changed=() started=() status=0
make_current() { # NAME PLACE DISK KEY
	local before
	before=$(readlink -- "$target/$1/current" || true)
	did=
	if [ "$before" = "$2" ]; then return; fi
	mkdir -p -- "$target/$1"
	chmod 775 -- "$target/$1"
	if [ -n "$live" ]; then chgrp -- "$group" "$target/$1"; fi
	install_roots "$1" "$2"
	install_runner "$1" "$2" "$3" "$4"
	if [ -n "$before" ]; then link "$before" "$target/$1/old"; fi
	link "$2" "$target/$1/current"
	say "$1 is $(if [ -n "$before" ]; then echo updated; else echo installed; fi)"
	remove_unnamed "$1"
	did=yes
}

autostart() { # NAME WANTED
	local wants=$units/microvms.target.wants/microvm@$1.service
	did=
	if [ "$2" = yes ]; then
		link /etc/systemd/system/microvm@.service "$wants"
		if [ -n "$did" ]; then started+=("$1"); fi
	elif [ -L "$wants" ]; then
		rm -- "$wants"
		say "$1 does not start with the host any more"
	fi
}

# What the command microvm builds it from, or the mark that it does not.
remember_source() { # NAME TOPLEVEL KIND SOURCE
	if [ "$3" = - ]; then
		link "$2" "$target/$1/toplevel"
	else
		printf %s "$4" >"$target/$1/.source.new"
		mv -- "$target/$1/.source.new" "$target/$1/$3"
	fi
	if [ ! -e "$target/$1/declared" ]; then : >"$target/$1/declared"; fi
}

install_vm() { # NAME PLACE DISK KEY AUTOSTART RESTART TOPLEVEL KIND SOURCE
	if [ -L "$target/$1/current" ] && [ ! -e "$target/$1/declared" ]; then
		echo "install-host: there is another VM $1 already, in $target/$1: it stays; microvm --remove $1 makes room" >&2
		status=1
		return
	fi
	# With updateFrom it is the command's from the first time on.
	if [ "$8" != - ] && [ -L "$target/$1/current" ]; then return; fi
	# Before `current`: cut off here, the next time goes on.
	mkdir -p -- "$target/$1"
	remember_source "$1" "$7" "$8" "$9"
	make_current "$1" "$2" "$3" "$4"
	if [ -n "$did" ] && [ "$6" = yes ]; then changed+=("$1"); fi
	autostart "$1" "$5"
}

name_undeclared() {
	local directory name
	for directory in "$target"/*/; do
		name=$(basename -- "$directory")
		if [ -e "$directory/declared" ] && [ -L "${directory}current" ] && ! cut -f 1 "$here/share/vms" | grep -qxF -- "$name"; then
			say "$name is not declared any more; it stays until microvm --remove $name"
		fi
	done
}

install_units
mkdir -p -- "$target"
exec 9<"$target"
flock 9
groups=$(mktemp)
trap 'rm -f -- "$groups"' EXIT
while IFS=$'\t' read -r name place disk key start restart toplevel kind source; do
	install_vm "$name" "$place" "$disk" "$key" "$start" "$restart" "$toplevel" "$kind" "$source"
	printf 'z %s/%s 0775 - %s -\n' "$state" "$name" "$group" >>"$groups"
done <"$here/share/vms"
# In another system's tree the group is made, and given, at its first boot.
if [ -n "$root" ]; then put "$groups" "$root/etc/tmpfiles.d/mvmbuild-vms.conf"; fi
if [ -d "$pool" ]; then find "$pool" -type f -links 1 -delete; fi
name_undeclared
if [ -n "$live" ]; then
	for name in "${changed[@]}"; do
		if systemctl is-active -q "microvm@$name.service"; then
			say "$name is restarted"
			systemctl restart "microvm@$name.service" || status=1
		fi
	done
	if [ "${#started[@]}" -gt 0 ]; then
		systemctl daemon-reload
		for name in "${started[@]}"; do systemctl start --no-block "microvm@$name.service" || status=1; done
	fi
fi
exit $status
