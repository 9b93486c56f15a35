#!/bin/bash
# SPDX-License-Identifier: MIT
# Acts as the VMs' user, who may be an attacker that escaped from a guest and creates files in a
# VM's directory, where root reads, writes and runs programs. set-booted (for root's units), microvm
# and install-host must not be misled by them. systemd_test.sh repeats this with real units.
# shellcheck disable=SC2317 # functions that check calls
set -u
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/golden/lib/fixture.sh
. "$top/tests/golden/lib/fixture.sh"
need_root
need_programs setpriv jq
microvm=$(dirname "$(realpath "${MVMBUILD:-$top/build/mvmbuild}")")/microvm
fixture_make "$test_dir"
chmod 755 "$test_dir"
unset XDG_CACHE_HOME SOURCE_DATE_EPOCH NIX_BUILD_CORES NIX_BUILD_TOP NIX_ATTRS_JSON_FILE
export NIX_STATE_DIR=$test_dir/nix NO_COLOR=1
user=65534 group=65534
state=$test_dir/vms log=$test_dir/log evil=$test_dir/evil
mkdir -p "$evil/bin" "$test_dir/nix/gcroots" "$test_dir/good/bin" "$test_dir/bin"
# These programs record the user that ran them.
for script in microvm-run tap-up tap-down; do
	printf '#!/bin/sh\nid -u >>%s/evil-ran\n' "$test_dir" >"$evil/bin/$script"
	printf '#!/bin/sh\necho good\n' >"$test_dir/good/bin/$script"
done
chmod +x "$evil"/bin/* "$test_dir"/good/bin/*
chown -R $user:$group "$evil"

as_user() { setpriv --reuid $user --regid $group --clear-groups "$@"; }
fails() { ! "$@"; }
boots() {
	mkdir -p "$test_dir/run"
	RUNTIME_DIRECTORY=$test_dir/run sh "$top/templates/host/set-booted.sh" "$state/vm" $user \
		$group >"$log" 2>&1
}
m() { XDG_CACHE_HOME=$test_dir/cache "$microvm" -q --state-dir "$state" "$@" >"$log" 2>&1; }
mode() { stat -c %u:%g:%a "$1"; }
booted() { readlink "$test_dir/run/booted"; }
# A VM's directory, as microvm.nix's command or module or mvmbuild makes it.
fresh() { # KIND
	rm -rf "$state" "$test_dir/run" "$test_dir/evil-ran"
	mkdir -p "$state/vm"
	ln -s "$test_dir/good" "$state/vm/current"
	case $1 in
	command) chown $user:$group "$state" && chmod 775 "$state" && chgrp $group "$state/vm" &&
		chmod 775 "$state/vm" ;;
	module) chown $user:$group "$state" && chmod 775 "$state" &&
		chown -h $user:$group "$state/vm" "$state/vm/current" ;;
	ours) chown 0:$group "$state" "$state/vm" && chmod 755 "$state" && chmod 1775 "$state/vm" ;;
	esac
}

# ---- the user's rights ----
fresh ours
check "a VM boots" boots
check "set-booted takes the runner that current leads to" \
	test "$(booted) $(readlink "$state/vm/booted")" = "$test_dir/good $test_dir/good"
check "set-booted prints nothing when nothing is wrong" test ! -s "$log"
check "the VMs' user can make volumes and sockets" as_user touch "$state/vm/data.img"
check "the VMs' user can remove them" as_user rm "$state/vm/data.img"
disk=$test_dir/good/share/microvm/stage1.squashfs
mkdir -p "${disk%/*}"
echo secret >"$disk"
chmod 400 "$disk"
check "the VMs' user cannot read a disk that only root can read" fails as_user cat "$disk"
check "set-booted succeeds with such a disk" boots
check "the VMs' user can read that disk then" as_user cat "$disk"
check "other users still cannot" fails setpriv --reuid 1 --regid 1 --clear-groups cat "$disk"
rm -r "$test_dir/good/share"
for attempt in "rm -f $state/vm/current" "mv $state/vm/current $state/vm/x" \
	"ln -sfn $evil $state/vm/current" "mv -T $state/vm/booted $state/vm/x" \
	"ln -sfnT $evil $state/vm/booted" "mv $state/vm $state/x" "mkdir $state/other" \
		"chmod 777 $state/vm" "ln -sfnT $evil $test_dir/run/booted" \
	"touch $test_dir/run/x" "chown -h 0 $evil"; do
	# shellcheck disable=SC2086 # words
	check "the VMs' user cannot do this: ${attempt//$test_dir\//}" fails as_user $attempt
done

# ---- names that the user may make ----
rm "$state/vm/booted"
as_user cp -r "$evil" "$state/vm/booted"
check "set-booted succeeds with a directory of the user's in the place of booted" boots
check "set-booted replaces that directory by its link" \
	test "$(readlink "$state/vm/booted")" = "$test_dir/good" \
		-a "$(stat -c %u "$state/vm/booted")" = 0
rm "$state/vm/booted"
as_user ln -s "$evil" "$state/vm/booted"
check "set-booted succeeds with a link of the user's in the place of booted" boots
check "set-booted replaces that link and makes nothing where it led" \
	test "$(readlink "$state/vm/booted")" = "$test_dir/good" -a ! -e "$evil/good"
rm "$state/vm/current"
check "set-booted fails when there is no runner" fails boots
as_user ln -s "$evil" "$state/vm/current"
check "set-booted fails when current is the user's" fails boots
expect "set-booted says whose current is and what to do" "$log" \
	"current belongs to .*, who could point it anywhere; if $evil is right, run as root: ln -sfn $evil $state/vm/current"
rm "$state/vm/current"
as_user cp -r "$evil" "$state/vm/current"
check "set-booted fails when current is a directory of the user's" fails boots
rm -r "$state/vm/current"
as_user ln -s "$test_dir" "$state/vm/runners"
ln -s runners/good "$state/vm/current"
check "set-booted fails when the runner is reached by a second link" fails boots
expect "set-booted says that it is a second link" "$log" 'which is itself a symbolic link'
ln -sfn "$state/vm/runners/good" "$state/vm/current"
check "set-booted fails for that runner when its whole path is written" fails boots
ln -sfn "$evil" "$state/vm/current"
check "set-booted fails for a runner in a directory of the user's" fails boots
expect "set-booted names the directory that the user can change" \
	"$log" "/current leads through .*evil, which $user"
mkdir "$test_dir/shared"
cp -r "$test_dir/good" "$test_dir/shared"
chgrp $group "$test_dir/shared" && chmod 775 "$test_dir/shared"
ln -sfn "$test_dir/shared/good" "$state/vm/current"
check "set-booted fails for a runner below a directory of the user's group" fails boots
check "no runner of the user's was booted" test "$(booted)" = "$test_dir/good"

# ---- as microvm.nix leaves it ----
fresh command
check "set-booted succeeds in a directory made by microvm.nix's command" boots
expect "set-booted gives a VM's directory to root and reports it" \
	"$log" "$state/vm belonged to root:.*, mode 775; it belongs to root now, mode 1775"
expect "set-booted gives the directory of all VMs to root and reports it" \
	"$log" "$state belonged to .*, mode 775; it belongs to root now, mode 0755"
check "both directories have root's owner and mode then" \
	test "$(mode "$state") $(mode "$state/vm")" = "0:$group:755 0:$group:1775"
boots
check "set-booted reports nothing the second time" test ! -s "$log"
fresh module
check "set-booted fails when current belongs to the user, as microvm.nix's module makes it" \
	fails boots
ln -sfn "$test_dir/good" "$state/vm/current"
check "set-booted succeeds when root has made that link again" boots
fresh command
as_user mv "$state/vm" "$state/away"
as_user ln -s /etc "$state/vm"
before=$(mode /etc)
check "set-booted fails when a link is in the place of the VM's directory" fails boots
check "set-booted changes nothing where that link leads" test "$(mode /etc)" = "$before"

# ---- another group ----
# In older versions this group was kvm, which may have other members.
fresh ours
chgrp 1 "$state" "$state/vm"
check "set-booted succeeds with directories of another group" boots
check "set-booted gives the directories to the units' group" \
	test "$(mode "$state") $(mode "$state/vm")" = "0:$group:755 0:$group:1775"
expect "set-booted reports the change of the group" \
	"$log" "$state/vm belonged to the group .*; it belongs to the group $group now"
boots
check "set-booted reports the change of the group once" test ! -s "$log"

# ---- the command ----
describe() { # FILE [LINE]...
	printf '%s\n' "hostName: vm" "storeDir: $test_dir/store" \
		"toplevel: $test_dir/store/$fixture_hash-system" "closure: $test_dir/registration" \
		"kernel: $test_dir/kernel" "${@:2}" >"$1"
}
describe "$test_dir/vm.yaml"
describe "$evil/vm.yaml" "mem: 666"
create() {
	rm -rf "$state" "$test_dir/evil-ran"
	mkdir "$state"
	chgrp "$group" "$state"
	m -c vm -f "$test_dir/vm.yaml"
}
memory() { jq -r .mem "$state/vm/current/share/microvm/vm.json"; }
is_listed() {
	[ "$("$microvm" --state-dir "$state" -l --json |
		jq -r ".vms[] | select(.name == \"vm\") | $1")" = "$2" ]
}
check "microvm creates a VM" create
check "the VM's directory is root's and sticky" test "$(mode "$state/vm")" = "0:$group:1775"
check "set-booted succeeds with a VM that microvm created" boots
as_user sh \
	-c "echo $evil/vm.yaml >'$state/vm/flake'; ln -s /nix/store/evil '$state/vm/toplevel'; ln -s '$evil' '$state/vm/old'"
check "microvm -l does not read the names that the user made" \
	is_listed '"\(.state) \(.sourceKind) \(.old)"' "current description null"
check "a rollback fails beside the names that the user made" fails m --rollback vm
check "the failed rollback removes these names" \
	test ! -L "$state/vm/old" -a ! -L "$state/vm/toplevel" -a ! -e "$state/vm/flake"
describe "$test_dir/vm.yaml" "mem: 300"
as_user ln -s "$evil/vm.yaml" "$state/vm/source.new"
as_user mkdir "$state/vm/old" "$state/vm/.current.new"
check "an update succeeds with names of the user's in its way" m -u vm
check "the update is built from the VM's own description" test "$(memory)" = 300
chgrp 1 "$state/vm"
"$microvm" --no-cache --state-dir "$state" -u vm >"$log" 2>&1
check "an update gives the VM's directory the group of the state directory" \
	test "$(mode "$state/vm")" = "0:$group:1775"
expect "the update reports the change of the group" \
	"$log" "$state/vm belonged to the group .* and now belongs to the group .*"
# A VM of a flake has no runners of its own.
rm -rf "$state/vm"
mkdir "$state/vm" && chgrp $group "$state/vm" && chmod 1775 "$state/vm"
ln -s "$test_dir/good" "$state/vm/current"
echo "$test_dir/vm.yaml" >"$state/vm/source"
as_user mkdir "$state/vm/runners"
check "an update fails when the directory of the runners is the user's" fails m -u vm
expect "the update names the directory that others than root can change" \
	"$log" "$state/vm/runners can be changed by users other than root"
rmdir "$state/vm/runners"
rm "$state/vm/current"
as_user ln -s "$evil" "$state/vm/current"
check "microvm -l does not take a runner of the user's for a VM" fails is_listed .state broken
check "microvm -r does not run a runner of the user's" fails m -r vm
check "no program of the user's has run" test ! -e "$test_dir/evil-ran"

# The build of a flake leaves an attacker time, who must not be able to choose what root removes.
mkdir -p "$test_dir/flaked/bin" "$test_dir/treasure/kept"
cp "$test_dir/good/bin/microvm-run" "$test_dir/flaked/bin"
cat >"$test_dir/bin/nix" <<E2
#!/bin/sh
case "\$*" in *" build "*) setpriv --reuid $user --regid $group --clear-groups ln -s $test_dir/treasure $state/vm/runners; ln -s $test_dir/flaked "\$5" ;; esac
E2
chmod +x "$test_dir/bin/nix"
fresh ours
echo path:/flake >"$state/vm/flake"
PATH=$test_dir/bin:$PATH m -u vm
check "a flake's VM is updated beside names of the user's" \
	test "$(readlink "$state/vm/current")" = "$test_dir/flaked"
check "an update leaves a link of the user's in the place of the runners alone" \
	test -L "$state/vm/runners" -a -d "$test_dir/treasure/kept"

# ---- shares that root serves ----
# It takes the arguments of the Rust virtiofsd, and records the directory that it should serve.
cat >"$test_dir/bin/virtiofsd" <<E2
#!/bin/sh
case \$1 in --help) echo --shared-dir --posix-acl --cache --thread-pool-size --inode-file-handles ;; *) echo "\$*" >>$test_dir/served && echo 'Waiting for vhost-user socket connection' && exec sleep 3000 ;; esac
E2
chmod +x "$test_dir/bin/virtiofsd"
describe "$test_dir/vm.yaml" "hostUser: nobody" \
	'shares: [{proto: virtiofs, tag: a, source: a/b, mountPoint: /a}, {proto: virtiofs, tag: c, source: /srv, mountPoint: /c}]'
create
# Waits until both are served, or it ends.
serve() {
	local server
	rm -f "$test_dir/served"
	(cd "$state/vm" && PATH=$test_dir/bin:$PATH exec ./current/bin/virtiofsd-run) >"$log" 2>&1 &
	server=$!
	wait_while_alive $server both_are_served
	kill $server 2>/dev/null
	wait $server
	both_are_served
}
both_are_served() { [ "$(grep -c . "$test_dir/served" 2>/dev/null)" = 2 ]; }
served() { grep -qsF -- "--shared-dir=$1 " "$test_dir/served"; }
as_user mkdir -p "$state/vm/a/b"
serve
check "virtiofsd-run serves a share in the VM's directory" served "$state/vm/a/b"
check "virtiofsd-run serves a share elsewhere too" served /srv
check "the directories that lead to a share become root's" \
	test "$(stat -c %u:%a "$state/vm/a")" = 0:1755
check "the VMs' user cannot replace these directories" fails as_user mv "$state/vm/a" "$state/vm/x"
rm -r "$state/vm/a"
mkdir -p "$test_dir/secret/b"
as_user ln -s "$test_dir/secret" "$state/vm/a"
serve
check "virtiofsd-run serves nothing where the user has a link" test ! -e "$test_dir/served"
expect "virtiofsd-run says that the user could put a link there" \
	"$log" 'the share a: nobody could replace a/b, or a directory above it, by a link to any file'
check "the directory with the user's link stays the user's" \
	test "$(stat -c %u "$state/vm/a")" = $user
rm "$state/vm/a"
as_user mkdir "$state/vm/a"
as_user ln -s "$test_dir/secret" "$state/vm/a/b"
check "virtiofsd-run fails for a link of the user's further below" fails serve
check "virtiofsd-run serves nothing by that link" test ! -e "$test_dir/served"
rm -r "$state/vm/a"
ln -s "$test_dir/secret" "$state/vm/a"
serve
check "virtiofsd-run follows a link of root's" served "$test_dir/secret/b"
chown $user "$test_dir/secret"
rm -f "$test_dir/served"
check "virtiofsd-run fails for a link of root's to where the user makes files" fails serve
check "virtiofsd-run serves nothing by that link of root's" test ! -e "$test_dir/served"

# ---- other users in the VMs' group ----
# The VMs' user's group has other members, who may put files into a VM's directory first; those do
# not belong to the VMs' user.
describe "$test_dir/vm.yaml" "hostUser: nobody" \
	'volumes: [{image: data.img, size: 16, mountPoint: /data}, {image: disks/log.img, size: 16, mountPoint: /log}]'
create
as_other() { setpriv --reuid 1 --regid $group --clear-groups "$@"; }
# Its kernel is not a kernel: the messages come before it is read.
start_as() {
	(cd "$state/vm" && "$1" env MICROVM_ACCEL=tcg timeout "$patience" \
		./current/bin/microvm-run) >"$log" 2>&1 </dev/null
}
as_root() { "$@"; }
as_user mkdir "$state/vm/disks"
mkdir -p "$test_dir/kept"
for plant in "cp /etc/hostname data.img" "ln -s $test_dir/kept/other data.img" "mkdir data.img" \
	"cp /etc/hostname disks/log.img"; do
	[ "${plant%disks*}" = "$plant" ] || chmod 777 "$state/vm/disks"
	# shellcheck disable=SC2086 # words
	(cd "$state/vm" && as_other $plant)
	for who in as_user as_root; do
		check "microvm-run as $who refuses another user's volume: ${plant//$test_dir\//}" \
			fails start_as $who
		expect "microvm-run as $who names another user's volume: ${plant//$test_dir\//}" \
			"$log" "the volume ${plant##* } belongs to another user \(daemon\)"
	done
	(cd "$state/vm" && as_user ./current/bin/microvm-check) >"$log" 2>&1
	check "microvm-check refuses another user's volume: ${plant//$test_dir\//}" test $? = 1
	expect "microvm-check names another user's volume: ${plant//$test_dir\//}" "$log" \
		"the volume ${plant##* } belongs to another user \(daemon\)"
	rm -r "$state/vm/${plant##* }"
done
rm -r "$state/vm/disks"
as_other mkdir "$state/vm/disks"
as_other cp /etc/hostname "$state/vm/disks/log.img"
check "microvm-run refuses a volume in another user's directory" fails start_as as_user
expect "microvm-run names another user's directory" \
	"$log" 'the directory disks belongs to another user \(daemon\)'
rm -r "$state/vm/disks"
as_user mkdir "$state/vm/disks"
chmod 777 "$state/vm/disks"
check "microvm-run creates no volume in a directory that everybody can change" \
	fails start_as as_user
expect "microvm-run names the directory that everybody can change" "$log" \
	'everybody can write to disks, so the volume disks/log.img is not created there'
chgrp 1 "$state/vm/disks"
chmod 775 "$state/vm/disks"
check "microvm-run creates no volume in a directory that another group can change" \
	fails start_as as_user
expect "microvm-run names the group that can change the directory" "$log" \
	'the group 1 can write to disks, so the volume disks/log.img is not created there'
check "no volume was created in these directories" test "$(find "$state/vm" -name '*.img*')" = ''
chmod 755 "$state/vm/disks"
start_as as_user
check "microvm-run creates volumes in the user's own directory" \
	test "$(stat -c %u:%a "$state/vm/data.img" "$state/vm/disks/log.img" |
		xargs)" = "$user:600 $user:600"
start_as as_root
expect_no "root may start a VM with these volumes" "$log" 'belongs to another user'

fresh module
chmod 600 "$test_dir/vm.yaml"
echo "$test_dir/vm.yaml" >"$state/vm/source"
chown $user "$state/vm/source"
exec 8>>"$state/vm/source"
check "microvm -l lists a VM that microvm.nix's module made" is_listed .sourceKind description
"$microvm" --no-cache --state-dir "$state" -u vm >"$log" 2>&1
check "an update succeeds for a VM that microvm.nix's module made" test $? = 0
expect "the update reports the owner that the VM's directory had" "$log" \
	"$state/vm belonged to .* with mode 755, so that .*; it now belongs to root with mode 1775"
expect "the update names the file to look at" "$log" \
	"vm/source belonged to .*, who could have changed it; check its contents: $test_dir/vm.yaml"
check "the update gives all of the VM's files to root" \
	test "$(mode "$state") $(mode "$state/vm") $(stat -c %u "$state/vm/source" \
		"$state/vm/current" | xargs)" = "0:$group:755 0:$group:1775 0 0"
echo evil >&8
check "the user cannot write by a descriptor from before" \
	test "$(cat "$state/vm/source")" = "$test_dir/vm.yaml"
check "set-booted succeeds with that VM" boots
fresh module
as_user ln -s "$test_dir/vm.yaml" "$state/vm/source"
as_user mkfifo "$state/vm/flake"
timeout "$patience" "$microvm" -q --state-dir "$state" --rollback vm >"$log" 2>&1
check "a pipe of the user's does not stop a rollback" test $? = 1
finish
