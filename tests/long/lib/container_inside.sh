#!/bin/bash
# SPDX-License-Identifier: MIT
# container_inside.sh ROOT: in new namespaces, becomes the systemd of the Debian in ROOT.
set -eu
mount --make-rprivate /
mount --bind "$1" "$1"
cd "$1"
mount -t proc proc proc
# Read-only, as in other containers: without udev, systemd-networkd would wait for it.
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 none sys/fs/cgroup
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/pts dev/shm dev/net
for device in null zero full random urandom tty net/tun; do
	cp -a "/dev/$device" "dev/$device"
done
chmod 666 dev/net/tun # as udev makes it
chmod 1777 dev/shm
mount -t devpts devpts dev/pts -o newinstance,ptmxmode=0666
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
: >dev/console
mount --bind "$(readlink /proc/self/fd/0)" dev/console
export container=unshare
exec chroot . /lib/systemd/systemd --system
