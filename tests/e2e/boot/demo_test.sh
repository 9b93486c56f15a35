#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs `make demo` with everything installed.
set -u
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
need_programs nix-build busybox qemu-system-x86_64
cd "$top" || exit 1
check "make demo builds, boots and ends well" \
	bash tests/demo/demo.sh "$(realpath --relative-to=. "${MVMBUILD:-build/mvmbuild}")"
expect "the demo's guest found no failure" build/demo/console '^demo: done, 0 failures'
finish
