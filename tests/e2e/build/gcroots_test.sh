#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs Nix's garbage collector against `mvmbuild --gcroot`: the paths that a runner needs must stay
# alive until the runner is gone, even if the collector runs during a build.
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

# Builds the VM's store paths without any root.
inputs() {
	toplevel=$(input toplevel) && host=$(input host) && data=$(input data) &&
		linux=$(input linux)
	rm "$nix_roots"/*
}
input() {
	nix_build "$top/tests/e2e/lib/nix/host-runner.nix" "$1" --argstr kernelPackage "$kernel" \
		--argstr hostTools "$test_dir/host" 2>"$log"
}
fails() { ! "$@"; }
compile() { # ARGUMENT...: pre-start's text names $data, which the guest lacks
	"$MVMBUILD" -q --no-cache - --set toplevel="$toplevel" --set storeDir="$NIX_STORE_DIR" \
		--set hostShell="$host/bin/bash" --set "hostPath=[$host/bin]" \
		"$@" >/dev/null 2>"$log" \
			<<<"{hostName: demo, preStart: 'cat $data/share/words/message'}"
}
collect() { nix-collect-garbage >/dev/null 2>&1; }
all_alive() {
	[ -e "$linux" ] && [ -e "$host" ] && [ -e "$data" ] && nix-store --check-validity "$linux" \
		"$host" "$data"
}
none_alive() { [ ! -e "$linux" ] && [ ! -e "$host" ] && [ ! -e "$data" ]; }

inputs
check "a build with --gcroot succeeds" compile --gcroot -o "$runner"
collect
check "the store paths that the runner needs survive a collection" all_alive
check "the store paths that the runner carries inside do not" test ! -e "$toplevel"
check "the build leaves no roots of its own" test "$(ls -A "$test_dir/out")" = runner
check "the runner can start after the collection" "$runner/bin/microvm-check"
inputs
check "an unchanged build with --gcroot succeeds" compile --gcroot -o "$runner"
collect
check "the runner's store paths stay alive after an unchanged build" all_alive
inputs
check "a build without preStart's path replaces the runner" \
	compile --gcroot --set "preStart=''" -o "$runner"
collect
check "the path that the runner does not need any more is collected" \
	test ! -e "$data" -a -e "$linux" -a -e "$host"
rm -rf "$runner"
collect
check "all paths are collected when the runner is gone" none_alive

# A collection runs after every call of Nix, and hence also between the build's roots and the
# runner's own.
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
check "a build with collections beside it succeeds" compile --gcroot -o "$runner"
PATH=$mvm_path
collect
check "collections during the build take nothing that it needs" all_alive
check "the runner carries the toplevel" grep -q "$toplevel" "$runner/share/microvm/manifest.json"
rm -rf "$runner"
collect

# A host keeps the paths of all its VMs.
collect
host_output=$test_dir/out/host
vm() {
	printf '  %s: {config: {toplevel: %s, storeDir: %s, hostShell: %s/bin/bash, hostPath: ["%s/bin"], %s}}\n' "$1" "$toplevel" "$NIX_STORE_DIR" "$host" "$host" "$2"
}
build_host() {
	"$MVMBUILD" -q --no-cache host "$test_dir/host.yaml" -o "$host_output" "$@" >"$log" 2>&1
}
both() {
	{ echo 'vms:' && vm one "preStart: 'cat $data/share/words/message'" && vm two "mem: 200"
	} >"$test_dir/host.yaml"
}
one_left() { { echo 'vms:' && vm two "mem: 200"; } >"$test_dir/host.yaml"; }
inputs
both
PATH=$test_dir/bin:$PATH
check "a host builds with collections beside it" build_host --gcroot
PATH=$mvm_path
collect
check "the store paths that the host's VMs need survive" all_alive
check "the store paths that the host's VMs carry inside do not" test ! -e "$toplevel"
check "the host's build leaves no roots of its own" \
	test -z "$(find "$test_dir/out" -name '.host.*')"
inputs
both
rm -r "$host_output/share/gcroots"
check "an unchanged host builds after its roots were removed" build_host --gcroot
collect
check "its roots are made again" all_alive
inputs
one_left
check "the host builds without the VM that needs a path" build_host --gcroot
collect
check "the path of the VM that left is collected" test ! -e "$data" -a -e "$linux" -a -e "$host"
rm -rf "$host_output"
collect
check "all paths are collected when the host is gone" none_alive
inputs
both
check "a host with --gcroot=DIR builds" build_host --gcroot="$NIX_STATE_DIR/gcroots/microvms/host"
collect
check "--gcroot=DIR keeps the store paths of the host's VMs" all_alive
inputs
{ echo 'vms:' && vm one "storePaths: [$NIX_STORE_DIR/00000000000000000000000000000000-missing]"; } \
	>"$test_dir/host.yaml"
check "a host that cannot be built fails" \
	fails build_host --gcroot="$NIX_STATE_DIR/gcroots/microvms/host"
collect
check "a failed host leaves the roots of the old one" all_alive
rm -rf "$NIX_STATE_DIR/gcroots/microvms/host" "$host_output"

# Direct roots.
inputs
check "a build with --gcroot=DIR succeeds" compile --gcroot="$direct" -o "$runner"
collect
check "--gcroot=DIR keeps the store paths that the runner needs" all_alive
check "the store paths that the runner carries inside are collected" test ! -e "$toplevel"
check "there is nothing else in the directory of roots" test "$(find "$direct/.." | wc -l)" = 5
inputs
check "a build with --gcroot=DIR fails when its output cannot be made" \
	fails compile --gcroot="$direct" -o "$test_dir/no/such/directory"
collect
check "a failed build leaves the roots of the old runner" all_alive
inputs
check "a build without preStart's path replaces the runner and its roots" \
	compile --gcroot="$direct" --set "preStart=''" -o "$runner"
collect
check "that path is collected" test ! -e "$data" -a -e "$linux" -a -e "$host"
check "nothing is left of the old roots" test "$(find "$direct/.." | wc -l)" = 4
mkdir "$NIX_STATE_DIR/gcroots/mine"
ln -s "$host" "$NIX_STATE_DIR/gcroots/mine/precious"
inputs
check "a directory with foreign roots is refused" \
	fails compile --gcroot="$NIX_STATE_DIR/gcroots/mine" -o "$runner"
expect "the message names the foreign root" "$log" \
	'mine contains "precious", which mvmbuild did not create'
check "the foreign root is left alone" \
	test "$(readlink "$NIX_STATE_DIR/gcroots/mine/precious")" = "$host"

# A killed build leaves its roots behind; the next build removes them.
mkdir "$test_dir/slow"
# shellcheck disable=SC2016 # for that script
printf '#!/bin/bash\n%s "$@"\nkill -9 $PPID\n' "$(command -v nix-store)" >"$test_dir/slow/nix-store"
chmod +x "$test_dir/slow/nix-store"
PATH=$test_dir/slow:$PATH
compile --gcroot -o "$test_dir/out/killed" 2>/dev/null
PATH=$mvm_path
check "a killed build leaves its own roots" \
	test -n "$(find "$test_dir/out" -name '.killed.gcroots*')"
check "the build after a killed one succeeds" compile --gcroot -o "$test_dir/out/killed"
check "it removes the roots of the killed one" test -z "$(find "$test_dir/out" -name '.killed.*')"
env PATH=/none "$MVMBUILD" -q - --set toplevel="$toplevel" --set storeDir="$NIX_STORE_DIR" \
	--gcroot -o "$test_dir/out/none" >/dev/null 2>"$log" <<<'{hostName: demo}'
status=$?
check "without Nix a build with --gcroot fails before it makes anything" \
	test "$status" = 1 -a ! -e "$test_dir/out/none"
expect "the message names the program that cannot be started" "$log" 'nix-store.*cannot be started'
finish
