#!/bin/bash
# SPDX-License-Identifier: MIT
# Compares `mvmbuild size` and `mvmbuild why` with Nix and with the image, on a real store.
# shellcheck disable=SC2317 # functions that check calls
set -u
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/e2e/lib/nix.sh
. "$(dirname "$0")/../lib/nix.sh"
MVMBUILD=$(realpath "${MVMBUILD:-$top/build/mvmbuild}")
need_programs nix-build nix-store busybox jq mksquashfs
kernel=$("$top/tests/e2e/lib/kernel.sh") || skip_all "no kernel"
nix_env_setup "$test_dir/nix"
unset SOURCE_DATE_EPOCH NIX_BUILD_CORES NIX_BUILD_TOP NIX_ATTRS_JSON_FILE
system=$(nix_build "$top/tests/demo/demo.nix" toplevel)
cat >"$test_dir/vm.yaml" <<E2
hostName: demo
toplevel: $system
storeDir: $NIX_STORE_DIR
kernel: $kernel
E2
cd "$test_dir" || exit
cache=(--cache "$test_dir/cache")
quiet() { "$MVMBUILD" -q "$@" </dev/null; }
fails() { ! "$@"; }
# to FILE COMMAND...: writes the command's output to a file.
to() { "${@:2}" >"$1"; }
# of FILTER FILE: applies jq's filter, with raw output.
of() { jq -r "$@"; }

# ---- a description, before and after the first build ----

check "mvmbuild size of a description succeeds" \
	to before.json quiet size --json "${cache[@]}" vm.yaml
check "mvmbuild size makes no cache and no runner" test ! -e cache -a ! -e result-demo
check "compressed sizes are unknown before a build" \
	test "$(of '[.closure[].compressedSize] | unique | tostring' before.json)" = '[null]'
check "a build succeeds" to built quiet "${cache[@]}" vm.yaml -o runner
check "mvmbuild size of the description succeeds after the build" \
	to after.json quiet size --json "${cache[@]}" vm.yaml
check "mvmbuild size of the runner succeeds" to runner.json quiet size --json runner
check "the cache knows the same sizes as the runner" \
	diff <(of '.closure, .roots' after.json) <(of '.closure, .roots' runner.json)
check "a cache of another level does not know compressed sizes" \
	test "$(quiet size --json "${cache[@]}" --set storeDisk.level=7 vm.yaml |
		of .compressedSize)" = null

# ---- Nix ----

nix-store -qR "$system" | LC_ALL=C sort >paths
mapfile -t paths <paths
check "the store paths are those of Nix's closure" \
	diff paths <(of '.closure[].path' runner.json | LC_ALL=C sort)
sum=0
sizes=$(for path in "${paths[@]}"; do echo "$path $(nix-store -q --size "$path")"; done)
while read -r _ size; do sum=$((sum + size)); done <<<"$sizes"
check "each store path has the size that Nix reports" diff <(echo "$sizes") \
	<(of '.closure[] | "\(.path) \(.narSize)"' runner.json | LC_ALL=C sort)
check "the sizes add up ($sum)" \
	test "$sum" = "$(of .narSize runner.json)" \
		-a "$sum" = "$(of '[.closure[].narSize] | add' runner.json)"
check "the root's closure is the whole closure" \
	test "$sum $sum" = "$(of '.roots[] | "\(.closureSize) \(.aloneSize)"' runner.json)"
closure_size() { local sum=0 \
	size; for size in $(nix-store -qR "$1" |
		xargs nix-store -q --size); do sum=$((sum + size)); done; echo "$sum"; }
check "the closure size of each store path is Nix's" \
	diff <(for path in "${paths[@]}"; do echo "$path $(closure_size "$path")"; done) \
	<(of '.closure[] | "\(.path) \(.closureSize)"' runner.json | LC_ALL=C sort)
nix-store --dump "$system" >nar
# shellcheck disable=SC2016 # jq's own
check "a size that the closure file lacks is measured" test \
	"$(printf '%s\n' "${paths[@]}" >list &&
	quiet size --json --no-cache --set closure="$test_dir/list" vm.yaml |
	of --arg path "$system" '.closure[] | select(.path == $path).narSize')" = "$(stat -c %s \
		nar)"

# ---- the image ----

image=$(stat -c %s runner/share/microvm/stage1.squashfs)
stored=$(of .compressedSize runner.json)
check "the store disk's size is that of its image" \
	test "$image" = "$(of .storeDiskSize runner.json)"
check "compressed sizes add up to the disk, with at most a page each and the tables more ($stored, $image)" \
	test "$stored" -lt "$image" -a $((stored + 4096 * (${#paths[@]} + 16))) -gt "$image"
check "a store disk by mksquashfs builds" \
	to built quiet --no-cache --set storeDisk.engine=mksquashfs vm.yaml -o whole
check "mvmbuild size of a disk by mksquashfs succeeds" to whole.json quiet size --json whole
check "the sizes for a disk by mksquashfs are called estimates" \
	test "$(of .estimated whole.json)" = true -a "$(of .estimated runner.json)" = false
whole=$(stat -c %s whole/share/microvm/stage1.squashfs)
check "the estimates share out the disk" \
	test $((whole - $(of .compressedSize whole.json))) -lt "${#paths[@]}" \
		-a $((whole - $(of .compressedSize whole.json))) -ge 0

if command -v mkfs.erofs >/dev/null; then
	check "an erofs store disk builds" \
		to built quiet "${cache[@]}" --set storeDisk.type=erofs vm.yaml -o erofs
	check "mvmbuild size of an erofs disk succeeds" to erofs.json quiet size --json erofs
	check "the cache knows the sizes of erofs objects" diff <(of .closure erofs.json) \
		<(quiet size --json "${cache[@]}" --set storeDisk.type=erofs vm.yaml | of .closure)
	check "the erofs sizes are within the disk's" \
		test "$(of .compressedSize erofs.json)" -gt 0 \
			-a "$(of .compressedSize erofs.json)" -lt \
			"$(stat -c %s erofs/share/microvm/stage1.erofs)"
else
	skip "an erofs store disk" "needs mkfs.erofs"
fi

# ---- why ----

# A path that the toplevel does not refer to directly, or else any.
far=$(comm -23 paths <(nix-store -q --references "$system" | LC_ALL=C sort) | grep -vxF "$system" |
	head -n 1)
far=${far:-$(grep -vxF "$system" paths | head -n 1)}
check "mvmbuild why succeeds" to why.json quiet why --json runner "$far"
check "the chain goes from the root to the store path" \
	test "$(of '"\(.chain[0]) \(.chain[-1])"' why.json)" = "$system $far"
links() {
	local from='' to
	while read -r to; do
		[ -z "$from" ] || nix-store -q --references "$from" | grep -qxF "$to" || return
		from=$to
	done
}
check "each store path of the chain refers to the next" links < <(of '.chain[]' why.json)
check "the referrers are those that Nix reports" diff \
	<(nix-store -q --referrers "$far" | grep -vxF "$far" | grep -xFf paths | LC_ALL=C sort) \
	<(of '.referrers[]' why.json | LC_ALL=C sort)
# The store paths that are reached without passing through it.
left() {
	local queue=("$system") path
	declare -A seen=(["$system"]=1)
	while [ "${#queue[@]}" -gt 0 ]; do
		path=${queue[0]} queue=("${queue[@]:1}")
		echo "$path"
		while read -r to; do
			if [ "$to" != "$far" ] && [ -z "${seen[$to]:-}" ]; then
				seen[$to]=1 queue+=("$to")
			fi
		done < <(nix-store -q --references "$path")
	done
}
check "what would go with the path is what nothing else leads to" \
	diff <(comm -23 paths <(left | LC_ALL=C sort)) <(of '.alone[]' why.json | LC_ALL=C sort)
check "mvmbuild why of a description prints the same as of a runner" diff \
	<(quiet why --no-cache vm.yaml "$far" | sed -n '/^$/q;p') \
	<(quiet why runner "$(basename "$far")" | sed -n '/^$/q;p')

# ---- the page ----

check "mvmbuild size --html succeeds" quiet size --html page.html runner
check "it makes the page and no other file" test "$(find . -maxdepth 1 -name 'page*')" = ./page.html
check "the page loads nothing from the network" \
	test "$(grep -cE '(src|href)=|https?://|@import|url\(' <(grep \
		-v 'xmlns="http://www.w3.org/' page.html))" = 0
check "the page names every store path" \
	test "$(grep -o "<td title=\"$NIX_STORE_DIR/[^\"]*" page.html | sort -u | wc -l)" = \
	"${#paths[@]}"
if command -v xmllint >/dev/null; then
	check "the page is well-formed XML" xmllint --noout page.html
else
	skip "the page is well-formed XML" "needs xmllint"
fi
echo '<?xml version="1.0" encoding="UTF-8"?>' >page.html
check "mvmbuild size --html replaces an older page" quiet size --html page.html runner
check "the replaced page is complete" test "$(tail -n 1 page.html)" = '</html>'
echo notes >notes
check "mvmbuild size --html leaves a file that is not a page" fails quiet size --html notes runner
check "that file is unchanged" test "$(cat notes)" = notes
finish
