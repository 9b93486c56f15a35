#!/bin/bash
# SPDX-License-Identifier: MIT
# Compares runners of a real store with `mvmbuild diff`, and checks the differences, the verdict and
# the exit status.
# shellcheck disable=SC2317 # functions that check calls
set -u
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/e2e/lib/nix.sh
. "$(dirname "$0")/../lib/nix.sh"
MVMBUILD=$(realpath "${MVMBUILD:-$top/build/mvmbuild}")
need_programs nix-build nix-store busybox jq
kernel=$("$top/tests/e2e/lib/kernel.sh") || skip_all "no kernel"
nix_env_setup "$test_dir/nix"
unset SOURCE_DATE_EPOCH NIX_BUILD_CORES NIX_BUILD_TOP NIX_ATTRS_JSON_FILE
system=$(nix_build "$top/tests/demo/demo.nix" toplevel)
more=$(nix_build "$top/tests/e2e/lib/nix/bulk.nix" toplevel)
cat >"$test_dir/vm.yaml" <<E2
hostName: demo
toplevel: $system
storeDir: $NIX_STORE_DIR
kernel: $kernel
volumes:
  - {image: data.img, size: 8, mountPoint: /data}
E2
cd "$test_dir" || exit
build() {
	"$MVMBUILD" -q --progress none --cache "$test_dir/cache" vm.yaml "$@" </dev/null >/dev/null
}
# different STATUS A B: writes diff's text to `told` and its JSON to told.json; both must end with
# the status.
different() {
	local text=0 json=0
	"$MVMBUILD" diff "$2" "$3" >told 2>said || text=$?
	"$MVMBUILD" diff --json "$2" "$3" >told.json 2>>said || json=$?
	[ "$text $json" = "$1 $1" ]
}
verdict() { jq -r '"\(.reboot): \(.reasons | join(", "))"' told.json; }
check "a first runner builds" build -o one
check "a second runner of the same description builds" build -o two
check "two runners of one description do not differ: status 0" different 0 one two
check "no difference is reported, and no reboot is needed" \
	test "$(cat told)" = 'no difference' -a "$(verdict)" = 'false: '
ln -s two link
check "a runner does not differ from a link to the other one" different 0 one link

check "a runner with more memory builds" build --set mem=768 -o memory
check "a runner with more memory differs: status 1" different 1 one memory
check "more memory changes the command line and the start of the VM alone" \
	test "$(verdict)" = 'true: command line, start of the VM'
expect "the old memory argument is printed with a minus" told '^  - -m 512M$'
expect "the new memory argument is printed with a plus" told '^  \+ -m 768M$'
expect "the change of the option mem is printed" told '^  mem: 512 -> 768$'
check "more memory leaves the closure as it was" \
	jq -e '.packages == [] and .before.paths == .after.paths' told.json

check "a runner for another user of the host builds" build --set hostUser=somebody -o user
check "another user of the host is a difference" different 1 one user
check "another user of the host needs no reboot of the guest" test "$(verdict)" = 'false: '
expect "the text says that no reboot is needed" told '^reboot: no$'

check "a runner with a further store path builds" build --set storePaths="[$more]" -o closure
check "a further store path is a difference" different 1 one closure
check "the number of store paths grows by those of the further one's closure" \
	test "$(jq -r '.after.paths - .before.paths' told.json)" = \
	"$(comm -13 <(nix-store -qR "$system" | LC_ALL=C sort) <(nix-store -qR "$system" "$more" |
		LC_ALL=C sort -u) | wc -l)"
check "the size changes of the store paths add up to the whole" \
	test "$(jq -r '[.packages[].sizeChange] | add' told.json)" = \
		"$(jq -r '.after.narSize - .before.narSize' told.json)"
check "another closure needs a reboot, for the closure and the store disk" \
	test "$(jq -r '.reboot, (.reasons | index("closure") != null), (.reasons | index("store disk") != null)' told.json | tr '\n' ' ')" = 'true true true '
check "the other way round it differs too" different 1 closure one
check "the other way round the store paths are removed" \
	test "$(jq -r '[.packages[].kind] | unique | join(",")' told.json)" = removed

check "a runner with another volume builds" \
	build --set 'volumes=[{image: data.img, size: 16, mountPoint: /srv}]' -o volume
check "another volume is a difference" different 1 one volume
check "another volume changes the guest's mounts" \
	test "$(jq -r '.reasons | index("mounts") != null' told.json)" = true

cp -r two damaged
chmod u+w damaged/share/microvm/stage1.squashfs damaged/share/microvm
printf x | dd of=damaged/share/microvm/stage1.squashfs bs=1 seek=5000 conv=notrunc status=none
check "one changed byte of the store disk is a difference" different 1 one damaged
check "it is a difference of the store disk, with a reboot" test "$(verdict)" = 'true: store disk'
rm damaged/share/microvm/initrd
check "a file that is missing is a difference" different 1 one damaged
expect "the missing file is printed with a minus" told '^  - share/microvm/initrd$'

check "a directory that is not a runner ends with status 4" different 4 one nix
expect "the error names the directory that is not a runner" said 'nix is not a runner of mvmbuild'
finish
