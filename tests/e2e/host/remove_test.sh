#!/bin/bash
# SPDX-License-Identifier: MIT
# Removes VMs: mounts in a VM's directory and foreign files stay, an interrupted removal is
# completed, and hostile names send no control characters to the terminal.
# shellcheck disable=SC2317 # functions that check calls
set -u
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/golden/lib/fixture.sh
. "$top/tests/golden/lib/fixture.sh"
microvm=$(dirname "$(realpath "${MVMBUILD:-$top/build/mvmbuild}")")/microvm
need_programs jq cc flock socat
if [ "${1:-}" != inside ] && [ "$(id -u)" = 0 ]; then
	rmdir "$test_dir" # the restarted test makes another one
	exec unshare -m --propagation private -- bash "$0" inside
fi
fixture_make "$test_dir"
unset XDG_CACHE_HOME SOURCE_DATE_EPOCH NIX_BUILD_CORES NIX_BUILD_TOP NIX_ATTRS_JSON_FILE
export NIX_STATE_DIR=$test_dir/nix NO_COLOR=1
state=$test_dir/vms roots=$test_dir/nix/gcroots/microvm log=$test_dir/log
mkdir -p "$test_dir/nix/gcroots"
cd "$test_dir" || exit

describe() { # [LINE]...
	printf '%s\n' "hostName: vm" "storeDir: $test_dir/store" \
		"toplevel: $test_dir/store/$fixture_hash-system" "closure: $test_dir/registration" \
		"kernel: $test_dir/kernel" \
			'volumes: [{image: data.img, size: 16, mountPoint: /data}, {image: disks/log.img, size: 16, mountPoint: /log}]' \
		"$@" >vm.yaml
}
m() { XDG_CACHE_HOME=$test_dir/cache "$microvm" --state-dir "$state" "$@" >"$log" 2>&1; }
fails() { ! "$@"; }
names() {
	find "$1" -mindepth 1 -maxdepth 1 -printf '%f\n' 2>/dev/null | LC_ALL=C sort | paste -sd ' '
}
holds() { [ "$(names "$state/vm")" = "$1" ]; }
# The VM has two runners, volumes, one of them of a former runner, and foreign files.
make_vm() {
	rm -rf "$state" "$roots"
	describe 'socket: vm.sock'
	sed -i 's/data.img/former.img/' vm.yaml
	m -c vm -f vm.yaml || return
	describe
	m -u vm || return
	cd "$state/vm" && mkdir -p disks data.img.new.123 || return
	echo precious | tee data.img former.img disks/log.img disks/log.img.grow disks/mine notes \
		data.img.bak >/dev/null
	cd "$test_dir" || return
}
check "microvm creates a VM" make_vm
cp -a "$state" first
cp -a "$roots" first.roots
fresh() {
	rm -rf "$state" "$roots"
	cp -a first "$state"
	cp -a first.roots "$roots"
}
vm_is_whole() {
	[ -x "$state/vm/current/bin/microvm-run" ] && [ -x "$state/vm/old/bin/microvm-run" ] &&
		[ -e "$roots/vm" ]
}

# ---- files that are removed ----
check "a VM is removed" m --remove vm
expect "the removal names all files that it keeps" "$log" \
	"^Kept in $state/vm: data.img, data.img.bak, data.img.new.123, disks, former.img, notes$"
check "the removal keeps these files" \
	holds 'data.img data.img.bak data.img.new.123 disks former.img notes'
check "a removed VM that kept files is no VM" fails m --remove vm
expect "the message says how to remove what was kept" "$log" \
	"there is no VM \"vm\", but files in $state/vm that a removal kept; add --all-files"
check "--all-files removes what an earlier removal kept" m --remove vm --all-files
check "nothing of the VM is left then" test ! -e "$state/vm"
check "a VM that never was is not removed" fails m --remove vm --all-files
fresh
check "a quiet removal succeeds" m -q --remove vm
check "a quiet removal prints nothing" test ! -s "$log"
fresh
check "a VM is removed with its volumes" m --remove vm --volumes
expect "the removal names the files that are not the VM's" \
	"$log" "^Kept in $state/vm: data.img.bak, disks, notes$"
check "the removal keeps these files and no volume" holds 'data.img.bak disks notes'
check "the removal keeps a foreign file in a directory of volumes" \
	test "$(names "$state/vm/disks")" = mine
fresh
check "a VM is removed with all files" m --remove vm --all-files
check "--all-files leaves nothing of the VM" \
	test ! -e "$state/vm" -a "$(find "$roots" -mindepth 1 | wc -l)" = 0
fresh
mkdir elsewhere
ln -s ../../elsewhere "$state/vm/elsewhere"
mv "$state/vm/disks" elsewhere/disks
ln -s ../../elsewhere/disks "$state/vm/disks"
check "a VM is removed with a link in the place of a volume's directory" m --remove vm --volumes
check "the files behind that link are kept" \
	test "$(names elsewhere/disks)" = 'log.img log.img.grow mine'
rm -rf elsewhere

# A VM was started in its runner once.
fresh
runner=$state/vm/$(readlink "$state/vm/current")
echo precious >"$runner/data.img"
check "a VM with a volume in a runner is not removed" fails m --remove vm --volumes
expect "the message names the volume in the runner" \
	"$log" "the runner $runner has the file data.img, which no build made"
check "that VM is complete after the refusal" vm_is_whole
check "--all-files removes a VM with a volume in a runner" m --remove vm --all-files
fresh
mkdir "$state/vm/former.img.grow.new"
touch "$state/vm/disks/.mvm-new-abcdef"
check "a VM with the remains of starts that were cut off is removed" m --remove vm --volumes
check "the remains of these starts are removed with the volumes" \
	test ! -e "$state/vm/former.img.grow.new" -a ! -e "$state/vm/disks/.mvm-new-abcdef"

# ---- mounts ----
mkdir -p precious/deep
echo photo >precious/photo
echo photo >precious/deep/photo
find precious -printf '%p %m %s\n' | sort >precious.before
untouched() { find precious -printf '%p %m %s\n' | sort | cmp - precious.before; }
if [ "$(id -u)" = 0 ]; then
	fresh
	mkdir "$state/vm/shared"
	mount --bind precious "$state/vm/shared"
	check "a VM with a mount in its directory is not removed with all files" \
		fails m --remove vm --all-files
	expect "the message names the mount" \
		"$log" "a file system is mounted at $state/vm/shared; nothing is removed"
	check "the VM with a mount is complete after the refusal" vm_is_whole
	check "the mounted files are untouched after the refusal" untouched
	check "the VM with a mount is removed with its volumes" m --remove vm --volumes
	check "the removal keeps the mount and its directory" \
		holds 'data.img.bak disks notes shared'
	check "the mounted files are untouched after the removal" untouched
	umount "$state/vm/shared"
	fresh
	mkdir -p "$state/vm/runners/deep/x"
	mount --bind precious "$state/vm/runners/deep/x"
	mount --bind precious/photo "$state/vm/data.img"
	check "a VM with a mount among its runners is not removed" fails m --remove vm
	expect "the message names the mount among the runners" \
		"$log" "a file system is mounted at $state/vm/runners/deep/x; nothing is removed"
	check "that VM is complete after the refusal" vm_is_whole
	check "the files of that mount are untouched" untouched
	check "an update succeeds beside that mount" m -u vm
	check "the update leaves the mounted files alone" untouched
	umount "$state/vm/runners/deep/x"
	check "a VM whose volume is a mount is not removed with its volumes" \
		fails m --remove vm --volumes
	expect "the message names the volume that is a mount" \
		"$log" "a file system is mounted at $state/vm/data.img; nothing is removed"
	check "the VM whose volume is a mount is complete after the refusal" vm_is_whole
	umount "$state/vm/data.img"
	fresh
	mv "$state/vm" own
	mkdir "$state/vm"
	mount --bind own "$state/vm"
	check "a VM whose directory is a mount is removed" m --remove vm --all-files
	expect "the removal reports that the mount point stays" \
		"$log" "^Kept: $state/vm, which is a mount point$"
	check "the mount point is empty" holds ''
	umount "$state/vm"
	rm -r own
else
	skip "a VM with a mount in its directory is not removed" "needs root"
fi

# ---- in use ----
fresh
(exec 9<"$state/vm/disks/log.img" && flock 9 && exec sleep 3000) &
wait_until fails flock -n "$state/vm/disks/log.img" true
check "a VM with a locked volume is not removed with its volumes" fails m --remove vm --volumes
expect "the message says who has the volume locked" \
	"$log" "$state/vm/disks/log.img is in use by .*; nothing is removed"
check "the VM with a locked volume is complete after the refusal" vm_is_whole
kill $!
wait $! 2>/dev/null
sleep 3000 7<"$state/vm/former.img" &
check "a VM with an open volume is not removed with its volumes" fails m --remove vm --volumes
expect "the message names the process that has the volume open" \
	"$log" "$state/vm/former.img is in use by process $!, "
check "the VM with an open volume is complete after the refusal" vm_is_whole
check "the VM with an open volume is removed without its volumes" m --remove vm
kill $!
wait $! 2>/dev/null

fresh
(cd "$state/vm" && exec socat UNIX-LISTEN:vm.sock /dev/null) &
wait_until test -S "$state/vm/vm.sock"
cd "$test_dir" || exit
check "a VM whose socket somebody listens on is not removed" fails m --remove vm
expect "the message names that socket" \
	"$log" 'vm runs without its unit \(a process listens on vm.sock\)'
check "the VM with that socket is complete after the refusal" \
	test -S "$state/vm/vm.sock" -a -x "$state/vm/current/bin/microvm-run"
kill $!
wait $! 2>/dev/null

# ---- cut off at any instant ----
cc -std=c11 -D_GNU_SOURCE -o kill_at "$top/tests/e2e/lib/kill_at.c" || exit 1
# MVM_TEST_STRIDE=1 tries all instants.
stride=${MVM_TEST_STRIDE:-5}
cut_off() { # WHAT KEPT [OPTION]...
	local n=1 bad='' lost='' status=0
	while :; do
		fresh
		status=0
		./kill_at $n "$microvm" -q --state-dir "$state" --remove vm "${@:3}" \
			>/dev/null 2>&1 || status=$?
		[ "$status" = 0 ] || break
		case " $2 " in *' data.img '*) [ -e "$state/vm/data.img" ] || lost+=" $n" ;; esac
		# A removal that is killed while it prints its last line has finished.
		if ! holds "$2" || [ "$(find "$roots" -mindepth 1 | wc -l)" != 0 ]; then
			m --remove vm "${@:3}" || bad+=" $n"
		fi
		holds "$2" && [ "$(find "$roots" -mindepth 1 | wc -l)" = 0 ] || bad+=" $n"
		n=$((n + stride))
	done
	check "$1: it was cut off at $((n / stride)) instants" test "$status" = 3 -a "$n" -gt 30
	check "$1: a second removal completed it${bad:+, but not at$bad}" test -z "$bad"
	check "$1: the volumes were never touched${lost:+, but at$lost}" test -z "$lost"
}
cut_off "a removal" 'data.img data.img.bak data.img.new.123 disks former.img notes'
cut_off "a removal with --volumes" 'data.img.bak disks notes' --volumes
cut_off "a removal with --all-files" '' --all-files
# Meanwhile it is not a VM.
fresh
mv "$state/vm/current" "$state/vm/.removing"
check "a VM that is removed in part is not listed" \
	test "$("$microvm" --state-dir "$state" -l --json | jq '.vms | length')" = 0
check "a VM that is removed in part is not started" fails m -r vm
check "it can be created again" m -c vm -f vm.yaml
check "it has its old volumes then" test "$(cat "$state/vm/data.img")" = precious
check "the rest of the removal is done then" test ! -e "$state/vm/.removing" -a ! -e "$state/vm/old"

# The message after Ctrl-C. The signal comes at a removal's tenth file.
cat >interrupt.c <<'E2'
#include <dlfcn.h>
#include <signal.h>
#include <unistd.h>
int unlinkat(int directory, const char *name, int flags)
{
	static int calls;
	int (*real)(int, const char *, int) = (int (*)(int, const char *, int))dlsym(RTLD_NEXT, "unlinkat");
	if (++calls == 10) {
		kill(getpid(), SIGINT);
		pause();
	}
	return real(directory, name, flags);
}
E2
cc -D_GNU_SOURCE -shared -fPIC -o interrupt.so interrupt.c -ldl || exit 1
fresh
LD_PRELOAD=$PWD/interrupt.so "$microvm" -q --state-dir "$state" --remove vm >"$log" 2>&1
check "an interrupted removal ends with status 130" test $? = 130
expect "it says that a part of the VM may be gone" \
	"$log" '^interrupted; a part of vm may be removed: run microvm --remove vm again to remove the rest$'
check "the same removal again succeeds" m --remove vm
check "it removes the rest" holds 'data.img data.img.bak data.img.new.123 disks former.img notes'

# ---- names ----
fresh
evil=$'evil\e[31mred\nKept in nowhere\u202e\u009b'
echo >"$state/vm/$evil"
ln -s $'/nix/store/x\e]0;owned\a' "$state/broken"
mkdir "$state/odd"
ln -s $'../gone\e[2J' "$state/odd/current"
"$microvm" --state-dir "$state" -l >"$log" 2>&1
expect "the list shows control characters of a link as text" \
	"$log" '^odd .* broken .*\.\./gone\\x1b\[2J is not a runner'
expect_no "the list sends no control characters to the terminal" "$log" $'[\e\a]'
check "a VM with a file of a hostile name is removed" m --remove vm
expect "the removal shows the hostile name as text" \
	"$log" '^Kept in .*, evil\\x1b\[31mred\\x0aKept in nowhere\\xe2\\x80\\xae\\xc2\\x9b, '
expect_no "the removal sends no control characters to the terminal" "$log" $'[\e\u202e\u009b]'
finish
