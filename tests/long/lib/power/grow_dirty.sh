# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# The same for an ext4 whose guest was cut off: its journal is to be replayed first. What the
# journal has is not lost.
# shellcheck disable=SC2317,SC2154,SC2034 # ../power.sh calls the functions, and sets what they use
scene_mib=400

# shellcheck source=tests/long/lib/power/images.sh
. "$world/images.sh"

prepare() {
	mkdir state
	(cd state && tar -xzf "$world/ref/small/share/microvm/volumes/0.tar.gz" &&
		mv image data.img && touch x.img b.img v.img m.img)
	mkdir in
	mount -o loop state/data.img in
	for i in $(seq 60); do
		seq "$i" 2000 >"in/$i"
		[ $((i % 10)) != 0 ] || sync -f in
	done
	cp --sparse=always state/data.img dirty
	umount in
	rmdir in
	mv dirty state/data.img
}

grow() {
	(cd "$data/state" && "$world/ref/large/libexec/mvm-host" volume grow data.img 128 \
		ext4 >/dev/null)
}

act() {
	mark 1
	grow
	mark 2
}

same_files() {
	local i
	for i in 1 30 60; do
		debugfs -R "cat /$i" state/data.img 2>/dev/null | cmp -s - <(seq "$i" 2000) ||
			echo "the file $i is lost"
	done
}

judge() {
	local wrong
	if [ -e state/data.img.grow ]; then
		note "a log waits"
	elif [ "$(stat -c %s state/data.img)" = $((64 << 20)) ]; then
		# As the guest left it, or checked.
		cp --sparse=always state/data.img state/copy
		e2fsck -fp state/copy >/dev/null 2>&1
		[ $? -le 1 ] || bad "the image cannot be mended"
		rm state/copy
	fi
	must "the next growth" grow
	wrong=$(image_is 128 data.img && same_files)
	[ -z "$wrong" ] || bad "after the next growth: $wrong"
}
