# shellcheck shell=bash
# SPDX-License-Identifier: MIT

# kernel_unpack BZIMAGE VMLINUX: Documentation/x86/boot.rst says where the compressed kernel is;
# Debian's are xz. Its last bytes are the size.
kernel_unpack() {
	local -a sectors place
	local begin
	read -ra sectors < <(od -An -tu1 -j $((0x1f1)) -N 1 "$1")
	read -ra place < <(od -An -tu4 -j $((0x248)) -N 8 "$1")
	begin=$(((sectors[0] + 1) * 512 + place[0]))
	head -c $((begin + place[1] - 4)) "$1" | tail -c +$((begin + 1)) | xz -dc >"$2"
}
