# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Installs programs that are in Rust's registry and not in Debian. Source lib.sh before.

# How long an installation may take, in seconds.
cargo_limit=600

# cargo_tool CRATE PROGRAM VERSION: prints the path of the program: in PATH, or in $MVM_CARGO_CACHE
# (default: build/cargo), where cargo installs it once. If that fails it prints the reason, also in
# later runs: it does not try again until the cache is removed.
cargo_tool() {
	local cache crate=$1-$3
	type -P "$2" && return
	if ! type -P cargo >/dev/null; then
		echo "$2 is not installed, and there is no cargo to install it"
		return 1
	fi
	# shellcheck disable=SC2154 # lib.sh sets top
	cache=${MVM_CARGO_CACHE:-$top/build/cargo}
	mkdir -p "$cache"
	(
		flock 9
		[ -e "$cache/$crate" ] || [ -e "$cache/$crate.log" ] || cargo_install "$@" "$cache"
	) 9>"$cache/.lock"
	if [ ! -e "$cache/$crate" ]; then
		echo "$2 is not installed, and cargo cannot: $(tail -n 1 "$cache/$crate.log")"
		return 1
	fi
	echo "$cache/$crate/bin/$2"
}

# cargo_install CRATE PROGRAM VERSION CACHE: makes CACHE/CRATE-VERSION, or CACHE/CRATE-VERSION.log,
# which ends with the reason of the failure. Tests need no optimized program.
cargo_install() {
	local crate=$1-$3 cache=$4 status=0 reason
	rm -rf "$cache/.root"
	CARGO_TARGET_DIR=$cache/.target CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
		CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_DEBUG=0 \
		timeout -k 10 "$cargo_limit" nice cargo --color never install "$1" --version "=$3" \
			--bin "$2" --locked --root "$cache/.root" \
		>"$cache/.log" 2>&1 || status=$?
	rm -rf "$cache/.target"
	if [ "$status" = 0 ]; then
		mv "$cache/.root" "$cache/$crate"
		return
	fi
	case $status in
	124 | 137) reason="it takes more than $cargo_limit s" ;;
	*) reason=$(grep -m1 '^error' "$cache/.log") || reason="status $status" ;;
	esac
	rm -rf "$cache/.root"
	echo "$reason" >>"$cache/.log"
	mv "$cache/.log" "$cache/$crate.log"
}
