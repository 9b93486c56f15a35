# Requirements of a start. Each function reports what is missing, calls `missing`, and changes
# nothing.
complain() {
	echo "$program: $name: $*" >&2
	missing
}

need_choice() {
	case ${MICROVM_ACCEL:-} in
	'' | kvm | tcg) return 0 ;;
	esac
	complain "MICROVM_ACCEL must be kvm or tcg, not '$MICROVM_ACCEL'"
	return 1
}

# A second start would take over the socket of the running VM, which could not be stopped any more.
need_stopped() { # SOCKET [ARGUMENT]...: those with which mvm-host prints the VM's state
	local state=
	if [ ! -S "$1" ] || ! "$runner/libexec/mvm-host" listens "$1"; then return; fi
	if [ $# -gt 1 ]; then state=$("$runner/libexec/mvm-host" "${@:2}" 2>/dev/null || true); fi
	case $state in paused*) state=", and is $state" ;; *) state= ;; esac
	complain "the VM is already running, with the socket $1$state"
}

# Anything else in the place of a socket would be removed, or taken for a socket in use.
need_socket() { # SOCKET
	if [ -e "$1" ] || [ -L "$1" ]; then
		[ -S "$1" ] || complain "$1 exists and is not a socket; move it away"
	fi
}

need_program() {
	command -v "$1" >/dev/null || complain "$1 is not installed (PATH is $PATH)"
}

need_linker() {
	command -v mvmbuild >/dev/null ||
		complain "mvmbuild is not installed, and links the store disk on the host that runs the VM (PATH is $PATH)"
}

need_runner_without() { # CHARACTERS
	case $runner in *["$1"]*) complain "the hypervisor cannot open files below $runner, whose path must not contain any of $1" ;; esac
}

need_file() { # WHAT PATH
	if [ -d "$2" ]; then
		complain "$1 $2 is a directory"
		return
	fi
	[ -r "$2" ] || complain "$1 $2 $(if [ -e "$2" ]; then
		echo "cannot be read: $(refusal "$2")"
	else
		echo 'is missing'
	fi)"
}

# Explains why a file or directory that exists cannot be used, and what mends it.
refusal() { # PATH
	local mode links owner group more path user mend
	# shellcheck disable=SC2034 # unused fields; ls, because macOS has another stat
	read -r mode links owner group more < <(ls -ldL -- "$1") || return 0
	case $1 in /*) path=$1 ;; *) path=$PWD/$1 ;; esac
	user=$(id -un) mend="chown $user:"
	if [ "$owner" = "$user" ]; then mend='chmod u+rwX'; fi
	echo "it belongs to $owner:$group, mode $mode, and the VM runs as $user;" \
		"as root, run: $mend $(printf %q "$path")"
}

# Counts free pages of the host's pool that are not reserved, including those that the kernel may
# allocate on demand.
need_huge_pages() { # MIB KIB|default [HUGETLBFS]
	local kib=$2 pool key value wanted free
	if [ "$kib" = default ]; then
		while read -r key value _; do
			if [ "$key" = Hugepagesize: ]; then kib=$value; fi
		done </proc/meminfo
	fi
	pool=/sys/kernel/mm/hugepages/hugepages-${kib}kB
	if [ ! -d "$pool" ]; then
		complain "hugepageMem: the host's kernel has no huge pages$([ "$kib" = default ] ||
			echo " of $kib KiB")"
	elif [ $(($1 * 1024 % kib)) != 0 ]; then
		complain "hugepageMem: mem ($1 MiB) is not a multiple of the host's huge page size ($kib KiB)"
	else
		wanted=$(($1 * 1024 / kib))
		free=$(($(cat "$pool/free_hugepages") - $(cat "$pool/resv_hugepages") +
			$(cat "$pool/nr_overcommit_hugepages") - $(cat "$pool/surplus_hugepages")))
		[ "$free" -ge "$wanted" ] ||
			complain "hugepageMem: $1 MiB need $wanted huge pages of $kib KiB, but $((free > 0 ? free : 0)) are free; reserve them, as root, with \"echo $(($(cat "$pool/nr_hugepages") + wanted - free)) >$pool/nr_hugepages\""
	fi
	[ -z "${3:-}" ] || [ "$(stat -f -c %t -- "$3" 2>/dev/null)" = 958458f6 ] ||
		complain "hugepageMem: no hugetlbfs is mounted on $3; run \"mount -t hugetlbfs hugetlbfs $3\" as root"
}

need_interface() { # TYPE NAME
	[ -e "/sys/class/net/$2/ifindex" ] ||
		complain "the $1 interface $2 is missing; run $runner/bin/$1-up as root to create it"
}

# Prints the path of the program that connects QEMU to a bridge; fails if there is none.
find_bridge_helper() {
	local directory
	for directory in /run/wrappers/bin /usr/lib/qemu /usr/libexec /usr/local/libexec; do
		if [ -x "$directory/qemu-bridge-helper" ]; then
			echo "$directory/qemu-bridge-helper"
			return
		fi
	done
	return 1
}

# Whether an interface is a tap that the user who runs this may open, because tap-up made it.
has_own_tap() { # NAME
	local owner
	owner=$(cat "/sys/class/net/$1/owner" 2>/dev/null) || return
	[ "$(id -u)" = 0 ] || [ "$owner" = "$(id -u)" ]
}

# Reports a tap that the hypervisor could not open, for the reasons in tun.c: another kind of
# interface, another number of queues, or a process that has it open.
need_tap() { # NAME QUEUES
	local device=/sys/class/net/$1 flags=0 queues=one carrier=0
	need_interface tap "$1"
	if [ ! -e "$device/ifindex" ]; then return 0; fi
	if [ -e "$device/tun_flags" ]; then flags=$(cat "$device/tun_flags"); fi
	if [ $((flags & 0x0100)) != 0 ]; then queues=several; fi
	carrier=$(cat "$device/carrier" 2>/dev/null) || true
	if [ $((flags & 0x0002)) = 0 ]; then
		complain "the interface $1 is not a tap"
	elif [ "$queues" != "$2" ]; then
		complain "the tap interface $1 was created for $queues of the guest's queues, not for $2; run $runner/bin/tap-up as root to recreate it"
	elif [ "$carrier" = 1 ]; then
		complain "the tap interface $1 is in use: another VM or program has it open"
	fi
}

need_share() { # TAG SOURCE
	if [ -d "$2" ]; then return; fi
	if [ -e "$2" ]; then
		complain "the share $1: $2 is not a directory"
	else
		complain "the share $1: the directory $2 does not exist"
	fi
}

# This hypervisor's 9p server passes on inode numbers unchanged. Those of another file system below
# the directory may be the same, and programs in the guest would take two files for one. (A btrfs
# subvolume that is not a mount is not detected.)
need_one_file_system() { # TAG SOURCE
	local source device point
	[ -d "$2" ] || return 0
	source=$(readlink -f -- "$2") device=$(stat -c %d -- "$source")
	while read -r _ _ _ _ point _; do
		printf -v point %b "$point"
		if [[ $point != "${source%/}"/* ]] ||
			[ "$(stat -c %d -- "$point" 2>/dev/null ||
				echo "$device")" = "$device" ]; then
			continue
		fi
		complain "the share $1: $point, below $2, is another file system, whose inode numbers may be the same; share each file system separately"
		return
	done </proc/self/mountinfo
}

new_volumes= # those that a start would create
need_volume() { # IMAGE READ-ONLY CREATED
	need_owned 'the volume' "$1"
	if [ "$3" = true ] && [ ! -e "$1" ]; then
		new_volumes+="${new_volumes:+, }$1"
		need_directory "$1"
		return
	fi
	need_file 'the volume' "$1"
	[ ! -r "$1" ] || "$runner/libexec/mvm-host" volume whole "$1" || missing
	[ "$2" = true ] || need_outside_runner "$(dirname -- "$1")" "the volume $1"
	[ "$2" = true ] || [ ! -r "$1" ] || [ -w "$1" ] ||
		complain "the volume $1 is not writable: $(device_owner "$1")"
	[ "$3" = true ] || [ ! -e "$(readlink -f -- "$1").grow" ] ||
		complain "the volume $1 was growing when a start was cut off: start the VM that creates it"
}

# Two writers of one image destroy it.
need_free() { # IMAGE read|write
	"$runner/libexec/mvm-host" volume free "$@" || missing
}

# The kernel cannot mount a file system read-only if its journal has to be replayed.
need_clean() { # IMAGE
	"$runner/libexec/mvm-host" volume clean "$1" || missing
}

need_direct() { # IMAGE: otherwise the start continues, with the page cache
	"$runner/libexec/mvm-host" volume direct "$1" || true
}

# For an image that will be created.
need_directory() { # IMAGE
	local directory
	directory=$(dirname -- "$1")
	if [ -L "$1" ]; then
		complain "the volume $1 is a symbolic link whose target does not exist"
	elif [ ! -d "$directory" ]; then
		complain "the directory $directory of the volume $1 does not exist"
	elif [ ! -w "$directory" ]; then
		complain "cannot create the volume $1:" \
			"$directory is not writable: $(refusal "$directory")"
	else
		need_own_directory "$1"
		need_outside_runner "$directory" "the volume $1"
	fi
}

# Where others can create entries, one of them may have taken our name. An entry is trusted if it
# belongs to the user who runs this, to root, to the owner of its directory, or, for root, to the
# VMs' user. For a link its own owner counts, not its target's. In the state directory each
# directory on the way is checked too.
need_owned() { # WHAT PATH
	local above=. mode links owner more
	case $2 in /*) above=${2%/*}/ ;; */*) above=${2%/*} ;; esac
	case $2 in
	/* | . | ..) ;;
	*/*) need_owned 'the directory' "$above" ;;
	esac
	if [ ! -L "$2" ] && [ ! -e "$2" ]; then return; fi
	# shellcheck disable=SC2034 # unused fields; ls, because macOS has another stat
	read -r mode links owner more < <(ls -ldn -- "$2") || return 0
	if [ "$owner" = "$(id -u)" ] || [ "$owner" = 0 ] ||
		[ "$owner" = "$(owner_of "$above")" ]; then
		return
	fi
	if [ "$(id -u)" = 0 ] && [ "$owner" = "$(id -u -- "$(vm_user)" 2>/dev/null)" ]; then
		return
	fi
	complain "$1 $2 belongs to another user ($(id -un -- "$owner" 2>/dev/null || echo "$owner")), who could read and change the guest's data in it; start the VM as that user, or, as root, run: chown $(id -un): $(printf %q "$2")"
}

owner_of() { # DIRECTORY
	local mode links owner more
	# shellcheck disable=SC2034
	read -r mode links owner more < <(ls -ldnL -- "$1") && echo "$owner"
}

# The user of the VM's unit: root starts the VM on behalf of that user.
vm_user() { echo "${MICROVM_USER:-$(cat -- "$runner/share/microvm/host-user")}"; }
vm_groups() { if [ "$(id -u)" = 0 ]; then id -G -- "$(vm_user)" 2>/dev/null || true; fi; }

# Nothing is created where an unauthorized user could replace it: a directory that is writable for
# everybody, or for a group of which one is not a member, must be sticky.
need_own_directory() { # IMAGE
	local directory mode links owner group more
	directory=$(dirname -- "$1")
	# shellcheck disable=SC2034
	read -r mode links owner group more < <(ls -ldnL -- "$directory") || return 0
	case $mode in
	?????????[tT]*) ;;
	????????w*) complain "everybody can write to $directory, so the volume $1 is not created there; change that with \"chmod o-w\"" ;;
	?????w*)
		case " $(id -G) $(vm_groups) " in
		*" $group "*) ;;
		*) complain "the group $group can write to $directory, so the volume $1 is not created there; change that with \"chmod g-w\"" ;;
		esac
		;;
	esac
}

device_owner() { # IMAGE
	if [ -b "$1" ]; then
		echo "the device belongs to $(stat -L -c '%U and the group %G' -- "$1")," \
			"and the VM runs as $(id -un)"
	else
		refusal "$1"
	fi
}

need_size() { # IMAGE MIB TYPE
	"$runner/libexec/mvm-host" volume check "$@" || missing
}

need_mkfs() { # IMAGE MKFS PACKAGE
	[ -e "$1" ] || PATH=$PATH:/usr/sbin:/sbin command -v "$2" >/dev/null ||
		complain "$2 is needed to create the volume $1; install $3 (PATH is $PATH)"
}
