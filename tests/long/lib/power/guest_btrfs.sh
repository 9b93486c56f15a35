# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# A guest's btrfs volume grows when the guest mounts it, and is then written to.
# shellcheck disable=SC2317,SC2154,SC2034 # ../power.sh calls the functions, and sets what they use
scene_type=btrfs
scene_mib=128
scene_disk=200

# shellcheck source=tests/long/lib/power/guest_volume.sh
. "$world/guest_volume.sh"
