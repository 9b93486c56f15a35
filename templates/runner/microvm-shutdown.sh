# microvm-shutdown: asks the guest to stop and waits until the VM is gone; after a while its power is cut.
# Run it in the state directory. Exit status: 0 the guest went down by itself (or was not running), 3 it had to be cut off.
#   MICROVM_SHUTDOWN_SECONDS=@seconds@  for how long the guest may take
# A VM that is paused, by its hypervisor as the host had no room for a disk, or by somebody, is told to go on. Under systemd the unit waits as long.
# Values stand in single quotes, whatever is in them:
# shellcheck disable=SC2016
set -euo pipefail
@path@
runner=$(dirname -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")")
exec "$runner/libexec/mvm-host" @arguments@ "${MICROVM_SHUTDOWN_SECONDS:-@seconds@}"
