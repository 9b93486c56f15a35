# Prints the VM's directory that the runner is in; fails if it is in none.
vm_home() {
	local home=${runner%/runners/*}
	[ "$home" != "$runner" ] && [ -L "$home/current" ] && echo "$home"
}

# Enters the state directory that was given, else the VM's directory that the runner is in. Any
# other runner uses the current directory.
enter() { # PROGRAM [DIRECTORY]
	local place=${2:-}
	if [ -z "$place" ]; then place=$(vm_home) || return 0; fi
	if [ ! -d "$place" ]; then
		echo "$1: there is no directory $place" >&2
		exit 1
	fi
	CDPATH='' cd -- "$place" 2>/dev/null || {
		echo "$1: $(id -un) cannot enter the directory $place" >&2
		exit 1
	}
}
