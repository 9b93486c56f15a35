# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# A guest's ext4 volume grows when the guest mounts it, and is then written to.
# shellcheck disable=SC2317,SC2154,SC2034 # ../power.sh calls the functions, and sets what they use
scene_type=ext4
scene_mib=64
scene_disk=256

# shellcheck source=tests/long/lib/power/guest_volume.sh
. "$world/guest_volume.sh"
