# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# A store without Nix for golden tests: source this file, call fixture_make DIR. It makes DIR/store with a toplevel and its registration, and
# DIR/kernel, a monolithic bzImage in shape only.

fixture_hash=0123456789abcdfghijklmnpqrsvwxyz

# The fields that tell a bzImage: boot flag, "HdrS", protocol version, where the version text is, loaded high, 64-bit.
fixture_kernel() {
	head -c 4096 /dev/zero >"$1"
	printf '\x55\xaa' | dd of="$1" bs=1 seek=510 conv=notrunc status=none
	printf 'HdrS\x0f\x02' | dd of="$1" bs=1 seek=514 conv=notrunc status=none
	printf '\x00\x08' | dd of="$1" bs=1 seek=526 conv=notrunc status=none
	printf '\x01' | dd of="$1" bs=1 seek=529 conv=notrunc status=none
	printf '\x01' | dd of="$1" bs=1 seek=566 conv=notrunc status=none
	printf '6.1.0-golden (made by a test)\0' | dd of="$1" bs=1 seek=2560 conv=notrunc status=none
}

fixture_make() {
	local top=$1/store/$fixture_hash-system data=$1/store/$fixture_hash-data
	mkdir -p "$top" "$data"
	echo hello >"$data/file"
	printf '#!/bin/sh\n# %s\n' "$data" >"$top/init"
	chmod +x "$top/init"
	printf 'quiet splash\n' >"$top/kernel-params"
	fixture_kernel "$1/kernel"
	# The hashes are made up: nothing here is verified against them.
	{
		printf '%s\nsha256:%064d\n120\n\n0\n' "$data" 1
		printf '%s\nsha256:%064d\n340\n\n1\n%s\n' "$top" 2 "$data"
	} >"$1/registration"
}
