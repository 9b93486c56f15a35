# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Functions of the scenes with volumes: they start a VM whose hypervisor does nothing, and check
# that a volume is sound.
# shellcheck disable=SC2317,SC2154,SC2034 # ../power.sh calls the functions, and sets what they use

start() { (cd "$data/state" && "$world/ref/$1/bin/microvm-run" </dev/null); }

images=(data.img x.img b.img v.img m.img)

# image_is SIZE-IN-MIB IMAGE: prints each fault of the image.
image_is() {
	local place=state/$2 label=data said mib
	case $2 in
	x.img) label=xdata && said=$(xfs_repair -n -f "$place" 2>&1) ;;
	b.img) label=bdata && said=$(btrfs check "$place" 2>&1) ;;
	v.img) label=VDATA && said=$(fsck.vfat -n "$place" 2>&1) ;;
	m.img) label=mdata && said=$(e2fsck -fn "$place" 2>&1) ;;
	*) said=$(e2fsck -fn "$place" 2>&1) ;;
	esac || echo "$2 is not sound: $(tail -n 4 <<<"$said")"
	[ "$(blkid -p -o value -s LABEL "$place")" = "$label" ] || echo "$2 does not have its label"
	mib=$(($(stat -c %s "$place") >> 20))
	case " $1 " in *" $mib "*) ;; *) echo "$2 has $mib MiB, not $1" ;; esac
}

# Prints files that were left beside the images, except those of a killed start whose process number
# is in use again.
leftovers() {
	local entry
	find state -mindepth 1 -maxdepth 1 ! -name '*.img' -printf '%f\n' | while read -r entry; do
		[ -e "/proc/${entry##*.}" ] || echo "$entry"
	done
}
