#!/bin/bash
# SPDX-License-Identifier: MIT
# Builds the demo system with Nix, compiles it to a runner and boots it: tests/demo/demo.sh
# [MVMBUILD], default build/mvmbuild. The store paths go to /nix/store where this user may build,
# else to a store in build/.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
mvmbuild=$(realpath "${1:-$top/build/mvmbuild}")
work=$top/build/demo
# shellcheck source=tests/e2e/lib/nix.sh
. "$top/tests/e2e/lib/nix.sh"

show() {
	printf '\n$ %s\n' "$*" >&2
	"$@"
}

nix_env_setup /nix 2>/dev/null || nix_env_setup "$top/build/nix"
mkdir -p "$work"
system=$(nix_build "$here/demo.nix" toplevel)
kernel=$("$top/tests/e2e/lib/kernel.sh")
cd "$work"
show "$mvmbuild" "$here/demo.yaml" --set toplevel="$system" --set storeDir="$NIX_STORE_DIR" \
	--set kernel="$kernel" -o runner
show timeout --foreground 1800 runner/bin/microvm-run </dev/null | tee console
if ! grep -q '^demo: done, 0 failures' console; then
	echo "demo: the guest did not end well; its console is $work/console" >&2
	exit 1
fi
