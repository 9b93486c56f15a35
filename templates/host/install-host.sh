#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# install-host [--dry-run] [--rollback-on-failure | --root DIR]: installs the VMs and units of a
# host, which `mvmbuild host` made. Run again, it applies and reports changes only. A running VM is
# stopped only for a runner that could start. The exit status is 1 if a VM that was started or
# restarted does not run some seconds later; --rollback-on-failure restarts it from its previous
# runner. It reports a VM that is no longer declared, but never removes it. With --dry-run it only
# reports what would change. With --root it installs into another system's tree and starts nothing.
# If it is interrupted, run it again. The VMs' user can create files where it writes as root:
# set-booted explains which entries are trusted.
set -euo pipefail
umask 022
here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
usage='usage: install-host [--dry-run] [--rollback-on-failure | --root DIR]'
root='' rollback='' dry=''

# Prints the absolute path of the tree of another system.
root_directory() { # DIRECTORY
	if [ -z "${1:-}" ]; then
		echo "install-host: --root needs the directory of the other system's tree" >&2
		return 1
	fi
	if [ ! -d "$1" ]; then
		echo "install-host: --root: $1 $(if [ -e "$1" ]; then echo "is not a directory"; \
		else echo "does not exist"; fi)" >&2
		return 1
	fi
	if ! CDPATH='' cd -- "$1" 2>/dev/null; then
		echo "install-host: --root: cannot enter the directory $1" >&2
		return 1
	fi
	pwd
}
while [ $# -gt 0 ]; do
	case $1 in
	-h | --help)
		echo "$usage"
		echo "  --dry-run              report what would change, and change nothing"
		echo "  --rollback-on-failure  go back to the runner before, if a VM does not run"
		echo "  --root DIR             install into another system's tree; start nothing"
		exit
		;;
	--dry-run)
		dry=yes
		shift
		;;
	--rollback-on-failure)
		rollback=yes
		shift
		;;
	--root)
		root=$(root_directory "${@:2:1}") || exit 2
		shift 2
		;;
	--root=*)
		root=$(root_directory "${1#*=}") || exit 2
		shift
		;;
	*)
		echo "install-host: unknown argument '$1'" >&2
		echo "$usage" >&2
		exit 2
		;;
	esac
done
if [ "$root" = / ]; then root=; fi
state=$(cat "$here/share/state-dir") group=$(cat "$here/share/group")
target=$root$state pool=$root$state/.store-disks pending=$root$state/.pending
roots=$root/nix/var/nix/gcroots
# `make install-systemd` installs them to the same place: the last installation counts.
units=$root/usr/local/lib/systemd/system enabled=$root/etc/systemd/system
live=
if [ -z "$root" ] && [ -d /run/systemd/system ]; then live=yes; fi

say() { echo "install-host: $*"; }

# Functions that change something set `did` instead of returning a status: bash ignores `set -e` in
# a function that is called as a condition.
did=

# An action that must follow a change is recorded before the change, one per line, in case that
# install-host is interrupted in between.
intended() { [ -e "$pending" ] && grep -qxF -- "$*" "$pending"; }
intend() {
	if [ -n "$live" ] && [ $# -gt 0 ] && ! intended "$*"; then echo "$*" >>"$pending"; fi
	did=yes
}
settle() {
	if ! intended "$*"; then return; fi
	grep -vxF -- "$*" "$pending" >"$target/.new" || true
	if [ -s "$target/.new" ]; then
		mv -- "$target/.new" "$pending"
	else
		rm -- "$target/.new" "$pending"
	fi
}

# put FILE PLACE MODE [INTENTION]: installs a file in one step, unless it is already there.
put() {
	if cmp -s -- "$1" "$2"; then return; fi
	intend "${@:4}"
	mkdir -p -- "$(dirname -- "$2")"
	cp -- "$1" "$2.new"
	chmod "$3" -- "$2.new"
	mv -f -- "$2.new" "$2"
}

# Whether an entry exists and belongs to the user who runs this.
is_ours() { [ "$(stat -c %u -- "$1" 2>/dev/null)" = "$EUID" ]; }

# Whether an entry is trusted: another user's is, if it is in a directory where anybody could have
# created ours too.
counts() {
	[ -L "$1" ] || [ -e "$1" ] || return
	is_ours "$1" || is_exposed "${1%/*}"
}
is_exposed() { [ -n "$(find "$1" -maxdepth 0 \( ! -uid "$EUID" -o -perm /022 ! -perm -1000 \))" ]; }

# Frees a name for our own entry by removing another user's.
make_room() {
	if ! is_ours "$1"; then rm -rf -- "$1"; fi
}

# link TARGET PLACE [INTENTION]: the same for a symbolic link.
link() {
	local directory=${2%/*} new=${2%/*}/.${2##*/}.new
	if [ "$(readlink -- "$2")" = "$1" ] && is_ours "$2"; then return; fi
	intend "${@:3}"
	mkdir -p -- "$directory"
	rm -rf -- "$new"
	ln -sT -- "$1" "$new"
	make_room "$2"
	mv -fT -- "$new" "$2"
}

# ---- units ----
# Earlier versions installed to /etc, where the units would hide these and those of any later
# installation.
leave_etc() {
	local file
	if [ "$(readlink -- "$enabled/multi-user.target.wants/microvms.target")" != \
		/etc/systemd/system/microvms.target ]; then
		return
	fi
	intend units
	for file in sysusers tmpfiles modules-load; do
		rm -f -- "$root/etc/$file.d/mvmbuild.conf"
	done
	for file in "$here"/share/systemd/*; do rm -f -- "$enabled/${file##*/}"; done
	rm -- "$enabled/multi-user.target.wants/microvms.target"
	say "the units move from /etc/systemd/system to /usr/local/lib/systemd/system"
}

name_hidden() {
	local file
	for file in "$here"/share/systemd/*.{service,target}; do
		if [ -e "$enabled/${file##*/}" ]; then
			say "$enabled/${file##*/} hides the installed unit; remove it, or keep it up to date"
		fi
	done
}

# Prints where a file of share/systemd is installed.
unit_place() { # FILE
	local settings=$root/usr/local/lib
	case $1 in
	*.sysusers) echo "$settings/sysusers.d/mvmbuild.conf" ;;
	*.tmpfiles) echo "$settings/tmpfiles.d/mvmbuild.conf" ;;
	*.modules) echo "$settings/modules-load.d/mvmbuild.conf" ;;
	*) echo "$units/${1##*/}" ;;
	esac
}

install_units() {
	local file
	did=
	leave_etc
	for file in "$here"/share/systemd/*; do put "$file" "$(unit_place "$file")" 644 units; done
	put "$here/share/set-booted" "$root/usr/local/libexec/mvmbuild/set-booted" 755 units
	link ../microvms.target "$units/multi-user.target.wants/microvms.target" units
	name_hidden
	if [ -z "$did" ] && ! intended units; then return; fi
	say "the units are installed"
	if [ -n "$live" ]; then
		# The users and groups that the units name must exist before the units are loaded: a
		# running VM's stop uses them too.
		systemd-sysusers mvmbuild.conf
		systemd-tmpfiles --create mvmbuild.conf
		systemctl daemon-reload
	fi
	settle units
}

# ---- a VM's files ----
large=32k # files above this size are shared by the VMs that have the same
declare -A compared=() digests=()

# Installs a file that runners share. The pool `.store-disks` has disks and other files.
install_shared() { # FILE KEY MODE PLACE
	local pooled=$pool/$2
	mkdir -p -- "$pool"
	# An existing copy may have rotted: each run compares it once, before a VM gets it.
	if [ -z "${compared[$2]:-}" ] && ! cmp -s -- "$1" "$pooled"; then
		if [ -e "$pooled" ]; then
			say "the file $pooled differs from the one that was built; copying it again"
		fi
		cp -f --reflink=auto -- "$1" "$pooled.new"
		chmod "$3" -- "$pooled.new"
		sync -- "$pooled.new"
		mv -fT -- "$pooled.new" "$pooled"
	fi
	compared[$2]=yes
	ln -- "$pooled" "$4"
}

# Installs a runner's file that other runners may also have, such as the kernel, under the digest of
# its contents.
install_large() { # FILE INODE MODE PLACE
	if [ -z "${digests[$2]:-}" ]; then
		digests[$2]=$(sha256sum <"$1")
		digests[$2]=${digests[$2]%% *}
	fi
	install_shared "$1" "${digests[$2]}-$3" "$3" "$4"
}

# Copies the runner, because what is installed must belong to root, whoever built it.
install_runner() { # NAME PLACE DISK KEY
	local from=$here/runners/$1 new=$target/$1/runners/.new inode mode file
	if [ -d "$target/$1/$2" ]; then return; fi
	rm -rf -- "$new"
	mkdir -- "$new"
	(cd "$from" && find . -mindepth 1 -type d -print0 | (cd "$new" && xargs -0 -r mkdir -p --))
	(cd "$from" && find . \( -type f ! -size "+$large" -o -type l \) ! -path "./$3" -print0 |
		xargs -0 -r cp -P --reflink=auto --parents -t "$new" --)
	while read -r -d '' inode mode file; do
		install_large "$from/$file" "$inode" "$mode" "$new/$file"
	done < <(cd "$from" &&
		find . -type f -size "+$large" ! -path "./$3" -printf '%D:%i %m %P\0')
	if [ "$3" != - ]; then
		install_shared "$here/store-disks/$4" "$4" "$(stat -c %a -- "$from/$3")" "$new/$3"
	fi
	sync -f -- "$new"
	mv -T -- "$new" "$target/$1/$2"
}

# Protects the store paths that the runner needs from Nix, and adds the links by which Nix finds the
# VM.
install_roots() { # NAME PLACE
	local path own=$roots/microvm/.runners/$1/${2##*/}
	if [ ! -d "$roots" ]; then return; fi
	mkdir -p -- "$own"
	while read -r path; do
		ln -sfn -- "$path" "$own/${path##*/}"
	done <"$here/runners/$1/share/microvm/host-store-paths"
	link "$state/$1/current" "$roots/microvm/$1"
	link "$state/$1/booted" "$roots/microvm/booted-$1"
	link "$state/$1/old" "$roots/microvm/old-$1"
}

# Prints the first file in a runner that no build made, because a VM was started there. base/own.h
# describes the list of files that a build made.
foreign_file() { # RUNNER
	[ ! -e "$1/share/mvmbuild/files" ] ||
		(cd "$1" && find . ! -type d -printf '%P\n' | LC_ALL=C sort |
			LC_ALL=C comm -23 - share/mvmbuild/files | sed -n 1p)
}

remove_unnamed() { # NAME
	local runner place foreign
	rm -rf -- "$target/$1"/runners/.gone-*
	for runner in "$target/$1"/runners/*; do
		place=runners/${runner##*/}
		case $place in
		"$(readlink -- "$target/$1/current")") continue ;;
		"$(readlink -- "$target/$1/booted")") continue ;;
		"$(readlink -- "$target/$1/old")") continue ;;
		esac
		foreign=$(foreign_file "$runner")
		if [ -n "$foreign" ]; then
			say "the old runner $runner stays: it has the file $foreign, which was not built"
			continue
		fi
		# If removal is interrupted, half a runner must not keep a runner's name.
		mv -T -- "$runner" "$target/$1/runners/.gone-${runner##*/}"
		rm -rf -- "$roots/microvm/.runners/$1/${runner##*/}"
	done
	rm -rf -- "$target/$1"/runners/.gone-*
}

# ---- can a VM start, and does it run ----
settled_s=5 patience_s=200

# The units of a VM in the order of their start.
vm_units=(microvm-set-booted microvm-tap-interfaces microvm-macvtap-interfaces
	microvm-pci-devices microvm-virtiofsd microvm-disk microvm microvm-machine)

# systemd gives each of them all its tries again.
forget_failures() { # NAME
	systemctl reset-failed "${vm_units[@]/%/@$1.service}" 2>/dev/null || true
}

show() { systemctl show --property="$2" --value "microvm@$1.service"; }
# It runs, or is started again and again, or systemd has given up.
is_active() {
	systemctl is-active -q "microvm@$1.service" ||
		case $(show "$1" ActiveState) in activating | failed) ;; *) false ;; esac
}

# It waits for its turn to start.
has_job() { [ "$(show "$1" Job)" != 0 ] && [ -n "$(show "$1" Job)" ]; }

# Runs a check and prints its complaints; fails if it has none. A check that cannot run, which has
# the status 127, decides nothing.
complaints_of() { # COMMAND...
	local text rc=0
	text=$("$@" 2>&1 >/dev/null) || rc=$?
	if [ "$rc" = 0 ] || [ "$rc" = 127 ]; then return 1; fi
	text=$(grep -v 'the guest runs slowly, without KVM' <<<"$text" || true)
	echo "${text//$'\n'/; }"
}

# Prints the groups of the unit's processes: "1,2".
groups_of() { # NAME USER
	local more gid groups
	groups=$(id -G -- "$2" 2>/dev/null) || return
	for more in $(show "$1" SupplementaryGroups); do
		gid=$(getent group "$more" | cut -d : -f 3)
		groups+=${gid:+ $gid}
	done
	echo "${groups// /,}"
}

# Prints why a runner could not take over from the running VM; fails if it could. Its check runs as
# the unit's user; the check of the shares runs as root. Without a unit, it fails.
obstacle() { # NAME PLACE
	local user group groups bin=$target/$1/$2/bin
	user=$(show "$1" User) group=$(show "$1" Group)
	if [ -z "$user" ] || [ ! -x "$bin/microvm-check" ]; then return 1; fi
	groups=$(groups_of "$1" "$user") || return
	if complaints_of setpriv --reuid "$user" --regid "${group:-$(id -g -- "$user")}" \
		--groups "$groups" "$bin/microvm-check" --running "$target/$1"; then return; fi
	if [ ! -x "$bin/virtiofsd-run" ]; then return 1; fi
	complaints_of env -C "$target/$1" "MICROVM_USER=$user" "$bin/virtiofsd-run" --check
}

# Prints the last line of the VM's unit that failed; fails if no unit has.
reason() { # NAME
	local unit line
	for unit in "${vm_units[@]}"; do
		case $(systemctl show --property=ActiveState,SubState "$unit@$1.service") in
		*=failed* | *=auto-restart*) ;;
		*) continue ;;
		esac
		journalctl --sync 2>/dev/null || true
		line=$(journalctl -q -a -b -o cat -n 20 "_SYSTEMD_UNIT=$unit@$1.service" |
			tr '\r' '\n' | grep -v 'the guest runs slowly, without KVM' |
			grep '[^ ]' | tail -n 1) || true
		echo "$unit@$1: ${line:-it failed}"
		return
	done
	return 1
}

# Waits until each VM has run for some seconds or has failed, and adds the latter to `failed`.
# It waits longer for a VM whose start lasts until its guest reports that it is ready. A restart by
# systemd is a failure only beyond the number in `restarts`.
failed=()
declare -A restarts=()
restarts_of() { # NAME
	case $(show "$1" ActiveState) in
	active | activating) show "$1" NRestarts ;;
	*) echo 0 ;; # its start counts from 0 again
	esac
}
watch_vms() { # NAME...
	local name state waited=0
	local -a waiting=("$@") still
	local -A since=()
	while [ "${#waiting[@]}" -gt 0 ] && [ "$waited" -lt "$patience_s" ]; do
		still=()
		for name in "${waiting[@]}"; do
			state=$(show "$name" ActiveState)
			if [ -n "$state" ] &&
				[ "$(show "$name" NRestarts)" -gt "${restarts[$name]}" ]; then
				state=restarted
			fi
			case $state in
			active)
				: "${since[$name]:=$waited}"
				if [ $((waited - ${since[$name]})) -lt "$settled_s" ]; then
					still+=("$name")
				fi
				;;
			activating) still+=("$name") ;;
			'') ;; # systemd does not tell
			*) if has_job "$name"; then still+=("$name"); else failed+=("$name"); fi ;;
			esac
		done
		waiting=("${still[@]}")
		if [ "${#waiting[@]}" -gt 0 ]; then sleep 1; fi
		waited=$((waited + 1))
	done
}

report_failed() {
	local name why
	for name in "${failed[@]}"; do
		status=1
		why=$(reason "$name") || why="microvm@$name: it is not running"
		echo "install-host: $name does not run with its new runner: $why" >&2
		if [ ! -L "$target/$name/old" ] || [[ " ${changed[*]} " != *" $name "* ]]; then
			continue
		fi
		if [ -z "$rollback" ]; then
			say "to go back: microvm -R --rollback $name"
			continue
		fi
		go_back "$name"
	done
}

go_back() { # NAME
	local current old
	current=$(readlink -- "$target/$1/current") old=$(readlink -- "$target/$1/old")
	link "$old" "$target/$1/current"
	link "$current" "$target/$1/old"
	forget_failures "$1"
	if systemctl restart "microvm@$1.service"; then
		say "$1 is rolled back and starts from the runner before"
	fi
}

# ---- linked store disks ----
# Links the disk of a runner that needs it; another system's tree gets its own at its first start.
link_disk() { # NAME PLACE
	local program=$target/$1/$2/bin/microvm-link
	if [ -z "$live" ] || [ ! -x "$program" ]; then return; fi
	"$program" --disks "$target/.disks" >/dev/null
}

remove_disks() {
	if [ -n "$live" ] && [ -d "$target/.disks" ] && command -v mvmbuild >/dev/null; then
		mvmbuild link --quiet --gc --disks "$target/.disks" || status=1
	fi
}

# ---- VMs ----
changed=() started=() status=0
make_current() { # NAME PLACE DISK KEY RESTART
	local before why
	before=$(readlink -- "$target/$1/current" || true)
	if [ "$before" = "$2" ] && is_ours "$target/$1/current"; then return; fi
	install_roots "$1" "$2"
	install_runner "$1" "$2" "$3" "$4"
	if [ -n "$live" ] && [ -n "$before" ] && [ "$5" = yes ] && is_active "$1" &&
		why=$(obstacle "$1" "$2"); then
		echo "install-host: $1 keeps its runner, because the new one cannot start: $why" >&2
		status=1
		return
	fi
	if ! link_disk "$1" "$2"; then
		echo "install-host: the store disk of $1 cannot be linked$(if [ -n "$before" ]; then
			echo "; it keeps its runner"
		fi)" >&2
		status=1
		return
	fi
	if [ -n "$before" ]; then link "$before" "$target/$1/old"; fi
	if [ "$5" = yes ] && [ -n "$before" ]; then
		link "$2" "$target/$1/current" "restart $1"
	else
		link "$2" "$target/$1/current"
	fi
	say "$1 is $(if [ -n "$before" ]; then echo updated; else echo installed; fi)"
}

autostart() { # NAME WANTED
	local wants=$enabled/microvms.target.wants/microvm@$1.service
	if [ "$2" = yes ]; then
		# An existing link may lead to an earlier place of the unit.
		if [ -L "$wants" ]; then
			link /usr/local/lib/systemd/system/microvm@.service "$wants"
		else
			link /usr/local/lib/systemd/system/microvm@.service "$wants" "start $1"
		fi
		if intended "start $1"; then started+=("$1"); fi
	elif [ -L "$wants" ]; then
		rm -- "$wants"
		say "$1 no longer starts with the host"
	fi
}

# Writes a file in a VM's directory. It is created where no other user can create files.
remember() { # NAME FILE TEXT
	printf %s "$3" >"$target/.new"
	make_room "$target/$1/$2"
	mv -fT -- "$target/.new" "$target/$1/$2"
}

# Records the source from which the command microvm builds the VM, or marks the VM as declared.
remember_source() { # NAME TOPLEVEL KIND SOURCE
	if [ "$3" = - ]; then link "$2" "$target/$1/toplevel"; else remember "$1" "$3" "$4"; fi
	if ! is_ours "$target/$1/declared"; then remember "$1" declared ''; fi
}

# Creates a VM's directory, owned by root as set-booted requires.
make_directory() { # NAME
	local directory=$target/$1
	if [ -L "$directory" ]; then
		echo "install-host: $directory is a symbolic link, not a directory" >&2
		exit 1
	fi
	if [ -d "$directory" ] && is_exposed "$directory"; then
		say "$directory belonged to $(stat -c '%U:%G, mode %a' \
			-- "$directory"); it belongs to root now, mode 1775"
	elif [ -n "$live" ] && [ -d "$directory" ] &&
		[ "$(stat -c %G -- "$directory")" != "$group" ]; then
		say "$directory belonged to the group $(stat -c %G \
			-- "$directory"); it belongs to the group $group now"
	fi
	mkdir -p -- "$directory"
	if [ -n "$live" ]; then
		chown -- "root:$group" "$directory"
	else
		chown -- "$EUID" "$directory"
	fi
	chmod 1775 -- "$directory"
	make_room "$directory/runners"
	if [ ! -d "$directory/runners" ]; then mkdir -- "$directory/runners"; fi
}

install_vm() { # NAME PLACE DISK KEY AUTOSTART RESTART TOPLEVEL KIND SOURCE
	if counts "$target/$1/current" && ! counts "$target/$1/declared"; then
		echo "install-host: another VM $1 exists in $target/$1 and is kept; \"microvm --remove $1\" removes it" >&2
		status=1
		return
	fi
	# With updateFrom, the command microvm manages the VM once it is installed.
	make_directory "$1"
	if [ "$8" != - ] && counts "$target/$1/current"; then return; fi
	# Before `current`: if interrupted here, the next run continues.
	remember_source "$1" "$7" "$8" "$9"
	make_current "$1" "$2" "$3" "$4" "$6"
	remove_unnamed "$1"
	if intended "restart $1"; then changed+=("$1"); fi
	autostart "$1" "$5"
}

name_undeclared() {
	local directory name
	for directory in "$target"/*/; do
		name=$(basename -- "$directory")
		if counts "${directory}declared" && counts "${directory}current" &&
			! cut -f 1 "$here/share/vms" | grep -qxF -- "$name"; then
			say "$name is no longer declared; \"microvm --remove $name\" removes it"
		fi
	done
}

# The VM runs from another runner than the current one.
is_outdated() { # NAME
	is_active "$1" &&
		[ "$(readlink -- "$target/$1/booted")" != "$(readlink -- "$target/$1/current")" ]
}

restart_and_start() {
	local name
	local -a watched=()
	for name in "${changed[@]}"; do
		if is_outdated "$name"; then
			say "restarting $name"
			forget_failures "$name"
			systemctl restart "microvm@$name.service" || true
			watched+=("$name") restarts[$name]=0
		fi
		settle "restart $name"
	done
	if [ "${#started[@]}" -gt 0 ]; then systemctl daemon-reload; fi
	for name in "${started[@]}"; do
		if [ -z "${restarts[$name]:-}" ]; then
			watched+=("$name") restarts[$name]=$(restarts_of "$name")
		fi
		systemctl start --no-block "microvm@$name.service" || status=1
		settle "start $name"
	done
	watch_vms "${watched[@]}"
	report_failed
}

# ---- --dry-run ----
foresee_vm() { # NAME PLACE DISK KEY AUTOSTART RESTART TOPLEVEL KIND
	local before why=''
	before=$(readlink -- "$target/$1/current" || true)
	if ! counts "$target/$1/current"; then
		say "$1 would be installed$(if [ "$5" = yes ]; then echo " and started"; fi)"
	elif ! counts "$target/$1/declared"; then
		say "another VM $1 exists in $target/$1 and would be kept"
		status=1
	elif [ "$8" != - ]; then
		say "$1 would not change; microvm -u updates it"
	elif [ "$before" = "$2" ]; then
		say "$1 would not change"
	else
		if [ -n "$live" ] && [ "$6" = yes ] && is_active "$1"; then why=" and restarted"; fi
		say "$1 would be updated$why"
	fi
}

foresee() {
	local file name place disk key start restart toplevel kind source
	for file in "$here"/share/systemd/*; do
		if cmp -s -- "$file" "$(unit_place "$file")"; then continue; fi
		say "the units would be installed"
		break
	done
	while IFS=$'\t' read -r name place disk key start restart toplevel kind source; do
		foresee_vm "$name" "$place" "$disk" "$key" "$start" "$restart" "$toplevel" "$kind"
	done <"$here/share/vms"
	name_undeclared
	exit $status
}
if [ -n "$dry" ]; then foresee; fi

mkdir -p -- "$target"
exec 9<"$target"
flock 9
rm -f -- "$target/.new"
install_units
if [ -n "$live" ]; then
	chown -- "root:$group" "$target"
	chmod 755 -- "$target"
fi
modes=
while IFS=$'\t' read -r name place disk key start restart toplevel kind source; do
	install_vm "$name" "$place" "$disk" "$key" "$start" "$restart" "$toplevel" "$kind" "$source"
	modes+="z $state/$name 1775 root $group -"$'\n'
done <"$here/share/vms"
# In another system's tree, the group is created and applied at its first boot.
if [ -n "$root" ]; then
	printf %s "$modes" >"$target/.new"
	put "$target/.new" "$root/etc/tmpfiles.d/mvmbuild-vms.conf" 644
	rm -- "$target/.new"
fi
if [ -d "$pool" ]; then find "$pool" -type f -links 1 -delete; fi
remove_disks
name_undeclared
if [ -n "$live" ]; then restart_and_start; fi
exit $status
