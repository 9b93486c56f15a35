# microvm-balloon MIB: gives the balloon this size and prints the size that it has then. Run it in the state directory.
# Values stand in single quotes, whatever is in them:
# shellcheck disable=SC2016
set -euo pipefail
@path@
runner=$(dirname -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")")
if [ $# -ne 1 ]; then
	echo "usage: microvm-balloon MIB" >&2
	exit 2
fi
exec "$runner/libexec/mvm-host" @arguments@ "$1"
