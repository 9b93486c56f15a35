#!/bin/bash
# SPDX-License-Identifier: MIT
# systemd_inside.sh DIRECTORY UNITS SOURCES: boots systemd in new namespaces on an overlay of this
# machine's root, and boots it again after each reboot. DIRECTORY and SOURCES are mounted inside at
# their own paths; UNITS is a tree that is copied over the root.
# systemd_inside.sh --boot DIRECTORY SOURCES: becomes systemd, for one boot.
set -eu

# reboot(2) in a PID namespace ends its init with SIGHUP for a reboot (man 2 reboot), and unshare
# ends itself by the same signal.
ended_by_reboot=129

boot_until_off() {
	local status=$ended_by_reboot
	while [ "$status" = "$ended_by_reboot" ]; do
		status=0
		unshare -m -p -f -u -i -n -C --kill-child -- bash "$0" --boot "$@" || status=$?
	done
}

prepare() { # DIRECTORY UNITS SOURCES
	mount --make-rprivate /
	mkdir -p /run/mvm-host
	mount -t tmpfs tmpfs /run/mvm-host
	mkdir /run/mvm-host/{upper,work,root}
	mount -t overlay overlay \
		-o lowerdir=/,upperdir=/run/mvm-host/upper,workdir=/run/mvm-host/work \
		/run/mvm-host/root
	cd /run/mvm-host/root
	rm -rf etc/systemd/system
	mkdir -p etc/systemd/system ".$1" ".$3"
	cp -a "$2/." .
	# They would empty /tmp, where DIRECTORY may be mounted.
	for unit in systemd-tmpfiles-setup.service systemd-tmpfiles-clean.timer \
		systemd-tmpfiles-clean.service; do
		ln -s /dev/null "etc/systemd/system/$unit"
	done
	# A login on the console would hang up the terminal, and so end this script.
	ln -s /dev/null etc/systemd/system/console-getty.service
	: >etc/fstab
	: >etc/machine-id
}

boot() { # DIRECTORY SOURCES
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
	mkdir -p ".$1" ".$2" # /tmp is another one now
	mount --bind "$1" ".$1"
	mount --bind "$2" ".$2"
	export container=unshare
	exec chroot . /lib/systemd/systemd --system --unit=mvm-test.target
}

if [ "$1" = --boot ]; then boot "${@:2}"; fi
prepare "$@"
boot_until_off "$1" "$3"
