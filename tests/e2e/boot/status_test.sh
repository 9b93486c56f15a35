#!/bin/bash
# SPDX-License-Identifier: MIT
# Checks the exit status of microvm-run: 1 after a panic, 0 after an end that the guest chose.
set -u
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
guest_setup
probe=$(guest_build probe-guest) || exit 1

# ends DESCRIPTION NAME STATUS PARAMETER...
ends() {
	boot "$2" '^probe: ' "${@:4}"
	check "$1 ends the VM with status $3" test "$status" = "$3"
}

fast_kernel | compile microvm "$probe" || finish
{
	echo 'qemu: {machine: q35}'
	fast_kernel
} | compile q35 "$probe" || finish

ends "a guest that powers off" microvm 0 probe.do=report,poweroff
ends "a guest that reboots" microvm 0 probe.do=report
for name in microvm q35; do
	ends "a panic on the machine $name" "$name" 1 probe.do=report,panic
	expect "$name: the reason of the panic is on the console" \
		"$console" 'Kernel panic - not syncing: sysrq triggered crash'
done
ends "a panic with the parameter panic=0" microvm 1 probe.do=report,panic panic=0

# A kernel without a driver for the device runs as before.
cp -rs "$kernel" "$test_dir/kernel"
find "$test_dir/kernel" -name 'pvpanic*' -delete
kernel=$test_dir/kernel
fast_kernel | compile plain "$probe" || finish
ends "a guest whose kernel has no pvpanic" plain 0 probe.do=report
ends "a panic in a kernel without pvpanic" plain 0 probe.do=report,panic
expect "the reason of that panic is on the console" \
	"$console" 'Kernel panic - not syncing: sysrq triggered crash'

# The description may switch pvpanic off.
{
	echo 'qemu: {extraArgs: [-action, panic=none]}'
	fast_kernel
} | compile none "$probe" || finish
ends "a panic with pvpanic switched off by the description" none 0 probe.do=report,panic
finish
