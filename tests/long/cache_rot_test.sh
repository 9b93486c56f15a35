#!/bin/bash
# SPDX-License-Identifier: MIT
# Damages a cache at a thousand random places: none of them may lead to a wrong image. The cache is
# the user's own, in the boot in which it was filled or in a later one, or a cache that others fill.
# The image is a squashfs or an erofs; its blocks are copied or shared (on an XFS and a btrfs in
# files).
#   TRIES=125   damages for each kind of cache and image
#   SEED=1      seed of their choice
# shellcheck disable=SC2317 # functions that check calls
set -u
# shellcheck source=tests/e2e/lib/own_mounts.sh
. "$(dirname "$0")/../e2e/lib/own_mounts.sh"
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../e2e/lib/lib.sh"
# shellcheck source=tests/e2e/lib/nix.sh
. "$(dirname "$0")/../e2e/lib/nix.sh"
MVMBUILD=$(realpath "${MVMBUILD:-$top/build/mvmbuild}")
need_programs nix-build
kernel=$("$top/tests/e2e/lib/kernel.sh") || skip_all "no kernel"
PATH=$PATH:/usr/sbin:/sbin
nix_env_setup "$test_dir/nix"
unset XDG_CACHE_HOME SOURCE_DATE_EPOCH NIX_BUILD_CORES NIX_BUILD_TOP NIX_ATTRS_JSON_FILE
tries=${TRIES:-125}
log=$test_dir/log mounted=$test_dir/mounted boot_id=/proc/sys/kernel/random/boot_id
mkdir "$mounted"
unmount() { mountpoint -q "$mounted" && umount "$mounted"; }
at_end=unmount
RANDOM=${SEED:-1}

# Small paths of less than a page and of more, links, directories; large ones with content that is
# shared, that compresses, and that does not.
cat >"$test_dir/vm.nix" <<'EOF2'
{ busyboxProgram }:
let
  run = name: script: derivation {
    inherit name;
    system = builtins.currentSystem;
    builder = "/bin/sh";
    args = [ "-euc" script ];
    PATH = "/usr/bin:/bin";
  };
  noise = run "noise" ''mkdir "$out"; head -c 300000 /dev/urandom >"$out/noise"; seq 20000 >"$out/text"; ln -s text "$out/link"'';
  more = run "more" ''mkdir -p "$out/bin"; cp ${noise}/noise "$out/bin/same"; seq 30000 >"$out/text"; echo "${noise}" >"$out/ref"'';
  small = builtins.genList (n: run "small-${toString n}" ''mkdir -p "$out/d"; seq ${toString (n * 150)} >"$out/d/f"; ln -s d "$out/l"'') 12;
in
{
  toplevel = run "rot-system" ''mkdir "$out"; echo "${toString ([ noise more ] ++ small)}" >"$out/init"; chmod +x "$out/init"'';
}
EOF2
system=$(nix_build "$test_dir/vm.nix" toplevel) || exit 1
echo '{hostName: rot}' >"$test_dir/vm.yaml"

build() { # OUTPUT [ARGUMENT]...
	rm -rf "$1"
	timeout 1200 "$MVMBUILD" -v --progress plain "$test_dir/vm.yaml" --no-sync \
		--set toplevel="$system" --set storeDir="$NIX_STORE_DIR" --set kernel="$kernel" \
		--set storeDiskType="$type" -o "$@" >"$log" 2>&1 </dev/null
}
below() { echo $(((RANDOM << 30 | RANDOM << 15 | RANDOM) % $1)); }
pick() { # NAME...: sets $picked
	local n
	n=$(below $#)
	shift "$n"
	picked=$1
}
# Flips a bit of the byte at a place.
flip() { # FILE PLACE
	local byte
	byte=$(od -An -tu1 -j "$2" -N 1 "$1")
	# shellcheck disable=SC2059 # an octal escape
	printf "\\$(printf %o $((byte ^ 1 << $(below 8))))" | dd of="$1" bs=1 seek="$2" \
		conv=notrunc status=none
}

# damage CACHE: damages one of its files; $what names the damage. Times and mode stay as they are
# where a disk's fault would not change them.
damage() {
	local files file size kind
	mapfile -t files < <(find "$1" -mindepth 2 -type f ! -path "$1/tmp/*" | LC_ALL=C sort)
	pick "${files[@]}"
	file=$picked size=$(stat -c %s "$picked")
	pick flip flip flip flip flip flip flip flip end end end end zero zero cut page longer \
		empty huge swap link fifo directory full twin unreadable
	kind=$picked what="$picked of ${file#"$1"/}, $size bytes"
	cp -a --attributes-only "$file" "$test_dir/times"
	chmod u+w "$file"
	case $kind in
	flip) flip "$file" "$(below "$size")" ;;
	end) flip "$file" $((size - 1 - $(below $((size < 700 ? size : 700))))) ;;
	zero) dd if=/dev/zero of="$file" bs=1 count=4096 seek="$(below "$size")" conv=notrunc \
		status=none && truncate -s "$size" "$file" ;;
	cut) truncate -s "$(below "$size")" "$file" ;;
	page) truncate -s $((size / 4096 * 4096)) "$file" ;;
	longer) head -c 4096 /dev/urandom >>"$file" ;;
	empty) : >"$file" ;;
	huge) truncate -s 1T "$file" ;;
	swap)
		pick "${files[@]}"
		mv "$file" "$file.t" && { [ ! -e "$picked" ] || mv "$picked" "$file"; } &&
			mv "$file.t" "$picked"
		;;
	link) mv "$file" "$test_dir/elsewhere" && ln -s "$test_dir/elsewhere" "$file" ;;
	fifo) rm "$file" && mkfifo "$file" ;;
	directory) rm "$file" && mkdir "$file" ;;
	full) rm "$file" && mkdir "$file" && echo mine >"$file/mine" ;;
	twin)
		pick "${files[@]}"
		[ "$picked" = "$file" ] || ln -f "$picked" "$file"
		;;
	unreadable) chmod 0 "$file" ;;
	esac
	[ ! -f "$file" ] || [ -L "$file" ] || [ "$kind" = unreadable ] ||
		{ chmod --reference "$test_dir/times" "$file" && touch -r "$test_dir/times" \
		"$file"; }
	rm -f "$test_dir/times"
}

# try FOLDER WHOSE: damages a copy of the cache FOLDER/whole once. If the result is wrong, prints
# how and returns false.
try() {
	local cache=$1/cache with what again packed sum said
	rm -rf "$cache" "$1/own"
	cp -a --reflink=auto "$1/whole" "$cache"
	damage "$cache"
	with=(--cache "$cache")
	[ "$2" = own ] || with=(--cache "$1/own" --cache-from "$cache")
	if ! build "$1/out" "${with[@]}"; then
		echo "# $type, $2: $what: status $?: $(tail -n 1 "$log")"
		return 1
	fi
	sum=$(sha256sum <"$1/out/share/microvm/stage1.$type")
	packed=$(grep -oE '[0-9]+ store paths? packed' "$log") packed=${packed%% *} \
		said=$(grep -cE 'warning: .*(was damaged|is not a regular file|cannot be read)' \
			"$log")
	if [ "$sum" != "$good" ]; then
		echo "# $type, $2: $what: a wrong image"
		return 1
	fi
	healed=$((healed + (packed > 0)))
	if [ "$packed" -gt 0 ] && [ "$said" = 0 ]; then
		# An object that is gone or has another name counts as missing, not as damaged.
		case $what in swap* | twin*) ;; *)
			echo "# $type, $2: $what: $packed store paths packed without a word"
			return 1
			;;
		esac
	fi
	[ "$2" = own ] || return 0
	build "$1/out" "${with[@]}" && again=$(grep -oE '[0-9]+ store paths? packed' "$log")
	if [ "${again%% *}" != 0 ] || grep -q 'warning:' "$log" ||
		[ "$(sha256sum <"$1/out/share/microvm/stage1.$type")" != "$good" ]; then
		echo "# $type, $2: $what: not as it should be after it: $(tail -n 2 "$log")"
		return 1
	fi
}

# campaign FOLDER WHOSE TITLE
campaign() {
	local i wrong=0 healed=0 good
	rm -rf "$1/whole" "$1/out"
	if ! build "$1/out" --cache "$1/whole"; then
		not_ok "$3: a first build succeeds" "$log"
		return
	fi
	good=$(sha256sum <"$1/out/share/microvm/stage1.$type")
	for ((i = 0; i < tries; i++)); do
		if [ -n "${MVM_TEST_MOUNTS:-}" ] && [ $((i % 2)) = 1 ]; then
			# Every second time the machine has rebooted since.
			printf '%08d-1111-4111-8111-111111111111\n' "$i" >"$test_dir/boot_id"
			mount --bind "$test_dir/boot_id" "$boot_id" && try "$1" "$2" ||
				wrong=$((wrong + 1))
			umount "$boot_id"
		else
			try "$1" "$2" || wrong=$((wrong + 1))
		fi
	done
	echo "# $3: $tries damages, $healed times store paths were packed again, $wrong wrong"
	check "$3: no damage reaches an image" test "$wrong" = 0
	check "$3: most of the damages were read by a build" test "$healed" -gt $((tries / 2))
}

# mount_new FS TITLE: makes the file system in a file and mounts it. Skips TITLE and returns false
# where that is impossible.
mount_new() { # FS TITLE
	rm -f "$test_dir/$1.img"
	truncate -s 1G "$test_dir/$1.img"
	[ -n "${MVM_TEST_MOUNTS:-}" ] && "mkfs.$1" -q "$test_dir/$1.img" >"$log" 2>&1 &&
		mount -o loop "$test_dir/$1.img" "$mounted" 2>"$log" && return
	skip "$2" "a file with $1 cannot be mounted: $(head -n 1 "$log")"
	return 1
}

# A byte of an object rots on the disk below the file system, whose page cache is empty: btrfs
# notices it, other file systems do not.
below_the_file_system() { # FS
	local cache=$mounted/cache image=$mounted/out/share/microvm/stage1.$type \
		title="$type, on a disk with $1 that rots" object pattern place places good
	mount_new "$1" "$title" || return
	check "$title: a first build succeeds" build "$mounted/out" --cache "$cache"
	good=$(sha256sum <"$image")
	object=$(find "$cache" -type f -name '*-noise')
	pattern=$(od -An -v -tx1 -j 100000 -N 24 "$object" | tr -d ' \n' | sed 's/../\\x&/g')
	rm -r "$mounted/out"
	unmount
	# A removed image has the byte too.
	mapfile -t places < <(LC_ALL=C grep -obUaP -e "$pattern" "$test_dir/$1.img" | cut -d : -f 1)
	for place in "${places[@]}"; do flip "$test_dir/$1.img" "$place"; done
	check "$title: a byte of an object was changed" test "${#places[@]}" -gt 0
	mount -o loop "$test_dir/$1.img" "$mounted"
	check "$title: the next build succeeds" build "$mounted/out" --cache "$cache"
	expect "$title: the build warns of the damaged object" "$log" \
		"warning: $object (was damaged|cannot be read \(Input/output error\)): its store path is packed again"
	unmount
	mount -o loop "$test_dir/$1.img" "$mounted"
	check "$title: the image, read from the disk, is right" \
		test "$(sha256sum <"$image")" = "$good"
	check "$title: the build after that succeeds" build "$mounted/out" --cache "$cache"
	expect "$title: that build finds no damage" "$log" '0 store paths packed'
	check "$title: that image is right too" test "$(sha256sum <"$image")" = "$good"
	unmount
	rm -f "$test_dir/$1.img"
}

for type in squashfs erofs; do
	if [ "$type" = erofs ] && ! command -v mkfs.erofs >/dev/null; then
		skip "erofs" "there is no mkfs.erofs"
		continue
	fi
	mkdir -p "$test_dir/copied"
	campaign "$test_dir/copied" own "$type, the own cache"
	campaign "$test_dir/copied" others "$type, a cache of others"
	for fs in xfs btrfs; do
		mount_new "$fs" "$type, shared blocks on $fs" || continue
		campaign "$mounted" own "$type, shared blocks on $fs"
		unmount
		rm -f "$test_dir/$fs.img"
	done
	for fs in ext4 xfs btrfs; do below_the_file_system "$fs"; done
done
finish
