#!/bin/bash
# SPDX-License-Identifier: MIT
# Prints the path of an OpenSSH server: this machine's, or Debian's, which apt downloads into
# build/sshd (installing the package would start it on this machine).
set -euo pipefail
top=$(cd "$(dirname "$0")/../../.." && pwd)
# shellcheck source=tests/e2e/lib/apt.sh
. "$top/tests/e2e/lib/apt.sh"
PATH=$PATH:/usr/sbin:/sbin
cache=$top/build/sshd
if type -P sshd; then exit; fi
if [ ! -e "$cache/sshd" ]; then
	mkdir -p "$cache"
	work=$(mktemp -d "$cache/.work.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	# shellcheck disable=SC2317 # apt_try calls it
	download() { (cd "$work" && apt-get "${apt[@]}" download -q openssh-server) >&2; }
	apt=()
	apt_try "$work" download
	deb_unpack "$work" "$work"/openssh-server_*.deb ./usr/sbin/sshd
	mv "$work/usr/sbin/sshd" "$cache/sshd"
fi
echo "$cache/sshd"
