# What a start needs: each says what is missing, and calls `missing`. They touch nothing.
complain() {
	echo "$program: $name: $*" >&2
	missing
}

# A second start would take the socket away from the running VM, and then nothing could stop that.
need_stopped() { # SOCKET [ARGUMENT of mvm-host that it tells its state by]...
	local state=
	if [ ! -S "$1" ] || ! "$runner/libexec/mvm-host" listens "$1"; then return; fi
	if [ $# -gt 1 ]; then state=$("$runner/libexec/mvm-host" "${@:2}" 2>/dev/null || true); fi
	case $state in paused*) state=", and is $state" ;; *) state= ;; esac
	complain "the VM runs already, with the socket $1$state"
}

# What is in the way of a socket would be removed, or taken for one that is in use.
need_socket() { # SOCKET
	if [ -e "$1" ] || [ -L "$1" ]; then
		[ -S "$1" ] || complain "$1 is in the way of the socket of this name, and is none: it stays as it is; move it away"
	fi
}

need_program() {
	command -v "$1" >/dev/null || complain "$1 is not installed (PATH is $PATH)"
}

need_runner_without() { # CHARACTERS
	case $runner in *["$1"]*) complain "the hypervisor cannot open files below $runner: none of $1 may be in it" ;; esac
}

need_file() { # WHAT PATH
	if [ -d "$2" ]; then
		complain "$1 $2 is a directory"
		return
	fi
	[ -r "$2" ] || complain "$1 $2 $([ -e "$2" ] && echo 'cannot be read' || echo 'is missing')"
}

# The host's pool, whose pages are free or promised to somebody; what the kernel may add to it when asked counts as free.
need_huge_pages() { # MIB KIB|default [HUGETLBFS]
	local kib=$2 pool key value wanted free
	if [ "$kib" = default ]; then
		while read -r key value _; do if [ "$key" = Hugepagesize: ]; then kib=$value; fi; done </proc/meminfo
	fi
	pool=/sys/kernel/mm/hugepages/hugepages-${kib}kB
	if [ ! -d "$pool" ]; then
		complain "hugepageMem: the host's kernel has no huge pages$([ "$kib" = default ] || echo " of $kib KiB")"
	elif [ $(($1 * 1024 % kib)) != 0 ]; then
		complain "hugepageMem: mem, $1 MiB, is no multiple of the host's huge pages, which have $kib KiB"
	else
		wanted=$(($1 * 1024 / kib))
		free=$(($(cat "$pool/free_hugepages") - $(cat "$pool/resv_hugepages") + $(cat "$pool/nr_overcommit_hugepages") - $(cat "$pool/surplus_hugepages")))
		[ "$free" -ge "$wanted" ] ||
			complain "hugepageMem: $1 MiB take $wanted huge pages of $kib KiB, and $((free > 0 ? free : 0)) are free: reserve them, as root, with \"echo $(($(cat "$pool/nr_hugepages") + wanted - free)) >$pool/nr_hugepages\""
	fi
	[ -z "${3:-}" ] || [ "$(stat -f -c %t -- "$3" 2>/dev/null)" = 958458f6 ] || complain "hugepageMem: there is no hugetlbfs on $3: \"mount -t hugetlbfs hugetlbfs $3\" makes one, as root"
}

need_interface() { # TYPE NAME
	[ -e "/sys/class/net/$2/ifindex" ] || complain "the $1 interface $2 is missing: $runner/bin/$1-up makes it, as root"
}

# A tap that the hypervisor could not open, for the reasons of tun.c: another kind, other queues, or another that has it open.
need_tap() { # NAME QUEUES
	local device=/sys/class/net/$1 flags=0 queues=one carrier=0
	need_interface tap "$1"
	if [ ! -e "$device/ifindex" ]; then return 0; fi
	if [ -e "$device/tun_flags" ]; then flags=$(cat "$device/tun_flags"); fi
	if [ $((flags & 0x0100)) != 0 ]; then queues=several; fi
	carrier=$(cat "$device/carrier" 2>/dev/null) || true
	if [ $((flags & 0x0002)) = 0 ]; then
		complain "the interface $1 is no tap"
	elif [ "$queues" != "$2" ]; then
		complain "the tap interface $1 is made for $queues of the guest's queues, not for $2: $runner/bin/tap-up makes it anew, as root"
	elif [ "$carrier" = 1 ]; then
		complain "the tap interface $1 is in use: another VM or program has it open"
	fi
}

need_share() { # TAG SOURCE
	[ -d "$2" ] || complain "the share $1: there is no directory $2"
}

# This hypervisor's 9p server gives each file the inode number that it has; in another file system below the directory these numbers come again, and the
# guest's programs would take one file for the other. (A subvolume of btrfs that is no mount is not seen here.)
need_one_file_system() { # TAG SOURCE
	local source device point
	[ -d "$2" ] || return 0
	source=$(readlink -f -- "$2") device=$(stat -c %d -- "$source")
	while read -r _ _ _ _ point _; do
		printf -v point %b "$point"
		if [[ $point != "${source%/}"/* ]] || [ "$(stat -c %d -- "$point" 2>/dev/null || echo "$device")" = "$device" ]; then continue; fi
		complain "the share $1: $point, below $2, is another file system, whose inode numbers would mean other files too: share directories of one file system each"
		return
	done </proc/self/mountinfo
}

need_volume() { # IMAGE READ-ONLY CREATED
	need_owned 'the volume' "$1"
	if [ "$3" = true ] && [ ! -e "$1" ]; then
		need_directory "$1"
		return
	fi
	need_file 'the volume' "$1"
	[ "$2" = true ] || need_outside_runner "$(dirname -- "$1")" "the volume $1"
	[ "$2" = true ] || [ ! -r "$1" ] || [ -w "$1" ] || complain "the volume $1 cannot be written$(device_owner "$1")"
	[ "$3" = true ] || [ ! -e "$(readlink -f -- "$1").grow" ] || complain "the volume $1 was growing when a start was cut off: start the VM that creates it"
}

# Two that write one image ruin it.
need_free() { # IMAGE read|write
	"$runner/libexec/mvm-host" volume free "$@" || missing
}

# The kernel mounts no file system read-only whose journal it would have to carry out.
need_clean() { # IMAGE
	"$runner/libexec/mvm-host" volume clean "$1" || missing
}

need_direct() { # IMAGE: without it the start goes on, by the page cache
	"$runner/libexec/mvm-host" volume direct "$1" || true
}

# For an image that will be created.
need_directory() { # IMAGE
	local directory
	directory=$(dirname -- "$1")
	if [ -L "$1" ]; then
		complain "the volume $1 is a symbolic link to nothing"
	elif [ ! -d "$directory" ]; then
		complain "there is no directory $directory for the volume $1"
	elif [ ! -w "$directory" ]; then
		complain "cannot write to $directory for the volume $1"
	else
		need_own_directory "$1"
		need_outside_runner "$directory" "the volume $1"
	fi
}

# Where others can make names, one of them may have been first with ours: what counts belongs to who runs this, to root, to the owner of the directory
# that it is in, or, for root, to the VMs' user. A link counts as what its maker chose. So does, in the state directory, each directory on the way.
need_owned() { # WHAT PATH
	local above=. mode links owner more
	case $2 in /*) above=${2%/*}/ ;; */*) above=${2%/*} ;; esac
	case $2 in
	/* | . | ..) ;;
	*/*) need_owned 'the directory' "$above" ;;
	esac
	if [ ! -L "$2" ] && [ ! -e "$2" ]; then return; fi
	# shellcheck disable=SC2034 # words that are not wanted; no stat, which macOS has another one of
	read -r mode links owner more < <(ls -ldn -- "$2") || return 0
	if [ "$owner" = "$(id -u)" ] || [ "$owner" = 0 ] || [ "$owner" = "$(owner_of "$above")" ]; then return; fi
	if [ "$(id -u)" = 0 ] && [ "$owner" = "$(id -u -- "$(vm_user)" 2>/dev/null)" ]; then return; fi
	complain "$1 $2 belongs to another user ($owner), who could read and change what the guest has in it: chown it, or start the VM as that user"
}

owner_of() { # DIRECTORY
	local mode links owner more
	# shellcheck disable=SC2034
	read -r mode links owner more < <(ls -ldnL -- "$1") && echo "$owner"
}

# Who runs the VM by its unit: as root one starts it in that user's place.
vm_user() { echo "${MICROVM_USER:-$(cat -- "$runner/share/microvm/host-user")}"; }
vm_groups() { if [ "$(id -u)" = 0 ]; then id -G -- "$(vm_user)" 2>/dev/null || true; fi; }

# Nothing is made where a user who has no right to can replace it: a directory that is for everybody, or for a group that is not one's own, must be sticky.
need_own_directory() { # IMAGE
	local directory mode links owner group more
	directory=$(dirname -- "$1")
	# shellcheck disable=SC2034
	read -r mode links owner group more < <(ls -ldnL -- "$directory") || return 0
	case $mode in
	?????????[tT]*) ;;
	????????w*) complain "everybody can change what is in $directory, so the volume $1 is not created there: chmod o-w makes it yours" ;;
	?????w*)
		case " $(id -G) $(vm_groups) " in
		*" $group "*) ;;
		*) complain "the group $group can change what is in $directory, so the volume $1 is not created there: chmod g-w makes it yours" ;;
		esac
		;;
	esac
}

device_owner() { # IMAGE
	if [ -b "$1" ]; then stat -L -c ': the device belongs to %U and the group %G' -- "$1"; fi
}

need_size() { # IMAGE MIB TYPE
	"$runner/libexec/mvm-host" volume check "$@" || missing
}

need_mkfs() { # IMAGE MKFS PACKAGE
	[ -e "$1" ] || PATH=$PATH:/usr/sbin:/sbin command -v "$2" >/dev/null ||
		complain "$2 is needed to create the volume $1: it is in $3; PATH is $PATH"
}
