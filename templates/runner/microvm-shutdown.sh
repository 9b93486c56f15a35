# microvm-shutdown [DIRECTORY]: asks the guest to shut down and waits until the VM has ended; after
# a while it cuts the VM's power. DIRECTORY is the state directory, in which microvm-run was
# started: the VM's directory that this runner is in, else the current directory. Exit status: 0 if
# the guest shut down by itself, 3 if it had to be cut off, 1 if no VM runs there. As ExecStop= of a
# unit it is 0 without a VM, because systemd also calls it after the VM has ended.
#   MICROVM_SHUTDOWN_SECONDS=@seconds@  how long the guest may take
# A VM that is paused, by its hypervisor because the host's disk was full or by somebody, is resumed
# first. Under systemd the unit waits as long. Values are in single quotes and may contain $:
# shellcheck disable=SC2016
set -euo pipefail
@path@
if [ $# -gt 1 ]; then
	echo "usage: microvm-shutdown [DIRECTORY]" >&2
	exit 2
fi
runner=$(dirname -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")")
@place@
enter microvm-shutdown "$@"
exec "$runner/libexec/mvm-host" @arguments@ "${MICROVM_SHUTDOWN_SECONDS:-@seconds@}"
