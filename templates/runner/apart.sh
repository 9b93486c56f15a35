# A share that the guest can write to must not include the store or the database of the host's Nix,
# where deletions are final. The names were compared at build time; here the directories that they
# lead to, by symbolic links and mounts, are compared.

# Whether the directory, or one above it, is that place.
is_below() { # DIRECTORY PLACE
	local at=$1
	until [ "${at:-/}" -ef "$2" ]; do
		[ -n "$at" ] || return
		at=${at%/*}
	done
}

meets() { # DIRECTORY PLACE: whether one is, or is in, the other
	local place
	place=$(CDPATH='' cd -P -- "$2" 2>/dev/null && pwd) || return
	is_below "$1" "$2" || is_below "$place" "$1"
}

# Prints the place that the directory includes or lies in; fails if there is no such place.
store_reached() { # DIRECTORY
	local directory place mount
	directory=$(CDPATH='' cd -P -- "$1" 2>/dev/null && pwd) || return
	for place in "${stores[@]}"; do
		if meets "$directory" "$place"; then echo "$place" && return; fi
	done
	if [ ! -r /proc/self/mountinfo ]; then return 1; fi
	# Mounts below the directory are shared with it. Special characters are written as \040 and
	# the like.
	while read -r _ _ _ _ mount _; do
		printf -v mount %b "$mount"
		case $mount in "${directory%/}"/*) ;; *) continue ;; esac
		for place in "${stores[@]}"; do
			if meets "$mount" "$place"; then echo "$place" && return; fi
		done
	done </proc/self/mountinfo
	return 1
}

need_apart() { # TAG SOURCE
	local place
	if place=$(store_reached "$2"); then
		complain "the share $1: through $2 the guest could change and delete $place of this host; set readOnly: true"
	fi
}
