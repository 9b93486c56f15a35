#!/bin/bash
# SPDX-License-Identifier: MIT
# mvmbuild diff, on runners of a real store: what it finds, its verdict, and its status.
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
build() { "$MVMBUILD" -q --progress none --cache "$test_dir/cache" vm.yaml "$@" </dev/null >/dev/null; }
# different STATUS A B: diff's text in `told`, its JSON in told.json; both end with the status.
different() {
	local text=0 json=0
	"$MVMBUILD" diff "$2" "$3" >told 2>said || text=$?
	"$MVMBUILD" diff --json "$2" "$3" >told.json 2>>said || json=$?
	[ "$text $json" = "$1 $1" ]
}
verdict() { jq -r '"\(.reboot): \(.reasons | join(", "))"' told.json; }
check "a build" build -o one
check "another of the same" build -o two
check "do not differ: status 0" different 0 one two
check "which is told" test "$(cat told)" = 'no difference' -a "$(verdict)" = 'false: '
ln -s two link
check "nor does one with a link to the other" different 0 one link

check "a build with more memory" build --set mem=768 -o memory
check "differs: status 1" different 1 one memory
check "by the command line alone" test "$(verdict)" = 'true: command line, start of the VM'
expect "what was" told '^  - -m 512M$'
expect "and what is" told '^  \+ -m 768M$'
expect "for the reader" told '^  mem: 512 -> 768$'
check "the closure is the same" jq -e '.packages == [] and .before.paths == .after.paths' told.json

check "a build for another user of the host" build --set hostUser=somebody -o user
check "differs" different 1 one user
check "only on the host: no reboot" test "$(verdict)" = 'false: '
expect "and it says so" told '^reboot: no$'

check "a build with more in it" build --set storePaths="[$more]" -o closure
check "differs" different 1 one closure
check "by what it has more" test "$(jq -r '.after.paths - .before.paths' told.json)" = \
	"$(comm -13 <(nix-store -qR "$system" | LC_ALL=C sort) <(nix-store -qR "$system" "$more" | LC_ALL=C sort -u) | wc -l)"
check "each path's size counts" test "$(jq -r '[.packages[].sizeChange] | add' told.json)" = "$(jq -r '.after.narSize - .before.narSize' told.json)"
check "and needs a reboot" test "$(jq -r '.reboot, (.reasons | index("closure") != null), (.reasons | index("store disk") != null)' told.json | tr '\n' ' ')" = 'true true true '
check "the other way round it is what goes" different 1 closure one
check "as much" test "$(jq -r '[.packages[].kind] | unique | join(",")' told.json)" = removed

check "a build with another volume" build --set 'volumes=[{image: data.img, size: 16, mountPoint: /srv}]' -o volume
check "differs" different 1 one volume
check "in the guest" test "$(jq -r '.reasons | index("mounts") != null' told.json)" = true

cp -r two damaged
chmod u+w damaged/share/microvm/stage1.squashfs damaged/share/microvm
printf x | dd of=damaged/share/microvm/stage1.squashfs bs=1 seek=5000 conv=notrunc status=none
check "one byte of the store disk" different 1 one damaged
check "is a difference" test "$(verdict)" = 'true: store disk'
rm damaged/share/microvm/initrd
check "a file that is not there" different 1 one damaged
expect "is one" told '^  - share/microvm/initrd$'

check "what is no runner: status 4" different 4 one nix
expect "and why" said 'nix is not a runner of mvmbuild'
finish
