# microvm-link: links the VM's store disk on this host, unless it is there, and prints its path. The
# arguments are options of `mvmbuild link`.
#   MICROVM_DISKS=DIRECTORY  the host's directory of linked disks
set -euo pipefail
@path@
runner=$(dirname -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")")
name=@name@
if ! command -v mvmbuild >/dev/null; then
	echo "microvm-link: $name: mvmbuild is not installed, and links the store disk on the host that runs the VM (PATH is $PATH)" >&2
	exit 1
fi
# A unit waits as long as this takes.
if [ -n "${NOTIFY_SOCKET:-}" ]; then "$runner/libexec/mvm-host" extend 3600 || true; fi
exec mvmbuild link --quiet "$@" "$runner"
