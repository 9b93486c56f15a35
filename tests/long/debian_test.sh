#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs the commands of docs/debian-guest.md up to "What is kept": debootstrap makes a Debian, whose
# guest shows a login prompt, answers ssh, reaches a server on the network, keeps its changes and
# shuts down. Needs root and Debian's package server.
set -u
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../e2e/lib/lib.sh"
need_root
need_programs debootstrap qemu-system-x86_64 ssh ssh-keygen dumpe2fs
PATH=$PATH:/usr/sbin:/sbin
mvmbuild=$(realpath "${MVMBUILD:-$top/build/mvmbuild}")
mirror=${MVM_DEBIAN_MIRROR:-http://deb.debian.org/debian}
timeout 60 bash -c "exec 3<>/dev/tcp/$(sed -E 's|https?://([^/]*).*|\1|' <<<"$mirror")/80" \
	2>/dev/null || skip_all "cannot reach $mirror"
console=$test_dir/console limit=300
port=$((20000 + $$ % 10000))
export XDG_CACHE_HOME=$test_dir/cache
cd "$test_dir" || exit 1

# block TEXT: prints the page's first block of commands that contains TEXT, with another port,
# because several tests may run at once, and without the installation of packages.
block() {
	awk -v text="$1" '
		/^```sh$/ { inside = 1; block = ""; next }
		/^```$/ { if (inside && index(block, text)) { printf "%s", block; exit } inside = 0 }
		inside { block = block $0 "\n" }' "$top/docs/debian-guest.md" |
		sed -e '/^apt-get install/d' -e "s/2222/$port/" \
			-e "s|^\(debootstrap .*\)|\1 $mirror|" -e "s|^mvmbuild |$mvmbuild |"
}

# step DESCRIPTION TEXT: runs the block that contains TEXT.
step() {
	block "$2" >"$test_dir/block"
	check "$1" test -s "$test_dir/block"
	check "$1: the commands succeed" timeout 3000 bash -eu "$test_dir/block"
}

# shellcheck disable=SC2317 # check calls it
guest() {
	timeout 60 ssh -q -i key -p "$port" -o StrictHostKeyChecking=no -o BatchMode=yes \
		-o UserKnownHostsFile=/dev/null -o ConnectTimeout=30 root@127.0.0.1 "$@"
}
# shellcheck disable=SC2317 # check calls it
answers() { guest true; }

start() {
	mkdir -p state
	# shellcheck disable=SC2016 # its own
	vm_start "$limit" "$console" bash -c 'cd state && exec ../debian-vm/bin/microvm-run'
	check "$1: the guest answers ssh" wait_while_alive "$vm_pid" answers
}
stop() {
	check "$1: the guest shuts down" bash -c 'cd state && ../debian-vm/bin/microvm-shutdown'
	vm_wait
	check "$1: the VM ends with status 0" test $? = 0
}

step "the directory" 'debootstrap --variant'
step "a key and a password" 'ssh-keygen'
step "the description and the build" 'mvmbuild vm.yaml'

start "first start"
# getty waits until the boot is over, unlike sshd.
check "the console has a login prompt" \
	wait_while_alive "$vm_pid" grep -q 'debian login:' "$console"
check "the system is up" guest 'systemctl is-system-running --wait'
check "the guest reaches the package server" guest "curl -sfIm 60 $mirror/ >/dev/null"
check "su keeps its set-ID bit" guest 'test -u /usr/bin/su'
# shellcheck disable=SC2016 # the guest's own
check "files keep their owners and groups" guest \
	'test "$(stat -c %U:%G:%a /etc/shadow)" = root:shadow:640'
check "the guest can install a package" guest \
	'apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y hello'
stop "first start"
check "the volume's file system is clean" \
	bash -c '! dumpe2fs -h state/root.img 2>&1 | grep -q needs_recovery'

start "second start"
check "the volume keeps the package" guest 'hello | grep -q Hello'
stop "second start"
finish
