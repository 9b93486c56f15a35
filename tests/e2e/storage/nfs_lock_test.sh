#!/bin/bash
# SPDX-License-Identifier: MIT
# Locks volumes between two hosts: a guest's kernel serves NFSv4 to itself and mounts that twice;
# the mounts know nothing of each other's locks, like two machines (nfs_test.sh has the details of
# the server).
set -u
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
# shellcheck source=tests/e2e/lib/lab.sh
. "$top/tests/e2e/lib/lab.sh"
need_programs ldd mount flock
guest_setup
for module in nfsd nfs nfsv4; do
	[ -n "$(find "$kernel/lib/modules" -name "$module.ko*")" ] ||
		skip_all "the kernel has no module $module"
done
limit=300
stage_programs "$test_dir/files" bash mount flock || exit 1
mkdir "$test_dir/data"
cp "${MVM_HOST:-$top/build/mvm-host}" "$test_dir/data/mvm-host"
cat >"$test_dir/script" <<'E2'
ip link set lo up
mkdir -p /var/lib/nfs/v4recovery /mnt/a /mnt/b
mount -t nfsd nfsd /proc/fs/nfsd
echo "-2 -3 +4" >/proc/fs/nfsd/versions
echo "nfsd 127.0.0.1 2147483647 lab" >/proc/net/rpc/auth.unix.ip/channel
echo "lab /srv 2147483647 9218 65534 65534 0" >/proc/net/rpc/nfsd.export/channel
echo "lab 1 \\x00000000 2147483647 /srv" >/proc/net/rpc/nfsd.fh/channel
echo "tcp 2049" >/proc/fs/nfsd/portlist
echo 2 >/proc/fs/nfsd/threads
echo Y >/proc/fs/nfsd/v4_end_grace
mount -i -t nfs4 -o addr=127.0.0.1,clientaddr=127.0.0.1,nosharecache,vers=4.2 127.0.0.1:/ /mnt/a || exit
mount -i -t nfs4 -o addr=127.0.0.1,clientaddr=127.0.0.1,nosharecache,vers=4.1 127.0.0.1:/ /mnt/b || exit
echo "lab: served"
host=$runners/mvm-host
told() { # NAME COMMAND...
	"${@:2}" >log 2>&1
	echo "lab: $1: status $? $(tail -n 1 log)"
}
told created "$host" volume create /mnt/a/data.img mkfs 8 true
echo "lab: litter: $(ls -A /srv | grep -c mvm-new)"
exec 3</mnt/a/data.img
exec 3<>/proc/self/fd/3
told locked "$host" volume lock 3 /mnt/a/data.img write
told "free here" "$host" volume free /mnt/a/data.img write
told "free there" "$host" volume free /mnt/b/data.img write
told "free there to read" "$host" volume free /mnt/b/data.img read
told "flock there" flock -n /mnt/b/data.img true
(
	exec 4<>/mnt/b/data.img
	told "locked there" "$host" volume lock 4 /mnt/b/data.img write
)
exec 3>&-
told "free again" "$host" volume free /mnt/b/data.img write
exec 3</mnt/a/data.img
exec 4</mnt/b/data.img
told "read here" "$host" volume lock 3 /mnt/a/data.img read
told "read there" "$host" volume lock 4 /mnt/b/data.img read
told "written beside readers" "$host" volume free /mnt/b/data.img write
E2
guest=$(guest_build lab --argstr labFiles "$test_dir/files" --argstr labRunners "$test_dir/data" \
	--argstr labScript "$test_dir/script") || exit 1
{
	cat <<-E2
		mem: 512
		nixDatabase: none
		stage1: {modules: [nfs, nfsv4, nfsd]}
		volumes: [{image: srv.img, size: 64, mountPoint: /srv}]
	E2
	fast_kernel
} | compile lab "$guest" || finish
boot lab '^lab: served'
in_use='it is in use: a running VM has it'
expect "a volume is created on NFS" "$console" '^lab: created: status 0'
expect "creating it leaves no litter" "$console" '^lab: litter: 0$'
expect "a volume on NFS is locked" "$console" '^lab: locked: status 0'
expect "a locked volume is not free on the same host" \
	"$console" "^lab: free here: status 1 .*$in_use"
expect "a locked volume is not free on another host" \
	"$console" "^lab: free there: status 1 .*$in_use"
expect "a locked volume is not free on another host for a reader" \
	"$console" "^lab: free there to read: status 1 .*$in_use"
expect "a locked volume is not free for flock on another host" \
	"$console" '^lab: flock there: status 1'
expect "another host cannot lock it" "$console" "^lab: locked there: status 1 .*$in_use"
expect "another host can lock it when the first one has ended" \
	"$console" '^lab: free again: status 0'
expect "a reader locks the volume" "$console" '^lab: read here: status 0'
expect "a reader on another host locks it too" "$console" '^lab: read there: status 0'
expect "a writer cannot lock it beside readers" \
	"$console" "^lab: written beside readers: status 1 .*$in_use"
finish
