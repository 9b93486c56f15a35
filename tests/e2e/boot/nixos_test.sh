#!/bin/bash
# SPDX-License-Identifier: MIT
# A system in NixOS's shape, of which the description says nothing but the toplevel: what is derived from its files, and from its bootspec alone;
# first stages of other makes; and that NixOS's second stage finds what it takes for granted.
set -u
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
guest_setup
shaped() { # ATTRIBUTE [ARGUMENT of nix-build]...
	nix_build "$top/tests/e2e/lib/nix/nixos-shape.nix" "$1" --argstr kernelPackage "$kernel" "${@:2}"
}
bootspec=$(shaped toplevel --argstr bootspecOnly yes) || exit 1
system=$(shaped toplevel) || exit 1
linux=$(shaped linux) || exit 1
modules=$(shaped kernelModules) || exit 1
initrd=$(shaped initrd) || exit 1

# well: the guest's checks are all fine.
well() {
	check "$name: the guest ends well" test "$status" = 0
	expect "$name: the second stage finds all that it takes for granted" "$console" '^nixos: done, 0 failures'
	check "$name: it looked" test "$(grep -c '^nixos: ok' "$console")" -ge 18
}
run_has() { expect "$name: $1" "$test_dir/$name/bin/microvm-run" "$2"; }

name=files
echo 'mem: 256' | compile files "$system" || finish
expect_no "$name: nothing is warned of" "$test_dir/files.log" warning
run_has "the kernel is the toplevel's, where it is" "'$linux/bzImage'|$linux/bzImage\$"
boot files '^nixos: '
well
expect_no "$name: the first stage is ours" "$console" '^guest-initrd: '

# A bootspec does not know the modules.
name=bootspec
{
	echo 'mem: 256'
	echo "kernelModules: $modules"
} | compile bootspec "$bootspec" || finish
run_has "the kernel is the bootspec's" "$linux/bzImage"
run_has "so are the parameters" 'loglevel=4 net\.ifnames=0'
boot bootspec '^nixos: '
well

name=guest
{
	echo 'mem: 256'
	echo 'initrd: guest'
} | compile guest "$bootspec" || finish
run_has "the initrd is the bootspec's" "$initrd/initrd"
boot guest '^nixos: '
well
expect "$name: its own first stage boots" "$console" '^guest-initrd: started'

name=given
cp "$initrd/initrd" "$test_dir/my-initrd"
{
	echo 'mem: 256'
	echo 'initrd: my-initrd' # beside the description
	echo 'kernelParams: [net.ifnames=0, loglevel=4, "one.more=a b"]'
	fast_kernel
} | compile given "$system" || finish
rm "$test_dir/my-initrd"
boot given '^nixos: '
well
expect "$name: the given first stage boots" "$console" '^guest-initrd: started'
expect "$name: a parameter with a blank stays one" "$console" 'Command line: .* one\.more="a b"'

finish
