# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Mounts of a test's own, where root may have them ($MVM_TEST_MOUNTS is set then): source it before
# all else, it starts the test again.

if [ "$(id -u)" = 0 ] && [ -z "${MVM_TEST_MOUNTS:-}" ] && unshare -m true 2>/dev/null; then
	MVM_TEST_MOUNTS=1 exec unshare -m --propagation private bash "$0" "$@"
fi
