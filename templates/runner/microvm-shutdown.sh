# microvm-shutdown: asks the guest to shut down and waits until the VM has ended; after a while it
# cuts the VM's power. Run it in the state directory. Exit status: 0 if the guest shut down by
# itself (or was not running), 3 if it had to be cut off.
#   MICROVM_SHUTDOWN_SECONDS=@seconds@  how long the guest may take
# A VM that is paused, by its hypervisor because the host's disk was full or by somebody, is resumed
# first. Under systemd the unit waits as long. Values are in single quotes and may contain $:
# shellcheck disable=SC2016
set -euo pipefail
@path@
if [ $# -ne 0 ]; then
	echo "microvm-shutdown: it takes no arguments, but got '$1'" >&2
	exit 2
fi
runner=$(dirname -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")")
exec "$runner/libexec/mvm-host" @arguments@ "${MICROVM_SHUTDOWN_SECONDS:-@seconds@}"
