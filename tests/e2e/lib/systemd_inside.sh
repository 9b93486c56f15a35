#!/bin/bash
# SPDX-License-Identifier: MIT
# systemd_inside.sh DIRECTORY UNITS SOURCES: becomes systemd in new namespaces, on an overlay of
# this machine's root. DIRECTORY and SOURCES are mounted inside at their own paths; UNITS is a tree
# that is copied over the root.
set -eu
shared=$1 units=$2 sources=$3
mount --make-rprivate /
mkdir -p /run/mvm-host
mount -t tmpfs tmpfs /run/mvm-host
mkdir /run/mvm-host/{upper,work,root}
mount -t overlay overlay -o lowerdir=/,upperdir=/run/mvm-host/upper,workdir=/run/mvm-host/work \
	/run/mvm-host/root
cd /run/mvm-host/root
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 none sys/fs/cgroup
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/pts dev/shm dev/net
for device in null zero full random urandom tty kvm net/tun; do
	if [ -e "/dev/$device" ]; then cp -a "/dev/$device" "dev/$device"; fi
done
chmod 666 dev/net/tun # as udev makes it
mount -t devpts devpts dev/pts -o newinstance,ptmxmode=0666
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
: >dev/console
mount --bind "$(readlink /proc/self/fd/0)" dev/console
rm -rf etc/systemd/system
mkdir -p etc/systemd/system ".$shared" ".$sources"
mount --bind "$shared" ".$shared"
mount --bind "$sources" ".$sources"
cp -a "$units/." .
# They would empty /tmp, where DIRECTORY may be mounted.
for unit in systemd-tmpfiles-setup.service systemd-tmpfiles-clean.timer \
	systemd-tmpfiles-clean.service; do
	ln -s /dev/null "etc/systemd/system/$unit"
done
: >etc/fstab
: >etc/machine-id
export container=unshare
exec chroot . /lib/systemd/systemd --system --unit=mvm-test.target
