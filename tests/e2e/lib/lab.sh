# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Provides a machine with a working KVM on any machine: QEMU's TCG emulates AMD's SVM with nested
# paging, so a VM under TCG has /dev/kvm, and a runner in it boots with KVM. Source lib.sh and
# nix.sh and call nix_env_setup before.

# stage_programs DIR PROGRAM...: copies them with all their libraries, at the same paths below DIR.
stage_programs() {
	local dir=$1 program programs=()
	shift
	for program; do
		programs+=("$(PATH=$PATH:/usr/sbin:/sbin type -P "$program")") || return
	done
	mkdir -p "$dir"
	ldd "${programs[@]}" | grep -o '/[^ ]*' | grep -v ':$' | sort -u |
		xargs cp -L --parents -t "$dir" "${programs[@]}"
}

# lab_stage DIR: copies QEMU for x86, the tools of a runner's scripts, and those that connect a
# guest.
lab_stage() {
	local program
	stage_programs "$1" qemu-system-x86_64 bash tar gzip cat chattr chmod cp date dirname \
		dmesg env grep ln ls mkdir mktemp readlink rm sleep sync \
		tail timeout tr uname ip socat || return
	# The firmware of the machines q35 and microvm.
	mkdir -p "$1/usr/share/qemu"
	for program in bios-256k.bin bios-microvm.bin linuxboot_dma.bin linuxboot.bin kvmvapic.bin \
		pvh.bin; do
		program=$(find -L /usr/share/qemu /usr/share/seabios -name "$program" \
			-print -quit 2>/dev/null)
		cp -L "$program" "$1/usr/share/qemu/" || return
	done
}

# lab_build DIR RUNNERS SCRIPT [ARGUMENT of mvmbuild]...: makes the lab's own runner at DIR/lab. Its
# guest runs the file SCRIPT with bash in an empty state directory; $runners is the directory
# RUNNERS, whose runners must contain their kernel.
lab_build() {
	local system kernel
	# shellcheck disable=SC2154 # lib.sh sets top
	[ -d "$1/files" ] || lab_stage "$1/files" || return
	# shellcheck disable=SC2154 # lib.sh sets it
	kernel=$("$top/tests/e2e/lib/kernel.sh") || return
	system=$(nix_build "$top/tests/e2e/lib/nix/lab.nix" toplevel --argstr labFiles "$1/files" \
		--argstr labRunners "$2" --argstr labScript "$3") || return
	# Always TCG: -cpu EPYC with SVM is for it. tsc_early_khz= comes from the runner.
	"${MVMBUILD:-$top/build/mvmbuild}" -q - --set toplevel="$system" \
		--set storeDir="$NIX_STORE_DIR" --set kernel="$kernel" -o "$1/lab" "${@:4}" <<-'E' \
		>/dev/null
		hostName: lab
		hypervisor: qemu
		mem: 1536
		cpu: EPYC,+svm,+npt
		qemu: {machine: q35}
		stage1: {modules: [kvm-amd, tun, vhost_net, vhost_vsock]}
		kernelParams: [quiet]
	E
}

# lab_run SECONDS CONSOLE DIR: boots the lab; SECONDS as for vm_run. The console has the script's
# output between "lab: started" and "lab: done, status N".
lab_run() {
	local back=$PWD status=0
	cd "$3" || return
	# not in a subshell: the VM ends with the test
	MICROVM_ACCEL=tcg vm_run "$1" "$2" '^lab: (done|[a-z]+ )' "$3/lab/bin/microvm-run" ||
		status=$?
	cd "$back" && return "$status"
}
