# microvm-balloon MIB: sets the size of the balloon, and prints the size that it reached. Run it in
# the state directory. Values are in single quotes and may contain $:
# shellcheck disable=SC2016
set -euo pipefail
@path@
runner=$(dirname -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")")
if [ $# -ne 1 ]; then
	echo "usage: microvm-balloon MIB" >&2
	exit 2
fi
exec "$runner/libexec/mvm-host" @arguments@ "$1"
