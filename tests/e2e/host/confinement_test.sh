#!/bin/bash
# SPDX-License-Identifier: MIT
# What a hypervisor can do to the host under the VM's unit, when somebody has escaped from the guest
# into it: the real unit runs escaped.py in its place, which tries it all. Then QEMU itself boots
# under the unit with everything that a description can name outside of the VM's directory.
# Load: idle
set -u
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
need_root
need_programs ip unshare nsenter script systemd-analyze python3
[ "$(uname -m)" = x86_64 ] || skip_all "escaped.py has the numbers of x86_64's system calls"
[ -x /lib/systemd/systemd ] || skip_all "needs systemd"
guest_setup
chmod 755 "$test_dir" # the VM's user reads its runner
# shellcheck source=tests/e2e/lib/systemd.sh
. "$top/tests/e2e/lib/systemd.sh"
probe=$(guest_build probe-guest) || exit 1
state=/var/lib/microvms
log=$test_dir/log
host_install_units

SYSTEMD_UNIT_PATH=$host_units/usr/local/lib/systemd/system: systemd-analyze security \
	--offline=yes --no-pager microvm@vm.service >"$log" 2>&1
exposure=$(grep -o 'Overall exposure level for microvm@vm.service: [0-9.]*' "$log")
check "systemd-analyze security gives the unit at most 2.0" \
	awk -v level="${exposure##* }" 'BEGIN { exit !(level != "" && level + 0 <= 2.0) }'

# ---- the runners ----
mkdir -p "$test_dir/probe/bin" "$test_dir/volumes" "$test_dir/a 100% \"place\""
cat >"$test_dir/probe/bin/qemu-system-x86_64" <<E2
#!/bin/sh
exec python3 "$test_dir/probe/escaped.py" list
E2
cp "$top/tests/e2e/lib/escaped.py" "$test_dir/probe/"
chmod -R a+rX "$test_dir/probe"
chmod a+x "$test_dir/probe/bin/qemu-system-x86_64"
base() { # LINE...
	printf '%s\n' 'mem: 128' 'kernelParams: [probe.do=init]' "$@"
	fast_kernel
}
base "qemu: {package: $test_dir/probe}" \
	'interfaces: [{type: bridge, id: mvm-esc, bridge: mvm-br}]' |
	compile escaped "$probe" || finish
base "volumes: [{image: '$test_dir/volumes/data.img', size: 16, mountPoint: /data}]" \
	"confinement: {readOnlyPaths: ['$test_dir/a 100% \"place\"']}" \
	"preStart: 'cp \"$test_dir/a 100% \\\"place\\\"/file\" copied'" \
	'interfaces: [{type: bridge, id: mvm-out, bridge: mvm-br}]' |
	compile outside "$probe" || finish
base 'confinement: {enable: false}' "preStart: 'ls $test_dir >seen'" |
	compile free "$probe" || finish

host_begin
host sh -c 'systemd-sysusers && systemd-tmpfiles --create mvmbuild.conf'
host ip link add mvm-br type bridge
host ip link set mvm-br up
host sh -c "mkdir -p /srv/x /home/x; echo secret | tee /srv/x/y >/tmp/of-the-host"
host install -d "$state/vm" "$state/other" "$state/outside" "$state/free"
host chown microvm "$test_dir/volumes"
echo content >"$test_dir/a 100% \"place\"/file"
vm() { # NAME RUNNER
	host ln -sfn "$test_dir/$2" "$state/$1/current"
}
# shellcheck disable=SC2317 # check calls it
fails() { ! "$@"; }

# ---- another VM, whose things are there to be taken ----
vm other free
host sh -c "echo data >$state/other/data.img && chown microvm:microvm $state/other/data.img"
check "another VM starts, which is not confined" host systemctl start microvm@other
check "its preStart sees the host" wait_until host test -s "$state/other/seen"

# ---- escaped ----
vm vm escaped
host systemctl start microvm@vm >"$log" 2>&1
check "the escaped program ends" wait_until host grep -qx end "$state/vm/list"
host systemctl stop microvm@vm >"$log" 2>&1
host cat "$state/vm/list" >"$test_dir/list"
mapfile -t attempts <"$test_dir/list"
for attempt in "${attempts[@]}"; do
	case $attempt in
	'refused '*) ok "$attempt" ;;
	'done '*) not_ok "refused ${attempt#done }" "$test_dir/list" ;;
	esac
done
check "all attempts were made" test "$(grep -c . "$test_dir/list")" -gt 70

# ---- places outside of the VM's directory ----
vm outside outside
check "a VM with places outside of its directory starts" host systemctl start microvm@outside
check "its guest comes up" console_says 1 '^probe: ready' microvm@outside
check "its volume was created there" test -s "$test_dir/volumes/data.img"
check "its preStart reads a place with odd characters" \
	test "$(host cat "$state/outside/copied")" = content
host sh -c "tr '\\0' ' ' </proc/$(property MainPID microvm@outside)/cmdline" >"$log"
expect "the interface on a bridge is root's tap" "$log" ' tap,id=mvm-out,ifname=mvm-out,'
expect "QEMU keeps its sandbox beside it" "$log" ' -sandbox on,'
check "the tap is in the bridge" \
	test "$(host readlink /sys/class/net/mvm-out/master)" = ../mvm-br
check "the VM shuts down" host systemctl stop microvm@outside
journal microvm@outside
expect "its guest went down by itself" "$log" '^probe: unmounted'

# ---- another runner, with other settings ----
vm outside escaped
check "set-booted gives systemd the settings of the new runner" \
	host systemctl restart microvm-set-booted@outside
check "and no others" host cmp "$test_dir/escaped/share/microvm/unit.conf" \
	/run/systemd/system/microvm@outside.service.d/runner.conf

# ---- settings that systemd may not have read ----
drop_ins=/run/systemd/system/microvm@outside.service.d
reloads() {
	host journalctl --sync
	host journalctl --no-pager -o cat _PID=1 | grep -c '^Reloading'
}
before=$(reloads)
host systemctl restart microvm-set-booted@outside
check "set-booted does not load settings again" test "$(reloads)" = "$before"
host touch "$drop_ins" # as if the reload had failed
host systemctl restart microvm-set-booted@outside
check "it loads those that changed after the last reload" test "$(reloads)" -gt "$before"
: >"$test_dir/escaped/share/microvm/unit.conf"
host systemctl restart microvm-set-booted@outside
check "it removes them for a runner that needs none" host test ! -e "$drop_ins/runner.conf"
property microvm@outside BindReadOnlyPaths >"$log"
check "and systemd forgets them" fails grep -q "$test_dir/probe" "$log"
rm "$test_dir/escaped/share/microvm/unit.conf"
host systemctl restart microvm-set-booted@outside
check "a runner of an earlier version is not confined" \
	test -z "$(property microvm@outside TemporaryFileSystem)"
finish
