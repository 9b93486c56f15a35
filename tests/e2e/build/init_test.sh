#!/bin/bash
# SPDX-License-Identifier: MIT
# Uses the files that `mvmbuild init` writes: the commented description is valid, also with its
# comments turned into options, and the small system builds, boots and shuts down. Also checks the
# rule for make that -MD writes.
set -u
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
need_programs make curl
guest_setup
log=$test_dir/log

# ---- vm: the commented description ----
check "init vm" "$mvmbuild" init vm "$test_dir/web1"
check "mvmbuild init a second time leaves what is there" \
	test "$("$mvmbuild" init vm "$test_dir/web1" 2>&1 | grep -c 'was left alone')" = 1
check "the description of init vm is valid" "$mvmbuild" check --syntax "$test_dir/web1/vm.yaml"
"$mvmbuild" check "$test_dir/web1/vm.yaml" >"$test_dir/log" 2>&1
check "check refuses the description of init vm as long as it names no system" test $? = 4
expect "check calls its toplevel a placeholder" "$test_dir/log" 'is a placeholder'
check "the description has the directory's name" grep -qx 'hostName: web1' "$test_dir/web1/vm.yaml"
sed 's/^# \( *- \|[a-zA-Z]*:\)/\1/' "$test_dir/web1/vm.yaml" >"$test_dir/web1/all.yaml"
check "it has further options as comments" \
	test "$(grep -vc '^#' "$test_dir/web1/all.yaml")" -gt \
		"$(($(grep -vc '^#' "$test_dir/web1/vm.yaml") + 8))"
check "the description with all of its comments as options is valid" \
	"$mvmbuild" check --syntax "$test_dir/web1/all.yaml"
check "init vm writes two files and no more" \
	test "$(find "$test_dir/web1" -newer "$mvmbuild" -type f | wc -l)" = 2
"$mvmbuild" init no-such "$test_dir/none" >"$log" 2>&1
check "an unknown template is a usage error" test $? = 2
expect "the message names the templates" "$log" 'use one of hello, vm'
check "an unknown template makes nothing" test ! -e "$test_dir/none"
(cd "$test_dir" && "$mvmbuild" init vm '') >"$log" 2>&1
check "an empty name of the directory is a usage error" test $? = 2

# ---- hello: a system ----
check "mvmbuild init hello succeeds" "$mvmbuild" init hello "$test_dir/hello1"
system=$(nix_build "$test_dir/hello1/system.nix" "") ||
	{ not_ok "hello: Nix builds the system"; finish; }
ln -s "$system" "$test_dir/hello1/system"
port=$((20000 + $$ % 10000))
{
	cat "$test_dir/hello1/vm.yaml"
	echo "storeDir: $NIX_STORE_DIR"
	echo "kernelModules: $kernel"
	echo "interfaces: [{type: user, id: net0}]"
	echo "kernelParams: [hello.address=10.0.2.15/24]"
	echo "forwardPorts: [{host: {address: 127.0.0.1, port: $port}, guest: {port: 80}}]"
} | sed "s|^kernel: .*|kernel: $vmlinux|" >"$test_dir/hello1/test.yaml"
check "hello: the description compiles" "$mvmbuild" "$test_dir/hello1/test.yaml" --cache \
	"$test_dir/cache" -o "$test_dir/hello" -MD "$test_dir/hello.d"
boot_start hello
if vm_wait_for '^hello: ready, at 10.0.2.15/24'; then
	check "hello: the guest serves its page" \
		test "$(curl -s --max-time 60 "http://127.0.0.1:$port/")" = 'hello from hello1'
	check "hello: the guest goes down when it is asked to" \
		"$test_dir/hello/bin/microvm-shutdown"
else
	not_ok "hello: the guest comes up" "$console"
	vm_kill
fi
vm_wait
check "hello: the VM ends with status 0" test $? = 0

# ---- the rule for make ----
{
	echo "$test_dir/hello: ; @echo made anew"
	cat "$test_dir/hello.d"
} >"$test_dir/Makefile"
before=$(sha256sum "$test_dir/hello/share/microvm/vm.json")
"$mvmbuild" -q "$test_dir/hello1/test.yaml" --set mem=999 --cache \
	"$test_dir/cache" -o "$test_dir/hello" -MD "$test_dir/nowhere/hello.d" >"$log" 2>&1
check "a build whose rule cannot be written fails with status 1" test $? = 1
check "a build whose rule cannot be written leaves the old runner" \
	test "$(sha256sum "$test_dir/hello/share/microvm/vm.json")" = "$before"
check "make reads the rule of -MD and finds the runner current" \
	test -z "$(make -s -f "$test_dir/Makefile" "$test_dir/hello")"
touch "$test_dir/hello1/test.yaml"
check "make runs the rule again when the description changes" \
	test "$(make -s -f "$test_dir/Makefile" "$test_dir/hello")" = 'made anew'
touch -d '-1 day' "$test_dir/hello1/test.yaml"
touch "$vmlinux"
check "make runs the rule again when the kernel changes" \
	test "$(make -s -f "$test_dir/Makefile" "$test_dir/hello")" = 'made anew'
finish
