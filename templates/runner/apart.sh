# A share that the guest may write to must not reach the store of the host's Nix or its database: what is deleted there is gone. The names were
# compared when this was built; here it counts what they lead to, by symbolic links and mounts.

# Whether the directory, or one above it, is that place.
is_below() { # DIRECTORY PLACE
	local at=$1
	until [ "${at:-/}" -ef "$2" ]; do
		[ -n "$at" ] || return
		at=${at%/*}
	done
}

meets() { # DIRECTORY PLACE: whether one is the other or in it
	local place
	place=$(CDPATH='' cd -P -- "$2" 2>/dev/null && pwd) || return
	is_below "$1" "$2" || is_below "$place" "$1"
}

# Prints the place that it reaches; fails when there is none.
store_reached() { # DIRECTORY
	local directory place mount
	directory=$(CDPATH='' cd -P -- "$1" 2>/dev/null && pwd) || return
	for place in "${stores[@]}"; do
		if meets "$directory" "$place"; then echo "$place" && return; fi
	done
	if [ ! -r /proc/self/mountinfo ]; then return 1; fi
	# What is mounted below it is shared with it. Blanks and the like are written as \040.
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
		complain "the share $1: by $2 the guest could delete and change $place of this host; set readOnly: true"
	fi
}
