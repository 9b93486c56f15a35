#!/bin/bash
# SPDX-License-Identifier: MIT
# Does an operator's work on a host with a real systemd, also when something goes wrong: a reboot,
# stopping all VMs at once, a failed update. The hypervisor is a program that only waits or fails,
# so no guest boots.
# Load: idle
# shellcheck disable=SC2317 # functions that check calls
set -u
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/golden/lib/fixture.sh
. "$top/tests/golden/lib/fixture.sh"
need_root
need_programs ip unshare nsenter script jq
[ -x /lib/systemd/systemd ] || skip_all "needs systemd"
chmod 755 "$test_dir" # the VMs' user reads its runner
# shellcheck source=tests/e2e/lib/systemd.sh
. "$top/tests/e2e/lib/systemd.sh"
fixture_make "$test_dir"
state=/var/lib/microvms
log=$test_dir/log
mvmbuild=$(realpath "${MVMBUILD:-$top/build/mvmbuild}")
mkdir "$test_dir/bin"
cp "$(dirname "$mvmbuild")/microvm" "$test_dir/bin/"
host_install_units
mkdir -p "$host_units/usr/local/bin"
host_target Wants=multi-user.target
# This hypervisor is first in the units' PATH. A VM with "crash" in its kernel parameters ends at
# once.
cat >"$host_units/usr/local/bin/qemu-system-x86_64" <<'E2'
#!/bin/sh
echo "the hypervisor runs as $(id -un):$(id -gn) in the groups $(id -Gn)"
case $* in
*ends-soon*)
	sleep 3
	exit 1
	;;
*crash*)
	printf '\rthe guest has crashed\n'
	exit 1
	;;
esac
exec sleep infinity
E2
chmod 755 "$host_units/usr/local/bin/qemu-system-x86_64"

describe() { # NAME [LINE]...: $test_dir/NAME.yaml
	printf '%s\n' "hostName: $1" "storeDir: $test_dir/store" \
		"toplevel: $test_dir/store/$fixture_hash-system" "closure: $test_dir/registration" \
		"kernel: $test_dir/kernel" "${@:2}" >"$test_dir/$1.yaml"
}
m() {
	host env XDG_CACHE_HOME="$test_dir/cache" NIX_STATE_DIR="$test_dir/nix" \
		"$test_dir/bin/microvm" "$@" >"$log" 2>&1
}
fails() { ! "$@"; }
has_property() { [ "$(property "$1" "$2")" = "$3" ]; }
hypervisor_runs() { # NAME
	[ "$(host cat "/proc/$(property MainPID "microvm@$1")/comm" 2>/dev/null)" = sleep ]
}
systemd_waits_for() { # UNIT PROPERTY VALUE
	wait_until has_property "$2" "$1" "$3"
}

host_begin
host sh -c 'systemd-sysusers && systemd-tmpfiles --create mvmbuild.conf'

# ---- at boot, and all at once ----
describe other
check "a VM is created from a description with another name" m -c web1 -f "$test_dir/other.yaml"
expect "the command reports both names" "$log" \
	'the VM is called "web1" and its description.s hostName is "other"'
m --remove web1
describe web1
check "a VM is created" m -c web1 -f "$test_dir/web1.yaml"
expect "the command prints how to start it, now and at each boot" \
	"$log" 'systemctl enable --now microvm@web1$'
check "the printed command works" host systemctl enable --now microvm@web1
check "the VM runs" systemd_waits_for microvm@web1 ActiveState active
check "the host boots again" host_reboot
check "the VM has started with the host" systemd_waits_for microvm@web1 ActiveState active
check "systemctl stops the target of all VMs" host systemctl stop microvms.target
check "the VM stops with it" systemd_waits_for microvm@web1 ActiveState inactive
check "systemctl starts the target of all VMs" host systemctl start microvms.target
check "the VM starts with it" systemd_waits_for microvm@web1 ActiveState active

# ---- by hand, as root ----
volume='volumes: [{image: data.img, size: 16, mountPoint: /data}]'
describe hand "$volume" 'kernelParams: [crash]'
m -c hand -f "$test_dir/hand.yaml"
m -r hand
expect "microvm -r as root runs the hypervisor as the unit's user and groups" \
	"$log" '^the hypervisor runs as microvm:microvm in the groups microvm kvm'
check "the new volume belongs to the unit's user" \
	test "$(host stat -c %U "$state/hand/data.img")" = microvm
host chown root:root "$state/hand/data.img"
describe hand "$volume"
m -u hand
host systemctl start microvm@hand
check "the unit reports a volume that it cannot read" \
	console_says 1 'the volume data.img cannot be read' microvm@hand
expect "the report names the owner and the user" \
	"$log" 'it belongs to root:root, mode .*, and the VM runs as microvm'
expect "the report has a command that fixes it" \
	"$log" "as root, run: chown microvm: $state/hand/data.img"
check "that command works" host chown microvm: "$state/hand/data.img"
check "the VM then starts" wait_until hypervisor_runs hand
host systemctl stop microvm@hand

# ---- an update whose VM does not start ----
describe up "$volume"
m -c up -f "$test_dir/up.yaml"
host systemctl start microvm@up
check "a VM to be updated runs" wait_until hypervisor_runs up
pid=$(property MainPID microvm@up) current=$(host readlink "$state/up/current")
describe up "${volume/16/8}"
check "an update to a runner that could not start fails" fails m -Ru up
expect "the message has the reason" "$log" \
	'error: up keeps its runner, because the new one cannot start: the volume data.img: .* a volume is never made smaller'
check "the failed update did not stop the VM" test "$(property MainPID microvm@up)" = "$pid"
check "the VM would start from its runner again" \
	test "$(host readlink "$state/up/current")" = "$current"
describe up "$volume" 'mem: 300' 'kernelParams: [crash]'
check "an update to a VM that ends at once fails" fails m -Ru up
expect "the message has the hypervisor's last line and the way back" "$log" \
	'error: up does not run with its new runner: the guest has crashed; to go back: microvm -R --rollback up'
check "that rollback works" m -R --rollback up
check "the VM runs again" hypervisor_runs up
describe up "$volume" 'mem: 301' 'kernelParams: [crash]'
check "an update with --rollback-on-failure also fails" fails m -u --rollback-on-failure up
expect "it reports the rollback" "$log" '^MicroVM up is rolled back and runs'
check "the VM runs its previous runner" \
	test "$(host readlink "$state/up/current")" = "$current" -a \
	-n "$(hypervisor_runs up && echo 1)"
describe up "$volume" 'mem: 302'
check "an update to a VM that runs succeeds" m -Ru up
check "the updated VM runs" hypervisor_runs up
describe up "${volume/16/8}"
check "an update without -R succeeds for a runner that could not start" m -u up
expect "it warns, with the reason" "$log" \
	'warning: the new runner of up cannot start: .*a volume is never made smaller'
check "a restart to that runner fails" fails m -Ru up
expect "the message says that the VM keeps running" "$log" \
	'error: up keeps running with its old runner, because the new one cannot start: .*smaller'
check "the VM runs on" hypervisor_runs up
describe up "$volume" 'mem: 302'
check "an update goes back to the runner that runs" m -u up
expect "it reports that no restart is needed" "$log" 'No reboot of MicroVM up required'

# ---- another VM of the same name ----
other=$test_dir/other
check "a VM of the same name is created in another directory" \
	m --state-dir "$other" -c up -f "$test_dir/up.yaml"
host mkdir -p /etc/systemd/system/microvm@up.service.d
host sh -c 'printf "[Service]\nMemoryMax=1G\n" >/etc/systemd/system/microvm@up.service.d/mine.conf'
check "that VM is removed" m --state-dir "$other" --remove up
check "the settings of the unit, which runs the other VM, stay" \
	host test -e /etc/systemd/system/microvm@up.service.d/mine.conf
host rm -r /etc/systemd/system/microvm@up.service.d

# ---- a check beforehand ----
check "a check of a running VM succeeds" m --check up
expect "the check names the VM's directory" "$log" "ready to start in $state/up"
host systemctl stop microvm@up
host cp -a "$state/up/current/bin/microvm-check" "$test_dir/check"
printf '%s\n' '#!/bin/sh' 'echo "checked with $# options"' >"$test_dir/old-check"
host cp "$test_dir/old-check" "$state/up/current/bin/microvm-check"
check "a check by an older runner succeeds" m --check up
expect "it gets no options" "$log" 'checked with 0 options'
expect "a note says that the runner is older" "$log" 'note: the runner of up is older'
host cp -a "$test_dir/check" "$state/up/current/bin/microvm-check"
host chown root:root "$state/up/data.img"
check "a check by root fails for a volume that the unit's user cannot read" fails m --check up
expect "that check has the reason" "$log" 'the volume data.img cannot be read'
host chown microvm: "$state/up/data.img"
check "microvm-check refuses to check a VM's runner in another directory" \
	fails host sh -c "cd /root && $state/up/current/bin/microvm-check >$log 2>&1"
expect "it names the VM's directory" "$log" "this runner is for the VM in $state/up, not in /root"
check "microvm-check takes the VM's directory" \
	host setpriv --reuid microvm --regid microvm --init-groups \
	"$state/up/current/bin/microvm-check" --unit "$state/up"
host systemctl stop 'microvm@*'

# ---- a VM that does not start is visible ----
limits='[Unit]\nStartLimitBurst=2\n[Service]\nRestartSec=1\n'
describe vm10 'kernelParams: [crash]'
m -c vm10 -f "$test_dir/vm10.yaml"
describe vm2
m -c vm2 -f "$test_dir/vm2.yaml"
host mkdir -p /etc/systemd/system/microvm@vm10.service.d
# shellcheck disable=SC2059 # a format
printf "$limits" >"$test_dir/limits"
host cp "$test_dir/limits" /etc/systemd/system/microvm@vm10.service.d/limits.conf
host systemctl daemon-reload
host systemctl enable --now microvm@vm10 microvm@vm2
check "systemd gives up after a number of starts" \
	systemd_waits_for microvm@vm10 ActiveState failed
m -l
expect "the list has columns" "$log" '^NAME +STATE +SINCE +RESTARTS +BOOT +BUILD +SYSTEM +NOTE$'
expect "it shows that systemd gave up on a VM, the reason, and how to try again" "$log" \
	'^vm10 +gave up +[0-9]+s +[1-9] +yes +current +system@[0-9a-z]{8} +the guest has crashed; to try again: systemctl reset-failed .microvm\*@vm10.service. && systemctl start microvm@vm10$'
expect "it shows a VM that runs" \
	"$log" '^vm2 +running +[0-9]+s +0 +yes +current +system@[0-9a-z]{8}$'
expect "it shows a VM that is stopped and does not start at boot" \
	"$log" '^up +stopped +[-0-9s]+ +0 +no +current +system@[0-9a-z]{8} +systemctl start microvm@up$'
host journalctl --no-pager -u microvm@vm10 >"$log" 2>&1
expect "the journal shows a console line that begins with a carriage return" \
	"$log" ': the guest has crashed$'
expect_no "the journal hides no line of the console" "$log" 'blob data'
m -l
check "it lists vm2 before vm10" \
	test "$(grep -o '^vm[0-9]*' "$log" | xargs)" = 'vm2 vm10'
m -l --json
check "the JSON list has the same facts" test "$(jq -r '.vms[] | select(.name == "vm10") |
	"\(.activity) \(.startsAtBoot) \(.restarts > 0) \(.since > 1000000000) \(.failure)"' "$log")" = \
	'gave up true true true the guest has crashed'
check "the VM is removed" m --remove vm10 --stop
expect "the removal reports the settings that it removes" \
	"$log" 'Removed .*/etc/systemd/system/microvm@vm10.service.d'
check "they are gone" host test ! -e /etc/systemd/system/microvm@vm10.service.d
check "systemd has forgotten its failures" \
	test -z "$(host systemctl list-units --all --plain --no-legend 'microvm*@vm10*')"
host systemctl stop microvm@vm2

# Each start of a VM starts what serves its shares first, which may reach its limit first.
check "what serves the shares may start more often than the VM" \
	test "$(property StartLimitBurst microvm-virtiofsd@vm2)" -gt \
	"$(property StartLimitBurst microvm@vm2)"
describe shares 'kernelParams: [crash]'
m -c shares -f "$test_dir/shares.yaml"
printf '%s\n' '[Unit]' 'StartLimitBurst=2' 'ConditionPathExists=' '[Service]' 'ExecStart=' \
	'ExecStart=/bin/sh -c "systemd-notify --ready; exec sleep infinity"' >"$test_dir/limits"
host mkdir -p /etc/systemd/system/microvm{,-virtiofsd}@shares.service.d
host cp "$test_dir/limits" /etc/systemd/system/microvm-virtiofsd@shares.service.d/limits.conf
host sh -c 'printf "[Service]\nRestartSec=1\n" >/etc/systemd/system/microvm@shares.service.d/soon.conf'
host systemctl daemon-reload
host systemctl start microvm@shares
check "systemd gives up what serves the shares" \
	systemd_waits_for microvm-virtiofsd@shares Result start-limit-hit
check "the VM does not run then" systemd_waits_for microvm@shares ActiveState inactive
m -l
expect "the list shows that systemd gave up, and how to try again" "$log" \
	'^shares +gave up .*reset-failed .microvm\*@shares.service. && systemctl start microvm@shares$'
try_again=$(grep -o "systemctl reset-failed .*shares" "$log")
check "what it says works" host sh -c "$try_again"
check "systemd gives up again" systemd_waits_for microvm-virtiofsd@shares Result start-limit-hit
describe shares
check "an update starts the VM that systemd gave up" m -Ru shares
check "that VM runs" wait_until hypervisor_runs shares
m --remove shares --stop

# ---- a bridge that appears late, and one that never does ----
describe late 'interfaces: [{type: tap, id: mvm-late, mac: 02:00:00:00:00:01, bridge: br-late}]'
m -c late -f "$test_dir/late.yaml"
host systemctl start --no-block microvm@late
check "the tap's unit waits for the bridge" \
	console_says 1 'waiting up to 60 seconds for the bridge br-late' microvm-tap-interfaces@late
m -l
expect "the list shows that the VM is starting" "$log" '^late +starting'
host ip link add br-late type bridge
check "the VM starts when the bridge is there" wait_until hypervisor_runs late
host systemctl stop microvm@late
host ip link delete br-late
host mkdir -p /run/systemd/system/microvm-tap-interfaces@late.service.d
host sh -c 'printf "[Service]\nEnvironment=MICROVM_LINK_SECONDS=1\n" >/run/systemd/system/microvm-tap-interfaces@late.service.d/soon.conf && systemctl daemon-reload'
check "the VM does not start without the bridge" fails host systemctl start microvm@late
m -l
expect "the list names the unit that failed, and its last line" "$log" \
	'^late +failed .*microvm-tap-interfaces failed: tap-up: the bridge br-late of the interface mvm-late does not exist; systemctl start microvm@late$'
check "a VM that failed to start is not removed unasked" fails m --remove late
expect "the message says that it was not stopped" "$log" 'late is .*was not stopped; add --stop'
check "that VM is removed with --stop" m --remove late --stop
describe kept "$volume" 'kernelParams: [crash]'
m -c kept -f "$test_dir/kept.yaml"
m -r kept
m --remove kept
m -l
expect "the list names the volumes of removed VMs" \
	"$log" "^$state/kept has files that a removal kept: data.img; microvm --remove kept --all"
m -l --json
check "the JSON list also has them" \
	test "$(jq -r '.kept[] | "\(.name) \(.files)"' "$log")" = 'kept ["data.img"]'
check "the printed command removes them" m --remove kept --all-files
check "the directory is gone then" host test ! -e "$state/kept"
mkdir -p "$test_dir/debian-12/sbin"
printf '#!/bin/sh\n' >"$test_dir/debian-12/sbin/init"
chmod +x "$test_dir/debian-12/sbin/init"
printf '%s\n' 'hostName: deb' "rootfs: $test_dir/debian-12" "kernel: $test_dir/kernel" \
	>"$test_dir/deb.yaml"
m -c deb -f "$test_dir/deb.yaml"
m -l
expect "the list names the directory of a root file system" \
	"$log" '^deb +stopped .* current +debian-12@[0-9a-f]{8} '
echo changed >"$test_dir/debian-12/file"
m -l
expect "a changed root file system has the same name in the note" \
	"$log" '^deb .* outdated +debian-12@.*; microvm -Ru deb builds and boots debian-12@'
m --remove deb
m --state-dir /var/empty -l
expect "an empty list is a message" \
	"$log" '^There are no VMs in /var/empty(, which does not exist)?; microvm -c NAME -f SOURCE'

# ---- such updates by install-host ----
hosts() { # LINE...: one VM with these lines
	{
		printf 'vms:\n  fleet:\n    config:\n'
		printf '      %s\n' "toplevel: $test_dir/store/$fixture_hash-system" \
			"storeDir: $test_dir/store" "closure: $test_dir/registration" \
			"kernel: $test_dir/kernel" "$@"
	} >"$test_dir/host.yaml"
	"$mvmbuild" -q host "$test_dir/host.yaml" --cache "$test_dir/cache" \
		-o "$test_dir/host" >"$log" 2>&1 || cat "$log"
}
install_host() { host "$test_dir/host/bin/install-host" "$@" >"$log" 2>&1; }
hosts "$volume"
# As earlier versions installed the units.
host sh -c "cp $test_dir/host/share/systemd/*.service $test_dir/host/share/systemd/*.target /etc/systemd/system/
	mkdir /etc/systemd/system/multi-user.target.wants
	ln -s /etc/systemd/system/microvms.target /etc/systemd/system/multi-user.target.wants/"
check "install-host starts a VM" install_host
expect "it reports that units move from their old place" \
	"$log" 'the units move from /etc/systemd/system'
check "systemd uses the units in the place where later installations put them" \
	has_property FragmentPath microvm@fleet /usr/local/lib/systemd/system/microvm@.service
check "the fleet's VM runs" wait_until hypervisor_runs fleet
pid=$(property MainPID microvm@fleet) current=$(host readlink "$state/fleet/current")
hosts "${volume/16/8}"
check "install-host fails for a runner that could not start" fails install_host
expect "it prints the reason" "$log" \
	'fleet keeps its runner, because the new one cannot start: .*a volume is never made smaller'
check "it does not stop the VM" test "$(property MainPID microvm@fleet)" = "$pid"
check "it keeps the VM's runner" test "$(host readlink "$state/fleet/current")" = "$current"
hosts "$volume" 'mem: 300' 'kernelParams: [crash]'
check "install-host fails for a VM that ends at once" fails install_host
expect "it prints the last line of the unit" \
	"$log" 'fleet does not run with its new runner: microvm@fleet: the guest has crashed'
expect "it prints the command for a rollback" "$log" 'to go back: microvm -R --rollback fleet'
check "that rollback works after install-host" m -R --rollback fleet
hosts "$volume" 'mem: 301' 'kernelParams: [crash]'
check "install-host --rollback-on-failure also fails" fails install_host --rollback-on-failure
expect "it rolls the VM back" "$log" 'fleet is rolled back and starts from the runner before'
check "the VM runs its previous runner again" wait_until hypervisor_runs fleet
hosts "$volume" 'mem: 302'
check "install-host succeeds for a VM that runs" install_host
check "that VM runs" hypervisor_runs fleet
host mkdir -p /etc/systemd/system/microvm@fleet.service.d
host sh -c 'printf "[Service]\nGroup=\nSupplementaryGroups=games\n" >/etc/systemd/system/microvm@fleet.service.d/groups.conf'
host systemctl daemon-reload
host chown root:games "$state/fleet/data.img"
host chmod 660 "$state/fleet/data.img"
hosts "$volume" 'mem: 303'
check "install-host checks a runner with the groups that the unit adds" install_host
check "the VM runs with them" hypervisor_runs fleet
hosts "$volume" 'mem: 304'
sed -i '1s|.*|#!/nowhere|' "$test_dir/host/runners/fleet/bin/microvm-check"
check "install-host updates a VM whose check cannot run" install_host
host systemctl kill microvm@fleet
check "the VM is restarted after its hypervisor was killed" \
	systemd_waits_for microvm@fleet NRestarts 1
check "that VM runs again" wait_until hypervisor_runs fleet
host rm /etc/systemd/system/microvms.target.wants/microvm@fleet.service
check "install-host succeeds for a VM that was restarted before" install_host
host systemctl stop microvm@fleet
host rm /etc/systemd/system/microvms.target.wants/microvm@fleet.service
host sh -c 'printf "[Service]\nExecStartPre=/bin/sleep 7\n" >/etc/systemd/system/microvm@fleet.service.d/slow.conf'
host systemctl daemon-reload
hosts "$volume" 'kernelParams: [ends-soon]'
check "install-host fails for a VM that starts slowly and then ends" fails install_host
host systemctl stop microvm@fleet
host systemctl reset-failed 'microvm*@fleet.service'
check "no unit of these tests is left as failed" \
	diff - <(host systemctl list-units --failed --plain --no-legend 'microvm*') </dev/null
finish
