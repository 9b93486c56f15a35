# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Uses microvm's commands: updates a VM, creates another one, rolls the first one back, and removes
# a third one with its volumes.
# shellcheck disable=SC2317,SC2154,SC2034 # ../power.sh calls the functions, and sets what they use

m() { XDG_CACHE_HOME=$data/cache microvm -q --state-dir "$data/vms" "$@"; }
source_of() { cp "$world/$1.yaml" "$data/src/$2.yaml"; }

prepare() {
	mkdir src
	source_of old web
	source_of old new
	m -c web -f "$data/src/web.yaml" && m -c third -f "$data/src/new.yaml" &&
		m -c fourth -f "$data/src/new.yaml" || return
	echo kept >vms/third/data.img
	echo kept >vms/fourth/data.img
	source_of new web
}

act() {
	mark 1
	m -u web
	mark 2
	m -c two -f "$data/src/new.yaml"
	mark 3
	m --rollback web
	mark 4
	m --remove third
	mark 5
	m --remove fourth --volumes
	mark 6
}

# The runner that a VM's link leads to: old, new, none, or a fault.
runner() { # VM LINK
	local place=vms/$1/$2
	if [ ! -L "$place" ]; then
		echo none
	elif same "$place/" "$world/ref/old"; then
		echo old
	elif same "$place/" "$world/ref/new"; then
		echo new
	else
		echo "broken ($(readlink "$place"))"
	fi
}
is_one_of() { case " $2 " in *" $1 "*) ;; *) false ;; esac }

judge() {
	local current old wanted vm
	current=$(runner web current) old=$(runner web old)
	case $mark in
	0 | 1) wanted="old new" ;;
	2) wanted=new ;;
	3) wanted="new old" ;;
	*) wanted=old ;;
	esac
	is_one_of "$current" "$wanted" || bad "the VM web has $current, not $wanted"
	case $mark in 0 | 1) wanted="none old" ;; 2) wanted=old ;; 3) wanted="old new" ;; *) \
		wanted=new ;; esac
	is_one_of "$old" "$wanted" || bad "the VM web can go back to $old, not to $wanted"
	[ "$(cat vms/web/source)" = "$data/src/web.yaml" ] || bad "the source of web is lost"
	current=$(runner two current)
	case $mark in 0 | 1) wanted=none ;; 2) wanted="none old" ;; *) wanted=old ;; esac
	is_one_of "$current" "$wanted" || bad "the VM two has $current, not $wanted"
	if [ "$current" != none ] && [ "$(cat vms/two/source)" != "$data/src/new.yaml" ]; then
		bad "the source of two is lost"
	fi
	if [ "$current" = none ] && [ -e vms/two ]; then
		bad "the VM two is there in part: $(ls vms/two)"
	fi
	current=$(runner third current)
	case $mark in 0 | 1 | 2 | 3) wanted=old ;; 4) wanted="old none" ;; *) wanted=none ;; esac
	is_one_of "$current" "$wanted" || bad "the VM third has $current, not $wanted"
	[ "$(cat vms/third/data.img)" = kept ] || bad "the volume of third is lost"
	current=$(runner fourth current)
	case $mark in 0 | 1 | 2 | 3 | 4) wanted=old ;; 5) wanted="old none" ;; *) wanted=none \
		;; esac
	is_one_of "$current" "$wanted" || bad "the VM fourth has $current, not $wanted"
	if [ "$current" = old ] && [ "$mark" -lt 5 ] && [ "$(cat vms/fourth/data.img)" != kept \
		]; then
		bad "the volume of fourth is lost"
	fi

	must "the list" m -l
	must "an update" m -u web
	[ "$(runner web current)" = new ] || bad "after an update web has $(runner web current)"
	[ "$(runner two current)" != none ] || must "creation" m -c two -f "$data/src/new.yaml"
	[ "$(runner two current)" = old ] || bad "after its creation two has $(runner two current)"
	for vm in third fourth; do
		# An interrupted removal can be repeated; a VM that is gone can be created again.
		if [ -e "vms/$vm/current" ] || [ -e "vms/$vm/runners" ]; then
			must "the removal of $vm" m --remove "$vm"
		fi
		must "creation of $vm" m -c "$vm" -f "$data/src/new.yaml"
		[ "$(runner "$vm" current)" = old ] ||
			bad "$vm, made again, has $(runner "$vm" current)"
	done
	litter=$(find vms -mindepth 1 -maxdepth 3 \( -path 'vms/*/runners/*' -o ! -path 'vms/*/*' \
		\) -printf '%f\n' | grep -vxE "web|two|third|fourth|[0-9a-f]{32}")
	[ -z "$litter" ] || bad "litter: $litter"
}
