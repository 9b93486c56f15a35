#!/bin/bash
# SPDX-License-Identifier: MIT
# Kills builds, damages their cache of compressed store paths, trims it beside them and shares it
# read-only. The store disk must always have the same bytes.
# shellcheck disable=SC2317 # functions that check calls
set -u
# The test has its own mounts, for a read-only cache.
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

# build_to SUFFIX [ARGUMENT]...: removes $out with this suffix and builds it; the messages are in
# $log with the suffix. build has no suffix.
build_to() {
	rm -rf "$out$1"
	"$MVMBUILD" -v --progress plain --cache "$cache" "$test_dir/vm.yaml" -o "$out$1" "${@:2}" \
		>"$printed$1" 2>"$log$1" </dev/null
}
build() { build_to '' "$@"; }
cache_command() { # [ARGUMENT]...: its output is in $printed
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
# damage FILE BYTE: changes the byte.
damage() {
	local byte
	byte=$(dd if="$1" bs=1 skip="$2" count=1 status=none | od -An -tu1)
	chmod u+w "$1"
	# shellcheck disable=SC2059 # an octal escape
	printf "\\$(printf %o $((byte ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# ---- its contents ----

check "cache stats succeeds for the default cache that does not exist yet" "$MVMBUILD" cache stats
check "cache stats fails for a cache that was named and does not exist" fails cache_command stats
check "a build with a cold cache succeeds" build
good=$(sum "$out")
expect "a cold cache packs every store path" "$log" "$paths store paths packed, 0 from the cache"
check "the cache has one object for each store path" test "$(stat_of .objects)" = "$paths"
check "the closure has 304 store paths" test "$paths" = 304
check "at most six files hold them" test "$(objects | wc -l)" -le 6
check "the small objects lie in bundles" test "$(stat_of .bundledObjects)" = 301
check "cache stats prints text too" cache_command stats
expect "the text has the settings and the number of objects" "$printed" " 304 .* squashfs-.*zstd"
check "a build with a warm cache succeeds" build
expect "a warm cache supplies every store path" "$log" "0 store paths packed, $paths from the cache"
check "a warm cache gives the same bytes" same
with_threads() { build -j1 && same && build -j4 && same; }
check "one thread and four threads give the same bytes" with_threads
check "cache verify finds the cache sound" cache_command verify
expect "cache verify reports how many objects are sound" "$printed" '304 objects, .*: all sound'

# ---- damage ----

touch -d 2001-01-01 "$(large)"
damaged=$(large)
# Damages a file as a failing disk does: in the same boot, after a use, without changing its times
# or its mode.
rot() {
	cp -a --attributes-only "$1" "$test_dir/times" && damage "$@" &&
		chmod --reference "$test_dir/times" "$1" && touch -r "$test_dir/times" "$1"
}
for place in 0 700000 1400000; do
	rot "$damaged" "$place"
	check "a build with a rotten byte at $place in a large object succeeds" build
	expect "it warns of the byte at $place" \
		"$log" "^mvmbuild: warning: $damaged was damaged: its store path is packed again"
	expect "it packs the store path with the rotten byte at $place alone" \
		"$log" "1 store path packed, $((paths - 1)) from the cache"
	check "the rotten byte at $place does not change the image" same
done
check "the build after one that was interrupted succeeds" build
expect "it has nothing left to pack" "$log" "0 store paths packed"
expect_no "it prints no warning" "$log" "warning:"
for misplaced in "mkdir" "mkfifo" "ln -s nowhere"; do
	rm -f "$damaged" && $misplaced "$damaged"
	check "a build succeeds with $misplaced in an object's place" build
	check "$misplaced in an object's place does not change the image" same
	check "an object replaces $misplaced" test -f "$damaged" -a ! -L "$damaged"
done
rm "$damaged" && mkdir "$damaged" && echo mine >"$damaged/mine"
check "a build succeeds with a directory in an object's place" build
check "the directory is moved aside with its contents" grep -qx mine "$damaged.aside-0/mine"
check "cache gc succeeds with that directory in the cache" cache_command gc --max-size 1T
expect "cache gc warns about the directory that was moved aside" \
	"$log" "warning: $damaged.aside-0 does not belong to a cache"
rm -r "$damaged.aside-0"
rot "$damaged" 4321
check "cache verify --dry-run fails for a damaged object" fails cache_command verify --dry-run
expect "cache verify --dry-run names the damaged object" "$printed" "^damaged: $damaged\$"
check "cache verify --dry-run changes nothing" test -e "$damaged"
check "cache verify fails for a damaged object" fails cache_command verify
check "cache verify removes the damaged object" test ! -e "$damaged"
check "after that the cache is sound" cache_command verify
check "the build after cache verify succeeds" build
expect "it packs the one store path that was damaged" \
	"$log" "1 store path packed, $((paths - 1)) from the cache"
check "it makes the same bytes after the damage" same
damage "$(bundle)" 300
check "cache verify --dry-run fails for damage in a bundle" fails cache_command verify --dry-run
expect "it names the bundle and the store path that is damaged" \
	"$printed" '^damaged: .*/\.bundles/[0-9a-f]{16}: [0-9a-z]{32}-unit[a-z0-9.-]+$'
check "a build with a damaged bundle succeeds" build
expect "it packs the one damaged store path of the bundle" \
	"$log" "1 store path packed, $((paths - 1)) from the cache"
expect "it warns that this store path was damaged" "$log" \
	'warning: .*/\.bundles/[0-9a-f]{16}: [0-9a-z]{32}-unit[a-z0-9.-]+ was damaged: its store path is packed again'
check "a damaged bundle gives the same bytes" same
check "after the build the cache is sound: the damage is gone" cache_command verify
check "a build with the mended cache succeeds" build
expect "the mended cache lacks nothing" "$log" "0 store paths packed"
check "the mended cache gives the same bytes" same
truncate -s -3 "$(bundle)"
check "cache verify --dry-run fails for a truncated bundle" fails cache_command verify --dry-run
check "a build with a truncated bundle succeeds" build
expect "it warns that the whole bundle was damaged" "$log" \
	'warning: .*/\.bundles/[0-9a-f]{16} was damaged: the small store paths in it are packed again'
expect "it packs the bundle's store paths" "$log" '[1-9][0-9]* store paths? packed'
check "a truncated bundle gives the same bytes" same
echo mine >"$cache/notes"
echo mine >"$(dirname "$(large)")/notes"
check "cache verify succeeds with a foreign file in the cache" cache_command verify
expect "cache verify warns about the foreign file" \
	"$log" "warning: $cache/notes does not belong to a cache"
expect "cache verify warns about a foreign file among the objects too" \
	"$log" 'warning: .*squashfs-.*/notes does not belong to a cache'
check "cache gc succeeds with a foreign file in the cache" cache_command gc --max-size 0
check "cache gc leaves the foreign file alone" test -s "$cache/notes"
rm "$cache/notes" "$cache"/*/notes

# ---- killed ----

wrong=0
for delay in 0.02 0.05 0.08 0.12 0.16 0.2 0.25 0.3 0.4 0.5; do
	case $delay in *[25]) rm -rf "$cache" ;; *) rm -rf "$cache"/squashfs-*/.bundles ;; esac
	build -j1 & builder=$!
	sleep "$delay"
	pkill -KILL -P "$builder" -x mvmbuild
	wait "$builder" 2>/dev/null
	if ! { build && same && cache_command verify &&
		empty "$cache/tmp"; }; then wrong=$((wrong + 1)); fi
done
check "after a build killed at ten moments the next one is right, and the cache sound and without litter" test "$wrong" = 0

# ---- at once ----

rm -rf "$cache"
for n in 1 2 3; do
	build_to ".$n" & builders[n]=$!
done
for n in 1 2 3; do
	wait "${builders[n]}"
	check "the build $n of three at once succeeds" test $? = 0
	check "the build $n of three at once has the same bytes" same_in "$out.$n"
done
check "after three builds at once the cache is sound" cache_command verify
builds() { # SUFFIX
	local i
	for i in 1 2 3 4; do build_to "$1" -j"$i" && same_in "$out$1" || return; done
}
clean_ups() { while "$MVMBUILD" cache gc --max-size 0 --cache "$cache" >"$printed.gc" \
	2>"$log.gc"; do :; done; }
for n in 1 2 3; do
	builds ".$n" & builders[n]=$!
done
clean_ups & cleaner=$!
for n in 1 2 3; do
	wait "${builders[n]}"
	check "the builds $n beside cache gc succeed and are right" test $? = 0
done
check "cache gc ran beside the builds until the end" kill "$cleaner"
wait "$cleaner" 2>/dev/null
check "after cache gc beside builds the cache is sound" cache_command verify

# ---- clean-up ----

slow=(--set toplevel="$slow_system" --set storeDisk.level=19 -j1)
check "a build with another compression level succeeds" build --set storeDisk.level=19
before=$(stat_of .objects)
build "${slow[@]}" & builder=$!
# Succeeds when the build has published its needs and writes an object; then stops it.
stop_it() {
	[ -n "$(find "$cache/tmp" -name '[0-9]*' -size +0)" ] &&
		program=$(pgrep -P "$builder" -x mvmbuild) &&
		kill -STOP "$program"
}
check "a build can be stopped while it packs" wait_while_alive "$builder" stop_it
check "cache gc --max-size 0 succeeds beside a stopped build" \
	timeout "$patience" "$MVMBUILD" cache gc --max-size 0 --cache "$cache"
check "cache gc leaves the objects that the stopped build needs" \
	test "$(stat_of ".settings[\"$(basename "$(echo "$cache"/squashfs-*-19-*)")\"].objects")" \
		-ge "$((paths - 1))"
check "cache gc --json succeeds beside a stopped build" \
	timeout "$patience" "$MVMBUILD" cache gc --max-size 0 --cache "$cache" --json
expect "cache gc --json prints how much is needed" "$test_dir/.check" '"needed": *\{'
kill -CONT "$program"
wait "$builder"
check "the stopped build goes on and ends well" test $? = 0
expect "the stopped build found what it had counted on" \
	"$log" "[12] store paths? packed, $((paths - 1)) from the cache"
check "cache gc --dry-run succeeds" cache_command gc --max-size 0 --dry-run
expect "cache gc --dry-run prints what would be freed" \
	"$printed" '^would free [0-9]+ objects?,.*; 0 objects'
check "cache gc --dry-run frees nothing" test "$(stat_of .objects)" -ge "$before"
check "cache gc succeeds when no build runs" cache_command gc --max-size 0
check "cache gc --max-size 0 removes every object" test "$(stat_of .objects)" = 0
check "no directory of objects is left" test -z "$(find "$cache" -mindepth 1 -name 'squashfs-*')"
check "a build fills the cache again" build
touch -d '40 days ago' "$(large)"
old=$(large)
check "cache gc --max-age succeeds" cache_command gc --max-age 30d
expect "cache gc --max-age removes one object" "$printed" '^freed 1 object,'
check "it is the old one" test ! -e "$old"
check "a build makes the removed object again" build
touch -d '40 days ago' "$(large)"
check "a build uses the object whose time stamp is old" build
check "cache gc --max-age succeeds after that" cache_command gc --max-age 30d
expect "an object that was just used is not removed" "$printed" '^freed 0 objects'
touch -d '3 days ago' "$(large)"
old=$(large)
check "cache gc --max-size 4M succeeds" cache_command gc --max-size 4M
check "the object that was not used for the longest time is the first to go" test ! -e "$old"
check "no more is removed than was asked for" test "$(stat_of .bytes)" -gt 2000000
check "a build after cache gc --max-size succeeds" build
check "cache gc --max-size does not change the bytes" same

# ---- only packed ----

# pack CACHE [ARGUMENT]...: its output is in $printed.
pack() {
	"$MVMBUILD" cache pack --cache "$1" --set storeDir="$NIX_STORE_DIR" "${@:2}" \
		>"$printed" 2>"$log"
}
lower=$test_dir/lower upper=$test_dir/upper
one=$(nix-store -qR "$system" | grep -m 1 large-0)
ln -s "$one" "$test_dir/result"
check "cache pack takes a link to a store path" pack "$lower" "$test_dir/result"
expect "it packs that path alone" "$printed" "^1 store path packed, 0 from the cache, .*: $lower$"
check "cache pack --cache-from --json packs a closure" \
	pack "$upper" "$system" --cache-from "$lower" --json
check "it leaves out what the other cache has" test "$(jq .packed "$printed")" = $((paths - 1))
check "it takes that from the other cache" test "$(jq .reused "$printed")" = 1
check "a second cache pack succeeds" pack "$upper" "$system" --cache-from "$lower"
expect "it has nothing to pack" "$printed" "^0 store paths packed, $paths from the cache"
check "a build from both caches succeeds" \
	build --cache "$test_dir/unused" --cache-from "$lower" --cache-from "$upper"
expect "it packs nothing" "$log" "0 store paths packed, $paths from the cache"
check "it makes the same bytes" same
check "a packed cache is sound" "$MVMBUILD" cache verify --cache "$upper"
check "cache pack packs for other settings of the store disk" \
	pack "$upper" "$one" --set 'storeDisk={level: 4}'
expect "it packs the path again" "$printed" '^1 store path packed, 0 from the cache'
if command -v mkfs.erofs >/dev/null; then
	check "cache pack packs for erofs" pack "$upper" "$one" --set storeDisk.type=erofs
	check "its objects are erofs's" test -n "$(find "$upper" -name 'erofs-*')"
	check "it leaves no temporary files" \
		test -z "$(find "${TMPDIR:-/tmp}" -maxdepth 1 -name '.mvmbuild-cache-pack.*')"
else
	skip "cache pack packs for erofs" "mkfs.erofs is missing"
fi
check "cache pack fails for a path that is missing" fails pack "$upper" "$one-missing"
expect "it names the path" "$log" "error: $one-missing does not exist"

# ---- other users' caches ----

theirs=$test_dir/theirs
cp -a "$cache" "$theirs"
chmod -R a+rX "$theirs"
from=(--cache-from "$theirs")
cache=$test_dir/own
check "a build with a cache to read from succeeds" build "${from[@]}"
expect "the cache to read from supplies every store path" \
	"$log" "0 store paths packed, $paths from the cache"
check "a cache to read from gives the same bytes" same
check "the build's own cache stays empty" test -z "$(find "$cache"/squashfs-* -type f)"
find "$theirs" -printf '%p %s %T@ %C@\n' | sort >"$test_dir/theirs.before"
victim=$(find "$theirs" -type f -size +500k | sort | head -n 1)
damage "$victim" 4321
chmod 444 "$victim"
check "a build with a damaged object in the cache to read from succeeds" build "${from[@]}"
expect "it packs the damaged object's store path" \
	"$log" "1 store path packed, $((paths - 1)) from the cache"
check "a damaged cache to read from gives the same bytes" same
check "the new object is in the build's own cache" \
	test "$(find "$cache"/squashfs-* -type f | wc -l)" = 1
check "the cache to read from is not changed" \
	test "$(diff "$test_dir/theirs.before" <(find "$theirs" -printf '%p %s %T@ %C@\n' | sort) |
		grep -c '^>')" = 1
chmod g+w "$theirs"
check "a cache to read from that a group may write to is refused" fails build "${from[@]}"
expect "the error says who else can write to it" \
	"$log" 'the shared cache directory .*theirs is writable by others'
chmod g-w "$theirs"
if [ -n "${MVM_TEST_MOUNTS:-}" ]; then
	mkdir "$test_dir/mounted" && mount --bind "$theirs" "$test_dir/mounted" &&
		mount -o remount,bind,ro "$test_dir/mounted"
	check "a build reads a cache on a read-only file system" \
		build --cache-from "$test_dir/mounted"
	check "a read-only cache to read from gives the same bytes" same
	install -d -o 65534 -m 755 "$test_dir/user" "$test_dir/user/home"
	check "another user's build reads root's cache" \
		as_nobody env HOME="$test_dir/user/home" "$(lend "$MVMBUILD")" -v --progress plain \
		--no-cache --cache-from "$test_dir/mounted" "$test_dir/vm.yaml" \
			-o "$test_dir/user/out"
	expect "root's cache supplies all but one object" \
		"$test_dir/.check" "1 store path packed, $((paths - 1)) from the cache"
	check "another user's build has the same bytes" same_in "$test_dir/user/out"
	umount "$test_dir/mounted"
	chown 65534 "$victim"
	check "a build succeeds with another user's file in the cache to read from" \
		build "${from[@]}"
	check "another user's file is not used" same
	chown -R 65534 "$theirs"
	check "another user's cache to read from is refused" fails build "${from[@]}"
	expect "the message names the user and --cache-owner" \
		"$log" 'belongs to user 65534, who could write anything there; give --cache-owner 65534'
	check "--cache-owner allows that user's cache" build "${from[@]}" --cache-owner 65534
	check "that user's cache gives the same bytes" same
else
	skip "caches of other users" "needs root and mount namespaces"
fi
finish
