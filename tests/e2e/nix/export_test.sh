#!/bin/bash
# SPDX-License-Identifier: MIT
# templates/nix/export.nix writes descriptions of configurations of microvm.nix with a real Nix:
# mock ones, of each kind that was seen, which are then checked and planned.
set -u
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/e2e/lib/nix.sh
. "$(dirname "$0")/../lib/nix.sh"
# shellcheck source=tests/golden/lib/fixture.sh
. "$top/tests/golden/lib/fixture.sh"
mvmbuild=${MVMBUILD:-$top/build/mvmbuild}
need_programs nix-instantiate jq
nix_env_setup "$test_dir/nix"
fixture_make "$test_dir/fixture"
# A system that exists, in place of the one that the mock only names.
system=(--set storeDir="$test_dir/fixture/store"
	--set toplevel="$test_dir/fixture/store/$fixture_hash-system"
	--set closure="$test_dir/fixture/registration" --set kernel="$test_dir/fixture/kernel")

# export_case NAME: the case's description becomes $test_dir/NAME, its messages NAME.log.
export_case() {
	wanted=$1
	nix-instantiate --eval --strict --json --argstr name "$1" \
		"$top/tests/e2e/lib/nix/export-mock.nix" >"$test_dir/$1" 2>"$test_dir/$1.log"
}

# want DESCRIPTION JQ: holds for the last export.
want() {
	check "$wanted: $1" jq -e "$2" "$test_dir/$wanted"
}

# accepted ARGUMENT...: mvmbuild takes the last export as it is.
accepted() {
	check "$wanted: mvmbuild accepts the description" \
		"$mvmbuild" check --syntax "$test_dir/$wanted"
	check "$wanted: mvmbuild plans the VM" \
		"$mvmbuild" plan --json "$test_dir/$wanted" "${system[@]}" "$@"
	expect_no "$wanted: and has nothing to remark" "$test_dir/.check" ': (warning|error|note): '
}

for hypervisor in qemu cloud-hypervisor firecracker crosvm kvmtool stratovirt alioth vfkit; do
	check "$hypervisor: the defaults are exported" export_case "$hypervisor"
	check "$hypervisor: nothing is left out that would need a message" \
		test ! -s "$test_dir/$hypervisor.log"
	want "there is one hypervisor's package" \
		"[to_entries[] | .value | objects | .package | strings] == [.\"$hypervisor\".package]"
	accepted --set "$hypervisor.version=99" --set storeDiskType=squashfs
done

export_case plain
want "the export has name and system" \
	'.hostName == "mock" and (.toplevel | test("-nixos-system-mock$"))'
want "packages become paths" '(.kernel | test("-linux$")) and (.qemu.package | test("-qemu$"))'
want "the hypervisor's version is left to its program" '.qemu | has("version") | not'
want "paths stay as they are" '.volumes[0].image == "/var/data.img"'
want "null, booleans, numbers and lists are kept" \
	'.user == null and .balloon == false and .mem == 512 and .qemu.extraArgs == ["-a", "b"]'
want "what microvm.nix generates is left out" '[has("runner", "declaredRunner", "bootDisk",
	"storeDisk", "deploy", "initrdPath", "machineId")] | any | not'
want "what controls its evaluation is left out" \
	'[has("guest", "optimize", "vmHostPackages")] | any | not'
want "parts that the VM does not have are left out" \
	'[has("graphics", "virtiofsd", "crosvm")] | any | not'
want "a default of a share is left out" \
	'(.shares[0] | has("readOnly") | not) and .shares[1].readOnly'
want "the registration of microvm.nix is left out for mvmbuild's stage 1" \
	'.kernelParams == ["8250.nr_uarts=1", "init=/x/init"] and (has("storePaths") | not)'
want "overrides are applied" '.vcpu == 7'
accepted --set shares.0.source="$test_dir/fixture/store"

want "a QEMU without seccomp gets no sandbox" '.qemu.sandbox == false'

check "foreign: unknown options do not stop the export" export_case foreign
want "they are left out" '[has("apply", "tailscale", "user"), (.qemu | has("pkgs", "package")),
	(.volumes[0] | has("encrypted", "label"))] | any | not'
want "and so are package sets" '.qemu.machineOpts == {"accel": "tcg"}'
for line in 'apply is left out: mvmbuild has no such option' \
	'qemu.machineOpts.pkgs is left out: it is a set of packages' \
	'qemu.package is left out: the package cannot be evaluated' \
	'qemu.pkgs is left out: mvmbuild has no such option' \
	'tailscale is left out: mvmbuild has no such option' \
	'user is left out: it cannot be evaluated' \
	'volumes[0].encrypted is left out: mvmbuild has no such option' \
	'volumes[0].label is left out: it is a function'; do
	check "foreign: reported: $line" grep -Fx "trace: export.nix: microvm.$line" \
		"$test_dir/foreign.log"
done
check "foreign: and nothing else is" test "$(grep -c ^trace: "$test_dir/foreign.log")" = 8
accepted --set storeDiskType=squashfs

check "generated-scripts: scripts of microvm.nix are left out" export_case generated-scripts
want "and no others are there" 'has("binScripts") | not'
check "generated-scripts: without a message" test ! -s "$test_dir/generated-scripts.log"
accepted --set storeDiskType=squashfs
export_case scripts
want "what somebody added behind them is kept" '.binScripts == {"backup": "echo backup",
	"tap-up.after": "\n/ip link set dev '"'vm-tap'"' master br0\n",
	"pci-setup.after": "\necho bound\n", "virtiofsd-run.before": "mkdir -p data\n"}'
accepted --set storeDiskType=squashfs
export_case own-scripts
want "a script that somebody replaced is kept" \
	'.binScripts == {"tap-up": "my-switch attach vm-tap\n"}'
expect "own-scripts: a virtiofsd-run that somebody replaced is reported" \
	"$test_dir/own-scripts.log" \
	'binScripts.virtiofsd-run is left out: mvmbuild serves the shares itself'
want "own-scripts: a volume that exists needs no size" '.volumes[0] | has("size") | not'

export_case own
want "an id that somebody chose is kept" '.machineId == "00112233-4455-6677-8899-aabbccddeeff"'
want "an initrd that is not the guest's is kept" '.initrdPath | test("-my-initrd/initrd$")'
want "virtiofsd's options are kept" \
	'.virtiofsd.group == "users" and (.virtiofsd.package | test("-virtiofsd$"))'
export_case guest-initrd
want "the registration is packed for the guest's initrd" \
	'(.kernelParams[2] | test("^regInfo=.*-closure-info/registration$")) and
	(.storePaths[0] | test("-closure-info$"))'

export_case balloon-memory
expect "balloon-memory: an option of older versions is reported" "$test_dir/balloon-memory.log" \
	'microvm.balloonMem is left out: use balloon and initialBalloonMem'

# The recipe in export.nix's head.
check "file: the description is built as a file" nix-build -o "$test_dir/file" --argstr name plain \
	--arg file true "$top/tests/e2e/lib/nix/export-mock.nix"
wanted="file"
want "it is the same description" '.hostName == "mock" and .vcpu == 7'
nix-store --query --references "$(readlink -f "$test_dir/file")" >"$test_dir/references"
for name in nixos-system-mock linux qemu; do
	path=$(grep -e "-$name\$" "$test_dir/references")
	check "file: it keeps $name, which is built, too" test -e "$path"
done

check "broken-element: an interface that cannot be evaluated is an error" \
	eval ! export_case broken-element
expect "broken-element: with the configuration's own message" "$test_dir/broken-element.log" \
	'error: this interface has no address'
check "missing: a configuration without microvm.nix is refused" eval ! export_case missing
expect "missing: the message says so" "$test_dir/missing.log" \
	'config.microvm is missing; import microvm.nix.s module'
finish
