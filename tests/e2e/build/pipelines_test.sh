#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs the recipes of docs/pipelines.md as they stand there, with real make and ninja.
# shellcheck disable=SC2317 # functions that check calls
set -u
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/golden/lib/fixture.sh
. "$top/tests/golden/lib/fixture.sh"
need_programs make jq
unset NIX_ATTRS_JSON_FILE NIX_BUILD_TOP SOURCE_DATE_EPOCH MAKEFLAGS MAKELEVEL
PATH=$(realpath "${BUILD:-$top/build}"):$PATH
export XDG_CACHE_HOME=$test_dir/cache
fixture_make "$test_dir"
other_hash=1${fixture_hash#?}
cp -r "$test_dir/store/$fixture_hash-system" "$test_dir/store/$other_hash-other"
log=$test_dir/log

# The page's blocks: $test_dir/make1, make2, make3, ninja1, sh1.
awk -v dir="$test_dir" '
	/^```[a-z]+$/ {
		kind = substr($0, 4)
		file = sprintf("%s/%s%d", dir, kind, ++n[kind])
		next
	}
	/^```$/ { file = "" }
	file { print >file }' "$top/docs/pipelines.md"

# project NAME LINK: makes a directory with a description whose toplevel is the link, and enters it.
project() {
	mkdir -p "$test_dir/$1/$(dirname "$2")"
	cd "$test_dir/$1" || exit
	link=$2
	point "$fixture_hash-system"
	cat >vm.yaml <<END
hostName: vm
hypervisor: qemu
toplevel: $link
storeDir: $test_dir/store
kernel: $test_dir/kernel
END
}

# point NAME: makes the link lead to that store path, replacing it as nix-build -o does.
point() {
	ln -s "$test_dir/store/$1" "$link.new"
	mv -T "$link.new" "$link"
}

# calls TOOL...: the tool calls mvmbuild. settled TOOL...: the tool does not, this time or next.
calls() { "$@" >"$log" 2>&1 && grep -q '^/.*/out$' "$log"; }
settled() { ! calls "$@" && ! calls "$@"; }

is_system() {
	local runner=out
	if [ -e out/runners ]; then runner=out/runners/vm; fi
	[ "$(jq -r .toplevel "$runner"/share/microvm/vm.json)" = "$test_dir/store/$1" ]
}

# common TOOL...: the checks for every tool, in a directory with its recipe.
common() {
	local tool=$1
	check "$tool builds the runner" calls "$@"
	check "$tool has nothing to do after a build" settled "$@"
	sleep 0.02 # longer than a tick of the file system's clock
	touch vm.yaml
	check "$tool calls mvmbuild for a touched description" calls "$@"
	expect "a touched description leaves the output up to date" "$log" \
		'out is up to date|nothing has changed'
	check "$tool has nothing to do after an output was found up to date" settled "$@"
	sleep 0.02
	point "$other_hash-other"
	check "$tool calls mvmbuild when the link leads to another system" calls "$@"
	check "$tool has built the other system" is_system "$other_hash-other"
	check "$tool has nothing to do after the link was replaced" settled "$@"
	sleep 0.02
	point "$fixture_hash-system"
	mv "$test_dir/store/$other_hash-other" "$test_dir/gone"
	check "$tool builds when an old input is no longer there" calls "$@"
	check "$tool has built the first system again" is_system "$fixture_hash-system"
	check "$tool has nothing to do after an input went away" settled "$@"
	mv "$test_dir/gone" "$test_dir/store/$other_hash-other"
}

# ---- make ----

project make links/system
cp "$test_dir/make1" Makefile
common make
check "the dependency file names the directory of the link" grep -qx "  $PWD/links" out.d
touch "$test_dir/kernel"
check "make calls mvmbuild for a touched kernel" calls make
check "make has nothing to do after the kernel was touched" settled make

project make-beside system
cp "$test_dir/make1" Makefile
common make

project make-link links/system
mv vm.yaml first.yaml
ln -s first.yaml vm.yaml
cp "$test_dir/make1" Makefile
check "make builds from a description that is a link" calls make
check "make has nothing to do for a description that is a link" settled make
sed 's/^hostName: .*/hostName: second/' first.yaml >second.yaml
sleep 0.02
touch -d '-1 day' second.yaml
ln -sfn second.yaml vm.yaml
check "make calls mvmbuild when the description's link leads to an older file" calls make
check "the runner has the description of the older file" \
	test "$(jq -r .hostName out/share/microvm/vm.json)" = second
check "make has nothing to do after the description's link was replaced" settled make

# ---- make, without a dependency file ----

project plain links/system
{
	cat "$test_dir/make3"
	printf 'copy: out\n\tdate >copy\n'
} >Makefile
check "a rule that always calls mvmbuild builds the runner" make copy
before=$(stat -c %y copy)
check "a rule that always calls mvmbuild works a second time" calls make copy
check "nothing that depends on an unchanged output is made again" \
	test "$(stat -c %y copy)" = "$before"
printf 'out: vm.yaml\n\tmvmbuild $< -o $@\n' >Makefile
sleep 0.02
touch vm.yaml
check "make calls mvmbuild for a touched description without a dependency file" calls make
check "make has nothing to do afterwards without a dependency file" settled make

# ---- a host ----

project host links/system
printf 'vms:\n  vm: {source: vm.yaml}\n  twin: {source: vm.yaml}\n' >host.yaml
cp "$test_dir/make2" Makefile
common make
check "the dependency file of a host names each input once" \
	test -z "$(grep '^  ' out.d | sort | uniq -d)"
check "the dependency file of a host names the host file and the kernel" \
	test "$(grep -cE "^  (host.yaml|$test_dir/kernel) " out.d)" = 2
sleep 0.02
touch host.yaml
check "make calls mvmbuild for a touched host file" calls make
check "make has nothing to do after the host file was touched" settled make
sed -i 's/twin:/other:/' host.yaml
check "make builds a changed host" calls make
check "the changed host is there" test -d out/runners/other
check "make has nothing to do after a change of the host" settled make

# ---- an input that changes during the build ----

project during links/system
cp "$test_dir/make1" Makefile
make >"$log" 2>&1
touch -d '+1 hour' vm.yaml # as if it were written after it was read
check "make builds a description that changes during the build" calls make
check "the output stays older than an input that changed during the build" test vm.yaml -nt out

# ---- GitHub ----

project github links/system
sed -n 's/^  run: //p' "$test_dir/yaml1" >annotate
check "the recipe for GitHub Actions accepts a sound description" bash -e annotate
sed -i 's/^hostName/hostNam/' vm.yaml
bash -e annotate >"$log" 2>&1
check "the recipe for GitHub Actions fails for a mistake" test $? = 3
expect "the recipe for GitHub Actions marks the mistake" "$log" \
	'^::error file=vm.yaml,line=1,col=1,endColumn=8,title=unknown-option::'
bash -e "$test_dir/sh2" >"$log" 2>&1
check "the recipe for SARIF fails for a mistake" test $? = 3
check "the recipe for SARIF writes a document" \
	test "$(jq -r '[.runs[].results[].ruleId] | index("unknown-option")' mvmbuild.sarif)" = 0

# ---- ninja ----

if command -v ninja >/dev/null; then
	project ninja links/system
	cp "$test_dir/ninja1" build.ninja
	common ninja
	project ninja-host links/system
	printf 'vms:\n  vm: {source: vm.yaml}\n' >host.yaml
	sed "s/= mvmbuild/& host/; s/vm.yaml/host.yaml/" "$test_dir/ninja1" \
		>build.ninja
	common ninja
else
	skip "ninja" "needs ninja (ninja-build)"
fi
finish
