# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Brings a guest's store up after a cut as the next boot would, with either closure: mvm-nix-db
# first, then Nix on the overlay.
# shellcheck disable=SC2317,SC2154,SC2034 # ../power.sh calls the functions, and sets what they use

nix_env() {
	env NIX_STATE_DIR="$data/var" NIX_LOCALSTATE_DIR="$data/var" NIX_LOG_DIR="$data/var/log" \
		NIX_CONF_DIR="$data/none" NIX_USER_CONF_FILES='' HOME="$data" \
		NIX_CONFIG=$'substitute = false\nbuild-users-group =' "$@"
}

judge() {
	local vm=second said known path wanted="$top_path $data_path $scene_keeps"
	# Two of three boots use the other closure.
	[ $((${point%%-*} % 3)) != 0 ] || vm=first
	case $vm in first) wanted+=" $app $lib" ;; second) wanted+=" $other" ;; esac
	mkdir -p store work var
	must "the database is brought in line with $vm's" mvm-nix-db reconcile --seed \
		"$world/seed/$vm" --store "$NIX_STORE_DIR" --db "$data/var/db" --upper \
		"$data/store" --state "$data/var"
	[ "$(sqlite3 var/db/db.sqlite 'pragma integrity_check; pragma foreign_key_check;')" = ok ] \
		|| bad "the database is not sound"
	mount -o loop,ro "$world/low-$vm.squashfs" "$world/low-$vm" ||
		bad "the store disk cannot be mounted"
	mount -t overlay overlay \
		-o "lowerdir=$world/low-$vm,upperdir=$data/store,workdir=$data/work,redirect_dir=off,index=off" "$NIX_STORE_DIR" || bad "no overlay"
	said=$(nix_env nix-store --verify --check-contents 2>&1) ||
		bad "Nix finds: $(tail -n 5 <<<"$said")"
	if grep -qE 'error|warning|failed|cannot|invalid|disappeared|modified' <<<"$said"; then
		bad "Nix complains: $(tail -n 5 <<<"$said")"
	fi
	known=$(nix_env nix path-info \
		--all --offline --extra-experimental-features nix-command 2>/dev/null)
	for path in $wanted; do grep -qxF "$path" <<<"$known" || bad "not known: $path"; done
	if [ "$vm" = second ] && grep -qxF -e "$app" -e "$lib" <<<"$known"; then
		bad "what is gone is still known"
	fi
	umount "$NIX_STORE_DIR" "$world/low-$vm"
}
