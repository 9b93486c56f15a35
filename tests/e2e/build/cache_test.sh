#!/bin/bash
# SPDX-License-Identifier: MIT
# The cache of compressed store paths: killed, damaged, cleaned up beside builds, shared read-only. Whatever happens, the disk has the same bytes.
# shellcheck disable=SC2317 # functions that check calls
set -u
# Mounts of its own, for a cache that is read-only.
# shellcheck source=tests/e2e/lib/own_mounts.sh
. "$(dirname "$0")/../lib/own_mounts.sh"
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/e2e/lib/nix.sh
. "$(dirname "$0")/../lib/nix.sh"
MVMBUILD=$(realpath "${MVMBUILD:-$top/build/mvmbuild}")
need_programs nix-build busybox sqlite3 jq
kernel=$("$top/tests/e2e/lib/kernel.sh") || skip_all "no kernel"
kernel=$(lend "$kernel") # another user builds, too
nix_env_setup "$test_dir/nix"
chmod 755 "$test_dir"
unset XDG_CACHE_HOME SOURCE_DATE_EPOCH NIX_BUILD_CORES NIX_BUILD_TOP NIX_ATTRS_JSON_FILE
system=$(nix_build "$top/tests/e2e/lib/nix/units.nix" toplevel)
slow_system=$(nix_build "$top/tests/e2e/lib/nix/units.nix" toplevel --argstr more 6)
paths=$(nix-store -qR "$system" | wc -l)
cache=$test_dir/cache log=$test_dir/log printed=$test_dir/printed out=$test_dir/out
cat >"$test_dir/vm.yaml" <<E2
hostName: units
toplevel: $system
storeDir: $NIX_STORE_DIR
kernel: $kernel
nixDatabase: none
E2

# build_to SUFFIX [ARGUMENT]...: into $out and the suffix, from nothing; what it says in $log and the suffix. build: without one.
build_to() {
	rm -rf "$out$1"
	"$MVMBUILD" -v --progress plain --cache "$cache" "$test_dir/vm.yaml" -o "$out$1" "${@:2}" >"$printed$1" 2>"$log$1" </dev/null
}
build() { build_to '' "$@"; }
cache_command() { # [ARGUMENT]...: what it prints in $printed
	"$MVMBUILD" cache "$@" --cache "$cache" >"$printed" 2>"$log"
}
fails() { ! "$@"; }
empty() { [ -z "$(ls -A "$1")" ]; }
sum() { sha256sum <"$1/share/microvm/stage1.squashfs"; }
same_in() { [ "$(sum "$1")" = "$good" ]; }
same() { same_in "$out"; }
stat_of() { cache_command stats --json && jq -r "$1" "$printed"; }
objects() { find "$cache"/squashfs-* -type f "$@"; }
large() { objects -size +500k | sort | head -n 1; }
bundle() { objects -path '*/.bundles/*' | sort | head -n 1; }
# damage FILE BYTE: makes the byte another.
damage() {
	local byte
	byte=$(dd if="$1" bs=1 skip="$2" count=1 status=none | od -An -tu1)
	chmod u+w "$1"
	# shellcheck disable=SC2059 # an octal escape
	printf "\\$(printf %o $((byte ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# ---- what it has ----

check "statistics of a cache that is not there yet" "$MVMBUILD" cache stats
check "but one that is named must be" fails cache_command stats
check "a cold build" build
good=$(sum "$out")
expect "packs all" "$log" "$paths store paths packed, 0 from the cache"
check "the cache has one object for each path" test "$(stat_of .objects)" = "$paths"
check "which are $paths" test "$paths" = 304
check "few files hold them" test "$(objects | wc -l)" -le 6
check "the small ones in bundles" test "$(stat_of .bundledObjects)" = 301
check "text says the same" cache_command stats
expect "settings and numbers" "$printed" " 304 .* squashfs-.*zstd"
check "a warm build" build
expect "takes all from the cache" "$log" "0 store paths packed, $paths from the cache"
check "has the same bytes" same
with_threads() { build -j1 && same && build -j4 && same; }
check "with one thread and with four" with_threads
check "the cache is sound" cache_command verify
expect "which is told" "$printed" '304 objects, .*: all sound'

# ---- damage ----

touch -d 2001-01-01 "$(large)"
damaged=$(large)
# As a disk rots: in the boot in which it was written, after it was used, and neither its times nor its mode tell.
rot() { cp -a --attributes-only "$1" "$test_dir/times" && damage "$@" && chmod --reference "$test_dir/times" "$1" && touch -r "$test_dir/times" "$1"; }
for place in 0 700000 1400000; do
	rot "$damaged" "$place"
	check "a byte that rots in a large object" build
	expect "is told" "$log" "^mvmbuild: warning: $damaged was damaged: its store path is packed anew"
	expect "that path alone is packed" "$log" "1 store paths packed, $((paths - 1)) from the cache"
	check "the same bytes" same
done
check "the next build" build
expect "has nothing to pack" "$log" "0 store paths packed"
expect_no "and nothing to tell" "$log" "warning:"
for misplaced in "mkdir" "mkfifo" "ln -s nowhere"; do
	rm -f "$damaged" && $misplaced "$damaged"
	check "$misplaced where an object should be" build
	check "the same bytes" same
	check "an object is there" test -f "$damaged" -a ! -L "$damaged"
done
rm "$damaged" && mkdir "$damaged" && echo mine >"$damaged/mine"
check "a directory with something in it" build
check "is put aside" grep -qx mine "$damaged.aside-0/mine"
check "a clean-up" cache_command gc
expect "names it" "$log" "warning: $damaged.aside-0 is nothing of a cache"
rm -r "$damaged.aside-0"
rot "$damaged" 4321
check "damage is found" fails cache_command verify --dry-run
expect "and named" "$printed" "^damaged: $damaged\$"
check "a dry run changes nothing" test -e "$damaged"
check "without it" fails cache_command verify
check "what is damaged goes" test ! -e "$damaged"
check "the rest is sound" cache_command verify
check "the next build" build
expect "packs that path alone" "$log" "1 store paths packed, $((paths - 1)) from the cache"
check "the same bytes" same
damage "$(bundle)" 300
check "damage in a bundle" fails cache_command verify --dry-run
expect "is named with its path" "$printed" '^damaged: .*/\.bundles/[0-9a-f]{16}: [0-9a-z]{32}-unit-[0-9]+\.service$'
check "a build heals it by itself" build
expect "by packing one path" "$log" "1 store paths packed, $((paths - 1)) from the cache"
expect "which it tells" "$log" 'warning: .*/\.bundles/[0-9a-f]{16}: [0-9a-z]{32}-unit-[0-9]+\.service was damaged: its store path is packed anew'
check "the same bytes" same
check "and by taking it away" cache_command verify
check "all is complete" build
expect "nothing is packed" "$log" "0 store paths packed"
check "the same bytes" same
truncate -s -3 "$(bundle)"
check "a bundle that is cut off" fails cache_command verify --dry-run
check "is healed as a whole" build
expect "which is told" "$log" 'warning: .*/\.bundles/[0-9a-f]{16} was damaged: the small store paths in it are packed anew'
expect "by packing its paths" "$log" '[1-9][0-9]* store paths packed'
check "the same bytes" same
echo mine >"$cache/notes"
echo mine >"$(dirname "$(large)")/notes"
check "a file that is not the cache's" cache_command verify
expect "is named" "$log" "warning: $cache/notes is nothing of a cache"
expect "here, too" "$log" 'warning: .*squashfs-.*/notes is nothing of a cache'
check "a clean-up" cache_command gc --max-size 0
check "leaves it alone" test -s "$cache/notes"
rm "$cache/notes" "$cache"/*/notes

# ---- killed ----

wrong=0
for delay in 0.02 0.05 0.08 0.12 0.16 0.2 0.25 0.3 0.4 0.5; do
	case $delay in *[25]) rm -rf "$cache" ;; *) rm -rf "$cache"/squashfs-*/.bundles ;; esac
	build -j1 & builder=$!
	sleep "$delay"
	pkill -KILL -P "$builder" -x mvmbuild
	wait "$builder" 2>/dev/null
	if ! { build && same && cache_command verify && empty "$cache/tmp"; }; then wrong=$((wrong + 1)); fi
done
check "killed at ten moments, the next build is right, the cache sound and without litter" test "$wrong" = 0

# ---- at once ----

rm -rf "$cache"
for n in 1 2 3; do
	build_to ".$n" & builders[n]=$!
done
for n in 1 2 3; do
	wait "${builders[n]}"
	check "three builds at once: $n" test $? = 0
	check "the same bytes" same_in "$out.$n"
done
check "the cache is sound" cache_command verify
builds() { # SUFFIX
	local i
	for i in 1 2 3 4; do build_to "$1" -j"$i" && same_in "$out$1" || return; done
}
clean_ups() { while "$MVMBUILD" cache gc --max-size 0 --cache "$cache" >"$printed.gc" 2>"$log.gc"; do :; done; }
for n in 1 2 3; do
	builds ".$n" & builders[n]=$!
done
clean_ups & cleaner=$!
for n in 1 2 3; do
	wait "${builders[n]}"
	check "three builds beside clean-ups that take all they may: $n" test $? = 0
done
check "clean-ups go on" kill "$cleaner"
wait "$cleaner" 2>/dev/null
check "the cache is sound" cache_command verify

# ---- clean-up ----

slow=(--set toplevel="$slow_system" --set storeDisk.level=19 -j1)
check "a cache to be used" build --set storeDisk.level=19
before=$(stat_of .objects)
build "${slow[@]}" & builder=$!
# One of its files is an object that it writes: it has said what it needs, and has not finished.
stop_it() {
	[ -n "$(find "$cache/tmp" -name '[0-9]*' -size +0)" ] && program=$(pgrep -P "$builder" -x mvmbuild) &&
		kill -STOP "$program"
}
check "a build in its middle" wait_while_alive "$builder" stop_it
check "a clean-up that would take all" timeout "$patience" "$MVMBUILD" cache gc --max-size 0 --cache "$cache"
check "leaves what the build needs" test "$(stat_of ".settings[\"$(basename "$(echo "$cache"/squashfs-*-19-*)")\"].objects")" -ge "$((paths - 1))"
check "which is told" timeout "$patience" "$MVMBUILD" cache gc --max-size 0 --cache "$cache" --json
expect "in numbers" "$test_dir/.check" '"needed": *\{'
kill -CONT "$program"
wait "$builder"
check "the build ends well" test $? = 0
expect "with what was there" "$log" "[12] store paths packed, $((paths - 1)) from the cache"
check "a dry run" cache_command gc --max-size 0 --dry-run
expect "tells what would go" "$printed" '^would free [0-9]+ objects.*; 0 objects'
check "and takes nothing" test "$(stat_of .objects)" -ge "$before"
check "a clean-up after" cache_command gc --max-size 0
check "takes all" test "$(stat_of .objects)" = 0
check "no directory of objects is left" test -z "$(find "$cache" -mindepth 1 -name 'squashfs-*')"
check "a build" build
touch -d '40 days ago' "$(large)"
old=$(large)
check "by age" cache_command gc --max-age 30d
expect "one object goes" "$printed" '^freed 1 objects'
check "the old one" test ! -e "$old"
check "a build" build
touch -d '40 days ago' "$(large)"
check "that uses it" build
check "by age" cache_command gc --max-age 30d
expect "nothing goes" "$printed" '^freed 0 objects'
touch -d '3 days ago' "$(large)"
old=$(large)
check "by size" cache_command gc --max-size 4M
check "what was not used for the longest is the first to go" test ! -e "$old"
check "not more than is wanted" test "$(stat_of .bytes)" -gt 2000000
check "a build" build
check "the same bytes" same

# ---- of others ----

theirs=$test_dir/theirs
cp -a "$cache" "$theirs"
chmod -R a+rX "$theirs"
from=(--cache-from "$theirs")
cache=$test_dir/own
check "a cache to read from" build "${from[@]}"
expect "has all" "$log" "0 store paths packed, $paths from the cache"
check "the same bytes" same
check "the own cache stays empty" test -z "$(find "$cache"/squashfs-* -type f)"
find "$theirs" -printf '%p %s %T@ %C@\n' | sort >"$test_dir/theirs.before"
victim=$(find "$theirs" -type f -size +500k | sort | head -n 1)
damage "$victim" 4321
chmod 444 "$victim"
check "one damaged object in it" build "${from[@]}"
expect "is made anew" "$log" "1 store paths packed, $((paths - 1)) from the cache"
check "the same bytes" same
check "in the own cache" test "$(find "$cache"/squashfs-* -type f | wc -l)" = 1
check "the other is left as it was" test "$(diff "$test_dir/theirs.before" <(find "$theirs" -printf '%p %s %T@ %C@\n' | sort) | grep -c '^>')" = 1
chmod g+w "$theirs"
check "where a group may write" fails build "${from[@]}"
expect "is refused" "$log" 'theirs, of a cache to read from, can be written to by others'
chmod g-w "$theirs"
if [ -n "${MVM_TEST_MOUNTS:-}" ]; then
	mkdir "$test_dir/mounted" && mount --bind "$theirs" "$test_dir/mounted" && mount -o remount,bind,ro "$test_dir/mounted"
	check "on a read-only file system" build --cache-from "$test_dir/mounted"
	check "the same bytes" same
	install -d -o 65534 -m 755 "$test_dir/user" "$test_dir/user/home"
	check "for a user, of root's" as_nobody env HOME="$test_dir/user/home" "$(lend "$MVMBUILD")" -v --progress plain \
		--no-cache --cache-from "$test_dir/mounted" "$test_dir/vm.yaml" -o "$test_dir/user/out"
	expect "nearly all" "$test_dir/.check" "1 store paths packed, $((paths - 1)) from the cache"
	check "the same bytes" same_in "$test_dir/user/out"
	umount "$test_dir/mounted"
	chown 65534 "$victim"
	check "a file of somebody else in it" build "${from[@]}"
	check "is passed over" same
	chown -R 65534 "$theirs"
	check "one of somebody else" fails build "${from[@]}"
	expect "is refused" "$log" 'belongs to user 65534, who could put anything there; --cache-owner 65534'
	check "unless its owner is named" build "${from[@]}" --cache-owner 65534
	check "the same bytes" same
else
	skip "caches of other users" "needs root and mount namespaces"
fi
finish
