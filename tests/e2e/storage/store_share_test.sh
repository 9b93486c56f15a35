#!/bin/bash
# SPDX-License-Identifier: MIT
# Shares the host's store read-only by both protocols: the guest's root must not be able to change
# it, whatever the description leaves out. A share that leads to the store by links and mounts
# must not start when the guest could write to it.
set -u
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
need_programs unshare mount
guest_setup
limit=180
guest=$(guest_build store-writer) || exit 1
virtiofsd=$(command -v virtiofsd /usr/libexec/virtiofsd /usr/lib/qemu/virtiofsd | head -n 1)
log=$test_dir/log
protos=(9p)
if [ -n "$virtiofsd" ]; then
	protos+=(virtiofs)
else
	skip "virtiofs" "no virtiofsd is installed"
fi

victim=$(nix-store --add "$top/LICENSE")
victim_name=${victim##*/}
state_dir=$(dirname "$NIX_STORE_DIR")/var/nix
[ -d "$state_dir/gcroots" ] || mkdir -p "$state_dir/gcroots"
: >"$state_dir/gcroots/of-the-host"
ln -s "$NIX_STORE_DIR" "$test_dir/link"
store_now() {
	(cd "$(dirname "$NIX_STORE_DIR")" && find store var/nix/gcroots -printf '%p %y %m %s %l\n' |
		sort)
}

# Shares the store, a directory above it, one below it, a link to it, and the database of the host's
# Nix.
tags=(store above inside link nix root)
sources=("$NIX_STORE_DIR/" "$(dirname "$NIX_STORE_DIR")" "$guest" "$test_dir/link" "$state_dir" /)
victims=("$victim_name" "store/$victim_name" init "$victim_name" gcroots/of-the-host "$victim_name")
tries=
for i in "${!tags[@]}"; do tries+=${tries:+,}${tags[i]}:/${tags[i]}:${victims[i]}; done
tries=${tries/:\/root:/:\/root$NIX_STORE_DIR:} # touches nothing else below the host's root

for proto in "${protos[@]}"; do
	{
		echo 'shares:'
		# QEMU's own virtiofsd cannot serve "/", writable or not: it cannot pivot there.
		for i in "${!tags[@]}"; do
			[ "$proto ${sources[i]}" = 'virtiofs /' ] ||
				echo "  - {tag: ${tags[i]}, proto: $proto, source: \"${sources[i]}\", mountPoint: /${tags[i]}}"
		done
		echo 'storeOnDisk: true'
		fast_kernel
	} | compile "$proto" "$guest" || finish
	store_now >"$test_dir/before"
	wanted=48
	if [ "$proto" = virtiofs ]; then tries=${tries%,root:*} wanted=40; fi
	boot "$proto" '^writer: ' "mvm.try=$tries"
	expect "$proto: the guest runs to its end" "$console" '^writer: done'
	expect_no "$proto: the guest finds all that it is to change" "$console" '^writer: FAILED'
	check "$proto: the guest tries all changes" \
		test "$(grep -c '^writer: .*: could not' "$console")" = $wanted
	expect_no "$proto: the guest can change nothing" "$console" '^writer: .*: did '
	expect "$proto: the guest cannot make the store writable" \
		"$console" '^writer: store: (remounted|is .* ro)'
	check "$proto: the host's store is unchanged" diff "$test_dir/before" <(store_now)
done

# refused NAME DESCRIPTION: the VM does not start, and microvm-check does not call it ready.
refused() {
	local script
	for script in microvm-check microvm-run; do
		"$test_dir/$1/bin/$script" >"$log" 2>&1 </dev/null
		check "$2: $script fails" test $? = 1
		expect "$2: $script says what the guest could do" "$log" \
			"the share data: through .* the guest could change and delete $NIX_STORE_DIR of this host; set readOnly: true"
	done
}
for proto in "${protos[@]}"; do
	{
		echo "shares: [{tag: data, proto: $proto, source: shared, mountPoint: /data}]"
		fast_kernel
	} | compile "late-$proto" "$guest" || finish
	rm -rf shared
	mkdir shared
	check "$proto: a share of another directory is allowed" \
		"$test_dir/late-$proto/bin/microvm-check"
	rmdir shared
	for place in "$NIX_STORE_DIR" "$(dirname "$NIX_STORE_DIR")" / "$guest"; do
		ln -sfn "$place" shared
		refused "late-$proto" "$proto: a link to $place"
	done
	rm shared
done
if [ "$(id -u)" = 0 ]; then
	mkdir -p shared/inner
	by_mount() { # PLACE: mounts the store there, in a new mount namespace
		# shellcheck disable=SC2016 # the inner shell's
		unshare -m --propagation private sh -c 'mount --bind "$1" "$2" && exec "$3"' sh \
			"$NIX_STORE_DIR" "$1" "$test_dir/late-9p/bin/microvm-check"
	}
	for place in shared shared/inner; do
		by_mount "$place" >"$log" 2>&1 </dev/null
		check "the store mounted on $place below a share is refused" test $? = 1
		expect "the message names the store mounted on $place" \
			"$log" "could change and delete $NIX_STORE_DIR of this host"
	done
else
	skip "mounts of the store" "needs root"
fi
finish
