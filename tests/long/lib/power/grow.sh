# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# A start enlarges the images of volumes with files in them.
# shellcheck disable=SC2317,SC2154,SC2034 # ../power.sh calls the functions, and sets what they use
scene_mib=1000

# shellcheck source=tests/long/lib/power/images.sh
. "$world/images.sh"

fill() {
	mkdir in
	mount -o loop "state/$1" in
	for i in $(seq 20); do seq "$i" $((i * 1000)) >"in/$i"; done
	sync -f in
	umount in
	rmdir in
}

prepare() {
	mkdir state
	start small
	fill data.img
	fill x.img
	fill b.img
}

act() {
	mark 1
	start large
	mark 2
}

is_file() { cmp -s "$2" <(seq "$1" $(($1 * 1000))); }
same_files() { # IMAGE
	local i
	if [ "$1" = data.img ]; then
		for i in 1 7 20; do
			debugfs -R "cat /$i" "state/$1" 2>/dev/null | is_file "$i" - ||
				echo "$1 has lost the file $i"
		done
		return
	fi
	# One judge at a time: the kernel does not mount two copies of one xfs or btrfs.
	exec 8>"$test_dir/mounting"
	flock 8
	if mount -o loop "state/$1" "$test_dir/inside" 2>/dev/null; then
		for i in 1 7 20; do
			is_file "$i" "$test_dir/inside/$i" || echo "$1 has lost the file $i"
		done
		umount "$test_dir/inside"
	else
		echo "$1 cannot be mounted"
	fi
	exec 8>&-
}
wrong_with() { # SIZES IMAGE
	image_is "$1" "$2"
	same_files "$2"
}
grown() {
	case $1 in
	x.img) echo 400 ;;
	b.img) echo 256 ;;
	v.img) echo 16 ;;
	m.img) echo 64 ;;
	*) echo 128 ;;
	esac
}
small() {
	case $1 in x.img) echo 300 ;; b.img) echo 128 ;; v.img) echo 16 ;; *) echo 64 ;; esac
}

judge() {
	local image wrong sizes
	for image in data.img x.img b.img; do
		sizes=$(grown "$image")
		[ "$mark" -ge 2 ] || sizes="$(small "$image") $sizes"
		wrong=$(wrong_with "$sizes" "$image")
		[ -z "$wrong" ] || bad "$wrong"
	done
	must "the next start" start large
	for image in data.img x.img b.img; do
		wrong=$(wrong_with "$(grown "$image")" "$image")
		[ -z "$wrong" ] || bad "after the next start: $wrong"
	done
	wrong=$(leftovers)
	[ -z "$wrong" ] || bad "litter: $wrong"
}
