# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154 # run.sh sets what all parts use
# Part of tests/bench/run.sh: host. Times `mvmbuild host` for VMs that share one closure and have
# their own names and taps, and for VMs that also have three small store paths of their own.

host_file() { # COUNT [FILE with a line of store paths for each VM]
	local i own=
	echo 'vms:'
	for ((i = 1; i <= $1; i++)); do
		[ -z "${2:-}" ] || own=", storePaths: [$(sed -n "${i}p" "$2")]"
		echo "  vm$i: {config: {toplevel: $(readlink -f "$work/nix/base"), storeDir: $NIX_STORE_DIR, kernel: $kernel, interfaces: [{type: tap, id: vm$i}]$own}}"
	done
}
used() { du -sm "$1" | cut -f 1; } # DIRECTORY: MB on disk; hard links count once

# Arguments: ROW DIRECTORY
host_build() {
	timed "$1" "$mvmbuild" -q host "$scratch/host.yaml" --cache "$2/cache" -o "$2/host"
}

host_of() { # COUNT
	rm -rf "$scratch/host"
	host_file "$1" >"$scratch/host.yaml"
	host_build "host-$1" "$scratch"
	host_build "host-$1-same" "$scratch"
	row "$1 VMs of one closure, warm cache" "host-$1" "$(used "$scratch/host")"
	row "$1 VMs, nothing changed" "host-$1-same" ''
	rm -rf "$scratch/host"
}

# Runs on a file system that shares blocks; elsewhere each of these VMs has a whole image.
host_own() { # COUNT
	local before
	mount_loop xfs 8 || return 0
	nix-build "$top/tests/bench/own.nix" --arg count "$1" -o "$work/nix/own" >"$scratch/log" \
		2>&1 || {
		tail "$scratch/log" >&2
		exit 1
	}
	host_file "$1" "$work/nix/own" >"$scratch/host.yaml"
	cp -a "$scratch/cache" "$scratch/mounted/cache"
	before=$(df -m --output=used "$scratch/mounted" | tail -n 1)
	host_build host-own "$scratch/mounted"
	sync -f "$scratch/mounted"
	row "$1 VMs with own closures, warm cache, on xfs" host-own \
		"$(($(df -m --output=used "$scratch/mounted" | tail -n 1) - before))"
	unmount_loop
}

bench_host() {
	local count many=${HOSTS:-200}
	ran cold || ours cold base --cache "$scratch/cache"
	ran gensquashfs3 || {
		stage
		peer_gensquashfs gensquashfs3 3
	}
	table 'hosts' 'MB on disk'
	for count in 1 10 100 "$many"; do
		echo "host: $count VMs" >&2
		host_of "$count"
	done
	host_own "$many"
	local row
	for row in "host-$many" host-own; do
		ran "$row" || continue
		bar "$many VMs, $row: CPU against $many times gensquashfs at level 3, estimated from one" \
			"$(awk -v ours="$(value "$row" cpu)" -v one="$(value gensquashfs3 cpu)" \
				-v n="$many" 'BEGIN { print ours / (one * n) }')" '<=' 0.05
		bar "$many VMs, $row: peak MiB" \
			"$(awk -v kib="$(value "$row" memory)" 'BEGIN { print kib / 1024 }')" '<' \
			200
	done
}
