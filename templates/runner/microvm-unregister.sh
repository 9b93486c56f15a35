# microvm-unregister: unregisters the VM from systemd-machined after it has ended, as root. It is
# not an error if the VM was not registered. Values are in single quotes and may contain $:
# shellcheck disable=SC2016
set -euo pipefail
@path@
busctl call org.freedesktop.machine1 /org/freedesktop/machine1 org.freedesktop.machine1.Manager \
	UnregisterMachine s @name@ 2>/dev/null || true
