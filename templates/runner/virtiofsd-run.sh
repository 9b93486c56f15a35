# virtiofsd-run: serves the VM's virtiofs shares until the VM disconnects or this is stopped. Run it
# in the state directory. Under systemd it reports when they are ready (Type=notify). microvm-run
# starts it if no process serves them.
#   virtiofsd-run --check         only reports what is missing
#   virtiofsd-run --with PROCESS  returns when they are ready, and serves them until that process ends
#   MICROVM_USER=NAME             as root: the user who runs the VM, and must not choose what is served
# Some functions are for the other kind of virtiofsd; values are in single quotes and may contain $:
# shellcheck disable=SC2016,SC2034,SC2317
set -euo pipefail
@path@
runner=$(dirname -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")")
name=@name@
failed=0
warn() { echo "virtiofsd-run: $name: $*" >&2; }
complain() {
	warn "$@"
	failed=1
}

@place@

@state@
package=@package@
threads=@threads@
handles=@handles@
tells_tag=@tells_tag@
extra_args=(@extra_args@)
serve=()

find_program() {
	local candidate
	local -a candidates=("$package/bin/virtiofsd" "$package/libexec/virtiofsd")
	if [ -z "$package" ]; then
		candidates=("$(command -v virtiofsd || true)" /usr/libexec/virtiofsd \
			/usr/lib/virtiofsd /usr/lib/qemu/virtiofsd)
	fi
	for candidate in "${candidates[@]}"; do
		if [ -f "$candidate" ] && [ -x "$candidate" ]; then
			echo "$candidate"
			return
		fi
	done
	warn "virtiofsd is not $([ -n "$package" ] && echo "in $package" ||
		echo "installed (PATH is $PATH)")"
	return 1
}

# A daemon's abilities are taken from its help, not from its version.
has() { # TEXT
	case $help in *"$1"*) true ;; *) false ;; esac
}

# The Rust daemon, 1.0 and newer.
compose_rust() {
	argv=("$program" --fd=3 "--shared-dir=$directory" --thread-pool-size "$threads")
	if [ "$acl" = true ]; then argv+=(--posix-acl --xattr); fi
	if [ "$cache" = metadata ] && ! has metadata; then
		complain "the share $tag: $program does not support cache: metadata"
	fi
	argv+=("--cache=$cache")
	# Submounts appear as file systems of their own in the guest, because their inode numbers
	# may be the same. virtiofsd refuses the option if it is given twice.
	case " ${extra[*]} " in
	*' --announce-submounts '*) ;;
	*) if has --announce-submounts; then argv+=(--announce-submounts); fi ;;
	esac
	if has --inode-file-handles; then
		argv+=("--inode-file-handles=$handles")
	elif [ "$handles" = mandatory ]; then
		complain "virtiofsd.inodeFileHandles: mandatory: $program does not support it"
	fi
	if [ "$tells_tag" = true ]; then
		if has --tag; then
			argv+=("--tag=$tag")
		else
			complain "the share $tag: $program has no option --tag, which the hypervisor needs"
		fi
	fi
	if [ "$read_only" = true ]; then
		if has --readonly; then
			argv+=(--readonly)
		else
			options+=(--read-only "$directory")
		fi
	fi
}

# The C daemon, of QEMU up to 7.2.
compose_qemu() {
	local escaped=${directory//\\/\\\\}
	argv=("$program" --fd=3 -o "source=${escaped//,/\\,}" "--thread-pool-size=$threads" \
		-o announce_submounts)
	if [ "$acl" = true ]; then argv+=(-o xattr -o posix_acl); fi
	case $cache in
	metadata) complain "the share $tag: $program does not support cache: metadata" ;;
	never) argv+=(-o cache=none) ;;
	*) argv+=(-o "cache=$cache") ;;
	esac
	if [ "$handles" = mandatory ]; then
		complain "virtiofsd.inodeFileHandles: mandatory: $program does not support it"
	fi
	if [ "$tells_tag" = true ]; then
		complain "the share $tag: $program has no option --tag, which the hypervisor needs"
	fi
	if [ "$read_only" = true ]; then options+=(--read-only "$directory"); fi
}

# virtiofsd keeps a file open for each one that the guest has looked up, unless it may open them by
# handles, as root. A store of a host has some hundred thousand files. systemd's limit for a
# service, 524288, is enough for most.
store_files=500000
need_files() { # TAG
	[ "$open_files" -lt "$store_files" ] || return 0
	case $kind:$handles:$(id -u) in
	rust:never:* | qemu:* | rust:*:[1-9]*) ;;
	*) if has --inode-file-handles; then return; fi ;;
	esac
	warn "the share $1: virtiofsd may open only $open_files files, and a guest that reads all of the store needs more; raise the hard limit (ulimit -Hn, or LimitNOFILE= of a unit)"
}

# Uses the hard limit: virtiofsd of QEMU keeps the soft one, often 1024, if its own default is
# higher.
raise_files() {
	case " ${extra[*]} " in
	*' --rlimit-nofile'*) ;;
	*) if has --rlimit-nofile; then argv+=("--rlimit-nofile=$open_files"); fi ;;
	esac
}

# Whether the daemon's options suppress the message that it is waiting, or set its user namespace.
read_extra() { # ARGUMENT...
	local argument
	for argument; do
		case $argument in
		--syslog | --log-level* | *log_level=*) silent=true ;;
		--sandbox* | --uid-map* | --gid-map*) [ "$kind" = qemu ] || own_namespace=false ;;
		esac
	done
}

# Creates a directory for the VM's user to write to, in the VM's directory, which that user or its
# group may be able to write to.
make_directory() { # DIRECTORY
	[ -d "$1" ] || mkdir -- "$1" || complain "cannot create the directory $1"
	need_fixed "$1" "$1"
	if [ "$failed" = 0 ] && [ "$(id -u)" = 0 ]; then
		chown --reference=. -- "$1"
		chmod --reference=. -- "$1"
	fi
}

# Under the host's units this runs as root, in a directory where the VM's user creates files. If
# that user could replace a share, or a directory above it, by a link, the guest could read any file
# of the host. So in a VM's directory that is root's and sticky, the shared directory and those
# above it are given to root and made sticky; their group and mode are kept otherwise. (The host's
# set-booted has all the reasons.) Elsewhere such a share is refused.
user=${MICROVM_USER:-@user@}
here=$(pwd -P)
look() { # PLACE [OPTION]: sets owner, owning_group and mode
	read -r owner owning_group mode < <(stat "${@:2}" -c '%u %g %a' -- "$1") || return
	mode=$((8#$mode))
}
user_writes() {
	[ "$owner" = "$uid" ] || [ $((mode & 2)) != 0 ] ||
		{ [[ " $gids " == *" $owning_group "* ]] && [ $((mode & 16)) != 0 ]; }
}

take_part() { # DIRECTORY PART
	case $(realpath -- "$1")/ in
	"$here"/*) [ "$checking" = false ] || return 0 ;;
	*) return 1 ;;
	esac
	[ ! -L "$2" ] && chown -h -- root "$2" || return
	# From here on it cannot be replaced; a link that replaced it meanwhile must not be root's.
	if [ -L "$2" ] || [ ! -d "$2" ]; then rm -f -- "$2" && return 1; fi
	chmod +t -- "$2"
}

is_fixed() { # PATH: whether the user cannot change any entry on the way, links followed
	local place='' part link owner owning_group mode
	local -a parts
	IFS=/ read -r -a parts <<<"$1"
	for part in "${parts[@]}"; do
		if [ -z "$part" ] || [ "$part" = . ]; then continue; fi
		look "${place:-/}" -L || return
		if user_writes; then
			[ "$owner" != "$uid" ] && [ $((mode & 512)) != 0 ] && look "$place/$part" ||
				return
			if [ "$owner" = "$uid" ]; then
				take_part "${place:-/}" "$place/$part" || return
			fi
		fi
		if [ -L "$place/$part" ]; then
			look "$place/$part" && [ "$owner" != "$uid" ] || return
			link=$(readlink -- "$place/$part")
			case $link in /*) is_fixed "$link" ;; *) is_fixed "$place/$link" ;; esac ||
				return
		fi
		place=$place/$part
	done
}

need_fixed() { # TAG SOURCE
	local uid gids path=$2
	if [ "$(id -u)" != 0 ] || ! uid=$(id -u -- "$user" 2>/dev/null) || [ "$uid" = 0 ]; then
		return
	fi
	# A directory as microvm.nix makes it: everything in it belongs to the VM's user.
	if [ ! -O . ] || [ ! -k . ]; then return; fi
	gids=$(id -G -- "$user")
	case $path in /*) ;; *) path=$here/$path ;; esac
	is_fixed "$path" ||
		complain "the share $1: $user could replace $2, or a directory above it, by a link to any file"
}

@apart@
share() { # TAG SOCKET SOURCE READ-ONLY CACHE ACL [ARGUMENT]...
	local tag=$1 socket=$2 source=$3 read_only=$4 cache=$5 acl=$6 directory silent=false \
		own_namespace=true
	local -a argv=() options=() extra=("${extra_args[@]}" "${@:7}")
	if [ -e "$source" ] && [ ! -d "$source" ]; then
		complain "the share $tag: $source is not a directory"
		return
	elif [ ! -d "$source" ]; then
		complain "the share $tag: the directory $source does not exist"
		return
	fi
	need_fixed "$tag" "$source"
	directory=$(realpath -- "$source")
	if [ "$read_only" = false ]; then need_apart "$tag" "$directory"; fi
	# The type that statfs(2) returns for ZFS.
	if [ "$acl" = true ] && [ "$(stat -f -c %t -- "$directory")" = 2fc12fc1 ]; then
		warn "the share $tag: $directory is on ZFS: ACLs need a dataset with xattr=sa and acltype=posixacl"
	fi
	read_extra "${extra[@]}"
	if [ "$silent" = true ]; then options+=(--silent); fi
	# A user other than root becomes root of a namespace with only one user: files of the
	# guest's root belong to this user here.
	if [ "$(id -u)" != 0 ]; then
		if [ "$own_namespace" = true ]; then options+=(--user-namespace); fi
		if [ "$handles" = mandatory ]; then
			complain "virtiofsd.inodeFileHandles: mandatory needs root"
		fi
	fi
	"compose_$kind"
	raise_files
	argv+=("${extra[@]}")
	serve+=(--share "$tag" "$socket" "${options[@]}" --run "${#argv[@]}" "${argv[@]}")
}

# Finds the group of the VM's directory, if the directory is writable for that group, as under our
# units, or belongs to the VMs' user, as under those of microvm.nix.
find_group() {
	local owner owning_group mode
	look . || return 0
	if [ $((mode & 16)) != 0 ] || { [ "$(id -u)" = 0 ] && [ "$owner" != 0 ] &&
		[ "$owner" = "$(id -u -- "$user" 2>/dev/null)" ]; }; then
		group=(--group-if-any "$owning_group")
	fi
}

behind=() checking=false group=()
if [ "${1:-}" = --check ]; then checking=true; fi
case "$# ${1:-}" in
'0 ' | '1 --check') ;;
'2 --with') behind=(--with "$2") ;;
*)
	warn "usage: virtiofsd-run [--check | --with PROCESS]"
	exit 2
	;;
esac
program=$(find_program) || exit 1
help=$("$program" --help 2>&1 </dev/null || true)
if has --shared-dir; then
	kind=rust
elif has '-o source='; then
	kind=qemu
else
	warn "$program is not a known virtiofsd"
	exit 1
fi
open_files=$(ulimit -Hn)
if [ "$open_files" = unlimited ]; then open_files=$(cat /proc/sys/fs/nr_open); fi
need_outside_runner . "${PWD:-.}"
@before@@shares@
if [ "$failed" != 0 ] || [ "$checking" = true ]; then exit "$failed"; fi
@group@
exec "$runner/libexec/mvm-host" virtiofsd "${behind[@]}" "${group[@]}" "${serve[@]}"
