#!/bin/bash
# SPDX-License-Identifier: MIT
# Copies a Nix database while real Nix writes to it, as a user who may only read: the copy is one
# consistent state. Also copies a database that is locked, newer or damaged.
set -u
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/e2e/lib/nix.sh
. "$top/tests/e2e/lib/nix.sh"
need_programs nix-store sqlite3 cc
nix_db=$(lend "$(realpath "${MVM_NIX_DB:-$top/build/mvm-nix-db}")")
nix_env_setup "$test_dir/nix"
db=$NIX_STATE_DIR/db
copy=$test_dir/copy
log=$test_dir/log
chmod 755 "$test_dir"
cc -std=c11 -D_GNU_SOURCE -o "$test_dir/kill_at" "$top/tests/e2e/lib/kill_at.c" || exit 1

add() { # NAME [TEXT]: adds a store path that refers to another one
	nix-instantiate --eval --read-write-mode \
		-E "builtins.toFile \"$1\" \"${2-}\${builtins.toFile \"below-$1\" \"x\"}\"" \
		2>/dev/null | tr -d '"'
}
take() { "$nix_db" snapshot "$db" "${1:-$copy}" 2>"$log"; }
# whole DIR: the database is sound, in rollback mode, and has no log beside it.
whole() {
	[ "$(sqlite3 "file:$1/db.sqlite?immutable=1" \
		'pragma integrity_check; pragma foreign_key_check')" = ok ] &&
		[ "$(od -An -tx1 -j18 -N2 "$1/db.sqlite")" = ' 01 01' ] &&
			[ "$(cat "$1/schema")" = 10 ] && [ ${#id} = 16 ] &&
		[ "$(find "$1" -mindepth 1 | wc -l)" = 3 ]
}
identity() { id=$(cat "$copy/id"); }

first=$(add first) || exit 1
check "a database that nobody uses is copied" take
identity
check "its copy is complete" whole "$copy"
check "its copy can be read as Nix's database" \
	test "$(sqlite3 "file:$copy/db.sqlite?immutable=1" 'select count(*) from ValidPaths')" = 2
before=$(stat -c '%i %y' "$copy/"*)
check "a second copy succeeds" take
check "it leaves the first copy as it is" test "$before" = "$(stat -c '%i %y' "$copy/"*)"
second=$(add second "$first")
check "a copy after a change succeeds" take
old=$id
identity
check "it has another identity" test "$old" != "$id"
check "it is complete" whole "$copy"

# This reader keeps the log from being written back.
sqlite3 "$db/db.sqlite" 'pragma journal_mode = wal' '.output /dev/null' 'begin' \
	'select * from ValidPaths' ".shell touch $test_dir/reading; exec sleep 3000" >/dev/null &
reader=$!
end_reader() {
	pkill -P "$reader"
	kill "$reader" 2>/dev/null
	wait "$reader" 2>/dev/null
}
wait_while_alive "$reader" test -e "$test_dir/reading"
third=$(add third "$second")
check "the database has a log" test -s "$db/db.sqlite-wal"
check "a database with a log is copied" take
identity
check "that copy is complete" whole "$copy"
check "that copy has what is in the log" \
	test "$(sqlite3 "file:$copy/db.sqlite?immutable=1" \
		"select count(*) from ValidPaths where path = '$third'")" = 1
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	mkdir "$test_dir/theirs"
	chown 65534 "$test_dir/theirs"
	check "a user who may only read the database copies it" \
		as_nobody "$nix_db" snapshot "$db" "$test_dir/theirs/copy"
	end_reader
	sqlite3 "$db/db.sqlite" 'pragma wal_checkpoint(truncate)' >/dev/null
	check "that user copies a database without a log" \
		as_nobody "$nix_db" snapshot "$db" "$test_dir/theirs/copy"
	check "that user's copy is complete" whole "$test_dir/theirs/copy"
else
	skip "a user who may only read the database copies it" "not root, or no setpriv"
	end_reader
fi

# While Nix writes, each path appears together with the one that it refers to, or not at all.
(for ((i = 0; ; i++)); do add "busy-$i" "$i" >/dev/null; done) &
writer=$!
torn=0 last=0 grew=0
for _ in {1..25}; do
	if ! take || ! identity || ! whole "$copy"; then torn=$((torn + 1)); fi
	count=$(sqlite3 "file:$copy/db.sqlite?immutable=1" 'select count(*) from ValidPaths')
	[ "$count" -le "$last" ] || grew=$((grew + 1))
	last=$count
	sleep 0.05
done
kill "$writer"
wait "$writer" 2>/dev/null
check "25 copies while Nix writes are all complete" test "$torn" = 0
check "the copies show what Nix has written meanwhile" test "$grew" -gt 3

n=0 wrong=0
while :; do
	n=$((n + 1))
	rm -rf "$test_dir/killed"
	"$nix_db" snapshot "$db" "$test_dir/killed" 2>/dev/null
	add "more-$n" >/dev/null
	status=0
	"$test_dir/kill_at" "$n" "$nix_db" snapshot "$db" "$test_dir/killed" 2>/dev/null ||
		status=$?
	[ "$status" = 0 ] || break
	if [ -e "$test_dir/killed/id" ] && ! sqlite3 "file:$test_dir/killed/db.sqlite?immutable=1" \
		'pragma integrity_check' | grep -qx ok; then
		wrong=$((wrong + 1))
	fi
	take "$test_dir/killed" && id=$(cat "$test_dir/killed/id") && whole "$test_dir/killed" ||
		wrong=$((wrong + 1))
done
check "after a kill at each of $n instants the next copy is complete" \
	test "$wrong" = 0 -a "$n" -gt 10 -a "$status" = 3

sqlite3 "$db/db.sqlite" 'pragma journal_mode = delete' 'begin exclusive' \
	"update ValidPaths set narSize = 1" ".shell touch $test_dir/locked; sleep 2" commit \
	>/dev/null &
wait_until test -e "$test_dir/locked"
check "a copy waits for a locked database" take
wait
printf 11 >"$db/schema"
check "a database with a newer schema is refused" \
	bash -c "! '$nix_db' snapshot '$db' '$copy' 2>'$log'"
expect "the message has the schema and what to do" "$log" 'schema "11".*prebuilt'
printf 10 >"$db/schema"
head -c 20000 /dev/urandom >"$db/db.sqlite"
check "a damaged database is refused" bash -c "! '$nix_db' snapshot '$db' '$copy' 2>'$log'"
expect "the message names the damaged database" "$log" "$db/db.sqlite"
check "the copy from before stays" whole "$copy"
finish
