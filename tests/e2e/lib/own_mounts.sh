# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Restarts the test in its own mount namespace if root may have one; $MVM_TEST_MOUNTS is set then.
# Source it before anything else.

if [ "$(id -u)" = 0 ] && [ -z "${MVM_TEST_MOUNTS:-}" ] && unshare -m true 2>/dev/null; then
	MVM_TEST_MOUNTS=1 exec unshare -m --propagation private bash "$0" "$@"
fi
