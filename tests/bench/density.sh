# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154 # run.sh sets what all parts use
# Part of tests/bench/run.sh: density, what each kind of store disk costs in memory, and how soon
# its guest has read programs from it. The guests are emulated.

declare -A density_pids=()

# Files of the store that xargs in the guest reads as they are, until they are BYTES: "programs" are
# executable.
density_list() { # BYTES [ARGUMENT of find]...
	find "${base[@]}" -type f -size +0 "${@:2}" -printf '%s %p\n' | LC_ALL=C sort -k 2 |
		grep -v "[^A-Za-z0-9 /._+-]" |
		awk -v most="$1" '(sum += $1) <= most { print $2 }'
}

density_build() { # NAME SETTING...
	local settings=() setting toplevel
	toplevel=$(readlink -f "$work/nix/base")
	for setting in "${@:2}"; do settings+=(--set "$setting"); done
	"$mvmbuild" -q --progress none --set hostName="$1" --set toplevel="$density_guest" \
		--set storeDir="$NIX_STORE_DIR" --set "storePaths=[$density_lists, $toplevel]" \
		--set kernel="$scratch/vmlinux" --set kernelModules="$kernel" --set mem=1536 \
		--set qemu.machine=q35 "${settings[@]}" -o "$scratch/density-$1" \
		"$scratch/empty.yaml" >/dev/null
	cat "$scratch/density-$1"/share/microvm/stage1.* >/dev/null # into the page cache
}

# density_start NAME NUMBER: starts a VM; density_say gives its guest a line.
density_start() {
	local state=$scratch/density-state-$2
	mkdir -p "$state"
	[ -p "$state/input" ] || mkfifo "$state/input"
	(
		cd "$state" || exit
		# A timer that comes late on a busy machine is not broken.
		export MICROVM_ACCEL=tcg
		export MICROVM_KERNEL_PARAMS="quiet no_timer_check lists=$density_lists"
		exec "$scratch/density-$1/bin/microvm-run" <>input >console 2>&1
	) &
	density_pids[$2]=$!
}
density_say() { echo "$2" >"$scratch/density-state-$1/input"; } # NUMBER LINE
# Waits for the line after a list was read, and prints it.
density_wait() { # NUMBER LIST
	local console=$scratch/density-state-$1/console
	until grep -q "^density: $2 " "$console" 2>/dev/null; do
		if ! kill -0 "${density_pids[$1]}" 2>/dev/null; then
			tail "$console" >&2
			echo "bench: a guest ended early" >&2
			return 1
		fi
		sleep 0.02
	done
	sed -n "s/^density: $2 \([0-9-]*\).*/\1/p" "$console"
}
density_end() { # NUMBER
	density_say "$1" end
	wait "${density_pids[$1]}" || true
	unset "density_pids[$1]"
	rm -r "$scratch/density-state-$1"
}
# After a failure.
density_stop() {
	local pid
	for pid in "${density_pids[@]}"; do kill "$pid" 2>/dev/null || true; done
}
density_pss() { # NUMBER...: the VMs' memory in KiB, shared pages divided among those who share them
	local number
	for number in "$@"; do cat "/proc/${density_pids[$number]}/smaps_rollup"; done |
		awk '$1 == "Pss:" { sum += $2 } END { print sum }'
}

# Adds the seconds until the first programs were read to the row's file.
density_time() { # NAME
	local begin end
	begin=$(date +%s%N)
	density_start "$1" 1
	density_wait 1 programs >/dev/null
	end=$(date +%s%N)
	density_end 1
	awk -v ns=$((end - begin)) 'BEGIN { print 0, ns / 1e9, 0 }' >>"$scratch/rows/density-$1"
}

# density_memory NAME COUNT: COUNT guests read the list "some". Sets $grew to the KiB by which the
# hypervisors' memory grew, all together.
density_memory() {
	local numbers number before
	mapfile -t numbers < <(seq "$2")
	for number in "${numbers[@]}"; do
		density_start "$1" "$number"
		density_wait "$number" programs >/dev/null
	done
	before=$(density_pss "${numbers[@]}")
	for number in "${numbers[@]}"; do density_say "$number" some; done
	for number in "${numbers[@]}"; do density_wait "$number" some >/dev/null; done
	grew=$(($(density_pss "${numbers[@]}") - before))
	for number in "${numbers[@]}"; do density_end "$number"; done
}

# Prints by how many KiB a guest's page cache grows while it reads the whole store.
density_whole() { # NAME
	density_start "$1" 1
	density_wait 1 programs >/dev/null
	density_say 1 all
	density_wait 1 all
	density_end 1
}

bench_density() {
	local name count bytes grew one
	density_guest=$(nix_build "$top/tests/bench/density.nix" toplevel)
	mkdir "$scratch/lists"
	density_list 50000000 -perm -100 >"$scratch/lists/programs"
	density_list 100000000 -size +64k ! -perm -100 >"$scratch/lists/some"
	density_list 100000000000 >"$scratch/lists/all"
	density_lists=$(nix-store --add "$scratch/lists")
	kernel_unpack "$kernel"/boot/vmlinuz-* "$scratch/vmlinux"
	local plain=(storeDisk.type=erofs storeDisk.compression=none)
	density_build pmem "${plain[@]}" storeDisk.device=pmem storeDisk.verify=false
	density_build plain "${plain[@]}" storeDisk.verify=false
	density_build lz4hc storeDisk.type=erofs
	density_build squashfs

	for ((round = 1; round <= rounds; round++)); do
		for name in pmem plain lz4hc squashfs; do density_time "$name"; done
	done
	printf '\n%s\n' '| store disk | MB | s from microvm-run to the first 50 MB of programs |' \
		'|---|---|---|'
	for name in pmem plain lz4hc squashfs; do
		printf '| %s | %s | %.2f |\n' "$name" \
			"$(megabytes "$scratch/density-$name"/share/microvm/stage1.*)" \
			"$(value "density-$name" wall)"
	done

	bytes=$(xargs -a "$scratch/lists/some" stat -c %s | awk '{ sum += $1 } END { print sum }')
	printf '\n| guests that read %.0f MB each | store disk | %s |\n|---|---|---|\n' \
		"$(awk -v bytes="$bytes" 'BEGIN { print bytes / 1e6 }')" \
		'memory that it took on the host, MB'
	for name in pmem plain; do
		for count in 1 10; do
			density_memory "$name" "$count"
			printf '| %s | %s | %.1f |\n' "$count" "$name" \
				"$(awk -v kib="$grew" 'BEGIN { print kib * 1024 / 1e6 }')"
			[ "$count" = 10 ] || one=$grew
		done
		[ "$name" = plain ] || bar 'pmem: memory of ten guests against one' \
			"$(awk -v ten="$grew" -v one="$one" 'BEGIN { print ten / one }')" '<=' 1.1
	done

	bytes=$(xargs -a "$scratch/lists/all" stat -c %s | awk '{ sum += $1 } END { print sum }')
	printf '\n| a guest that reads its whole store (%.0f MB) | %s |\n|---|---|\n' \
		"$(awk -v bytes="$bytes" 'BEGIN { print bytes / 1e6 }')" \
		'growth of its page cache, MB'
	for name in pmem plain; do
		grew=$(density_whole "$name")
		[ "$name" = plain ] || one=$grew
		printf '| %s | %.1f |\n' "$name" \
			"$(awk -v kib="$grew" 'BEGIN { print kib * 1024 / 1e6 }')"
	done
	bar 'pmem: growth of the page cache when all is read, % of that on virtio-blk' \
		"$(awk -v pmem="$one" -v plain="$grew" 'BEGIN { print 100 * pmem / plain }')" '<=' 2
}
