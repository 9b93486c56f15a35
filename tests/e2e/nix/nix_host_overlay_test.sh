#!/bin/bash
# SPDX-License-Identifier: MIT
# Shares the host's store and its Nix database with a guest that adds to both: at the next start the
# guest knows the paths that the host added, even while the guest ran, has forgotten those that the
# host deleted, and keeps its own.
set -u
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
# shellcheck source=tests/e2e/lib/guest_steps.sh
. "$top/tests/e2e/lib/guest_steps.sh"
need_programs nix-store sqlite3
guest_setup
limit=200 # the guest reads the whole store by 9p
nix_stage_nix "$test_dir/nix-files"
top_path=$(guest_build guest-with-nix --argstr nixFiles "$test_dir/nix-files") || exit 1
text() { # NAME CONTENTS [STORE PATH]
	nix-instantiate --eval --read-write-mode \
		-E "builtins.toFile \"$1\" \"$2${3:+ \${builtins.storePath $3\}}\"" | tr -d '"'
}

share="{tag: store, source: \"$NIX_STORE_DIR\", mountPoint: \"$NIX_STORE_DIR\", readOnly: true, securityModel: none}"
{
	echo "shares: [$share]"
	echo 'nixDatabase: hostOverlay'
	echo 'writableStoreOverlay: /rw'
	echo 'volumes: [{image: rw.img, mountPoint: /rw, size: 128}]'
	echo 'mem: 768'
	fast_kernel
} | compile kept "$top_path" || finish
{
	echo "shares: [$share]"
	echo 'nixDatabase: hostOverlay'
	echo 'writableStoreOverlay: /rw'
	echo 'mem: 768'
	fast_kernel
} | compile volatile "$top_path" || finish
{
	echo "shares: [{tag: store, proto: virtiofs, source: \"$NIX_STORE_DIR\", mountPoint: \"$NIX_STORE_DIR\", readOnly: true}]"
	echo 'nixDatabase: hostOverlay'
	echo 'writableStoreOverlay: /rw'
	echo 'volumes: [{image: rw.img, mountPoint: /rw, size: 128}]'
	echo 'mem: 768'
	fast_kernel
} | compile virtiofs "$top_path" || finish

host_one=$(text host-one 1)
host_needs=$(text host-needs 1 "$host_one")
name=first
boot kept '^BEGIN ' mvm.test=verify,add,keep,needing,registered,dead mvm.text=mine \
	mvm.needs="$host_one"
ends_well "$name: the guest ends with status 0"
step_ok verify
step add
added=$(cat "$test_dir/step-add")
step needing
needing=$(tr -d '"' <"$test_dir/step-needing")
knows "$top_path" "$host_one" "$host_needs" "$added" "$needing"

# The host writes while the guest starts and runs.
(while :; do text "busy-$RANDOM" x >/dev/null; sleep 0.3; done) &
writer=$!
host_two=$(text host-two 2)
name="while the host writes"
boot kept '^BEGIN ' mvm.test=verify,registered,requisites
kill "$writer"
wait "$writer" 2>/dev/null
ends_well "$name: the guest ends with status 0"
step_ok requisites
knows "$host_one" "$host_two" "$added" "$needing"
expect "$name: the guest's copy is updated with the host's new store paths" \
	"$console" 'mvm-nix-db: [0-9]+ store paths are new'

name="after the host deleted"
check "the host deletes store paths" nix-store --delete "$host_needs" "$host_one"
boot kept '^BEGIN ' mvm.test=verify,registered,requisites
ends_well "$name: the guest ends with status 0"
step_ok verify
knows "$top_path" "$host_two" "$added"
forgot "$host_one" "$host_needs" "$needing"

name=quiet
boot kept '^BEGIN ' mvm.test=verify,registered
step_ok verify
expect_no "$name: the guest's copy needed no update" "$console" 'mvm-nix-db: '
check "the host's database is as the host left it" bash \
	-c "! sqlite3 'file:$NIX_STATE_DIR/db/db.sqlite?immutable=1' 'select path from ValidPaths' | grep -q '$added'"

name="all in memory"
boot volatile '^BEGIN ' mvm.test=verify,registered
ends_well "$name: the guest ends with status 0"
step_ok verify
knows "$top_path" "$host_two"
forgot "$added"

name="by virtiofs"
if [ "$(id -u)" = 0 ] &&
	[ -n "$(command -v virtiofsd /usr/libexec/virtiofsd /usr/lib/qemu/virtiofsd)" ]; then
	boot virtiofs '^BEGIN ' mvm.test=verify,registered,requisites
	ends_well "$name: the guest ends with status 0"
	step_ok verify
	step_ok requisites
	knows "$top_path" "$host_two" "$added"
	forgot "$host_one"
else
	skip "$name: a guest boots" "no virtiofsd, or not root"
fi

printf 11 >"$NIX_STATE_DIR/db/schema"
check "a VM does not start on a host with a newer schema" \
	bash -c "! '$test_dir/kept/bin/microvm-run' </dev/null >'$test_dir/newer' 2>&1"
expect "the message has that schema" "$test_dir/newer" 'schema "11"'
finish
