#!/bin/bash
# SPDX-License-Identifier: MIT
# A database and an upper layer that outlive their image, judged by real Nix on a real overlay, without a VM: updates, rollbacks, collections, and a kill
# before each single change that mvm-nix-db makes.
set -u
# shellcheck source=tests/e2e/lib/reconcile.sh
. "$(dirname "$0")/../lib/reconcile.sh"
reconcile_enter "$0"
reconcile_setup

# Three images. The second one packs what the first one's guest will have made itself (shared), once with other contents under the same name (clock).
common=$(text common 'all have it') && lib1=$(text lib-1 one "$common") && lib2=$(text lib-2 two "$common") || exit 1
app1=$(text app 1 "$lib1") && app2=$(text app 2 "$lib2") && app3=$(text app 3 "$lib1") || exit 1
shared=$(text shared 'both make it' "$common") || exit 1
need_programs busybox
busybox=$(readlink -f "$(command -v busybox)")
clock() { # a derivation that is not reproducible
	nix-build --no-out-link -E "derivation { name = \"clock\"; system = builtins.currentSystem; builder = \"$busybox\";
		args = [ \"sh\" \"-c\" ''$busybox mkdir \$out; $busybox date +%N > \$out/now'' ]; }" 2>/dev/null
}
clock=$(clock) && clock_drv=$(nix-store -qd "$clock") || exit 1
image one "$app1"
image two "$app2" "$shared" "$clock" "$clock_drv"
image three "$app3" "$lib2"

check "a new guest gets the seed" boot one
check "as it is" cmp "$images/one/seed/db.sqlite" "$volume/var/nix/db/db.sqlite"
check "it is sound" sound
before=$(stat -c %y "$volume/var/nix/db/mvm-seed")
check "the next boot" boot one
check "changes nothing" test "$before" = "$(stat -c %y "$volume/var/nix/db/mvm-seed")"
check "and says nothing" test ! -s "$test_dir/boot.log"

# make_things: the guest's own paths. `free` needs nothing, `on_common` what all images have, `on_lib` what only some have, `over_lib` needs that.
# shellcheck disable=SC2317 # `guest` calls it
make_things() {
	free=$(text free 'made in the guest') && on_common=$(text on-common x "$common") && on_lib=$(text on-lib x "$lib1") &&
		over_lib=$(text over-lib x "$on_lib" "$free") && guest_shared=$(text shared 'both make it' "$common") && guest_clock=$(clock) &&
		mkdir -p "$test_dir/tree/d" && echo leaf >"$test_dir/tree/d/leaf" && tree=$(nix-store --add "$test_dir/tree")
}
check "the guest makes paths" guest make_things
check "as the host would" test "$guest_shared $guest_clock" = "$shared $clock"
keep() { # STORE PATH...: roots of the guest's own
	local path
	mkdir -p "$volume/var/nix/gcroots/own"
	for path; do ln -sfn "$path" "$volume/var/nix/gcroots/own/${path##*/}"; done
}
keep "$over_lib" "$on_common" "$tree" "$shared" "$clock"
check "they survive a boot" boot one
check "and are known" valid "$free" "$on_common" "$on_lib" "$over_lib" "$shared" "$clock" "$tree"
check "all is sound" sound
cp -a "$volume" "$test_dir/lived" # a guest with a life, for what follows
restore() {
	chmod -R u+w "$volume"
	rm -rf "$volume"
	cp -a "$test_dir/lived" "$volume"
}

garbage=$(guest text garbage 'nobody needs it')
check "a collection in the guest" guest nix-collect-garbage -d
check "takes garbage" invalid "$garbage"
check "and nothing that is rooted or packed" valid "$free" "$on_lib" "$over_lib" "$app1" "$common"
check "nor any file of it" sound

check "an update" boot two
cp "$test_dir/boot.log" "$test_dir/update.log"
check "is sound" sound
check "leaves what needs nothing that went" valid "$free" "$on_common" "$tree" "$shared" "$clock"
check "and no more" invalid "$on_lib" "$over_lib" "$app1" "$lib1"
expect "it names what is gone" "$test_dir/update.log" "^mvm-nix-db:   gone: ${over_lib##*/}\$"
check "its files are gone too" test ! -e "$volume/store/${over_lib##*/}"
check "what is packed now is not kept twice" test ! -e "$volume/store/${shared##*/}"
check "the packed one counts" cmp "$images/two/lower/${clock##*/}/now" <(guest cat "$clock/now")
check "nothing is left lying about" test ! -e "$volume/mvm-trash"
check "the outputs of packed derivations are known" test "$(guest nix-store -q --outputs "$clock_drv")" = "$clock"
check "back to the first image" boot one
check "is sound" sound
check "the guest's own are still there" valid "$free" "$on_common" "$tree"

# What covers packed paths: a guest without roots collects the system itself; a copy that came up when something in it was changed.
restore
rm -f "$volume/var/nix/gcroots/"mvm-*
check "without roots the guest collects its own system" guest nix-store --gc
check "which is gone then" test ! -e "$volume/store/${app1##*/}" -o -c "$volume/store/${app1##*/}"
again=1
check "a repair" boot one
again=
check "brings it back" sound
restore
boot two
check "something in a packed path is changed" guest bash -c "chmod u+w $clock && echo more >$clock/more"
check "another image without it" boot one
check "leaves no half path" test ! -e "$volume/store/${clock##*/}"
check "and is sound" sound

restore
rm -rf "$volume/store" "$volume/mvm-seed"
mkdir "$volume/store"
check "an upper layer that was lost, with the same image" boot one
check "takes what was in it along" invalid "$free" "$tree"
check "and is sound" sound

# Databases that are not as they should be.
restore
printf 11 >"$volume/var/nix/db/schema"
check "a newer schema is refused" not boot two
expect "with a reason" "$test_dir/boot.log" 'schema "11"'
restore
dd if=/dev/urandom of="$volume/var/nix/db/db.sqlite" bs=4096 seek=1 count=3 conv=notrunc 2>/dev/null
cp "$volume/var/nix/db/db.sqlite" "$test_dir/damaged"
check "a damaged database is refused" not boot two
expect "with a way out" "$test_dir/boot.log" 'damaged|mvm\.nix-db=renew'
check "and left alone" cmp "$volume/var/nix/db/db.sqlite" "$test_dir/damaged"
renew=1
check "a renewal" boot two
renew=
check "is sound" sound
check "and keeps the old one" cmp "$volume/var/nix/db.aside-1/db.sqlite" "$test_dir/damaged"
restore
rm "$volume/var/nix/db/schema"
check "a database without its schema file" boot two
check "is used" valid "$free"
restore
: >"$volume/var/nix/db/db.sqlite"
check "an empty one" boot two
check "is replaced" sound
restore
sqlite3 "$volume/var/nix/db/db.sqlite" 'create index if not exists IndexReferrer on Refs(referrer);
	create table SchemaMigrations (migration text primary key not null); insert into SchemaMigrations values ("20260309-drop-redundant-indexreferrer");
	create table Realisations (id integer primary key autoincrement not null, drvPath text not null, outputName text not null,
		outputPath integer not null, signatures text, foreign key (outputPath) references ValidPaths(id) on delete cascade);
	create table RealisationsRefs (referrer integer not null, realisationReference integer,
		foreign key (referrer) references Realisations(id) on delete cascade,
		foreign key (realisationReference) references Realisations(id) on delete restrict);
	create trigger DeleteSelfRefsViaRealisations before delete on ValidPaths begin
		delete from RealisationsRefs where realisationReference in (select id from Realisations where outputPath = old.id); end;
	insert into Realisations select 1, "sha256:x", "out", id, null from ValidPaths where path = "'"$over_lib"'";
	insert into Realisations select 2, "sha256:y", "out", id, null from ValidPaths where path = "'"$free"'";
	insert into RealisationsRefs values (2, 1)'
check "tables of other Nix versions" boot two
check "keep their sense" test "$(sqlite3 "$volume/var/nix/db/db.sqlite" 'select group_concat(id) from Realisations')" = 2
check "and all is sound" sound
restore
mkdir -p "$volume/var/nix/"{temproots,daemon-socket,gc-socket}
touch "$volume/var/nix/temproots/1" "$volume/var/nix/gc.lock" "$volume/var/nix/daemon-socket/socket" "$volume/var/nix/gc-socket/socket"
check "what processes of the last boot left" boot one
check "goes" test -z "$(find "$volume/var/nix/temproots" "$volume/var/nix/daemon-socket" "$volume/var/nix/gc-socket" -type f)"

# A Nix that is killed while it writes leaves a log, of which SQLite itself has to make what it is.
restore
boot one
guest bash -c "
	sqlite3 '$volume/var/nix/db/db.sqlite' 'pragma journal_mode = wal' >/dev/null
	{ sqlite3 '$volume/var/nix/db/db.sqlite' \"insert into ValidPaths (path, hash, registrationTime) select '$NIX_STORE_DIR/' || '00000000000000000000000000000000-x', hash, 1 from ValidPaths limit 1\" '.shell kill -9 \$PPID'; } 2>/dev/null" 2>/dev/null
check "a log was left" test -s "$volume/var/nix/db/db.sqlite-wal"
check "the update after it" boot two
check "is sound" sound

# Killed before each change, the next boot being with the same image, the old one, or a third one.
n=0 wrong=0 next=(two one three)
while :; do
	n=$((n + 1))
	restore
	status=0
	reconcile_with two "$kill_at" "$n" 2>"$test_dir/kill.log" || status=$?
	[ "$status" = 0 ] || break
	image=${next[n % 3]}
	# A second kill, somewhere else.
	if [ $((n % 5)) = 0 ]; then reconcile_with "$image" "$kill_at" $((n * 7 % 60 + 1)) 2>>"$test_dir/kill.log"; fi
	if boot "$image" && sound >"$test_dir/sound.log" 2>&1 && valid "$free" "$on_common" "$tree"; then continue; fi
	wrong=$((wrong + 1))
	cat "$test_dir/boot.log" "$test_dir/sound.log" >>"$test_dir/wrong.log"
	echo "# killed at $n, then $image"
done
check "the last run was not killed" test "$status" = 3
check "there were instants to be killed at" test "$n" -gt 40
if [ "$wrong" = 0 ]; then ok "killed at each of $n instants, every next boot is sound"; else not_ok "$wrong of $n kills did harm" "$test_dir/wrong.log"; fi

# The same of the very first boot.
n=0 wrong=0
while :; do
	n=$((n + 1))
	fresh_guest
	status=0
	reconcile_with one "$kill_at" "$n" 2>/dev/null || status=$?
	[ "$status" = 0 ] || break
	image=${next[n % 3]}
	if boot "$image" && sound >"$test_dir/sound.log" 2>&1; then continue; fi
	wrong=$((wrong + 1))
	echo "# killed at $n, then $image"
done
if [ "$wrong" = 0 ] && [ "$n" -gt 10 ]; then ok "a first boot killed at each of $n instants"; else not_ok "$wrong of $n kills of a first boot did harm" "$test_dir/sound.log"; fi

finish
