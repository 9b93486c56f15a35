#!/bin/bash
# SPDX-License-Identifier: MIT
# mvmbuild --gcroot against Nix's garbage collector: what a runner needs stays alive, until the runner is gone; a collection during a build
# hurts nobody.
# shellcheck disable=SC2317 # functions that check calls
set -u
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/e2e/lib/nix.sh
. "$(dirname "$0")/../lib/nix.sh"
export MVMBUILD=${MVMBUILD:-$top/build/mvmbuild}
need_programs nix-build nix-store busybox
kernel=$("$top/tests/e2e/lib/kernel.sh") || skip_all "no kernel"
nix_env_setup "$test_dir/nix"
nix_stage_host "$test_dir/host"
log=$test_dir/log
runner=$test_dir/out/runner
direct=$NIX_STATE_DIR/gcroots/microvms/demo
mkdir "$test_dir/out"

# Builds what the VM is made from, without any root.
inputs() {
	toplevel=$(input toplevel) && host=$(input host) && data=$(input data) && linux=$(input linux)
	rm "$nix_roots"/*
}
input() { nix_build "$top/tests/e2e/lib/nix/host-runner.nix" "$1" --argstr kernelPackage "$kernel" --argstr hostTools "$test_dir/host" 2>"$log"; }
fails() { ! "$@"; }
compile() { # ARGUMENT...: pre-start's text names $data, which the guest has not.
	"$MVMBUILD" -q --no-cache - --set toplevel="$toplevel" --set storeDir="$NIX_STORE_DIR" --set hostShell="$host/bin/bash" --set "hostPath=[$host/bin]" \
		"$@" >/dev/null 2>"$log" <<<"{hostName: demo, preStart: 'cat $data/share/words/message'}"
}
collect() { nix-collect-garbage >/dev/null 2>&1; }
all_alive() { [ -e "$linux" ] && [ -e "$host" ] && [ -e "$data" ] && nix-store --check-validity "$linux" "$host" "$data"; }
none_alive() { [ ! -e "$linux" ] && [ ! -e "$host" ] && [ ! -e "$data" ]; }

inputs
check "--gcroot: builds" compile --gcroot -o "$runner"
collect
check "what the runner needs survives a collection" all_alive
check "what it carries does not" test ! -e "$toplevel"
check "the roots of the build are gone" test "$(ls -A "$test_dir/out")" = runner
check "it starts no worse than before" "$runner/bin/microvm-check"
inputs
check "nothing changed, --gcroot again" compile --gcroot -o "$runner"
collect
check "what the runner needs is still alive" all_alive
inputs
check "another build in its place, without preStart's path" compile --gcroot --set "preStart=''" -o "$runner"
collect
check "the path that it does not need any more is free" test ! -e "$data" -a -e "$linux" -a -e "$host"
rm -rf "$runner"
collect
check "without the runner all of it is free" none_alive

# A collection after every single call of Nix, so also between the build's roots and the runner's own.
inputs
mkdir "$test_dir/bin"
cat >"$test_dir/bin/nix-store" <<E2
#!/bin/bash
$(command -v nix-store) "\$@" || exit
$(command -v nix-collect-garbage) >/dev/null 2>&1
E2
chmod +x "$test_dir/bin/nix-store"
mvm_path=$PATH
PATH=$test_dir/bin:$PATH
check "--gcroot with collections during the build" compile --gcroot -o "$runner"
PATH=$mvm_path
collect
check "everything is alive" all_alive
check "and carried" grep -q "$toplevel" "$runner/share/microvm/manifest.json"
rm -rf "$runner"
collect

# A host: what any of its VMs needs.
collect
host_output=$test_dir/out/host
vm() { printf '  %s: {config: {toplevel: %s, storeDir: %s, hostShell: %s/bin/bash, hostPath: ["%s/bin"], %s}}\n' "$1" "$toplevel" "$NIX_STORE_DIR" "$host" "$host" "$2"; }
build_host() { "$MVMBUILD" -q --no-cache host "$test_dir/host.yaml" -o "$host_output" "$@" >"$log" 2>&1; }
both() { { echo 'vms:' && vm one "preStart: 'cat $data/share/words/message'" && vm two "mem: 200"; } >"$test_dir/host.yaml"; }
one_left() { { echo 'vms:' && vm two "mem: 200"; } >"$test_dir/host.yaml"; }
inputs
both
PATH=$test_dir/bin:$PATH
check "a host, with collections during the build" build_host --gcroot
PATH=$mvm_path
collect
check "what its VMs need is alive" all_alive
check "what they carry is not" test ! -e "$toplevel"
check "the roots of the build are gone" test -z "$(find "$test_dir/out" -name '.host.*')"
inputs
both
rm -r "$host_output/share/gcroots"
check "nothing changed, but its roots are gone" build_host --gcroot
collect
check "they are there again" all_alive
inputs
one_left
check "without the VM that needs it" build_host --gcroot
collect
check "a path is free" test ! -e "$data" -a -e "$linux" -a -e "$host"
rm -rf "$host_output"
collect
check "without the host all of it is" none_alive
inputs
both
check "a host with direct roots" build_host --gcroot="$NIX_STATE_DIR/gcroots/microvms/host"
collect
check "what its VMs need is alive" all_alive
inputs
{ echo 'vms:' && vm one "storePaths: [$NIX_STORE_DIR/00000000000000000000000000000000-missing]"; } >"$test_dir/host.yaml"
check "one that cannot be built" fails build_host --gcroot="$NIX_STATE_DIR/gcroots/microvms/host"
collect
check "has not touched the roots" all_alive
rm -rf "$NIX_STATE_DIR/gcroots/microvms/host" "$host_output"

# Direct roots.
inputs
check "--gcroot=DIR: builds" compile --gcroot="$direct" -o "$runner"
collect
check "what the runner needs survives a collection" all_alive
check "what it carries does not" test ! -e "$toplevel"
check "there is nothing else in the directory of roots" test "$(find "$direct/.." | wc -l)" = 5
inputs
check "a build that fails" fails compile --gcroot="$direct" -o "$test_dir/no/such/directory"
collect
check "has not touched the roots" all_alive
inputs
check "another build in its place" compile --gcroot="$direct" --set "preStart=''" -o "$runner"
collect
check "the path that it does not need any more is free" test ! -e "$data" -a -e "$linux" -a -e "$host"
check "nothing is left of the old roots" test "$(find "$direct/.." | wc -l)" = 4
mkdir "$NIX_STATE_DIR/gcroots/mine"
ln -s "$host" "$NIX_STATE_DIR/gcroots/mine/precious"
inputs
check "a directory with roots of others is refused" fails compile --gcroot="$NIX_STATE_DIR/gcroots/mine" -o "$runner"
expect "in so many words" "$log" 'mine has "precious", which is not of our making'
check "and untouched" test "$(readlink "$NIX_STATE_DIR/gcroots/mine/precious")" = "$host"

# Killed: the build's roots are litter, which the next build removes.
mkdir "$test_dir/slow"
# shellcheck disable=SC2016 # for that script
printf '#!/bin/bash\n%s "$@"\nkill -9 $PPID\n' "$(command -v nix-store)" >"$test_dir/slow/nix-store"
chmod +x "$test_dir/slow/nix-store"
PATH=$test_dir/slow:$PATH
compile --gcroot -o "$test_dir/out/killed" 2>/dev/null
PATH=$mvm_path
check "a killed build leaves the build's roots" test -n "$(find "$test_dir/out" -name '.killed.gcroots*')"
check "the next one removes them" compile --gcroot -o "$test_dir/out/killed"
check "all of them" test -z "$(find "$test_dir/out" -name '.killed.*')"
env PATH=/none "$MVMBUILD" -q - --set toplevel="$toplevel" --set storeDir="$NIX_STORE_DIR" --gcroot -o "$test_dir/out/none" >/dev/null 2>"$log" <<<'{hostName: demo}'
status=$?
check "without Nix it fails before it builds" test "$status" = 1 -a ! -e "$test_dir/out/none"
expect "and says so" "$log" 'nix-store.*cannot be started'
finish
