# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Real Nix for tests, without network: source this file, call nix_env_setup, then nix_build.

# nix_env_setup DIR: makes a separate store in DIR/store, for any user, and HOME in DIR; the
# machine's Nix is neither read nor written. The guest must mount its store disk at the same path:
# give mvmbuild storeDir: "$NIX_STORE_DIR".
# nix_env_setup /nix: the machine's own /nix/store; fails when this user cannot build there.
# Afterwards everything that runs Nix, mvmbuild too, uses that store, and $NIX_STORE_DIR and
# $NIX_STATE_DIR name its places.
nix_env_setup() {
	unset NIX_REMOTE NIX_PATH NIX_CONFIG
	if [ "$1" = /nix ]; then
		nix_env_machine
	else
		nix_env_private "$1"
	fi
}

nix_env_machine() {
	if [ "$(id -u)" != 0 ] && [ ! -w /nix/store ] && [ ! -w /nix/var/nix/daemon-socket/socket \
		]; then
		echo "nix: $(id -un) may not build in /nix/store" >&2
		return 1
	fi
	unset NIX_STORE_DIR NIX_LOCALSTATE_DIR NIX_LOG_DIR NIX_CONF_DIR
	export NIX_STORE_DIR=/nix/store NIX_STATE_DIR=/nix/var/nix NIX_CONFIG='substitute = false'
	# Debian's package makes no build users.
	getent group nixbld >/dev/null || NIX_CONFIG+=$'\nbuild-users-group ='
	nix_roots=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)/build/nix-roots
	mkdir -p "$nix_roots"
}

nix_env_private() {
	mkdir -p "$1"
	local dir
	dir=$(cd "$1" && pwd -P) # Nix refuses a store below a symbolic link
	export NIX_STORE_DIR=$dir/store NIX_STATE_DIR=$dir/var/nix NIX_LOCALSTATE_DIR=$dir/var \
		NIX_LOG_DIR=$dir/var/log/nix
	export NIX_CONF_DIR=$dir/etc NIX_USER_CONF_FILES='' HOME=$dir/home XDG_CACHE_HOME=$dir/cache
	export NIX_CONFIG=$'sandbox = false\nbuild-users-group =\nsubstitute = false'
	nix_roots=$dir/roots
	mkdir -p "$nix_roots" "$HOME"
}

# nix_build FILE ATTRIBUTE [ARGUMENT of nix-build]...: prints the store path; on failure the build's
# log on stderr. The path stays alive as long as $nix_roots/FILE-ATTRIBUTE.
nix_build() {
	local file=$1 attribute=$2 root busybox log status=0
	root=$nix_roots/$(basename "$file" .nix)-$attribute
	shift 2
	busybox=$(readlink -f "$(command -v busybox)")
	log=$(mktemp -t mvm-nix-build.XXXXXX)
	nix-build "$file" -A "$attribute" -o "$root" --argstr busyboxProgram "$busybox" "$@" \
		2>"$log" || status=$?
	[ "$status" = 0 ] || cat "$log" >&2
	rm -f "$log"
	return "$status"
}

# nix_env_remove DIR: removes a store that nix_env_setup made (its directories are read-only).
nix_env_remove() {
	[ ! -d "$1" ] || chmod -R u+w "$1"
	rm -rf "$1"
}

# nix_stage_nix DIR: puts the machine's nix, its libraries and their loader into DIR, for
# nix/guest-with-nix.nix:
# nix_build nix/guest-with-nix.nix toplevel --argstr nixFiles DIR
nix_stage_nix() {
	local program
	program=$(readlink -f "$(command -v nix)")
	mkdir -p "$1/bin" "$1/lib"
	cp -L "$program" "$1/bin/nix"
	ldd "$program" | grep -o '/[^ ]*' | xargs cp -L -t "$1/lib"
	# Loaded at run time, from beside libc.
	cp -L "$(ldd "$program" | sed -n 's/.*=> \(.*\)libc\.so\.6 .*/\1/p')"libnss_dns.so.2 \
		"$1/lib"
}

# nix_stage_host DIR: what a runner needs on its host, and mvmbuild, as DIR/bin. The programs are
# this machine's and use its libraries.
nix_stage_host() {
	mkdir -p "$1/bin"
	local program
	for program in bash tar gzip cat chattr chmod cp dirname ln mkdir mktemp readlink rm \
		sync; do
		cp -L "$(command -v "$program")" "$1/bin/"
	done
	cp -L "${MVMBUILD:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)/build/mvmbuild}" \
		"$1/bin/mvmbuild"
}

# nix_sandbox [PATH]...: sets $sandbox to the options of nix-build for a sandbox that has the
# machine's programs, and these paths. No path may lie in another one, because Nix would empty the
# real file. Fails if the machine cannot; $sandbox_error has the reason then.
# shellcheck disable=SC2034 # the tests'
nix_sandbox() {
	sandbox=(--option sandbox true --option sandbox-fallback false
		--option extra-sandbox-paths "/lib /lib64 /usr $*")
	# shellcheck disable=SC2016 # the builder's $out
	sandbox_error=$(nix-build --no-out-link "${sandbox[@]}" -E 'derivation {
		name = "probe"; system = builtins.currentSystem;
		builder = "/usr/bin/bash"; args = [ "-c" "echo > $out" ];
	}' 2>&1 >/dev/null) && return
	sandbox_error="the machine cannot: $(grep -m 1 error <<<"$sandbox_error")"
	return 1
}
