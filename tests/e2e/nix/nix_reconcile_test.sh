#!/bin/bash
# SPDX-License-Identifier: MIT
# Reconciles a database and an upper layer that outlive their image, without a VM, judged by real
# Nix on a real overlay: updates, rollbacks, garbage collections, and a kill before each change that
# mvm-nix-db makes.
set -u
# shellcheck source=tests/e2e/lib/reconcile.sh
. "$(dirname "$0")/../lib/reconcile.sh"
reconcile_enter "$0"
reconcile_setup

# Makes three images. The second one packs paths that the first one's guest makes itself (shared),
# one of them with other contents (clock).
common=$(text common 'all have it') && lib1=$(text lib-1 one "$common") &&
	lib2=$(text lib-2 two "$common") || exit 1
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

check "a new guest gets the image's database" boot one
check "it is an exact copy" cmp "$images/one/seed/db.sqlite" "$volume/var/nix/db/db.sqlite"
check "the new guest's store is sound" sound
before=$(stat -c %y "$volume/var/nix/db/mvm-seed")
check "a second boot succeeds" boot one
check "the second boot changes nothing" \
	test "$before" = "$(stat -c %y "$volume/var/nix/db/mvm-seed")"
check "the second boot prints nothing" test ! -s "$test_dir/boot.log"

# make_things: makes the guest's own paths. `free` needs nothing, `on_common` a path of all images,
# `on_lib` a path of some images, and `over_lib` needs `on_lib`.
# shellcheck disable=SC2317 # `guest` calls it
make_things() {
	free=$(text free 'made in the guest') && on_common=$(text on-common x "$common") &&
		on_lib=$(text on-lib x "$lib1") &&
		over_lib=$(text over-lib x "$on_lib" "$free") &&
			guest_shared=$(text shared 'both make it' "$common") &&
			guest_clock=$(clock) &&
		mkdir -p "$test_dir/tree/d" && echo leaf >"$test_dir/tree/d/leaf" &&
			tree=$(nix-store --add "$test_dir/tree")
}
check "the guest makes store paths" guest make_things
check "the guest makes the same store paths as the host" \
	test "$guest_shared $guest_clock" = "$shared $clock"
keep() { # STORE PATH...: makes them roots of the guest
	local path
	mkdir -p "$volume/var/nix/gcroots/own"
	for path; do ln -sfn "$path" "$volume/var/nix/gcroots/own/${path##*/}"; done
}
keep "$over_lib" "$on_common" "$tree" "$shared" "$clock"
check "a boot succeeds after the guest made store paths" boot one
check "all of these store paths are known after the boot" \
	valid "$free" "$on_common" "$on_lib" "$over_lib" "$shared" "$clock" "$tree"
check "the store is sound after the boot" sound
cp -a "$volume" "$test_dir/lived" # a guest with a history, for later checks
restore() {
	chmod -R u+w "$volume"
	rm -rf "$volume"
	cp -a "$test_dir/lived" "$volume"
}

garbage=$(guest text garbage 'nobody needs it')
check "a collection in the guest succeeds" guest nix-collect-garbage -d
check "it deletes garbage" invalid "$garbage"
check "it deletes no store path that is rooted or of the image" \
	valid "$free" "$on_lib" "$over_lib" "$app1" "$common"
check "the store is sound after the collection" sound

check "a boot with an updated image succeeds" boot two
cp "$test_dir/boot.log" "$test_dir/update.log"
check "the store is sound after the update" sound
check "the update keeps store paths that need nothing that is gone" \
	valid "$free" "$on_common" "$tree" "$shared" "$clock"
check "the update forgets store paths that need what is gone" \
	invalid "$on_lib" "$over_lib" "$app1" "$lib1"
expect "the update names a store path that is gone" \
	"$test_dir/update.log" "^mvm-nix-db:   gone: ${over_lib##*/}\$"
check "the files of that store path are removed" test ! -e "$volume/store/${over_lib##*/}"
check "a store path of the new image is not kept in the upper layer" \
	test ! -e "$volume/store/${shared##*/}"
check "the image's version of a store path is the one that counts" \
	cmp "$images/two/lower/${clock##*/}/now" <(guest cat "$clock/now")
check "the update leaves no temporary files" test ! -e "$volume/mvm-trash"
check "the outputs of the image's derivations are known" \
	test "$(guest nix-store -q --outputs "$clock_drv")" = "$clock"
check "a boot with the first image succeeds again" boot one
check "the store is sound after the way back" sound
check "the guest's own store paths are known after the way back" valid "$free" "$on_common" "$tree"

# These entries hide packed paths: a guest without roots has deleted its own system, or changed
# something in a path, which made a copy of it.
restore
rm -f "$volume/var/nix/gcroots/"mvm-*
check "a collection without roots succeeds" guest nix-store --gc
check "it deletes the system itself" \
	test ! -e "$volume/store/${app1##*/}" -o -c "$volume/store/${app1##*/}"
again=1
check "a boot after that succeeds" boot one
again=
check "the store is sound again" sound
restore
boot two
check "a store path of the image is changed in the upper layer" \
	guest bash -c "chmod u+w $clock && echo more >$clock/more"
check "a boot with an image without that store path succeeds" boot one
check "it leaves no half of that store path" test ! -e "$volume/store/${clock##*/}"
check "the store is sound after that boot" sound

restore
rm -rf "$volume/store" "$volume/mvm-seed"
mkdir "$volume/store"
check "a boot succeeds after the upper layer was lost" boot one
check "the store paths of the lost layer are forgotten" invalid "$free" "$tree"
check "the store is sound after the layer was lost" sound

# These databases are damaged.
restore
printf 11 >"$volume/var/nix/db/schema"
check "a database with a newer schema is refused" not boot two
expect "the message has that schema" "$test_dir/boot.log" 'schema "11"'
restore
dd if=/dev/urandom of="$volume/var/nix/db/db.sqlite" bs=4096 seek=1 count=3 conv=notrunc 2>/dev/null
cp "$volume/var/nix/db/db.sqlite" "$test_dir/damaged"
check "a damaged database is refused" not boot two
expect "the message says how to renew it" "$test_dir/boot.log" 'damaged|mvm\.nix-db=renew'
check "the damaged database is left alone" cmp "$volume/var/nix/db/db.sqlite" "$test_dir/damaged"
renew=1
check "a boot that renews the database succeeds" boot two
renew=
check "the store is sound after the renewal" sound
check "the damaged database is kept aside" \
	cmp "$volume/var/nix/db.aside-1/db.sqlite" "$test_dir/damaged"
restore
rm "$volume/var/nix/db/schema"
check "a boot succeeds with a database that lacks its schema file" boot two
check "that database is used" valid "$free"
restore
: >"$volume/var/nix/db/db.sqlite"
check "a boot succeeds with an empty database" boot two
check "the empty database is replaced" sound
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
check "a boot succeeds with tables of other versions of Nix" boot two
check "the rows of these tables are kept" \
	test "$(sqlite3 "$volume/var/nix/db/db.sqlite" \
		'select group_concat(id) from Realisations')" = 2
check "the store is sound with these tables" sound
restore
mkdir -p "$volume/var/nix/"{temproots,daemon-socket,gc-socket}
touch "$volume/var/nix/temproots/1" "$volume/var/nix/gc.lock" \
	"$volume/var/nix/daemon-socket/socket" "$volume/var/nix/gc-socket/socket"
check "a boot succeeds beside files of processes of the last one" boot one
check "these files are removed" \
	test -z "$(find "$volume/var/nix/temproots" "$volume/var/nix/daemon-socket" \
		"$volume/var/nix/gc-socket" -type f)"

# A Nix that is killed while it writes leaves a log, which SQLite itself must recover.
restore
boot one
guest bash -c "
	sqlite3 '$volume/var/nix/db/db.sqlite' 'pragma journal_mode = wal' >/dev/null
	{ sqlite3 '$volume/var/nix/db/db.sqlite' \"insert into ValidPaths (path, hash, registrationTime) select '$NIX_STORE_DIR/' || '00000000000000000000000000000000-x', hash, 1 from ValidPaths limit 1\" '.shell kill -9 \$PPID'; } 2>/dev/null" 2>/dev/null
check "a killed Nix leaves its log" test -s "$volume/var/nix/db/db.sqlite-wal"
check "the update after a killed Nix succeeds" boot two
check "the store is sound after a killed Nix" sound

# The boot is killed before each change, and the next one has the same image, the old one or a third
# one.
n=0 wrong=0 next=(two one three)
while :; do
	n=$((n + 1))
	restore
	status=0
	reconcile_with two "$kill_at" "$n" 2>"$test_dir/kill.log" || status=$?
	[ "$status" = 0 ] || break
	image=${next[n % 3]}
	# A second kill hits another change.
	if [ $((n % 5)) = 0 ]; then
		reconcile_with "$image" "$kill_at" $((n * 7 % 60 + 1)) 2>>"$test_dir/kill.log"
	fi
	if boot "$image" && sound >"$test_dir/sound.log" 2>&1 && valid "$free" "$on_common" \
		"$tree"; then
		continue
	fi
	wrong=$((wrong + 1))
	cat "$test_dir/boot.log" "$test_dir/sound.log" >>"$test_dir/wrong.log"
	echo "# killed at $n, then $image"
done
check "the last reconciliation was not killed" test "$status" = 3
check "there were more than 40 instants to be killed at" test "$n" -gt 40
if [ "$wrong" = 0 ]; then
	ok "after a kill at each of $n instants the next boot is sound"
else
	not_ok "$wrong of $n kills did harm" "$test_dir/wrong.log"
fi

# Repeats this for the very first boot.
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
if [ "$wrong" = 0 ] && [ "$n" -gt 10 ]; then
	ok "after a first boot killed at each of $n instants the next one is sound"
else
	not_ok "$wrong of $n kills of a first boot did harm" "$test_dir/sound.log"
fi

finish
