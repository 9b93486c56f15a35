# microvm-balloon MIB [DIRECTORY]: sets the size of the balloon, and prints the size that it
# reached. DIRECTORY is the state directory, in which microvm-run was started: the VM's directory
# that this runner is in, else the current directory. Values are in single quotes and may contain $:
# shellcheck disable=SC2016
set -euo pipefail
@path@
runner=$(dirname -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")")
if [ $# -ne 1 ] && [ $# -ne 2 ]; then
	echo "usage: microvm-balloon MIB [DIRECTORY]" >&2
	exit 2
fi
@place@
enter microvm-balloon "${@:2}"
exec "$runner/libexec/mvm-host" @arguments@ "$1"
