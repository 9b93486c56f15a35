#!/bin/bash
# SPDX-License-Identifier: MIT
# The VMs' user, who may be somebody that escaped from a guest, makes files in a VM's directory, where root reads, writes and runs. Here he tries every
# name: set-booted (for root's units), the command microvm and install-host do nothing for him. systemd_test.sh has the same with real units.
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
# What runs as somebody else says so.
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
	RUNTIME_DIRECTORY=$test_dir/run sh "$top/templates/host/set-booted.sh" "$state/vm" $user $group >"$log" 2>&1
}
m() { "$microvm" -q --no-cache --state-dir "$state" "$@" >"$log" 2>&1; }
mode() { stat -c %u:%g:%a "$1"; }
booted() { readlink "$test_dir/run/booted"; }
# A VM's directory: as microvm.nix makes it by its command, by its module, or as we do.
fresh() { # KIND
	rm -rf "$state" "$test_dir/run" "$test_dir/evil-ran"
	mkdir -p "$state/vm"
	ln -s "$test_dir/good" "$state/vm/current"
	case $1 in
	command) chown $user:$group "$state" && chmod 775 "$state" && chgrp $group "$state/vm" && chmod 775 "$state/vm" ;;
	module) chown $user:$group "$state" && chmod 775 "$state" && chown -h $user:$group "$state/vm" "$state/vm/current" ;;
	ours) chown 0:$group "$state" "$state/vm" && chmod 755 "$state" && chmod 1775 "$state/vm" ;;
	esac
}

# ---- what he may and may not ----
fresh ours
check "a VM boots" boots
check "from its runner" test "$(booted) $(readlink "$state/vm/booted")" = "$test_dir/good $test_dir/good"
check "nothing is said" test ! -s "$log"
check "he makes volumes and sockets" as_user touch "$state/vm/data.img"
check "and removes them" as_user rm "$state/vm/data.img"
for attempt in "rm -f $state/vm/current" "mv $state/vm/current $state/vm/x" "ln -sfn $evil $state/vm/current" "mv -T $state/vm/booted $state/vm/x" \
	"ln -sfnT $evil $state/vm/booted" "mv $state/vm $state/x" "mkdir $state/other" "chmod 777 $state/vm" "ln -sfnT $evil $test_dir/run/booted" \
	"touch $test_dir/run/x" "chown -h 0 $evil"; do
	# shellcheck disable=SC2086 # words
	check "he cannot: ${attempt//$test_dir\//}" fails as_user $attempt
done

# ---- what he may make ----
rm "$state/vm/booted"
as_user cp -r "$evil" "$state/vm/booted"
check "a directory in the place of booted" boots
check "goes" test "$(readlink "$state/vm/booted")" = "$test_dir/good" -a "$(stat -c %u "$state/vm/booted")" = 0
rm "$state/vm/booted"
as_user ln -s "$evil" "$state/vm/booted"
check "so does a link" boots
check "and nothing of his is made" test "$(readlink "$state/vm/booted")" = "$test_dir/good" -a ! -e "$evil/good"
rm "$state/vm/current"
check "without a runner nothing boots" fails boots
as_user ln -s "$evil" "$state/vm/current"
check "with one of his neither" fails boots
expect "why is said, and what to do" "$log" "current belongs to .*, who could have led it anywhere. If it should lead to $evil: ln -sfn $evil $state/vm/current"
rm "$state/vm/current"
as_user cp -r "$evil" "$state/vm/current"
check "nor with a directory" fails boots
rm -r "$state/vm/current"
as_user ln -s "$test_dir" "$state/vm/runners"
ln -s runners/good "$state/vm/current"
check "nor by a link of his inside" fails boots
expect "which is said" "$log" 'which is a link itself'
ln -sfn "$state/vm/runners/good" "$state/vm/current"
check "nor when the whole path is written" fails boots
ln -sfn "$evil" "$state/vm/current"
check "nor in a directory of his" fails boots
expect "which is named" "$log" "evil, where .*/current leads to, can be changed by $user"
mkdir "$test_dir/shared"
cp -r "$test_dir/good" "$test_dir/shared"
chgrp $group "$test_dir/shared" && chmod 775 "$test_dir/shared"
ln -sfn "$test_dir/shared/good" "$state/vm/current"
check "nor below one of his group" fails boots
check "nothing of his was booted" test "$(booted)" = "$test_dir/good"

# ---- as microvm.nix leaves it ----
fresh command
check "a directory made by microvm.nix's command" boots
expect "is mended, which is said" "$log" "$state/vm was of root:.*, mode 775: it is root's now, mode 1775"
expect "that of all VMs too" "$log" "$state was of .*, mode 775: it is root's now, mode 0755"
check "once" test "$(mode "$state") $(mode "$state/vm")" = "0:$group:755 0:$group:1775"
boots
check "not twice" test ! -s "$log"
fresh module
check "the link that belongs to him, as the module makes it, does not boot" fails boots
ln -sfn "$test_dir/good" "$state/vm/current"
check "made anew it does" boots
fresh command
as_user mv "$state/vm" "$state/away"
as_user ln -s /etc "$state/vm"
before=$(mode /etc)
check "a link in the place of the VM's directory does not" fails boots
check "and nothing is done to where it leads" test "$(mode /etc)" = "$before"

# ---- another group ----
# Of old it was kvm, in which others may be.
fresh ours
chgrp 1 "$state" "$state/vm"
check "directories of another group boot" boots
check "and are of the units' group from then on" test "$(mode "$state") $(mode "$state/vm")" = "0:$group:755 0:$group:1775"
expect "which is said" "$log" "$state/vm was of the group .*: it is of the group $group now"
boots
check "once" test ! -s "$log"

# ---- the command ----
describe() { # FILE [LINE]...
	printf '%s\n' "hostName: vm" "storeDir: $test_dir/store" "toplevel: $test_dir/store/$fixture_hash-system" "closure: $test_dir/registration" \
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
is_listed() { [ "$("$microvm" --state-dir "$state" -l --json | jq -r ".vms[] | select(.name == \"vm\") | $1")" = "$2" ]; }
check "a VM is created" create
check "its directory is root's, and sticky" test "$(mode "$state/vm")" = "0:$group:1775"
check "it boots" boots
as_user sh -c "echo $evil/vm.yaml >'$state/vm/flake'; ln -s /nix/store/evil '$state/vm/toplevel'; ln -s '$evil' '$state/vm/old'"
check "his names are not there for the list" is_listed '"\(.state) \(.sourceKind) \(.old)"' "current description null"
check "nor for a rollback" fails m --rollback vm
check "which removes them" test ! -L "$state/vm/old" -a ! -L "$state/vm/toplevel" -a ! -e "$state/vm/flake"
describe "$test_dir/vm.yaml" "mem: 300"
as_user ln -s "$evil/vm.yaml" "$state/vm/source.new"
as_user mkdir "$state/vm/old" "$state/vm/.current.new"
check "an update with his names in its way" m -u vm
check "is from its own description" test "$(memory)" = 300
chgrp 1 "$state/vm"
"$microvm" --no-cache --state-dir "$state" -u vm >"$log" 2>&1
check "a VM's directory gets the group of the state directory" test "$(mode "$state/vm")" = "0:$group:1775"
expect "which is said" "$log" "$state/vm was of the group .*, it is of the group .* now"
# A VM of a flake has no runners of its own.
rm -rf "$state/vm"
mkdir "$state/vm" && chgrp $group "$state/vm" && chmod 1775 "$state/vm"
ln -s "$test_dir/good" "$state/vm/current"
echo "$test_dir/vm.yaml" >"$state/vm/source"
as_user mkdir "$state/vm/runners"
check "nothing is built into a directory of his" fails m -u vm
expect "which is named" "$log" "$state/vm/runners can be changed by others than root"
rmdir "$state/vm/runners"
rm "$state/vm/current"
as_user ln -s "$evil" "$state/vm/current"
check "a runner of his makes no VM" fails is_listed .state broken
check "and is not run" fails m -r vm
check "nothing of his ran" test ! -e "$test_dir/evil-ran"

# While a flake is built he has time. He cannot name what root removes.
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
check "a flake's VM is updated" test "$(readlink "$state/vm/current")" = "$test_dir/flaked"
check "a link of his in the place of its runners is left alone" test -L "$state/vm/runners" -a -d "$test_dir/treasure/kept"

# ---- shares, which root serves ----
# It has the arguments of the Rust virtiofsd, and remembers what it is to serve.
cat >"$test_dir/bin/virtiofsd" <<E2
#!/bin/sh
case \$1 in --help) echo --shared-dir --posix-acl --cache --thread-pool-size --inode-file-handles ;; *) echo "\$*" >>$test_dir/served && echo 'Waiting for vhost-user socket connection' && exec sleep 3000 ;; esac
E2
chmod +x "$test_dir/bin/virtiofsd"
describe "$test_dir/vm.yaml" "hostUser: nobody" \
	'shares: [{proto: virtiofs, tag: a, source: a/b, mountPoint: /a}, {proto: virtiofs, tag: c, source: /srv, mountPoint: /c}]'
create
# Until both are served, or it ends.
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
check "a share in the VM's directory is served" served "$state/vm/a/b"
check "one elsewhere too" served /srv
check "what leads to it is root's now" test "$(stat -c %u:%a "$state/vm/a")" = 0:1755
check "and he cannot replace it" fails as_user mv "$state/vm/a" "$state/vm/x"
rm -r "$state/vm/a"
mkdir -p "$test_dir/secret/b"
as_user ln -s "$test_dir/secret" "$state/vm/a"
serve
check "not where he has a link" test ! -e "$test_dir/served"
expect "which is said" "$log" 'the share a: nobody could put a link to any file in the place of a/b'
check "and it is still his" test "$(stat -c %u "$state/vm/a")" = $user
rm "$state/vm/a"
as_user mkdir "$state/vm/a"
as_user ln -s "$test_dir/secret" "$state/vm/a/b"
check "nor below" fails serve
check "nothing is served" test ! -e "$test_dir/served"
rm -r "$state/vm/a"
ln -s "$test_dir/secret" "$state/vm/a"
serve
check "a link of root's is as good as a directory" served "$test_dir/secret/b"
chown $user "$test_dir/secret"
rm -f "$test_dir/served"
check "unless it leads to where he makes files" fails serve
check "nothing is served" test ! -e "$test_dir/served"

# ---- others in the VMs' group ----
# The VMs' user has a group that others are in as well. What they put into his directory before he does is not his.
describe "$test_dir/vm.yaml" "hostUser: nobody" 'volumes: [{image: data.img, size: 16, mountPoint: /data}, {image: disks/log.img, size: 16, mountPoint: /log}]'
create
as_other() { setpriv --reuid 1 --regid $group --clear-groups "$@"; }
# Its kernel is none: what it says is said before.
start_as() { (cd "$state/vm" && "$1" env MICROVM_ACCEL=tcg timeout "$patience" ./current/bin/microvm-run) >"$log" 2>&1 </dev/null; }
as_root() { "$@"; }
as_user mkdir "$state/vm/disks"
mkdir -p "$test_dir/kept"
for plant in "cp /etc/hostname data.img" "ln -s $test_dir/kept/other data.img" "mkdir data.img" "cp /etc/hostname disks/log.img"; do
	[ "${plant%disks*}" = "$plant" ] || chmod 777 "$state/vm/disks"
	# shellcheck disable=SC2086 # words
	(cd "$state/vm" && as_other $plant)
	for who in as_user as_root; do
		check "not started as $who on another's: ${plant//$test_dir\//}" fails start_as $who
		expect "which is said" "$log" "the volume ${plant##* } belongs to another user \(1\)"
	done
	(cd "$state/vm" && as_user ./current/bin/microvm-check) >"$log" 2>&1
	check "microvm-check knows" test $? = 1
	expect "and says it" "$log" "the volume ${plant##* } belongs to another user \(1\)"
	rm -r "$state/vm/${plant##* }"
done
rm -r "$state/vm/disks"
as_other mkdir "$state/vm/disks"
as_other cp /etc/hostname "$state/vm/disks/log.img"
check "nor in a directory of another's" fails start_as as_user
expect "which is said" "$log" 'the directory disks belongs to another user \(1\)'
rm -r "$state/vm/disks"
as_user mkdir "$state/vm/disks"
chmod 777 "$state/vm/disks"
check "nor is one created where everybody can change it" fails start_as as_user
expect "which is said" "$log" 'everybody can change what is in disks, so the volume disks/log.img is not created there'
chgrp 1 "$state/vm/disks"
chmod 775 "$state/vm/disks"
check "nor where another group can" fails start_as as_user
expect "which is said" "$log" 'the group 1 can change what is in disks, so the volume disks/log.img is not created there'
check "nothing was created" test "$(find "$state/vm" -name '*.img*')" = ''
chmod 755 "$state/vm/disks"
start_as as_user
check "in his own they are" test "$(stat -c %u:%a "$state/vm/data.img" "$state/vm/disks/log.img" | xargs)" = "$user:600 $user:600"
start_as as_root
expect_no "which root may start as well" "$log" 'belongs to another user'

fresh module
chmod 600 "$test_dir/vm.yaml"
echo "$test_dir/vm.yaml" >"$state/vm/source"
chown $user "$state/vm/source"
exec 8>>"$state/vm/source"
check "the list knows a VM that microvm.nix's module made" is_listed .sourceKind description
"$microvm" --no-cache --state-dir "$state" -u vm >"$log" 2>&1
check "an update takes it into custody" test $? = 0
expect "says what it was" "$log" "$state/vm was of .*, mode 755: the VMs' user could change what root starts; it is root's now, mode 1775"
expect "and what to look at" "$log" "vm/source was of .*, who could have changed it: see that it is right: $test_dir/vm.yaml"
check "all of it" test "$(mode "$state") $(mode "$state/vm") $(stat -c %u "$state/vm/source" "$state/vm/current" | xargs)" = "0:$group:755 0:$group:1775 0 0"
echo evil >&8
check "nobody has it open" test "$(cat "$state/vm/source")" = "$test_dir/vm.yaml"
check "it boots" boots
fresh module
as_user ln -s "$test_dir/vm.yaml" "$state/vm/source"
as_user mkfifo "$state/vm/flake"
timeout "$patience" "$microvm" -q --no-cache --state-dir "$state" --rollback vm >"$log" 2>&1
check "a pipe stops nothing" test $? = 1
finish
