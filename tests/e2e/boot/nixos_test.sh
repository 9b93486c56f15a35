#!/bin/bash
# SPDX-License-Identifier: MIT
# Boots a system with NixOS's layout whose description names only the toplevel: mvmbuild derives the
# rest from the system's files and from its bootspec, with initrds of other makes. NixOS's second
# stage must find everything that it expects.
set -u
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
guest_setup
shaped() { # ATTRIBUTE [ARGUMENT of nix-build]...
	nix_build "$top/tests/e2e/lib/nix/nixos-shape.nix" "$1" --argstr kernelPackage "$kernel" \
		"${@:2}"
}
bootspec=$(shaped toplevel --argstr bootspecOnly yes) || exit 1
system=$(shaped toplevel) || exit 1
linux=$(shaped linux) || exit 1
modules=$(shaped kernelModules) || exit 1
initrd=$(shaped initrd) || exit 1

# well: the guest's checks are all fine.
well() {
	ends_well "$name: the guest ends with status 0"
	expect "$name: NixOS's second stage finds everything that it expects" \
		"$console" '^nixos: done, 0 failures'
	check "$name: the second stage made all of its checks" \
		test "$(grep -c '^nixos: ok' "$console")" -ge 18
}
run_has() { expect "$name: $1" "$test_dir/$name/bin/microvm-run" "$2"; }

name=files
echo 'mem: 256' | compile files "$system" || finish
expect_no "$name: the build prints no warning" "$test_dir/files.log" warning
run_has "the kernel is taken from the toplevel" "'$linux/bzImage'|$linux/bzImage\$"
boot files '^nixos: '
well
expect_no "$name: stage 1 is mvmbuild's" "$console" '^guest-initrd: '

# A bootspec does not contain the modules.
name=bootspec
{
	echo 'mem: 256'
	echo "kernelModules: $modules"
} | compile bootspec "$bootspec" || finish
run_has "the kernel is taken from the bootspec" "$linux/bzImage"
run_has "the kernel parameters are taken from the bootspec" 'loglevel=4 net\.ifnames=0'
boot bootspec '^nixos: '
well

name=guest
{
	echo 'mem: 256'
	echo 'initrd: guest'
} | compile guest "$bootspec" || finish
run_has "the initrd is taken from the bootspec" "$initrd/initrd"
boot guest '^nixos: '
well
expect "$name: the guest's own initrd boots" "$console" '^guest-initrd: started'

name=given
cp "$initrd/initrd" "$test_dir/my-initrd"
{
	echo 'mem: 256'
	echo 'initrd: my-initrd' # beside the description
	echo "kernelParams: [net.ifnames=0, loglevel=4, 'one.more=\"a b\"']"
	fast_kernel
} | compile given "$system" || finish
rm "$test_dir/my-initrd"
boot given '^nixos: '
well
expect "$name: the initrd of the description boots" "$console" '^guest-initrd: started'
expect "$name: a kernel parameter with a blank stays one" \
	"$console" 'Command line: .* one\.more="a b"'

# boot.initrd.systemd.enable
name=systemd
echo 'mem: 256' | compile systemd "$(shaped toplevel --argstr systemdInitrd yes)" || finish
expect "$name: the build prints how the system is activated" "$test_dir/systemd.log" \
	'^activation: NixOS with systemd in its initrd; stage 1 runs .*/prepare-root$'
boot systemd '^nixos: '
well
expect "$name: the output of prepare-root is on the console" "$console" '^prepare-root: started'

name=activation
echo 'mem: 256' | compile activation "$(shaped toplevel --argstr systemdInitrd fails)" || finish
boot activation '^stage1: '
check "$name: a failure of prepare-root ends the VM" test "$status" != 124
expect "$name: the message has the status" \
	"$console" '^stage1: FAILED: .*/prepare-root ended with status 3'
expect_no "$name: systemd is not started" "$console" '^nixos: '

finish
