#!/bin/bash
# SPDX-License-Identifier: MIT
# Puts a cache and runners on NFS. A guest's kernel serves NFSv4 to itself and mounts that twice,
# by two protocols, so that the mounts know nothing of each other's files and locks, like two
# machines. No daemon answers the server's questions, so the answers are written beforehand
# (exports(5), nfsd(7)).
set -u
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
# shellcheck source=tests/e2e/lib/lab.sh
. "$top/tests/e2e/lib/lab.sh"
need_programs ldd mount
guest_setup
for module in nfsd nfs nfsv4; do
	[ -n "$(find "$kernel/lib/modules" -name "$module.ko*")" ] ||
		skip_all "the kernel has no module $module"
done
limit=300
units=$(guest_build units) || exit 1
paths=$(nix-store -qR "$units" | wc -l)
slow=$(guest_build units --argstr more 4) || exit 1
stage_programs "$test_dir/files" bash mount "$mvmbuild" || exit 1
cp "$mvmbuild" "$test_dir/files/usr/bin/mvmbuild"
mkdir "$test_dir/data"
cp "$kernel"/boot/vmlinuz-* "$test_dir/data/vmlinuz"
echo "070701, for none of our stages" >"$test_dir/data/initrd"
for name in units slow; do
	nix-store -qR "${!name}" | xargs nix-store --dump-db >"$test_dir/data/$name.registration"
	printf '%s\n' "hostName: $name" "toplevel: ${!name}" "storeDir: $NIX_STORE_DIR" \
		>"$test_dir/data/$name.yaml"
done

cat >"$test_dir/script" <<'E2'
# export_it DIRECTORY NUMBER FLAGS: exports it as with fsid=NUMBER in /etc/exports; number 0 is the
# root of the others. The flags are those of include/uapi/linux/nfsd/export.h.
export_it() {
	echo "lab $1 2147483647 $3 65534 65534 $2" >/proc/net/rpc/nfsd.export/channel
	echo "lab 1 \\x0$2000000 2147483647 $1" >/proc/net/rpc/nfsd.fh/channel
}
read_only=1 insecure=2 root_squash=4 no_subtree_check=1024 fsid=8192
plain=$((insecure + no_subtree_check + fsid))
mount_it() { # FROM OPTIONS [NAME]
	mkdir -p "/mnt/${3:-$1}"
	mount -i -t nfs4 -o "addr=127.0.0.1,clientaddr=127.0.0.1,nosharecache,$2" "127.0.0.1:/$1" "/mnt/${3:-$1}"
}
ip link set lo up
mkdir -p /var/lib/nfs/v4recovery
mount -t nfsd nfsd /proc/fs/nfsd
echo "-2 -3 +4" >/proc/fs/nfsd/versions
echo "nfsd 127.0.0.1 2147483647 lab" >/proc/net/rpc/auth.unix.ip/channel
export_it /srv 0 $plain
echo "tcp 2049" >/proc/fs/nfsd/portlist
echo 2 >/proc/fs/nfsd/threads
echo Y >/proc/fs/nfsd/v4_end_grace
mount_it "" vers=4.2 a && mount_it "" vers=4.1 b || exit
echo "lab: served"

args="--set kernel=$runners/vmlinuz --set initrd=$runners/initrd --set nixDatabase=none -v --progress plain"
# mvm CACHE SYSTEM OUTPUT [ARGUMENT]...
mvm() {
	exec mvmbuild "$runners/$2.yaml" $args --set closure="$runners/$2.registration" --cache "$1" -o "$3" "${@:4}" >"log.${log:-}" 2>&1
}
# told NAME STATUS OUTPUT: prints a build's result and the hash of its disk in one line.
told() {
	echo "lab: $1: status $2, $(sed -n 's/.*, \([0-9]* store paths* packed, .*\)/\1/p' "log.${log:-}"), $(sha256sum <"$3/share/microvm/stage1.squashfs")"
	sed -n "s/.*\(error\|warning\):/lab: $1: \1:/p" "log.${log:-}"
}
build() { # NAME [ARGUMENT of mvm]...
	local status=0
	(mvm "${@:2}") || status=$?
	told "$1" "$status" "$4"
}
# begin [ARGUMENT of mvm]...: starts a build with the cache /srv/cache, and stops it when it packs.
begin() {
	log=begun mvm "$@" &
	builder=$!
	until compgen -G '/srv/cache/tmp/[0-9]*'; do sleep 0.02; done >/dev/null
	kill -STOP "$builder"
}
end() { # SIGNAL NAME OUTPUT
	local status=0
	kill "-$1" "$builder"
	wait "$builder" 2>/dev/null || status=$?
	log=begun told "$2" "$status" "$3"
}
command() { # NAME COMMAND...
	timeout 600 mvmbuild cache "${@:2}" 2>&1 | sed "s/^/lab: $1: /"
}
litter() { echo "lab: $1: litter: $(ls -A /srv/cache/tmp | wc -l) $(ls -A /srv | grep -c mvmbuild-)"; }

build "units elsewhere" /tmp/cache units /tmp/units
build "slow elsewhere" /tmp/cache slow /tmp/slow
build cold /mnt/a/cache units /tmp/out
build warm /mnt/a/cache units /tmp/warm
build "warm there" /mnt/b/cache units /mnt/b/out
command stats stats --cache /mnt/b/cache
command verify verify --cache /mnt/b/cache
litter cold
# The objects are from this boot; one is marked as older versions marked objects that they had
# compared.
for number in 0 1; do
	printf damaged | dd of="$(ls /srv/cache/squashfs-*/*-large-$number)" bs=1 seek=4321 conv=notrunc 2>/dev/null
done
chmod 400 /srv/cache/squashfs-*/*-large-1
build damaged /mnt/a/cache units /tmp/out2

begin /mnt/a/cache slow /mnt/a/slow
command "gc beside" gc --max-size 0 --cache /mnt/b/cache
build "same output there" /tmp/cache slow /mnt/b/slow
end CONT "slow, beside that" /mnt/a/slow
litter beside
begin /mnt/a/cache slow /mnt/a/slow --set storeDisk.level=9
end KILL killed /mnt/a/slow
litter killed
build "after it there" /mnt/b/cache units /mnt/b/slow
litter "after it"

exec 8<"$(ls /mnt/a/cache/squashfs-*-3-*/*-large-0)" 9<"$(ls /mnt/a/cache/squashfs-*-3-*/.bundles/* | head -n 1)" 7</mnt/a/slow/share/microvm/stage1.squashfs
command "gc of open" gc --max-size 0 --cache /mnt/a/cache
echo "lab: open: $(find /srv/cache -name '.nfs*' | wc -l)"
command "stats with open" stats --cache /mnt/a/cache
command "verify with open" verify --cache /mnt/a/cache
command "gc with open" gc --max-size 0 --cache /mnt/a/cache
build "output is open" /mnt/a/cache units /mnt/a/slow --set mem=300
litter "output is open"
exec 7<&- 8<&- 9<&-
build "output was open" /mnt/a/cache units /mnt/a/slow --set mem=301
litter "output was open"
echo "lab: closed: $(find /srv -name '.nfs*' | wc -l)"

mkdir /srv/shared /srv/squashed
chmod 777 /srv/squashed
mount --bind /srv/cache /srv/shared
mount --bind /srv/squashed /srv/squashed
export_it /srv/shared 1 $((plain + read_only + root_squash))
export_it /srv/squashed 2 $((plain + root_squash))
mount_it shared vers=4.2,ro
mount_it squashed vers=4.2
build "unreadable" /tmp/own units /tmp/from --cache-from /mnt/shared
chmod -R a+rX /srv/cache
build "shared" /tmp/own units /tmp/from --cache-from /mnt/shared
chown -R 65534 /srv/cache
mount_it shared vers=4.2,ro theirs # the other mount may have the old owners in its cache
build "nobody's" /tmp/own units /tmp/from2 --cache-from /mnt/theirs
build "nobody's, believed" /tmp/own units /tmp/from2 --cache-from /mnt/theirs --cache-owner 65534
command "read-only stats" stats --cache /mnt/theirs
command "read-only verify" verify --cache /mnt/theirs
command "read-only gc" gc --max-size 0 --cache /mnt/theirs
build "squashed" /mnt/squashed/cache units /tmp/squashed
E2
guest=$(guest_build lab --argstr labFiles "$test_dir/files" --argstr labRunners "$test_dir/data" \
	--argstr labScript "$test_dir/script") || exit 1
{
	cat <<-E2
		mem: 768
		nixDatabase: none
		storePaths: [$units, $slow]
		stage1: {modules: [nfs, nfsv4, nfsd]}
		volumes: [{image: srv.img, size: 512, mountPoint: /srv}]
	E2
	fast_kernel
} | compile lab "$guest" || finish
# shellcheck disable=SC2317 # vm_run calls it
fresh() { rm -f srv.img; }
vm_before=fresh
boot lab '^lab: served'

# went DESCRIPTION NAME PACKED CACHED [SYSTEM]: the guest's build NAME packed PACKED paths and took
# CACHED from the cache. Its disk equals the one that was made outside.
went() {
	local hash
	hash=$(sed -n "s/^lab: ${5:-units} elsewhere: status 0, .*, //p" "$console")
	expect "$1" "$console" \
		"^lab: $2: status 0, $3 store paths? packed, $4 from the cache, ${hash:-none}"
}
no_litter() { expect "$1: no litter is left" "$console" "^lab: $1: litter: 0 0$"; }

expect "a build with a cache on a local disk succeeds, for comparison" \
	"$console" "^lab: slow elsewhere: status 0, "
went "a cold build with a cache on NFS is right" cold "$paths" 0
went "a warm build with a cache on NFS is right" warm 0 "$paths"
went "a build on another machine, with a runner on NFS, is right" "warm there" 0 "$paths"
no_litter cold
expect "cache stats works on NFS" "$console" "^lab: stats: +$paths .* all of /mnt/b/cache$"
expect "cache verify works on NFS" "$console" "^lab: verify: $paths objects, .*: all sound$"
went "damage done on another machine is noticed" damaged 2 $((paths - 2))

expect "cache gc on another machine leaves what a running build needs" "$console" \
	"^lab: gc beside: freed 1 object,.* $((paths - 1)) of them, .*, because running builds need them$"
went "a build publishes the same runner from another machine" "same output there" 0 $((paths + 1)) \
	slow
went "it leaves the build that runs beside it alone" "slow, beside that" 2 $((paths - 1)) slow
no_litter beside
expect "a build is killed while its cache is on NFS" "$console" '^lab: killed: status 137, '
expect "the killed build leaves litter" "$console" '^lab: killed: litter: [1-9][0-9]* 1$'
went "the next build on another machine is right after that" "after it there" 1 $((paths - 1))
no_litter "after it"

expect "cache gc removes objects that are open on the same machine" \
	"$console" '^lab: gc of open: freed [0-9]+ objects.*; 0 objects, 0 B stay$'
expect "NFS keeps the open files under names of its own" "$console" '^lab: open: 2$'
expect "cache stats does not count these files" \
	"$console" '^lab: stats with open: +0 .* all of /mnt/a/cache$'
expect "cache verify does not report these files as damaged" \
	"$console" '^lab: verify with open: 0 objects, 0 B: all sound$'
expect "cache gc does not free these files again" "$console" '^lab: gc with open: freed 0 objects'
expect_no "no command warns of these files" "$console" '^lab: .* with open: .*warning'
went "a runner whose disk is open is replaced" "output is open" "$paths" 0
expect "the old runner stays while its disk is open" "$console" '^lab: output is open: litter: 0 1$'
went "the build after that is right" "output was open" 0 "$paths"
no_litter "output was open"
expect "no file has one of NFS's names at the end" "$console" '^lab: closed: 0$'

expect "a cache that root may not read (root_squash) is an error" \
	"$console" '^lab: unreadable: error: cannot open the cache /mnt/shared: Permission denied'
went "a cache to read from on NFS that everybody may read is used" shared 0 "$paths"
expect "a cache of the user nobody is refused" "$console" \
	"^lab: nobody's: error: the shared cache directory /mnt/theirs belongs to user 65534, .* --cache-owner 65534"
went "a cache of the user nobody is used when he is named" "nobody's, believed" 0 "$paths"
expect "cache stats works on a read-only cache" \
	"$console" "^lab: read-only stats: +$paths .* all of /mnt/theirs$"
expect "cache verify works on a read-only cache" \
	"$console" "^lab: read-only verify: $paths objects, .*: all sound$"
expect "cache gc refuses another user's cache" "$console" \
	'^lab: read-only gc: .*error: the cache directory /mnt/theirs belongs to user 65534, but user 0 runs the build'
expect "root's own cache is refused where root is squashed" "$console" \
	'^lab: squashed: error: the cache directory .* belongs to user 65534, .*root_squash'
expect "the guest ends with status 0" "$console" '^lab: done, status 0'
finish
