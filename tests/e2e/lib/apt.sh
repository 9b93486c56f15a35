# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Debian packages, without installing them and without root: source it.

# apt_try WORK COMMAND...: runs COMMAND, which calls apt with the options "${apt[@]}". If it fails,
# the system's package lists may be missing or too old, so it runs again with fresh ones in the
# directory WORK. If $apt is already set, for a foreign architecture, fresh lists are made first.
apt_try() {
	local work=$1 given=${#apt[@]}
	shift
	apt+=(-o APT::Sandbox::User="$(id -un)" -o Acquire::Retries=3)
	[ "$given" != 0 ] || ! "$@" || return 0
	apt+=(-o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache")
	mkdir -p "$work/lists/partial" "$work/cache"
	apt-get "${apt[@]}" update -q >&2
	"$@"
}

# deb_unpack DIR DEB PATH...: unpacks everything below each ./PATH.
deb_unpack() {
	dpkg-deb --fsys-tarfile "$2" | tar -x --no-same-owner -C "$1" "${@:3}"
}
