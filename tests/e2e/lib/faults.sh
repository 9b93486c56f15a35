# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Tests what a build does when a system call fails: source this file, which brings lib.sh and
# nix.sh, call faults_setup, faults_begin, then faults_try. A build that fails must print one error,
# leave the old runner unchanged and leave nothing else behind; one that succeeds must make the same
# runner as without a fault. The next build must succeed (not tested if $fault_quick is set).
# shellcheck disable=SC2154 # test_dir, top: of lib.sh

# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/e2e/lib/nix.sh
. "$(dirname "${BASH_SOURCE[0]}")/nix.sh"

# The errors that a function can return; calls that allocate memory have one.
declare -A fault_errors=(
	[write]='28 5 short' [pwrite]='28 5 122 short' [fsync]='5 28' [rename]=28 [renameat]=5
	[renameat2]='28 5 22' [mmap]=12 [fallocate]='28 95' [copy_file_range]='28 5 18 short'
	[malloc]=12 [calloc]=12 [realloc]=12 [open]='24 5' [openat]='24 28 5' [mkdir]=28
	[mkdirat]=28 [mkdtemp]=28 [link]=28 [linkat]=28 [symlink]=28 [symlinkat]=28 [fchmod]=5
	[ftruncate]='28 5' [opendir]=24 [fdopendir]=12 [pthread_create]=11 [fork]=11
	[read]='5 short 4' [pread]='5 short 4' [flock]='37 4' [unlinkat]=5 [unlink]=5 [lseek]=5
	[fstat]=5 [lstat]=5 [stat]=5 [fstatat]=5 [access]=5 [readlink]=5 [pipe2]=24 [readdir]=5
	[fwrite]=28 [fflush]=28 [memfd_create]=24)

# faults_setup: a Nix store of the test's own, a kernel, and no influence from the environment.
faults_setup() {
	MVMBUILD=$(realpath "${MVMBUILD:-$top/build/mvmbuild}")
	need_programs nix-build busybox cc
	fault_kernel=$("$top/tests/e2e/lib/kernel.sh") || skip_all "no kernel"
	nix_env_setup "$test_dir/nix"
	unset XDG_CACHE_HOME SOURCE_DATE_EPOCH NIX_BUILD_CORES NIX_BUILD_TOP NIX_ATTRS_JSON_FILE
}

# faults_begin warm|cold: builds a runner, and records the result of another build of it.
faults_begin() {
	faults=$test_dir/faults fault_mode=$1 fault_library=$test_dir/fault_at.so fault_tries=0 \
		fault_problems=0
	cc -std=gnu11 -D_GNU_SOURCE -O1 -fPIC -shared -o "$fault_library" \
		"$top/tests/e2e/lib/fault_at.c" || exit 1
	rm -rf "$faults"
	mkdir -p "$faults/work" "$faults/tmp"
	fault_system=${fault_system:-$(nix_build "$top/tests/demo/demo.nix" toplevel)}
	printf '%s\n' 'hostName: faulty' "toplevel: $fault_system" "storeDir: $NIX_STORE_DIR" \
		"kernel: $fault_kernel" \
		'volumes: [{image: data.img, mountPoint: /data, size: 16}]' >"$faults/vm.yaml"
	fault_build 300 || { cat "$faults/log"; exit 1; }
	cp -a "$faults/work" "$faults/base"
	[ "$fault_mode" = warm ] || rm -rf "$faults/base/cache"
	fault_old=$(fault_sum)
	FAULT_COUNTS=$faults/counts fault_restore_and_build || exit 1
	fault_new=$(fault_sum)
	[ "$fault_old" != "$fault_new" ] || exit 1
}

fault_restore() {
	rm -rf "$faults/work"
	cp -a "$faults/base" "$faults/work"
}
fault_restore_and_build() {
	fault_restore
	LD_PRELOAD=$fault_library fault_build 301
}
fault_build() { # MEMORY
	TMPDIR=$faults/tmp timeout 1200 "$MVMBUILD" --progress none "$faults/vm.yaml" \
		--set mem="$1" -j2 --cache "$faults/work/cache" -o "$faults/work/out" \
		>/dev/null 2>"$faults/log" </dev/null
}
# Names, types, modes, link targets, contents of the runner.
fault_sum() {
	[ -d "$faults/work/out" ] || { echo none; return; }
	(
		cd "$faults/work/out" || exit
		find . -printf '%p %y %m %l\n' | LC_ALL=C sort
		find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
	) | sha256sum
}
fault_litter() {
	find "$faults/work" "$faults/tmp" "$@" -mindepth 1 -maxdepth 1 ! -name out ! -name cache \
		2>/dev/null
}

# fault_problem FAULT TEXT
fault_problem() {
	fault_problems=$((fault_problems + 1))
	echo "# $1: $2"
	sed -n '1,4s/^/#     /p' "$faults/log"
}

# faults_try FUNCTION NUMBER ERROR
faults_try() {
	local fault=$1:$2:$3 status=0 sum errors litter
	fault_tries=$((fault_tries + 1))
	FAULT=$fault fault_restore_and_build 2>/dev/null || status=$?
	sum=$(fault_sum)
	errors=$(grep -c 'error: ' "$faults/log")
	litter=$(fault_litter)
	if [ "$status" = 0 ]; then
		[ "$sum" = "$fault_new" ] ||
			fault_problem "$fault" \
			"status 0, and the runner is $([ "$sum" = "$fault_old" ] &&
				echo the old one || echo another)"
	elif [ "$status" -gt 4 ]; then
		fault_problem "$fault" "status $status"
	else
		[ "$sum" = "$fault_old" ] || { [ "$sum" = "$fault_new" ] &&
			fault_may_be_late "$1"; } ||
			fault_problem "$fault" \
				"status $status, and the old runner is $([ \
					"$sum" = "$fault_new" ] && echo replaced || echo broken)"
		[ "$errors" = 1 ] || fault_problem "$fault" "status $status with $errors errors"
	fi
	# Files that cannot be removed stay; the next build removes them.
	[ -z "$litter" ] || fault_may_litter "$1" ||
		fault_problem "$fault" "status $status, litter: ${litter//$'\n'/ }"
	[ -z "${fault_quick:-}" ] || return 0
	fault_build 301 || fault_problem "$fault" 'the next build fails'
	[ "$(fault_sum)" = "$fault_new" ] ||
		fault_problem "$fault" 'the next build makes another runner'
	# The cache removes files that nobody holds at its next use.
	litter=$(fault_litter "$faults/work/cache/tmp")
	[ -z "$litter" ] || [ "$status" = 0 ] ||
		fault_problem "$fault" "the next build leaves litter: ${litter//$'\n'/ }"
	"$MVMBUILD" cache verify --cache "$faults/work/cache" >"$faults/log" 2>&1 ||
		fault_problem "$fault" 'the cache is damaged'
}
# These calls may fail when the new runner is already in place.
fault_may_be_late() {
	case $1 in malloc | calloc | realloc | write | fwrite | fflush) true ;; *) false ;; esac
}
fault_may_litter() {
	case $1 in
	unlinkat | unlink | fdopendir | readdir | openat | fstat | close) true ;;
	*) false ;;
	esac
}

# faults_sweep MOST FUNCTION...: tries each function's calls, at most MOST of them, spread over the
# build.
faults_sweep() {
	local most=$1 function count n i error
	shift
	for function; do
		count=$(sed -n "s/^$function //p" "$faults/counts")
		[ -n "$count" ] || continue
		for error in ${fault_errors[$function]:-5}; do
			for ((i = 0; i < (count < most ? count : most); i++)); do
				n=$((count <= most || i < 2 ? i + 1
					: 1 + (count - 1) * i / (most - 1)))
				faults_try "$function" "$n" "$error"
			done
		done
	done
}
