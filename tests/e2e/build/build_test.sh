#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs mvmbuild without a VM: every way to build makes the same bytes, output is complete or absent,
# and each mistake gives one clear error.
# shellcheck disable=SC2317 # functions that check calls
set -u
# The test has its own mounts, so that disks can be full.
# shellcheck source=tests/e2e/lib/own_mounts.sh
. "$(dirname "$0")/../lib/own_mounts.sh"
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/e2e/lib/nix.sh
. "$(dirname "$0")/../lib/nix.sh"
MVMBUILD=$(realpath "${MVMBUILD:-$top/build/mvmbuild}")
need_programs nix-build busybox sqlite3
kernel=$("$top/tests/e2e/lib/kernel.sh") || skip_all "no kernel"
kernel=$(lend "$kernel") # another user builds, too
nix_env_setup "$test_dir/nix"
chmod 755 "$test_dir"
unset XDG_CACHE_HOME SOURCE_DATE_EPOCH NIX_BUILD_CORES NIX_BUILD_TOP NIX_ATTRS_JSON_FILE
system=$(nix_build "$top/tests/demo/demo.nix" toplevel)
bulk=$(nix_build "$top/tests/e2e/lib/nix/bulk.nix" toplevel)
out=$test_dir/out log=$test_dir/log printed=$test_dir/printed
mkdir "$out"
cat >"$test_dir/vm.yaml" <<E2
hostName: demo
toplevel: $system
storeDir: $NIX_STORE_DIR
kernel: $kernel
volumes:
  - {image: data.img, size: 8, mountPoint: /data}
E2

# mvm [ARGUMENT]...: builds without a cache, unless the arguments name one. Sets $printed (standard
# output), $log (the file of messages) and $status.
mvm() {
	status=0
	"$MVMBUILD" --progress none "$@" >"$printed" 2>"$log" </dev/null || status=$?
	return "$status"
}
fails() { ! "$@"; }
empty() { [ -z "$(ls -A "$1")" ]; }
# Prints everything that makes up a runner: names, types, modes, sizes, link targets, contents.
all_of() {
	(cd "$1" && find . -printf '%p %y %m %l\n' | LC_ALL=C sort && find . -type f -print0 |
		LC_ALL=C sort -z | xargs -0 sha256sum)
}
same() { diff <(all_of "$1") <(all_of "$2"); }
# Prints what is in the output's directory besides the runners that are named.
litter() { (shopt -s dotglob; cd "$out" && printf '%s\n' * | grep -vxF "$(printf '%s\n' "$@")"); }

# ---- the command line ----

check "an option of another command is refused" fails mvm --dry-run "$test_dir/vm.yaml" \
	-o "$out/refused"
check "a misspelt command is refused" fails mvm biuld "$test_dir/vm.yaml" -o "$out/refused"
check "a refused command line makes nothing" test ! -e "$out/refused"

# ---- the same bytes ----

cache=$test_dir/cache
check "a first build succeeds" mvm -j1 --cache "$cache" "$test_dir/vm.yaml" -o "$out/first"
check "it prints the runner's path and nothing else" test "$(cat "$printed")" = "$out/first"
check "it prints no message when nothing is wrong" test ! -s "$log"
mkdir "$test_dir/elsewhere"
cd "$test_dir/elsewhere" || exit
check "a build with a warm cache, two threads and from another directory succeeds" \
	mvm -j2 --cache "$cache" ../vm.yaml -o second
check "a warm cache and two threads give the same bytes" same "$out/first" second
check "a build without a cache and with umask 077 succeeds" bash \
	-c "umask 077; exec \"\$0\" -q --no-cache '$test_dir/vm.yaml' -o '$out/masked'" "$MVMBUILD"
check "umask 077 and no cache give the same bytes" same "$out/first" "$out/masked"
check "a build with --no-sync succeeds" mvm --no-sync --cache "$cache" ../vm.yaml -o unsynced
check "--no-sync gives the same bytes" same "$out/first" unsynced
if [ "$(id -u)" = 0 ]; then
	mkdir -m 777 "$test_dir/user"
	check "another user without a home directory can build" \
		as_nobody env -i PATH="$PATH" HOME=/homeless-shelter \
		NIX_STATE_DIR="$NIX_STATE_DIR" "$(lend "$MVMBUILD")" -q "$test_dir/vm.yaml" \
			-o "$test_dir/user/third"
	check "another user's build has the same bytes" same "$out/first" "$test_dir/user/third"
else
	skip "another user without a home directory can build" "not root"
fi
# Several threads build its VMs; one disk serves all of them.
{
	echo 'vms:'
	for n in 1 2 3 4 5 6 7 8; do echo "  demo$n: {source: $test_dir/vm.yaml}"; done
} >"$test_dir/host.yaml"
check "a host of eight VMs builds" mvm host -j8 --no-cache "$test_dir/host.yaml" -o "$out/host"
for n in 1 2 3 4 5 6 7 8; do
	check "VM $n of the host of eight has the same bytes" \
		same "$out/first" "$out/host/runners/demo$n"
done
for file in "$out"/first/share/microvm/{kernel,initrd,stage1.*} "$out/first/libexec/mvm-host"; do
	file=${file#"$out/first/"}
	check "the VMs of a host are built with one $file" \
		test "$(stat -c %h "$out/host/runners/demo1/$file")" -ge 8
done
check "nothing but the VMs' common files is shared" \
	test "$(stat -c %h "$out/host/runners/demo1/share/microvm/vm.json")" = 1
rm -rf "$out/host"
# With different disks, the first one is built alone while the cache lacks much of it, then several
# are built at once.
echo 'vms:' >own-host.yaml
for n in 1 2 3 4 5; do
	echo "the own words of VM $n" >"own$n"
	own=$(nix-store --add "own$n")
	{ cat "$test_dir/vm.yaml" && echo "storePaths: [$own, $bulk]"; } >"own$n.yaml"
	echo "  demo$n: {source: $PWD/own$n.yaml}" >>own-host.yaml
	check "VM $n of five with store paths of its own builds alone" \
		mvm --cache "$test_dir/single-cache" "own$n.yaml" -o "own$n-runner"
done
for round in "cold 1 4" "warm 0 5"; do
	read -r cache_is packed disks <<<"$round"
	check "a host of five such VMs builds with $cache_is cache" mvm host -j4 --progress plain \
		--cache "$test_dir/own-cache" own-host.yaml -o "$out/host"
	check "it packs $packed store paths for $disks of the five disks" \
		test "$(grep -c "store disk of demo[1-5]: .* $packed store paths\? packed" \
			"$log")" = "$disks"
	for n in 1 2 3 4 5; do
		check "VM $n of the five has the same bytes as alone" \
			same "own$n-runner" "$out/host/runners/demo$n"
	done
	rm -rf "$out/host"
done
cd / || exit

# ---- nothing to do ----

before=$(stat -c '%i %Y %Z' "$out/first" "$out/first/share/microvm/stage1.squashfs")
start=$(date +%s%N)
check "the same build runs a second time" \
	mvm --cache "$cache" --progress plain "$test_dir/vm.yaml" -o "$out/first/"
echo "# which takes $((($(date +%s%N) - start) / 1000000)) ms"
expect "the second build reports that everything is up to date" "$log" 'is up to date'
check "the second build prints the path without the trailing slash" \
	test "$(cat "$printed")" = "$out/first"
check "the second build touches no file" \
	test "$before" = "$(stat -c '%i %Y %Z' "$out/first" \
		"$out/first/share/microvm/stage1.squashfs")"
chmod u+w "$out/first/share/microvm"
rm -f "$out/first/share/microvm/initrd"
check "a build over a runner that lacks a file succeeds" \
	mvm --cache "$cache" "$test_dir/vm.yaml" -o "$out/first"
check "it makes the runner whole" same "$out/first" "$out/masked"
check "another description builds over the runner" \
	mvm --cache "$cache" --set mem=300 "$test_dir/vm.yaml" -o "$out/first"
check "the runner is replaced by the other one" fails same "$out/first" "$out/masked"
check "replacing a runner leaves no litter" test -z "$(litter first masked)"

# again DESCRIPTION [ARGUMENT]...: builds the first description again, which must find something to
# do and make it right.
again() {
	check "$1: the build succeeds" \
		mvm --cache "$cache" --progress plain "$test_dir/vm.yaml" -o "$out/first" "${@:2}"
	expect_no "$1: the runner is built again" "$log" 'is up to date'
	check "$1: the runner is right" same "$out/first" "$out/masked"
}
up_to_date() {
	check "$1: the build succeeds" \
		mvm --cache "$cache" --progress plain "$test_dir/vm.yaml" -o "$out/first" "${@:2}"
	expect "$1: everything is up to date" "$log" 'is up to date'
}
disk=$out/first/share/microvm/stage1.squashfs
again "the first description after the other one"
up_to_date "the first description once more"
again "--force" --force
# The damage keeps the name, the size and the modification time.
chmod u+w "$disk"
touch -r "$disk" "$test_dir/times"
dd if=/dev/zero of="$disk" bs=4096 count=10 conv=notrunc status=none
touch -r "$test_dir/times" "$disk"
again "a runner with a zeroed store disk"
for file in bin/microvm-run share/microvm/vm.json share/microvm/hypervisor \
	share/microvm/stage1.squashfs; do
	rm -f "$out/first/$file"
	again "a runner without $file"
done
sed -i 's/vm/VM/' "$out/first/bin/microvm-shutdown"
again "a runner with another script"
# mvmbuild does not know that copied files are complete.
cp -a "$out/first" "$out/copy"
rm -rf "$out/first"
mv "$out/copy" "$out/first"
again "a runner that was copied"
mv "$out/first" "$out/moved"
mv "$out/moved" "$out/first"
up_to_date "a runner that was moved away and back"
if [ -n "${MVM_TEST_MOUNTS:-}" ]; then
	again "--no-sync --force" --no-sync --force
	up_to_date "--no-sync, with nothing to do" --no-sync
	echo 00000000-0000-0000-0000-000000000000 >"$test_dir/boot"
	mount --bind "$test_dir/boot" /proc/sys/kernel/random/boot_id
	again "--no-sync, after the machine was down" --no-sync
	umount /proc/sys/kernel/random/boot_id
	again "--no-sync, a description that waits for the disk" --no-sync --set mem=512
else
	skip "--no-sync, after the machine was down" "no mounts"
fi
mkdir "$out/.first.mvmbuild-abcdef"
echo half >"$out/.first.mvmbuild-abcdef/file"
again "a build that waits for the disk after --no-sync"
mkdir "$out/.first.mvmbuild-abcdef"
echo half >"$out/.first.mvmbuild-abcdef/file"
up_to_date "a build beside the litter of a killed one"
check "the next build removes the litter of the one before" test -z "$(litter first masked)"
mkdir "$out/empty"
check "a build into an empty directory succeeds" \
	mvm --cache "$cache" "$test_dir/vm.yaml" -o "$out/empty"
check "it makes the same runner there" same "$out/empty" "$out/masked"
rm -rf "$out/empty"

# ---- what is not ours ----

# refused DESCRIPTION FILE: the file and the runner around it stay.
refused() {
	local was
	echo precious >"$2"
	was=$(all_of "$out/first")
	check "$1 fails" fails mvm --cache "$cache" --set mem=300 "$test_dir/vm.yaml" \
		-o "$out/first" "${@:3}"
	check "$1 with status 1" test "$status" = 1
	expect "$1 and names the file" \
		"$log" "error: $out/first has the file ${2#"$out/first/"}, which was not built"
	check "$1 and leaves the runner as it was" test "$was" = "$(all_of "$out/first")"
	rm -f "$2"
}
refused "a build over a runner with a volume in it" "$out/first/data.img"
refused "a build with --force over a runner with a volume in it" "$out/first/data.img" --force
refused "a build over a runner with a volume in bin/" "$out/first/bin/data.img"
refused "a build over a runner with a volume among its own ones" \
	"$out/first/share/microvm/volumes/data.img"
check "without the volume the build replaces the runner" \
	mvm --cache "$cache" --set mem=300 "$test_dir/vm.yaml" -o "$out/first"
check "a host builds over an older one" \
	mvm host -j8 --cache "$cache" "$test_dir/host.yaml" -o "$out/host"
echo precious >"$out/host/runners/demo1/data.img"
check "a host with a volume in one of its runners is not replaced" \
	fails mvm host --cache "$cache" --force "$test_dir/host.yaml" -o "$out/host"
expect "the error names the volume in the host's runner" \
	"$log" "error: $out/host has the file runners/demo1/data.img, which was not built"
check "the volume in the host's runner is kept" \
	test "$(cat "$out/host/runners/demo1/data.img")" = precious
rm -f "$out/host/runners/demo1/data.img"
check "a host that has not changed builds" \
	mvm host --cache "$cache" --progress plain "$test_dir/host.yaml" -o "$out/host"
expect "the build of an unchanged host reports that nothing has changed" \
	"$log" 'nothing has changed'
for file in "$out"/host/store-disks/*[0-9a-f] \
	"$out"/host/runners/demo2/share/microvm/stage1.squashfs "$out"/host/bin/install-host; do
	was=$(all_of "$out/host")
	chmod u+w "$file"
	dd if=/dev/zero of="$file" bs=64 count=1 conv=notrunc status=none
	check "a host with a damaged ${file#"$out/host/"} is built again" mvm host --cache \
		"$cache" "$test_dir/host.yaml" -o "$out/host"
	check "the build makes the damaged host whole" test "$was" = "$(all_of "$out/host")"
done
mv "$out/host" "$test_dir/elsewhere-host"
ln -s "$test_dir/elsewhere-host" "$out/host"
was=$(all_of "$test_dir/elsewhere-host")
check "a symbolic link to a host is not replaced as a host" \
	fails mvm host --cache "$cache" --force "$test_dir/host.yaml" -o "$out/host"
expect "the error says that the output is a link to a host" "$log" \
	"error: $out/host is a link to a host, and a build does not replace links"
check "the host that the link leads to is left alone" \
	test "$was" = "$(all_of "$test_dir/elsewhere-host")"
rm -rf "$out/host" "$test_dir/elsewhere-host"
# A crash truncated the list.
chmod u+w "$out/first/share/mvmbuild/files"
: >"$out/first/share/mvmbuild/files"
cp -a "$out/first" "$out/.first.mvmbuild-abcdef"
check "a build over a runner with an empty manifest succeeds" \
	mvm --cache "$cache" "$test_dir/vm.yaml" -o "$out/first"
check "it makes that runner whole" same "$out/first" "$out/masked"
check "making a runner whole leaves no litter" test -z "$(litter first masked)"

# ---- what may be in the way ----

# kept DESCRIPTION PATH: the build refuses in one line, and leaves everything as it is.
kept() {
	local was
	was=$(stat -c '%i %F %Y' "$2")
	check "$1 in the way of the output is an error" \
		fails mvm --no-cache "$test_dir/vm.yaml" -o "$2"
	check "$1 in the way gives status 1 and one line" test "$status $(wc -l <"$log")" = "1 1"
	expect "the message identifies $1 in the way" "$log" \
		"error: .*(exists and is not|is a link to) a runner"
	check "$1 in the way is left alone" test "$was" = "$(stat -c '%i %F %Y' "$2")"
}
mkdir "$test_dir/way"
echo precious >"$test_dir/way/file"
mkdir "$test_dir/way/directory"
touch "$test_dir/way/directory/file"
ln -s "$out/masked" "$test_dir/way/link"
ln -s nowhere "$test_dir/way/dangling"
kept "a file" "$test_dir/way/file"
kept "a directory" "$test_dir/way/directory"
kept "a symbolic link to a runner" "$test_dir/way/link"
kept "a symbolic link to a runner, with a slash," "$test_dir/way/link"/
kept "a dangling link" "$test_dir/way/dangling"
check "a build into a directory that does not exist fails" \
	fails mvm --no-cache "$test_dir/vm.yaml" -o "$test_dir/way/no/such/runner"
check "it fails with status 1 and one line" test "$status $(wc -l <"$log")" = "1 1"
expect "the line names the directory that does not exist" \
	"$log" "way/no/such: No such file or directory"
check "nothing else was created on the way there" \
	test "$(find "$test_dir/way" -mindepth 1 | wc -l)" = 5

# ---- stopped ----

slow=(--cache "$cache" -j1 --set toplevel="$bulk" --set storeDisk.level=19 --set volumes=[] \
	"$test_dir/vm.yaml" -o "$out/slow")
quick=(--cache "$cache" --set toplevel="$bulk" --set volumes=[] "$test_dir/vm.yaml" -o "$out/slow")
# begin ARGUMENT...: starts a build in the background, and waits until it makes its disk.
begin() {
	# A background job of a shell without job control ignores SIGINT, and so would the build.
	setsid env --default-signal=INT "$MVMBUILD" -q "$@" >"$printed" 2>"$log" </dev/null &
	builder=$!
	wait_while_alive "$builder" disk_is_there
}
# shellcheck disable=SC2317 # begin has it called
disk_is_there() { [ -n "$(find "$out" -path '*/.slow.mvmbuild-*/stage1.squashfs')" ]; }
check "a larger system builds" mvm "${quick[@]}"
all_of "$out/slow" >"$test_dir/slow.before"
untouched() { all_of "$out/slow" | diff "$test_dir/slow.before" -; }
for signal in INT TERM HUP; do
	begin "${slow[@]}"
	start=$(date +%s%N)
	kill -"$signal" "$builder"
	wait "$builder"
	status=$?
	took=$((($(date +%s%N) - start) / 1000000))
	check "SIG$signal ends a build with status 130" test "$status" = 130
	check "SIG$signal ends a build soon ($took ms)" test "$took" -lt 100000
	check "SIG$signal: nothing was printed on standard output" test ! -s "$printed"
	expect "SIG$signal: the message is that the build was interrupted" "$log" 'interrupted'
	check "SIG$signal leaves no litter" test -z "$(litter first masked slow)"
	check "SIG$signal leaves the old output untouched" untouched
done
begin "${slow[@]}"
kill -KILL "$builder"
wait "$builder" 2>/dev/null
check "a build ended by SIGKILL leaves its temporary directory" \
	test -n "$(litter first masked slow)"
check "a build ended by SIGKILL leaves the old output untouched" untouched
check "the build after SIGKILL succeeds" mvm --set mem=300 "${quick[@]}"
check "the build after SIGKILL removes the litter" test -z "$(litter first masked slow)"
check "the build after SIGKILL empties the cache's tmp" empty "$cache/tmp"

# ---- at once ----

rm -rf "$test_dir/cache2"
twice=(-q --cache "$test_dir/cache2" --set toplevel="$bulk" "$test_dir/vm.yaml" -o "$out/twice")
"$MVMBUILD" "${twice[@]}" >"$test_dir/one" 2>&1 & first=$!
"$MVMBUILD" "${twice[@]}" >"$test_dir/two" 2>&1 & second=$!
wait $first
check "of two builds of the same output at once, the first succeeds" test $? = 0
wait $second
check "of two builds of the same output at once, the second succeeds" test $? = 0
check "two builds at once print the path alone" \
	test "$(cat "$test_dir/one" "$test_dir/two")" = "$out/twice"$'\n'"$out/twice"
check "two builds at once leave no litter" test -z "$(litter first masked slow twice)"
check "a build of the same description alone succeeds" \
	"$MVMBUILD" -q --no-cache --set toplevel="$bulk" "$test_dir/vm.yaml" -o "$out/alone"
check "two builds at once make the same bytes as one alone" same "$out/alone" "$out/twice"

# ---- disks and caches ----

if [ -n "${MVM_TEST_MOUNTS:-}" ]; then
	mkdir "$test_dir/small"
	mount -t tmpfs -o size=24m tmpfs "$test_dir/small"
	check "a runner is built on a small disk" \
		mvm --no-cache "$test_dir/vm.yaml" -o "$test_dir/small/runner"
	all_of "$test_dir/small/runner" >"$test_dir/small.before"
	check "a build fails when the output's disk becomes full" fails mvm --no-cache \
		--set toplevel="$bulk" "$test_dir/vm.yaml" -o "$test_dir/small/runner"
	check "a full disk gives status 1 and one line" test "$status $(wc -l <"$log")" = "1 1"
	expect "the message says that no space is left" "$log" 'error: .*No space left on device'
	check "a full disk leaves the old output untouched" \
		diff "$test_dir/small.before" <(all_of "$test_dir/small/runner")
	check "a full disk leaves no litter" test "$(ls -A "$test_dir/small")" = runner
	rm -rf "$test_dir/small/runner"
	mount -o remount,size=2m "$test_dir/small"
	check "a host fails when the output's disk becomes full" \
		fails mvm host --cache "$test_dir/own-cache" "$test_dir/elsewhere/own-host.yaml" \
			-o "$test_dir/small/host"
	expect "the message names the VM and says that no space is left" \
		"$log" 'error: demo[1-5]: .*No space left on device'
	check "the host on a full disk leaves no output and no litter" empty "$test_dir/small"
	mount -o remount,size=24m "$test_dir/small"
	check "a build fails when the cache's disk becomes full" fails mvm --cache \
		"$test_dir/small/cache" --set toplevel="$bulk" "$test_dir/vm.yaml" -o "$out/full"
	check "a full cache disk gives status 1 and one line" \
		test "$status $(wc -l <"$log")" = "1 1"
	expect "the message names the cache and says that no space is left" \
		"$log" 'error: .*small/cache.*No space left on device'
	check "a full cache disk leaves no output and no litter" \
		test -z "$(litter first masked slow twice alone)"
	check "a full cache disk leaves no litter in the cache" empty "$test_dir/small/cache/tmp"
	umount "$test_dir/small"

	mount --bind "$cache" "$test_dir/small"
	mount -o remount,bind,ro "$test_dir/small"
	check "a build succeeds with a read-only cache that lacks nothing" \
		mvm --cache "$test_dir/small" "$test_dir/vm.yaml" -o "$out/full"
	check "a read-only cache gives the same bytes" same "$out/full" "$out/masked"
	rm -rf "$out/full"
	check "a build fails with a read-only cache that lacks an object" fails mvm --cache \
		"$test_dir/small" --set storeDisk.level=4 "$test_dir/vm.yaml" -o "$out/full"
	check "the read-only cache gives status 1 and one line" \
		test "$status $(wc -l <"$log")" = "1 1"
	expect "the message says that the file system is read-only" \
		"$log" 'error: .*small.*Read-only file system'
	umount "$test_dir/small"

	install -d -m 700 -o 65534 "$test_dir/theirs"
	check "a build fails with another user's cache" \
		fails mvm --cache "$test_dir/theirs" "$test_dir/vm.yaml" -o "$out/full"
	check "another user's cache gives status 1 and one line" \
		test "$status $(wc -l <"$log")" = "1 1"
	expect "the message names both users" \
		"$log" 'theirs belongs to user 65534, but user 0 runs the build'
	check "another user's cache leaves no output and no litter" \
		test -z "$(litter first masked slow twice alone)"
	mkdir -p "$test_dir/home/.cache"
	mv "$test_dir/theirs" "$test_dir/home/.cache/mvmbuild"
	HOME=$test_dir/home mvm "$test_dir/vm.yaml" -o "$out/full"
	check "a build succeeds when the default cache is another user's" test "$status" = 0
	expect "the build warns that it uses no cache" \
		"$log" 'warning: building without a cache: .*/home/.cache/mvmbuild belongs to user 65534'
	check "another user's default cache is left alone" empty "$test_dir/home/.cache/mvmbuild"
	rm -rf "$out/full"
else
	skip "full disks and caches of others" "needs root and mount namespaces"
fi

# ---- wrong in every way ----

# wrong DESCRIPTION STATUS REGEX ARGUMENT...: expects one error with its place, and no output.
wrong() {
	mvm --no-cache -o "$out/wrong" "${@:4}"
	check "$1: the status is $2" test "$status" = "$2"
	check "$1: there is one error" test "$(grep -c ' error: ' "$log")" = 1
	expect "$1: the message has the reason" "$log" "$3"
	check "$1: there is nothing on standard output, no output and no litter" \
		test ! -s "$printed" -a -z "$(litter first masked slow twice alone)"
}
# with KEY=VALUE: the description with this line in place of its own.
with() { sed "s|^${1%%=*}:.*|${1%%=*}: ${1#*=}|" "$test_dir/vm.yaml" >"$test_dir/wrong.yaml"; }
store=$NIX_STORE_DIR none=$NIX_STORE_DIR/00000000000000000000000000000000-none

sed /^toplevel:/d "$test_dir/vm.yaml" >"$test_dir/wrong.yaml"
wrong "no toplevel" 3 'wrong.yaml:1:1: error: .*toplevel' "$test_dir/wrong.yaml"
with "toplevel=$(find "$store" -maxdepth 1 -name '*-words-1.0')"
wrong "a toplevel without an init" \
	4 'wrong.yaml:2:11: error: .*-words-1.0 has no init' "$test_dir/wrong.yaml"
with toplevel=/etc
wrong "a toplevel that is not in the store" \
	4 'wrong.yaml:2:11: error: .*/etc is not in the store' "$test_dir/wrong.yaml"
with "toplevel=$none"
wrong "a toplevel that does not exist" 4 "wrong.yaml:2:11: error: .*$none" "$test_dir/wrong.yaml"
wrong "a further store path that does not exist" \
	4 "error: .*$none" --set "storePaths=[$none]" "$test_dir/vm.yaml"

# This copy of Nix's state gets broken.
state=$test_dir/state
broken() { rm -rf "$state"; cp -r "$NIX_STATE_DIR" "$state"; }
wrong_state() { NIX_STATE_DIR=$state wrong "$@" "$test_dir/vm.yaml"; }
broken
head -c 30000 /dev/urandom >"$state/db/db.sqlite"
rm -f "$state"/db/db.sqlite-*
wrong_state "a corrupt database" 4 "error: .*$state/db/db.sqlite"
broken
printf 99 >"$state/db/schema"
wrong_state "a database of an unknown schema" 4 "error: .*$state/db.*99"
broken
sqlite3 "$state/db/db.sqlite" 'PRAGMA journal_mode = delete' >/dev/null
sqlite3 "$state/db/db.sqlite" 'BEGIN EXCLUSIVE' 'UPDATE ValidPaths SET ultimate = 0' \
	'.shell echo locked; exec sleep 3000' >"$test_dir/locked" 2>&1 &
locker=$!
wait_while_alive "$locker" grep -q locked "$test_dir/locked"
wrong_state "a locked database" 4 "error: .*$state/db/db.sqlite.*locked"
pkill -P $locker sleep
wait $locker

echo "not a kernel" >"$test_dir/text"
: >"$test_dir/nothing"
mkdir "$test_dir/nobody-home"
head -c 100000 /dev/urandom >"$test_dir/random"
for name in text nothing nobody-home random none-such; do
	with "kernel=$test_dir/$name"
	wrong "a file that is not a kernel ($name)" \
		4 "wrong.yaml:4:9: error: .*$test_dir/$name" "$test_dir/wrong.yaml"
done
mkdir -p "$test_dir/bare/boot" "$test_dir/bare/lib/modules"
cp "$kernel"/boot/vmlinuz-* "$test_dir/bare/boot/"
cp -r "$kernel"/lib/modules/* "$test_dir/bare/lib/modules/"
find "$test_dir/bare" -name 'squashfs.ko*' -delete
with "kernel=$test_dir/bare"
wrong "a module that the kernel package lacks" \
	4 'wrong.yaml:4:9: error: .*squashfs' "$test_dir/wrong.yaml"
wrong "a kernel that cannot find this hypervisor's disks" 4 \
	"error: .*CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES" --hypervisor stratovirt --set volumes=[] \
	--set interfaces=[] "$test_dir/vm.yaml"

volumes() {
	sed "/^volumes:/,\$d" "$test_dir/vm.yaml" >"$test_dir/wrong.yaml"
	printf 'volumes:\n' >>"$test_dir/wrong.yaml"
	printf -- '  - %s\n' "$@" >>"$test_dir/wrong.yaml"
}
volumes '{image: a.img, size: 8}' '{image: a.img, size: 9}'
wrong "two volumes on one image" 3 'wrong.yaml:7:13: error: .*a.img.*twice' "$test_dir/wrong.yaml"
for size in 0 9223372036854775808 -1 8X 99999999999999999999999; do
	volumes "{image: a.img, size: $size}"
	wrong "a volume of size $size" \
		3 'wrong.yaml:6:26: error: volumes\[0\].size' "$test_dir/wrong.yaml"
done

{ echo 'hostName: "'; head -c 100000000 /dev/zero | tr '\0' a; echo '"'; } >"$test_dir/huge.yaml"
wrong "a description of 100 MB" 4 'huge.yaml is larger than 8 MiB' "$test_dir/huge.yaml"
rm "$test_dir/huge.yaml"
{
	echo 'a0: &a0 [x, x, x, x, x, x, x, x, x, x]'
	for n in 1 2 3 4 5 6 7 8 9; do
		echo "a$n: &a$n [*a$((n - 1)), *a$((n - 1)), *a$((n - 1)), *a$((n - 1)), *a$((n - 1)), *a$((n - 1)), *a$((n - 1)), *a$((n - 1)), *a$((n - 1))]"
	done
} >"$test_dir/wrong.yaml"
wrong "a bomb of aliases" 3 'wrong.yaml:[0-9]+:[0-9]+: error: .*alias' "$test_dir/wrong.yaml"
{ cat "$test_dir/vm.yaml"; seq -f 'unknown%.0f: 1' 10000; } >"$test_dir/wrong.yaml"
start=$(date +%s%N)
check "a description with ten thousand mistakes is refused" \
	fails mvm --no-cache "$test_dir/wrong.yaml" -o "$out/wrong"
check "ten thousand mistakes end with status 3" test "$status" = 3
elapsed=$((($(date +%s%N) - start) / 1000000))
check "ten thousand mistakes are reported in linear time ($elapsed ms)" test $elapsed -lt 150000
expect "the first of ten thousand mistakes is reported with its position" \
	"$log" 'wrong.yaml:7:1: error: unknown option "unknown1"'
check "ten thousand mistakes print nothing on standard output and leave no output" \
	test ! -s "$printed" -a -z "$(litter first masked slow twice alone)"

# ---- installed ----

if ! make -q -C "$top" BUILD="$(dirname "$MVMBUILD")" all >/dev/null 2>&1; then
	skip "make install installs the program" \
		"this program is not of the sources as they are now"
else
	check "make install succeeds" make -s -C "$top" BUILD="$(dirname "$MVMBUILD")" install \
		DESTDIR="$test_dir/de st" PREFIX=/usr
	check "the installed program builds a runner" "$test_dir/de st/usr/bin/mvmbuild" \
		-q --no-cache "$test_dir/vm.yaml" -o "$out/installed"
	check "the installed program makes the same bytes" same "$out/masked" "$out/installed"
	for file in man/man1/mvmbuild.1 man/man1/microvm.1 man/man5/vm.yaml.5 \
		bash-completion/completions/microvm doc/mvmbuild/docs/part-schema.json; do
		check "make install installs $file" test -s "$test_dir/de st/usr/share/$file"
	done
	data="$test_dir/de st/usr/share/mvmbuild"
	check "make install installs all Nix expressions" \
		diff -r "$top/templates/nix" "$data/nix"
	ln -s "$data" "$test_dir/data" # Nix's path literals have no spaces
	check "the installed host module finds its units" nix-instantiate --eval --strict --expr \
		"(import $test_dir/data/nix/host/units.nix { stateDir = \"/vms\"; user = \"u\";
			group = \"g\"; setBooted = \"/s\"; shell = \"/sh\"; coreutils = \"/c\"; }).units"
	check "the installed host module finds its script" test -f "$data/host/set-booted.sh"
	check "make uninstall succeeds" \
		make -s -C "$top" uninstall DESTDIR="$test_dir/de st" PREFIX=/usr
	check "make uninstall leaves no file" test -z "$(find "$test_dir/de st" ! -type d)"
fi
finish
