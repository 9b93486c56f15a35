#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs the command microvm without a running VM: a VM exists completely or not at all, its source is
# recorded, and a removal leaves nothing. A recorder replaces Nix, which must be called as
# microvm.nix calls it.
# shellcheck disable=SC2317 # functions that check calls
set -u
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/golden/lib/fixture.sh
. "$top/tests/golden/lib/fixture.sh"
microvm=$(dirname "$(realpath "${MVMBUILD:-$top/build/mvmbuild}")")/microvm
need_programs jq cc socat unshare
fixture_make "$test_dir"
unset XDG_CACHE_HOME SOURCE_DATE_EPOCH NIX_BUILD_CORES NIX_BUILD_TOP NIX_ATTRS_JSON_FILE
export NIX_STATE_DIR=$test_dir/nix NO_COLOR=1
state=$test_dir/vms roots=$test_dir/nix/gcroots/microvm log=$test_dir/log
mkdir -p "$test_dir/nix/gcroots" "$test_dir/bin" "$test_dir/sources/many"
cd "$test_dir" || exit

describe() { # FILE [LINE]...
	printf '%s\n' "hostName: web1" "storeDir: $test_dir/store" \
		"toplevel: $test_dir/store/$fixture_hash-system" "closure: $test_dir/registration" \
		"kernel: $test_dir/kernel" "${@:2}" >"$1"
}
m() { XDG_CACHE_HOME=$test_dir/cache "$microvm" --state-dir "$state" "$@" >"$log" 2>&1; }
fails() { ! "$@"; }
listed() {
	"$microvm" --state-dir "$state" --list --json |
		jq -r ".vms[] | select(.name == \"$1\") | $2"
}
is_listed() { [ "$(listed "$1" "$2")" = "$3" ]; }
runs() { [ -x "$state/$1/current/bin/microvm-run" ]; }
target() { readlink "$state/$1/$2"; }
fingerprint() { jq -r .fingerprint "$state/$1/current/share/microvm/manifest.json"; }
everything() {
	(cd "$test_dir" && find vms nix -printf '%p %y %m %l\n' 2>/dev/null | LC_ALL=C sort)
}
unchanged() { everything | diff "$test_dir/before" -; }
count() { find "$1" -mindepth 1 -maxdepth 1 | wc -l; }

# ---- create ----
describe sources/vm.yaml
check "microvm creates a VM" m -c web1 -f sources/vm.yaml
expect "it prints how to start the VM" "$log" 'systemctl enable --now microvm@web1$'
check "the VM has a runner" runs web1
check "current leads to the runner in one step" test -d "$state/web1/$(target web1 current)/bin"
check "the runner's directory is named after its fingerprint" \
	test "runners/$(fingerprint web1 | head -c 32)" = "$(target web1 current)"
check "the source is remembered with its whole path" \
	test "$(cat "$state/web1/source")" = "$test_dir/sources/vm.yaml"
check "the group may write in the VM's directory" test "$(stat -c %A "$state/web1" | cut -c 6)" = w
for link in "$roots/web1 current" "$roots/booted-web1 booted" "$roots/old-web1 old"; do
	check "${link#* } has a garbage collector root" \
		test "$(readlink "${link% *}")" = "$state/web1/${link#* }"
done
check "the state directory has nothing but the VM" test "$(ls -A "$state")" = web1
check "the list shows a new VM as current" is_listed web1 .state current
everything >"$test_dir/before"
check "a VM cannot be created twice" fails m -c web1 -f sources/vm.yaml
describe sources/wrong.yaml "mem: much"
check "a wrong description makes no VM" fails m -c web2 -f sources/wrong.yaml
expect "the message has the position in the wrong description" "$log" 'wrong.yaml:6:6: error: mem'
describe sources/unbuildable.yaml "storePaths: [$test_dir/store/$fixture_hash-missing]"
check "a build that fails makes no VM" fails m -c web2 -f sources/unbuildable.yaml
check "failed creations change nothing" unchanged
describe sources/many/web3.yaml
describe sources/many/vm.yaml "mem: 300"
check "microvm creates a VM from a directory, by its name" m -c web3 -f sources/many
check "microvm creates a VM from a directory, by default" m -c web4 -f sources/many
check "the VM with that name has its own description" \
	test "$(listed web3 .current.fingerprint)" = "$(listed web1 .current.fingerprint)"
check "the VM without one has the default description" \
	test "$(listed web4 .current.fingerprint)" != "$(listed web1 .current.fingerprint)"
check "both VMs are removed" bash \
	-c "'$microvm' --state-dir '$state' --remove web3 && '$microvm' --state-dir '$state' --remove web4"
check "nothing of these VMs is left" unchanged

# ---- update ----
first=$(target web1 current)
check "an update with nothing to do succeeds" m -u web1
expect "it reports that the VM is up to date" "$log" 'web1 is up to date'
check "it changes nothing" unchanged
ln -s nowhere "$state/web1/.current.new"
check "an update after a killed one succeeds" m -u web1
check "it removes the files of the killed one" unchanged
check "an update with --force succeeds" m -u web1 --force
check "--force makes the same runner again" unchanged
describe sources/vm.yaml "mem: 200"
check "the list shows a VM with a changed description as outdated" is_listed web1 .state outdated
everything >"$test_dir/before"
describe sources/vm.yaml "mem: 200" "nonsense: 1"
check "an update from a wrong description fails" fails m -u web1
check "a failed update changes nothing" unchanged
check "the list shows a VM with a wrong description as unknown" is_listed web1 .state unknown
check "the list has the position of the mistake" \
	test "$(listed web1 .problem)" = \
		"$test_dir/sources/vm.yaml:7:1: unknown option \"nonsense\""
describe sources/vm.yaml "mem: 200"
check "an update succeeds" m -u web1
second=$(target web1 current)
check "the update makes another runner current" test "$second" != "$first"
check "the update makes the first runner old" test "$(target web1 old)" = "$first"
check "the list shows an updated VM as current" is_listed web1 .state current
describe sources/vm.yaml "mem: 201"
echo precious >"$state/web1/$first/data.img"
check "a second update succeeds" m -u web1
check "it keeps a runner that a VM was started in" \
	test "$(cat "$state/web1/$first/data.img")" = precious
check "a third update without -q succeeds" "$microvm" --no-cache --state-dir "$state" -u web1
cp "$test_dir/.check" "$log"
expect "it reports why that runner stays" "$log" \
	"keeping the old runner $state/web1/$first, because no build made its file data.img"
rm "$state/web1/$first/data.img"
check "an update succeeds when the volume is gone from that runner" m -u web1
check "it removes the runners without a name" \
	test "$(count "$state/web1/runners")" = 2 -a ! -e "$state/web1/$first"
check "it removes their garbage collector roots" test "$(count "$roots/.runners/web1")" = 2
ln -s "$(target web1 current)" "$state/web1/booted"
describe sources/vm.yaml "mem: 202"
check "an update of a booted VM succeeds" m -u web1
expect "it asks for a restart" "$log" 'Reboot MicroVM web1 .*systemctl restart microvm@web1.service'
check "the list shows a VM that runs an older runner as stale" is_listed web1 .state stale
describe sources/vm.yaml "mem: 203"
check "a further update of the booted VM succeeds" m -u web1
check "the runners current, booted and old are kept" test "$(count "$state/web1/runners")" = 3
check "a booted VM is not removed" fails m --remove web1
expect "the message says that the VM was not stopped" "$log" 'web1 is .*was not stopped; add --stop'
rm "$state/web1/booted"

# ---- rollback ----
third=$(target web1 current) before=$(target web1 old)
check "a rollback succeeds" m --rollback web1
check "it makes the old runner current" \
	test "$(target web1 current) $(target web1 old)" = "$before $third"
check "the list shows the VM as outdated after a rollback" is_listed web1 .state outdated
check "a second rollback succeeds" m --rollback web1
check "it makes the runner current that was current before" \
	test "$(target web1 current) $(target web1 old)" = "$third $before"

# ---- cut off at any instant ----
cc -std=c11 -D_GNU_SOURCE -o kill_at "$top/tests/e2e/lib/kill_at.c" || exit 1
rm -rf "$state" "$roots"
describe sources/vm.yaml
n=0 bad='' status=0
while [ "$status" = 0 ]; do
	status=0
	./kill_at $((n += 1)) "$microvm" -q --no-cache --state-dir "$state" -c cut \
		-f sources/vm.yaml >/dev/null 2>&1 || status=$?
	if [ -e "$state/cut" ] && ! is_listed cut .state current; then bad+=" $n"; fi
	if [ -e "$state/cut" ] && [ "$status" = 0 ] && ! m --remove cut; then bad+=" $n"; fi
done
check "a creation was cut off at $n instants" test "$status" = 3 -a "$n" -gt 30
check "after each cut the VM was complete or not there${bad:+, but not at$bad}" test -z "$bad"
check "the next creation leaves nothing of the cut-off ones" \
	test "$(ls -A "$state")" = cut -a "$(count "$state/cut/runners")" = 1
n=0 bad='' status=0
while [ "$status" = 0 ]; do
	describe sources/vm.yaml "mem: $((256 + n))"
	status=0
	./kill_at $((n += 1)) "$microvm" -q --no-cache --state-dir "$state" -u cut >/dev/null \
		2>&1 || status=$?
	if ! runs cut || ! [[ $(listed cut .state) =~ ^(current|outdated)$ ]]; then bad+=" $n"; fi
done
check "an update was cut off at $n instants" test "$status" = 3 -a "$n" -gt 30
check "after each cut the VM could start${bad:+, but not at$bad}" test -z "$bad"
check "the next update leaves nothing of the cut-off ones" \
	test "$(count "$state/cut/runners")" = 2 -a "$(find "$state/cut" -name '.*' | wc -l)" = 0
check "the VM of the cut-off updates is removed" m --remove cut

# ---- removal ----
describe sources/vm.yaml 'volumes: [{image: data.img, size: 16, mountPoint: /data}]'
m -c web1 -f sources/vm.yaml
echo precious >"$state/web1/data.img"
socat UNIX-LISTEN:"$state/web1/web1.sock",unlink-close=0 /dev/null &
wait_until test -S "$state/web1/web1.sock"
kill $! && wait $! 2>/dev/null
check "a VM with a volume is removed" m --remove web1
expect "the removal names the volume that it keeps" "$log" 'Kept in .*/web1: data.img$'
check "the removal keeps the volume alone" test "$(ls -A "$state/web1")" = data.img
check "the removal leaves no garbage collector roots" test "$(count "$roots")" = 0
check "a removed VM is not listed" test -z "$(listed web1 .name)"
check "the VM is created again" m -c web1 -f sources/vm.yaml
check "the VM has its old volume then" test "$(cat "$state/web1/data.img")" = precious
check "a VM is removed with its volumes" m --remove web1 --volumes
check "--volumes leaves nothing of the VM" test "$(count "$state")" = 0

# ---- roots ----
m -c gone -f sources/vm.yaml
ln -s "$test_dir/other/vms/x/current" "$roots/x"
rm -rf "${state:?}/gone"
"$microvm" --state-dir "$state" -l >"$log" 2>&1
expect "a garbage collector root without a target is reported" \
	"$log" "^$roots/gone protects nothing"
check "the list as JSON has all VMs and none of another state directory" \
	test "$("$microvm" --state-dir "$state" -l --json | jq -r '.danglingRoots[]' | sort |
		xargs -n 1 basename | xargs)" = "gone booted-gone gone old-gone"
rm -rf "$roots"

# ---- flakes ----
# It records its arguments, and builds the runner of the reference that $test_dir/next names.
printf '#!/bin/sh\nprintf "%%s\\n" "$*" >>%s/asked\n' "$test_dir" >bin/nix
cat >>bin/nix <<'E2'
case "$*" in
*" eval "*) if [ -e "$STUB/broken" ]; then echo 'error: no such attribute' >&2; exit 1; fi; readlink -n "$STUB/$(cat "$STUB/next")/share/microvm/system" ;;
*" build -o "*) if [ -e "$STUB/broken" ]; then echo 'error: builder failed' >&2; exit 1; fi; ln -s "$STUB/$(cat "$STUB/next")" "$5" ;;
esac
E2
chmod +x bin/nix
export STUB=$test_dir PATH=$test_dir/bin:$PATH
for generation in one two; do
	mkdir -p "$generation/bin" "$generation/share/microvm"
	# shellcheck disable=SC2016 # the script's own
	printf '#!/bin/sh\necho "%s runs in $(pwd)"\n' $generation >$generation/bin/microvm-run
	chmod +x $generation/bin/microvm-run
	ln -s "/nix/store/$fixture_hash-nixos-system-$generation" $generation/share/microvm/system
done
echo one >next
check "a VM of a flake is created" m -c flaked -f git+https://example.org/vms
check "Nix is called as microvm.nix calls it" grep \
	-Eq '^--extra-experimental-features nix-command flakes build -o .*/.result git\+https://example.org/vms#nixosConfigurations.flaked.config.microvm.declaredRunner$' asked
check "the flake is remembered" test "$(cat "$state/flaked/flake")" = git+https://example.org/vms
check "current leads to Nix's result itself" test "$(target flaked current)" = "$test_dir/one"
check "a flake's VM has no other files" \
	test "$(find "$state/flaked" -mindepth 1 -printf '%f\n' | sort | xargs)" = "current flake"
check "the list shows a flake's VM as current" is_listed flaked .state current
check "Nix is called to evaluate the flake" grep -Eqx \
	-e '--extra-experimental-features nix-command flakes --option narinfo-cache-negative-ttl 10 eval --raw git\+https://example.org/vms#nixosConfigurations.flaked.config.system.build.toplevel' asked
echo two >next
check "the list shows a flake's VM as outdated when the flake changed" \
	is_listed flaked .current.system "/nix/store/$fixture_hash-nixos-system-one"
"$microvm" --state-dir "$state" -l >"$log" 2>&1
expect "the list shows what an update would build" "$log" \
	'^flaked .* outdated +nixos-system-one .*microvm -Ru flaked builds and boots nixos-system-two'
touch broken
everything >before
check "an update of a flake's VM fails when its build does" fails m -u flaked
check "that failed update changes nothing" unchanged
"$microvm" --state-dir "$state" -l >"$log" 2>&1
expect "the list has the reason of an evaluation that fails" \
	"$log" '^flaked .* unknown .*no such attribute'
check "a creation from a flake fails when its build does" \
	fails m -c another -f git+https://example.org/vms
check "that failed creation leaves nothing" unchanged
rm broken
check "an update of a flake's VM succeeds" m -u flaked
check "the new runner is current and the one before old" \
	test "$(target flaked current) $(target flaked old)" = "$test_dir/two $test_dir/one"
check "Nix is called to print what changed" grep -qxe \
	"--extra-experimental-features nix-command flakes store diff-closures $test_dir/one $test_dir/two" asked
"$microvm" --state-dir "$state" -r flaked >"$log" 2>&1
expect "a flake's runner runs in the VM's directory" "$log" "^two runs in $state/flaked$"
# own=: there is no NixOS; own=flake.nix: there is the flake of one.
create_own() {
	unshare -r -m sh -c "mount -t tmpfs tmpfs /etc && mkdir /etc/nixos && touch /etc/nixos/$own &&
		'$microvm' -q --state-dir '$state' -c own" >"$log" 2>&1
}
own=''
check "without -f and without a flake of the host no VM is created" fails create_own
expect "the message asks for -f" "$log" 'error: --create needs -f SOURCE'
own=flake.nix
check "without -f a VM is created from the host's own flake" create_own
check "that flake is remembered" test "$(cat "$state/own/flake")" = git+file:///etc/nixos
m --remove own

# ---- as the reference leaves them ----
mkdir "$state/declared" "$state/broken" "$state/named-by-hand"
ln -s "$test_dir/one" "$state/declared/current"
ln -s "/nix/store/$fixture_hash-nixos-system-one" "$state/declared/toplevel"
ln -s "$test_dir/three" "$state/broken/current"
echo 'git+https://example.org/vms' >"$state/broken/flake"
ln -s "$test_dir/two" "$state/named-by-hand/current"
check "the list shows a declared VM as current" is_listed declared .state current
check "a declared VM is not updated" fails m -u declared
expect "the message says that the VM is declared" "$log" "declared by the host's configuration"
check "the list shows a VM without a runner as broken" is_listed broken .state broken
check "the list shows the other VMs beside a broken one" is_listed named-by-hand .state current
"$microvm" --state-dir "$state" -l >"$log" 2>&1
check "every VM has one line in the list, under the head" test "$(wc -l <"$log")" = 5
expect_no "the list in a file has no colours" "$log" $'\033'
check "the list on a terminal has colours" bash \
	-c "env -u NO_COLOR script -qec \"'$microvm' --state-dir '$state' -l\" /dev/null </dev/null | grep -q \$'\\033\\[0;32mcurrent'"

# ---- ssh ----
printf '#!/bin/sh\nprintf "<%%s>" "$@" >%s/ssh-asked\n' "$test_dir" >bin/ssh
chmod +x bin/ssh
echo 42 >one/share/microvm/vsock-cid
echo qemu >one/share/microvm/hypervisor
check "microvm -s succeeds with a command" m -s declared uname -a
common='<-o><StrictHostKeyChecking=no><-o><UserKnownHostsFile=/dev/null>'
check "ssh is called with the guest's vsock number" grep -qxF \
	"$common<-o><ProxyCommand=$microvm --connect 42><-l><root><declared><uname><-a>" ssh-asked
echo cloud-hypervisor >one/share/microvm/hypervisor
check "microvm -s succeeds with options of ssh" m -s declared -- -l me -v
check "ssh is called with the hypervisor's socket, and the user's options first" \
	grep -qxF \
		"<-l><me><-v>$common<-o><ProxyCommand=$microvm --connect $state/declared/notify.vsock><-l><root><declared>" ssh-asked
# A hypervisor that carries the guest's vsock, and an ssh server that answers in capitals.
cat >guest <<'E2'
#!/bin/bash
read -r line
[ "$line" = "CONNECT 22" ] || exit 1
printf 'OK 1073741824\nhello '
exec tr a-z A-Z
E2
chmod +x guest
socat UNIX-LISTEN:"$state/declared/notify.vsock",fork,unlink-close=0 EXEC:./guest &
guest=$!
wait_until test -S "$state/declared/notify.vsock"
letters() { head -c 300000 /dev/zero | tr '\0' "$1"; }
answered() {
	letters x | "$microvm" --connect "$state/declared/notify.vsock" |
		cmp - <(printf 'hello ' && letters X)
}
check "--connect passes on what is sent, and the whole answer" answered
tail --pid=$$ -f /dev/null | "$microvm" \
	--connect "$state/declared/notify.vsock" >hello 2>log.connect &
connected=$!
wait_until test -s hello
kill -HUP $connected
wait $connected
check "--connect ends silently by a signal of ssh" test $? = 129 -a ! -s log.connect
kill $guest && wait $guest 2>/dev/null
check "--connect fails when nobody listens" fails m --connect "$state/declared/notify.vsock"
expect "--connect says that the guest cannot be reached" \
	"$log" 'cannot connect to the guest through .*notify.vsock: Connection refused'
finish
