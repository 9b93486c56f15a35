# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# A first start creates volumes of four file systems.
# shellcheck disable=SC2317,SC2154,SC2034 # ../power.sh calls the functions, and sets what they use
scene_mib=800

# shellcheck source=tests/long/lib/power/images.sh
. "$world/images.sh"

prepare() { mkdir state; }

act() {
	mark 1
	start small
	mark 2
}

wanted() {
	case $1 in x.img) echo 300 ;; b.img) echo 128 ;; v.img) echo 16 ;; *) echo 64 ;; esac
}

judge() {
	local image wrong
	for image in "${images[@]}"; do
		if [ -e "state/$image" ]; then
			wrong=$(image_is "$(wanted "$image")" "$image")
			[ -z "$wrong" ] || bad "$wrong"
		elif [ "$mark" -ge 2 ]; then
			bad "$image is not there, after the start"
		fi
	done
	must "the next start" start small
	for image in "${images[@]}"; do
		wrong=$(image_is "$(wanted "$image")" "$image")
		[ -z "$wrong" ] || bad "after the next start: $wrong"
	done
	wrong=$(leftovers)
	[ -z "$wrong" ] || bad "litter: $wrong"
}
