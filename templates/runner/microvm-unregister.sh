# microvm-unregister: the VM is gone; as root. That systemd-machined knew nothing of it is no error.
# Values stand in single quotes, whatever is in them:
# shellcheck disable=SC2016
set -euo pipefail
@path@
busctl call org.freedesktop.machine1 /org/freedesktop/machine1 org.freedesktop.machine1.Manager UnregisterMachine s @name@ 2>/dev/null || true
