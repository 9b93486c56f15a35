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
	test "$("$mvmbuild" init vm "$test_dir/web1" 2>&1 | grep -c 'was left alone')" = 2
check "the description of init vm is valid" "$mvmbuild" check --syntax "$test_dir/web1/vm.yaml"
"$mvmbuild" check "$test_dir/web1/vm.yaml" >"$test_dir/log" 2>&1
check "check refuses the description of init vm until it names a system" test $? = 4
expect "check calls its toplevel a placeholder" "$test_dir/log" 'is a placeholder'
check "the description has the directory's name" grep -qx 'hostName: web1' "$test_dir/web1/vm.yaml"
sed 's/^# \( *- \|[a-zA-Z]*:\)/\1/' "$test_dir/web1/vm.yaml" >"$test_dir/web1/all.yaml"
check "it has further options as comments" \
	test "$(grep -vc '^#' "$test_dir/web1/all.yaml")" -gt \
		"$(($(grep -vc '^#' "$test_dir/web1/vm.yaml") + 8))"
check "the description with all of its comments as options is valid" \
	"$mvmbuild" check --syntax "$test_dir/web1/all.yaml"
check "the schema that the description names is beside it" \
	diff <("$mvmbuild" schema) \
	"$test_dir/web1/$(sed -n 's/^# yaml-language-server: .schema=//p' "$test_dir/web1/vm.yaml")"
check "init vm writes two files and no more" \
	test "$(find "$test_dir/web1" -newer "$mvmbuild" -type f | wc -l)" = 3
"$mvmbuild" init no-such "$test_dir/none" >"$log" 2>&1
check "an unknown template is a usage error" test $? = 2
expect "the message names the templates" "$log" 'use one of hello, nixos, vm'
check "an unknown template makes nothing" test ! -e "$test_dir/none"
"$mvmbuild" init nixos "$test_dir/flake" >"$log" 2>&1
check "init nixos writes the template of mvmbuild's flake" \
	cmp "$top/templates/starter/nixos/flake.nix" "$test_dir/flake/flake.nix"
(cd "$test_dir" && "$mvmbuild" init vm '') >"$log" 2>&1
check "an empty name of the directory is a usage error" test $? = 2

# ---- hello: the kernel of this machine ----
version=$(basename "$kernel"/boot/vmlinuz-* | sed 's/^vmlinuz-//')
mkdir -p "$test_dir"/{boot,modules,none,at}
chmod 777 "$test_dir/at"
# hello_at BOOT MODULES COMMAND...: runs init hello with these directories as /boot and
# /lib/modules, and prints the lines about the kernel.
hello_at() {
	rm -rf "$test_dir/at/web1"
	mkdir -p /lib/modules
	# shellcheck disable=SC2016 # that shell's
	unshare -m sh -c '
		mount --bind "$1" /boot && mount --bind "$2" /lib/modules && shift 2 && "$@"' \
		sh "$1" "$2" "${@:3}" "$mvmbuild" init hello "$test_dir/at/web1" >"$log" 2>&1
	grep -B 2 '^kernel:' "$test_dir/at/web1/vm.yaml" >"$log"
}
if [ "$(id -u)" = 0 ] && mkdir -p /lib/modules /boot 2>/dev/null &&
	unshare -m true 2>/dev/null; then
	chmod 755 "$test_dir"
	mkdir -m 755 "$test_dir/modules/$version"
	cp "$kernel/boot/vmlinuz-$version" "$test_dir/boot"
	hello_at "$test_dir/boot" "$test_dir/modules"
	expect "hello: the kernel is the one that the machine has" "$log" \
		"^kernel: /boot/vmlinuz-$version\$"
	chmod 600 "$test_dir/boot"/*
	hello_at "$test_dir/boot" "$test_dir/modules" setpriv --reuid 65534 --clear-groups
	expect "hello: a kernel that only root can read is named, with a remedy" "$log" \
		"sudo chmod a[+]r /boot/vmlinuz-$version\$"
	cp "$kernel/boot/vmlinuz-$version" "$test_dir/modules/$version/vmlinuz"
	hello_at "$test_dir/none" "$test_dir/modules"
	expect "hello: a kernel beside its modules is found" "$log" \
		"^kernel: /lib/modules/$version/vmlinuz\$"
	hello_at "$test_dir/none" "$test_dir/none"
	expect "hello: without a kernel, the description has instructions" "$log" \
		'^# This machine has no kernel'
else
	skip "hello: the kernel is the one that the machine has" "needs root"
fi

# ---- hello: a system ----
check "mvmbuild init hello succeeds" "$mvmbuild" init hello "$test_dir/hello1"
"$mvmbuild" init hello "$test_dir/hello2" >/dev/null
check "hello: VMs with different names have the same system" \
	cmp "$test_dir/hello1/system.nix" "$test_dir/hello2/system.nix"
system=$(nix_build "$test_dir/hello1/system.nix" "") ||
	{ not_ok "hello: Nix builds the system"; finish; }
ln -s "$system" "$test_dir/hello1/system"
port=$((20000 + $$ % 10000))
# Only the store, the kernel and the port differ: they are the test's own.
{
	sed -e '/^kernel:/d' -e "s/port: 8080/port: $port/" "$test_dir/hello1/vm.yaml"
	echo "storeDir: $NIX_STORE_DIR"
	fast_kernel
} >"$test_dir/hello1/test.yaml"
check "hello: the description compiles" "$mvmbuild" "$test_dir/hello1/test.yaml" --cache \
	"$test_dir/cache" -o "$test_dir/hello" -MD "$test_dir/hello.d"
for given in '' 'kernelParams=[hostname=other]'; do
	"$mvmbuild" plan --json "$test_dir/hello1/test.yaml" ${given:+--set "$given"} 2>/dev/null |
		grep -o '^ *"kernelParams": ".*' | grep -o '\bhostname=[^" ]*' >"$log"
	check "hello: the guest's host name is ${given:-that of the description}" \
		test "$(<"$log")" = "hostname=$([ -n "$given" ] && echo other || echo hello1)"
done
mkdir -p "$test_dir/fedora/lib/modules/$version"
ln -s "$kernel/lib/modules/$version"/* "$test_dir/fedora/lib/modules/$version/"
cp "$kernel/boot/vmlinuz-$version" "$test_dir/fedora/lib/modules/$version/vmlinuz"
"$mvmbuild" plan --json <(grep -v '^kernel' "$test_dir/hello1/test.yaml") \
	--set toplevel="$system" \
	--set kernel="$test_dir/fedora/lib/modules/$version/vmlinuz" >"$log" 2>/dev/null
expect "the modules of a kernel in lib/modules/VERSION are found beside it" "$log" \
	virtio_blk
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
