#!/bin/bash
# SPDX-License-Identifier: MIT
# Kills install-host before each of its commands: the next run must have the same result, and start
# or restart each VM that needs it exactly once. A recorder replaces systemd, and its VMs only seem
# to run; systemd_host_test.sh has a real one.
# shellcheck disable=SC2317 # functions that check calls
set -u
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/golden/lib/fixture.sh
. "$top/tests/golden/lib/fixture.sh"
if [ "${1:-}" != inside ]; then
	need_root
	need_programs unshare setsid
	rmdir "$test_dir" # the restarted test makes another one
	exec unshare -m -- bash "$0" inside
fi
fixture_make "$test_dir"
truncate -s 100K "$test_dir/kernel" # as large as what VMs share
unset XDG_CACHE_HOME SOURCE_DATE_EPOCH NIX_BUILD_CORES NIX_BUILD_TOP NIX_ATTRS_JSON_FILE \
	NIX_STATE_DIR
mvmbuild=$(realpath "${MVMBUILD:-$top/build/mvmbuild}")
log=$test_dir/log world=$test_dir/world
state=$world/vms calls=$world/calls
mkdir -p "$test_dir/bin" "$world"/{units,sysusers,tmpfiles,modules,local,nix/var/nix/gcroots,active}

# ---- a separate host ----
mount --make-rprivate /
mkdir -p "$test_dir/run/system"
hide() { # DIRECTORY BY
	[ ! -d "$1" ] || mount --bind "$2" "$1"
}
mkdir -p /etc/modules-load.d /etc/sysusers.d /etc/tmpfiles.d /run/systemd
arrange() {
	hide /etc/systemd/system "$world/units"
	hide /etc/sysusers.d "$world/sysusers"
	hide /etc/tmpfiles.d "$world/tmpfiles"
	hide /etc/modules-load.d "$world/modules"
	hide /usr/local "$world/local"
	hide /nix "$world/nix"
	hide /run/systemd "$test_dir/run"
}
arrange

# systemd knows the units as they were at its last reload. A VM that starts remembers what
# it booted.
cat >"$test_dir/bin/systemctl" <<E2
#!/bin/sh
set -e
echo "\$*" >>$calls
for unit; do :; done
vm=\${unit#microvm@} vm=\${vm%.service}
boot() { ln -sfnT "\$(readlink $state/\$vm/current)" $state/\$vm/booted; echo >$world/active/\$vm; }
case \$1 in
daemon-reload) (cd $world/local/lib/systemd/system && find . -type f | sort | xargs md5sum) >$world/loaded ;;
is-active) [ -e $world/active/\$vm ] ;;
restart | start)
	grep -q './microvm@.service' $world/loaded
	case \$1 in start) [ -e $world/active/\$vm ] || boot ;; restart) boot ;; esac
	;;
esac
E2
printf '#!/bin/sh\necho sysusers >>%s\n' "$calls" >"$test_dir/bin/systemd-sysusers"
printf '#!/bin/sh\necho tmpfiles >>%s\n' "$calls" >"$test_dir/bin/systemd-tmpfiles"
chmod +x "$test_dir"/bin/*
PATH=$test_dir/bin:$PATH

# ---- two hosts ----
vm() { # NAME [LINE OF ITS DESCRIPTION [OPTION]...]
	printf '  %s:\n    config:\n' "$1"
	printf '      %s\n' "toplevel: $test_dir/store/$fixture_hash-system" \
		"storeDir: $test_dir/store" "closure: $test_dir/registration" \
		"kernel: $test_dir/kernel" "${2:-vcpu: 1}"
	printf '    %s\n' "${@:3}"
}
group=$(id -gn)
build() { # OUTPUT VM...
	{ printf 'stateDir: %s\nuser: root\ngroup: %s\nvms:\n' "$state" "$group" && shift &&
		"$@"; } >"$test_dir/host.yaml"
	"$mvmbuild" -q --no-cache host "$test_dir/host.yaml" -o "$test_dir/$output" >"$log" 2>&1
}
before() {
	vm same && vm changed && vm quiet '' 'restartIfChanged: false' &&
		vm manual '' 'autostart: false' && vm gone
}
after() {
	vm same && vm changed 'mem: 200' && vm quiet 'mem: 200' 'restartIfChanged: false' &&
		vm manual 'mem: 200' 'autostart: false' && vm new
}
output=one
check "a host builds" build one before
output=two
check "the host builds after its description changed" build two after
dry_run() { # OUTPUT
	"$mvmbuild" --no-cache host --dry-run "$test_dir/host.yaml" -o "$test_dir/$1" 2>/dev/null |
		xargs
}
check "host --dry-run finds nothing to build after a build" \
	test "$(dry_run two | grep -c 'is new\|has changed')" = 0
check "host --dry-run prints what a build would change" test "$(dry_run one)" = \
	"changed has changed manual has changed new is new quiet has changed same has not changed gone is no longer declared"
chmod u+w "$test_dir/two/share/systemd/microvm@.service"
echo '# another one' >>"$test_dir/two/share/systemd/microvm@.service"
install_host() { "$test_dir/$1/bin/install-host" >"$log" 2>&1; }
for wrong in "" "$test_dir/nowhere"; do
	timeout 20 "$test_dir/one/bin/install-host" --root ${wrong:+"$wrong"} >"$log" 2>&1
	check "--root ${wrong:-without a directory} ends install-host with status 2" test $? = 2
	expect "install-host --root ${wrong:-without a directory} says what is wrong" "$log" \
		"^install-host: --root(: $wrong does not exist| needs the directory of the other)"
done
"$test_dir/one/bin/install-host" --rot >"$log" 2>&1
check "install-host refuses an unknown option" test $? = 2
expect "it names the unknown option" "$log" "^install-host: unknown argument '--rot'$"
"$test_dir/one/bin/install-host" --help >"$log" 2>&1
check "install-host --help succeeds" test $? = 0
expect "it explains --dry-run" "$log" "--dry-run .*change nothing"
find "$world" >"$test_dir/before"
"$test_dir/one/bin/install-host" --dry-run >"$log" 2>&1
check "a dry run on an empty host succeeds" test $? = 0
expect "it reports that the units would be installed" "$log" "the units would be installed"
expect "it reports that a VM would be started" "$log" "same would be installed and started"
expect "it reports that a VM would not be started" "$log" "manual would be installed$"
check "a dry run creates nothing" cmp -s "$test_dir/before" <(find "$world")
check "install-host installs the first host" install_host one
check "install-host starts the first host's VMs" \
	test "$(find "$world/active" -type f -printf "%f\n" | sort |
		xargs)" = "changed gone quiet same"
check "install-host leaves no work for another run" test ! -e "$state/.pending"

# The mount points stay; the mounted contents change.
cp -a "$world" "$test_dir/first"
reset() {
	find "$world" -mindepth 2 -delete
	cp -a "$test_dir/first/." "$world/"
	: >"$calls"
}
everything() {
	(cd "$world" && find . -path ./calls -prune -o -printf '%p %y %m %U %l\n' | LC_ALL=C sort)
}
reset
everything >"$test_dir/before"
"$test_dir/two/bin/install-host" --dry-run >"$log" 2>&1
check "a dry run over another host succeeds" test $? = 0
expect "it reports the VM that would be restarted" "$log" "changed would be updated and restarted"
expect "it reports the VM that would be updated only" "$log" "quiet would be updated$"
expect "it reports the VM that would stay as it is" "$log" "same would not change"
expect "it reports the VM that is no longer declared" "$log" "gone is no longer declared"
check "a dry run changes nothing" cmp "$test_dir/before" <(everything)
check "install-host installs the second host over the first one" install_host two
everything >"$test_dir/wanted"
check "install-host restarts the VM that changed" \
	test "$(grep restart "$calls")" = "restart microvm@changed.service"
check "install-host starts the VM that is new" \
	test "$(grep '^start' "$calls")" = "start --no-block microvm@new.service"
check "install-host leaves a changed VM running that is not to be restarted" \
	test "$(readlink "$state/quiet/booted")" != "$(readlink "$state/quiet/current")"
chgrp 1 "$state/same"
check "install-host succeeds when a VM's directory has another group" install_host two
expect "install-host reports that the directory's group changes" \
	"$log" "$state/same belonged to the group .*; it belongs to the group $group now"
check "the VM's directory has the host's group then" test "$(stat -c %G "$state/same")" = "$group"
: >"$calls"
check "install-host succeeds a second time" install_host two
check "it names the VM that is not declared any more and nothing else" \
	test "$(cat "$log")" = "install-host: gone is no longer declared; \"microvm --remove gone\" removes it"
check "it calls systemctl for nothing but questions" test -z "$(grep -v is-active "$calls")"

# A runner in which a VM was started stays.
mkdir "$state/same/runners/stray"
cp -a "$state/same/current/." "$state/same/runners/stray"
echo precious >"$state/same/runners/stray/data.img"
check "install-host succeeds beside an old runner with a volume in it" install_host two
expect "it reports that the old runner stays" "$log" \
	"^install-host: the old runner $state/same/runners/stray stays: it has the file data.img, which was not built"
check "the volume in the old runner is kept" \
	test "$(cat "$state/same/runners/stray/data.img")" = precious
rm "$state/same/runners/stray/data.img"
check "install-host succeeds when that volume is gone" install_host two
check "it removes the old runner then" test ! -e "$state/same/runners/stray"

# ---- files of all VMs ----
large=(share/microvm/kernel share/microvm/initrd libexec/mvm-host share/microvm/stage1.squashfs)
inodes() { stat -c %i "$state"/{same,changed,new}/current/"$1" | sort -u | wc -l; } # FILE
reset
check "install-host adds a VM to a host that has the same kernel" install_host two
for file in "${large[@]}"; do
	check "the VMs of a host share one $file" test "$(inodes "$file")" = 1
	check "the VMs' common $file has the mode of the one that was built" \
		test "$(stat -c %a "$state/new/current/$file")" = \
		"$(stat -c %a "$test_dir/two/runners/new/$file")"
done
check "files that only some of the VMs have are not shared" \
	test "$(inodes share/microvm/vm.json)" -gt 1
# A root file system has secrets; set-booted lets the VMs' group read its disk.
mkdir -p "$test_dir/tree/sbin" && printf '#!/bin/sh\n' >"$test_dir/tree/sbin/init"
chmod 755 "$test_dir/tree" "$test_dir/tree/sbin" "$test_dir/tree/sbin/init"
rooted() {
	after
	printf '  %s:\n    autostart: false\n    config: {rootfs: %s, kernel: %s}\n' \
		rooted "$test_dir/tree" "$test_dir/kernel"
}
mode() { stat -c %a "$1/share/microvm/stage1.squashfs"; }
output=three
check "a host with a root file system builds" build three rooted
check "only the builder can read the disk of a root file system" \
	test "$(mode "$test_dir/three/runners/rooted")" = 400
reset
check "install-host installs it" install_host three
check "only root can read the disk that is installed" test "$(mode "$state/rooted/current")" = 400
# An installed file may have been damaged since, with unchanged times and size.
for file in "${large[@]}"; do
	reset
	pooled=$(find "$state/.store-disks" -samefile "$state/same/current/$file")
	time=$(stat -c @%Y "$pooled")
	printf 'rot' | dd of="$pooled" bs=1 seek=5000 conv=notrunc status=none &&
		touch -d "$time" "$pooled"
	check "install-host succeeds over a damaged $file" install_host two
	expect "it reports that the damaged $file is copied again" "$log" \
		"^install-host: the file $pooled differs from the one that was built; copying it again"
	check "the new VM has the $file that was built" \
		cmp "$test_dir/two/runners/new/$file" "$state/new/current/$file"
done

# ---- killed ----
# This kills the script and its children before the Nth command that can change something.
cat >"$test_dir/killer" <<'E2'
step=0
before_command() {
	case $BASH_COMMAND in
	cp\ * | mv\ * | ln\ * | rm\ * | mkdir\ * | rmdir\ * | chmod\ * | chown\ * | sync\ * | find\ * | \(cd\ * | systemctl\ * | systemd-* | *'>'*) step=$((step + 1)) ;;
	esac
	if [ "$step" = "$KILL_AT" ]; then kill -KILL 0; fi
}
set -T
trap before_command DEBUG
E2
killed() { # N: false if there are fewer such commands
	# The waiting shell prints that its child was killed.
	KILL_AT=$1 bash -c 'BASH_ENV=$1 setsid -w "$2"; exit $?' - "$test_dir/killer" \
		"$test_dir/two/bin/install-host" >"$log" 2>&1
	[ $? = 137 ]
}
restarts() { grep -c "^restart microvm@$1" "$calls"; }
# MVM_TEST_STRIDE=1 tries all instants.
stride=${MVM_TEST_STRIDE:-4}
n=$((1 - stride)) tried=0 different='' again='' needless='' unstarted='' unloaded=''
reset
while killed $((n += stride)); do
	tried=$((tried + 1))
	bad=
	[ -x "$state/same/current/bin/microvm-run" ] &&
		[ -x "$state/changed/current/bin/microvm-run" ] || bad=yes
	install_host two || bad=yes
	everything | cmp -s - "$test_dir/wanted" || bad=yes
	[ -z "$bad" ] || different+=" $n"
	[ "$(restarts changed)" = 1 ] || again+=" $n"
	[ "$(restarts '[^c]')" = 0 ] || needless+=" $n"
	[ -e "$world/active/new" ] || unstarted+=" $n"
	(cd "$world/local/lib/systemd/system" && find . -type f | sort | xargs md5sum) |
		cmp -s - "$world/loaded" || unloaded+=" $n"
	reset
done
echo "# killed at $tried of $n commands"
check "install-host was killed more than 30 times" test "$tried" -gt 30
check "a second run had the same result, and every VM could start in between${different:+, but not after$different}" test -z "$different"
check "the VM that changed was restarted once${again:+, but not after$again}" test -z "$again"
check "no other VM was restarted${needless:+, but after$needless}" test -z "$needless"
check "the new VM was started${unstarted:+, but not after$unstarted}" test -z "$unstarted"
check "systemd had loaded the units again${unloaded:+, but not after$unloaded}" test -z "$unloaded"
finish
