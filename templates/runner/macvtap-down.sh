# macvtap-down: removes the VM's macvtap interfaces, as root. What is gone already is no error.
# Values stand in single quotes, whatever is in them:
# shellcheck disable=SC2016
set -euo pipefail
@path@
status=0
remove() { # NAME
	if [ -d "/sys/class/net/$1/macvtap" ]; then ip link delete dev "$1" || status=1; fi
}
@interfaces@
exit "$status"
