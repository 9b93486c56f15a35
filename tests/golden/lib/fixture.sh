# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# A store without Nix for golden tests: source this file, call fixture_make DIR. It makes DIR/store
# with a toplevel and its registration, and DIR/kernel and DIR/Image, which look like a monolithic
# bzImage and an arm64 Image, and DIR/debian-12, a root file system.

fixture_hash=0123456789abcdfghijklmnpqrsvwxyz

# A bzImage is recognised by these fields: boot flag, "HdrS", protocol version, the version text's
# place, loaded high, 64-bit.
fixture_kernel() {
	head -c 4096 /dev/zero >"$1"
	printf '\x55\xaa' | dd of="$1" bs=1 seek=510 conv=notrunc status=none
	printf 'HdrS\x0f\x02' | dd of="$1" bs=1 seek=514 conv=notrunc status=none
	printf '\x00\x08' | dd of="$1" bs=1 seek=526 conv=notrunc status=none
	printf '\x01' | dd of="$1" bs=1 seek=529 conv=notrunc status=none
	printf '\x01' | dd of="$1" bs=1 seek=566 conv=notrunc status=none
	printf '6.1.0-golden (made by a test)\0' | dd of="$1" bs=1 seek=2560 conv=notrunc \
		status=none
	# It ends in memory at 16 MiB and 64 KiB.
	printf '\x00\x00\x00\x01' | dd of="$1" bs=1 seek=600 conv=notrunc status=none
	printf '\x00\x00\x01\x00' | dd of="$1" bs=1 seek=608 conv=notrunc status=none
}

# The field by which an arm64 Image is recognised.
fixture_kernel_arm64() {
	head -c 4096 /dev/zero >"$1"
	printf 'ARM\x64' | dd of="$1" bs=1 seek=56 conv=notrunc status=none
}

# An ELF program of x86_64 that contains its version, as vmlinux does.
fixture_kernel_elf() {
	head -c 8192 /dev/zero >"$1"
	printf '\x7fELF\x02\x01\x01' | dd of="$1" bs=1 conv=notrunc status=none
	# ET_EXEC, EM_X86_64
	printf '\x02\x00\x3e\x00\x01' | dd of="$1" bs=1 seek=16 conv=notrunc status=none
	printf '\x38\x00' | dd of="$1" bs=1 seek=54 conv=notrunc status=none # e_phentsize
	printf 'Linux version 6.1.0-golden (made by a test)\n' | dd of="$1" bs=1 seek=4096 \
		conv=notrunc status=none
}

fixture_make() {
	local top=$1/store/$fixture_hash-system data=$1/store/$fixture_hash-data
	mkdir -p "$top" "$data"
	echo hello >"$data/file"
	printf '#!/bin/sh\n' >"$top/init"
	chmod +x "$top/init"
	printf 'quiet splash\n' >"$top/kernel-params"
	fixture_kernel "$1/kernel"
	fixture_kernel_arm64 "$1/Image"
	fixture_kernel_elf "$1/vmlinux"
	mkdir -p "$1/debian-12/boot" "$1/debian-12/sbin"
	printf '#!/bin/sh\n' >"$1/debian-12/sbin/init"
	cp "$1/kernel" "$1/debian-12/boot/vmlinuz-6.1.0-golden"
	# A build compares the hashes, which are as nix-hash --type sha256 --base32 prints them. The
	# sizes are invented.
	{
		printf '%s\nsha256:0sldaa6dd6dsfm1c7f8z9i32dfhn53aw1kyrlid1naa7hb6biy4v\n120\n\n0\n' "$data"
		printf '%s\nsha256:1z2dl2lagnjv1jqfj0ina0nhlcmcc3p8kbc9yqa4zw780x0iqxgx\n340\n\n1\n%s\n' "$top" "$data"
	} >"$1/registration"
}
