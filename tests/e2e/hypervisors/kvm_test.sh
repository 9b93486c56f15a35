#!/bin/bash
# SPDX-License-Identifier: MIT
# Starts runners under KVM, in the lab, with devices of the host's kernel: a tap with vhost-net, and
# a vsock by which `microvm -s` logs in.
set -u
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/e2e/lib/nix.sh
. "$top/tests/e2e/lib/nix.sh"
# shellcheck source=tests/e2e/lib/lab.sh
. "$top/tests/e2e/lib/lab.sh"
MVMBUILD=${MVMBUILD:-$top/build/mvmbuild}
need_programs nix-build busybox qemu-system-x86_64 ldd ip socat ssh ssh-keygen
sshd=$("$top/tests/e2e/lib/sshd.sh") || skip_all "no sshd: apt has none"
kernel=$("$top/tests/e2e/lib/kernel.sh") || skip_all "no kernel to boot"
nix_env_setup "$test_dir/nix"
console=$test_dir/console

# runner HOSTNAME.yaml TOPLEVEL: makes $test_dir/runners/HOSTNAME.
# shellcheck disable=SC2317 # check calls it
runner() {
	"$MVMBUILD" -q "$1" --set toplevel="$2" --set storeDir="$NIX_STORE_DIR" \
		--set kernel="$kernel" -o "$test_dir/runners/$(basename "$1" .yaml)"
}

mkdir "$test_dir/runners"
lab_stage "$test_dir/files" || exit 1
stage_programs "$test_dir/files" sh ssh "$top/build/microvm"
cp "$top/build/microvm" "$test_dir/files/usr/bin/"
check "the demo compiles" \
	runner "$top/tests/demo/demo.yaml" "$(nix_build "$top/tests/demo/demo.nix" toplevel)"
cat >"$test_dir/net.yaml" <<'E2'
hostName: net
hypervisor: qemu
mem: 256
vsock: {cid: 42, notify: true, ssh: {enable: true}}
interfaces:
  - {type: tap, id: tap0, mac: "02:00:00:00:00:01", tap: {vhost: true}}
E2
stage_programs "$test_dir/guest-files" socat "$sshd"
mkdir -p "$test_dir/guest-files/usr/sbin" "$test_dir/guest-files/etc/ssh" "$test_dir/runners/keys"
cp "$sshd" "$test_dir/guest-files/usr/sbin/sshd"
for key in host right wrong; do ssh-keygen -q -t ed25519 -N '' -f "$test_dir/$key"; done
cp "$test_dir/host" "$test_dir/guest-files/etc/ssh/ssh_host_ed25519_key"
cp "$test_dir/right.pub" "$test_dir/guest-files/etc/ssh/authorized_keys"
printf '%s\n' 'AuthorizedKeysFile /etc/ssh/authorized_keys' \
	'HostKey /etc/ssh/ssh_host_ed25519_key' >"$test_dir/guest-files/etc/ssh/sshd_config"
cp "$test_dir/right" "$test_dir/wrong" "$test_dir/runners/keys/"
check "a VM with a tap and a vsock compiles" runner "$test_dir/net.yaml" \
	"$(nix_build "$top/tests/e2e/lib/nix/net-guest.nix" toplevel --argstr guestFiles \
		"$test_dir/guest-files")"

# Prints the host's state while the guest is connected to its vsock port. A vhost device has a
# thread vhost-PID, which is a kernel thread, or a thread of QEMU since Linux 6.4.
cat >"$test_dir/runners/look" <<'E2'
mapfile -t threads <<<"$(grep -hs '^vhost-' /proc/[0-9]*/task/*/comm)"
echo "lab: ${#threads[@]} vhost threads: ${threads[*]}" >&2
for file in "/proc/${threads[0]#vhost-}/fd/"*; do
	case $(readlink "$file") in /dev/vhost-*) echo "lab: open $(readlink "$file")" >&2 ;; esac
done
echo hello
E2
cat >"$test_dir/script" <<'E2'
# Every character of a kernel message would have to leave two machines.
export MICROVM_KERNEL_PARAMS=quiet
echo "lab: accel $("$runners/demo/libexec/mvm-host" accel)"
"$runners/demo/bin/microvm-check" || echo "lab: FAILED microvm-check"
timeout 1500 "$runners/demo/bin/microvm-run"
echo "lab: status $?"

"$runners/net/bin/microvm-run"
echo "lab: without tap status $?"
mapfile -t flags <"$runners/net/share/microvm/tap-flags"
ip tuntap add name tap0 mode tap "${flags[@]}"
ip address add 192.0.2.1/24 dev tap0
ip link set tap0 up
seq 100000 >file
socat -u OPEN:file TCP-LISTEN:1024 &
# It is printed later, as it would mix with the guest's lines on the console.
socat -d -d -U VSOCK-LISTEN:1024 EXEC:"bash $runners/look" 2>looked &
socat -u UNIX-RECV:notify OPEN:notified,creat,append &
until [ -S notify ]; do sleep 0.1; done
mkdir -p ../net /root/.ssh
ln -s "$runners/net" ../net/current
ssh_as() { # KEY COMMAND...
	cp "$runners/keys/$1" /root/.ssh/id_ed25519
	chmod 600 /root/.ssh/id_ed25519
	timeout 600 microvm -s net "${@:2}"
	echo "$1 key, status $?"
}
{
	ssh_as right true
	until grep -qs READY notified; do sleep 0.2; done
	ssh_as wrong 'echo let in'
	echo words | ssh_as right 'echo "boot $(cat /proc/sys/kernel/random/boot_id)"; wc -c; (sleep 1; reboot -f) </dev/null >/dev/null 2>&1 & exit 7'
} >ssh 2>&1 &
NOTIFY_SOCKET=$PWD/notify timeout 1500 "$runners/net/bin/microvm-run"
echo "lab: net status $?"
cat looked
while read -r line; do echo "lab: ssh: $line"; done <ssh
sleep 1 # lets the listener notice that its VM has ended
while read -r line; do echo "lab: notified $line"; done <notified
for process in /proc/[0-9]*; do
	if [[ $(tr '\0' ' ' <"$process/cmdline") == *"mvm-host notify"* ]]; then echo "lab: a listener is left"; fi
done 2>/dev/null
E2
lab_build "$test_dir" "$test_dir/runners" "$test_dir/script" ||
	{ not_ok "the lab is built"; finish; }
lab_run 320 "$console" "$test_dir"
expect "the lab has a KVM that is worth using" "$console" '^lab: accel kvm'
expect_no "microvm-check finds nothing missing" "$console" '^lab: FAILED'
expect "the guest has KVM's clock, which only KVM offers" \
	"$console" '^demo: kernel .*, clock kvm-clock'
expect "the demo's own checks pass under KVM" "$console" '^demo: done, 0 failures'
expect "the demo ends with status 0 under KVM" "$console" '^lab: status 0'
expect "a start without its tap names the tap" \
	"$console" '^microvm-run: net: the tap interface tap0 is missing; run '
expect "a start without its tap fails" "$console" '^lab: without tap status 1$'
expect "a file reaches the guest by the tap undamaged" \
	"$console" "^net: file $(seq 100000 | sha256sum)"
expect "the host opened vhost-net for the tap" "$console" '^lab: open /dev/vhost-net$'
expect "the host opened vhost-vsock for the vsock" "$console" '^lab: open /dev/vhost-vsock$'
expect "the tap and the vsock have a vhost thread each" \
	"$console" '^lab: 2 vhost threads: vhost-[0-9]+ vhost-[0-9]+$'
expect_no "QEMU did not fall back to a slower way" \
	"$console" 'falling back on userspace|^qemu-system-x86_64: '
expect "the guest has its vsock address" "$console" 'accepting connection from AF=40 cid:42 '
expect "the host's words reach the guest by the vsock" "$console" '^net: vsock hello$'
expect "the guest's readiness reaches the host's service manager" \
	"$console" '^lab: notified (EXTEND_TIMEOUT_USEC=[0-9]+)*READY=1$'
expect "the guest's status text reaches the host's service manager" \
	"$console" '^lab: notified STATUS=from the guest$'
expect_no "a guest cannot send what only the host may send" "$console" '^lab: notified MAINPID'
expect "ssh to a guest that does not run says that it cannot be reached" \
	"$console" '^lab: ssh: microvm: error: cannot connect to the guest through vsock 42: '
check "ssh over vsock runs a command in this guest" \
	test "$(sed -n 's/^net: boot //p' "$console")" = "$(sed -n 's/^lab: ssh: boot //p' \
		"$console")"
expect "the status of a command by ssh comes back" "$console" '^lab: ssh: right key, status 7$'
expect "standard input reaches a command by ssh" "$console" '^lab: ssh: 6$'
expect "ssh with another key is refused" "$console" '^lab: ssh: root@net: Permission denied'
expect_no "ssh with another key runs no command" "$console" '^lab: ssh: let in'
expect_no "ssh that ends is not called interrupted" "$console" '^lab: ssh: .*interrupted'
expect_no "the listener for readiness has ended with the VM" "$console" '^lab: a listener is left'
expect "the VM with a tap and a vsock ends with status 0" "$console" '^lab: net status 0$'
expect "the lab ends with status 0" "$console" '^lab: done, status 0'
sed -n 's/^demo: up/# under KVM in the lab: up/p' "$console"
finish
