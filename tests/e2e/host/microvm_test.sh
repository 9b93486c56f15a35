#!/bin/bash
# SPDX-License-Identifier: MIT
# The command microvm, without a VM that runs: whatever happens, a VM is there as a whole or not at all; what it was made from is known; removal
# leaves nothing. Nix is a recorder here: what it is asked, as the reference asks it.
# shellcheck disable=SC2317 # functions that check calls
set -u
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/golden/lib/fixture.sh
. "$top/tests/golden/lib/fixture.sh"
microvm=$(dirname "$(realpath "${MVMBUILD:-$top/build/mvmbuild}")")/microvm
need_programs jq cc socat
fixture_make "$test_dir"
unset XDG_CACHE_HOME SOURCE_DATE_EPOCH NIX_BUILD_CORES NIX_BUILD_TOP NIX_ATTRS_JSON_FILE
export NIX_STATE_DIR=$test_dir/nix NO_COLOR=1
state=$test_dir/vms roots=$test_dir/nix/gcroots/microvm log=$test_dir/log
mkdir -p "$test_dir/nix/gcroots" "$test_dir/bin" "$test_dir/sources/many"
cd "$test_dir" || exit

describe() { # FILE [LINE]...
	printf '%s\n' "hostName: web1" "storeDir: $test_dir/store" "toplevel: $test_dir/store/$fixture_hash-system" "closure: $test_dir/registration" \
		"kernel: $test_dir/kernel" "${@:2}" >"$1"
}
m() { "$microvm" -q --no-cache --state-dir "$state" "$@" >"$log" 2>&1; }
fails() { ! "$@"; }
listed() { "$microvm" --state-dir "$state" --list --json | jq -r ".vms[] | select(.name == \"$1\") | $2"; }
is_listed() { [ "$(listed "$1" "$2")" = "$3" ]; }
runs() { [ -x "$state/$1/current/bin/microvm-run" ]; }
target() { readlink "$state/$1/$2"; }
fingerprint() { jq -r .fingerprint "$state/$1/current/share/microvm/manifest.json"; }
everything() { (cd "$test_dir" && find vms nix -printf '%p %y %m %l\n' 2>/dev/null | LC_ALL=C sort); }
unchanged() { everything | diff "$test_dir/before" -; }
count() { find "$1" -mindepth 1 -maxdepth 1 | wc -l; }

# ---- create ----
describe sources/vm.yaml
check "a VM is created" m -c web1 -f sources/vm.yaml
expect "and it is said how to start it" "$log" 'systemctl start microvm@web1.service'
check "it has a runner" runs web1
check "one hop from current" test -d "$state/web1/$(target web1 current)/bin"
check "named by its fingerprint" test "runners/$(fingerprint web1 | head -c 32)" = "$(target web1 current)"
check "the source is remembered, absolute" test "$(cat "$state/web1/source")" = "$test_dir/sources/vm.yaml"
check "the group may write there" test "$(stat -c %A "$state/web1" | cut -c 6)" = w
for link in "$roots/web1 current" "$roots/booted-web1 booted" "$roots/old-web1 old"; do
	check "root ${link#* }" test "$(readlink "${link% *}")" = "$state/web1/${link#* }"
done
check "nothing else is in the state directory" test "$(ls -A "$state")" = web1
check "the list says current" is_listed web1 .state current
everything >"$test_dir/before"
check "it cannot be created twice" fails m -c web1 -f sources/vm.yaml
describe sources/wrong.yaml "mem: much"
check "no VM from a wrong description" fails m -c web2 -f sources/wrong.yaml
expect "the place is named" "$log" 'wrong.yaml:6:6: error: mem'
describe sources/unbuildable.yaml "storePaths: [$test_dir/store/$fixture_hash-missing]"
check "no VM when the build fails" fails m -c web2 -f sources/unbuildable.yaml
check "nothing changed by all that" unchanged
describe sources/many/web3.yaml
describe sources/many/vm.yaml "mem: 300"
check "from a directory, by name" m -c web3 -f sources/many
check "from a directory, for any" m -c web4 -f sources/many
check "the first is its own description" test "$(listed web3 .current.fingerprint)" = "$(listed web1 .current.fingerprint)"
check "the other one is not" test "$(listed web4 .current.fingerprint)" != "$(listed web1 .current.fingerprint)"
check "both are removed" bash -c "'$microvm' --state-dir '$state' --remove web3 && '$microvm' --state-dir '$state' --remove web4"
check "and nothing of them is left" unchanged

# ---- update ----
first=$(target web1 current)
check "nothing to update" m -u web1
expect "is said" "$log" 'web1 is up to date'
check "and changes nothing" unchanged
ln -s nowhere "$state/web1/.current.new"
check "after a killed update" m -u web1
check "takes what that left" unchanged
check "building all the same" m -u web1 --force
check "makes the same again" unchanged
describe sources/vm.yaml "mem: 200"
check "another description: outdated" is_listed web1 .state outdated
everything >"$test_dir/before"
describe sources/vm.yaml "mem: 200" "nonsense: 1"
check "no update from a wrong one" fails m -u web1
check "changes nothing" unchanged
check "the list says what is wrong, and goes on" is_listed web1 .state unknown
check "with its place" test "$(listed web1 .problem)" = "$test_dir/sources/vm.yaml:7:1: unknown option \"nonsense\""
describe sources/vm.yaml "mem: 200"
check "an update" m -u web1
second=$(target web1 current)
check "makes another runner current" test "$second" != "$first"
check "and the first one old" test "$(target web1 old)" = "$first"
check "the list says current" is_listed web1 .state current
describe sources/vm.yaml "mem: 201"
echo precious >"$state/web1/$first/data.img"
check "a second update" m -u web1
check "leaves a runner that a VM was started in" test "$(cat "$state/web1/$first/data.img")" = precious
check "and, not told to be quiet," "$microvm" --no-cache --state-dir "$state" -u web1
cp "$test_dir/.check" "$log"
expect "says why" "$log" "the old runner $state/web1/$first stays: it has the file data.img, which was not built"
rm "$state/web1/$first/data.img"
check "once more" m -u web1
check "removes what nobody names" test "$(count "$state/web1/runners")" = 2 -a ! -e "$state/web1/$first"
check "with its roots" test "$(count "$roots/.runners/web1")" = 2
ln -s "$(target web1 current)" "$state/web1/booted"
describe sources/vm.yaml "mem: 202"
check "an update of a booted VM" m -u web1
expect "asks for a reboot" "$log" 'Reboot MicroVM web1 .*systemctl restart microvm@web1.service'
check "the list says stale" is_listed web1 .state stale
describe sources/vm.yaml "mem: 203"
check "one more" m -u web1
check "current, booted and old are kept" test "$(count "$state/web1/runners")" = 3
check "a booted VM is not removed" fails m --remove web1
expect "why is said" "$log" 'web1 is running'
rm "$state/web1/booted"

# ---- rollback ----
third=$(target web1 current) before=$(target web1 old)
check "a rollback" m --rollback web1
check "old is current" test "$(target web1 current) $(target web1 old)" = "$before $third"
check "the list says outdated" is_listed web1 .state outdated
check "a second one goes back" m --rollback web1
check "to where it was" test "$(target web1 current) $(target web1 old)" = "$third $before"

# ---- cut off at any instant ----
cc -std=c11 -D_GNU_SOURCE -o kill_at "$top/tests/e2e/lib/kill_at.c" || exit 1
rm -rf "$state" "$roots"
describe sources/vm.yaml
n=0 bad='' status=0
while [ "$status" = 0 ]; do
	status=0
	./kill_at $((n += 1)) "$microvm" -q --no-cache --state-dir "$state" -c cut -f sources/vm.yaml >/dev/null 2>&1 || status=$?
	if [ -e "$state/cut" ] && ! is_listed cut .state current; then bad+=" $n"; fi
	if [ -e "$state/cut" ] && [ "$status" = 0 ] && ! m --remove cut; then bad+=" $n"; fi
done
check "creation was cut off at $n instants" test "$status" = 3 -a "$n" -gt 30
check "the VM was whole or not there${bad:+, but not at$bad}" test -z "$bad"
check "nothing of them is left" test "$(ls -A "$state")" = cut -a "$(count "$state/cut/runners")" = 1
n=0 bad='' status=0
while [ "$status" = 0 ]; do
	describe sources/vm.yaml "mem: $((256 + n))"
	status=0
	./kill_at $((n += 1)) "$microvm" -q --no-cache --state-dir "$state" -u cut >/dev/null 2>&1 || status=$?
	if ! runs cut || ! [[ $(listed cut .state) =~ ^(current|outdated)$ ]]; then bad+=" $n"; fi
done
check "updates were cut off at $n instants" test "$status" = 3 -a "$n" -gt 30
check "the VM could always start${bad:+, but not at$bad}" test -z "$bad"
check "nothing of them is left" test "$(count "$state/cut/runners")" = 2 -a "$(find "$state/cut" -name '.*' | wc -l)" = 0
check "it is removed" m --remove cut

# ---- removal ----
describe sources/vm.yaml 'volumes: [{image: data.img, size: 16, mountPoint: /data}]'
m -c web1 -f sources/vm.yaml
echo precious >"$state/web1/data.img"
socat UNIX-LISTEN:"$state/web1/web1.sock",unlink-close=0 /dev/null &
wait_until test -S "$state/web1/web1.sock"
kill $! && wait $! 2>/dev/null
check "a VM with a volume is removed" m --remove web1
expect "what is kept is named" "$log" 'Kept in .*/web1: data.img$'
check "it is all that is kept" test "$(ls -A "$state/web1")" = data.img
check "no roots are left" test "$(count "$roots")" = 0
check "it is no VM any more" test -z "$(listed web1 .name)"
check "created again" m -c web1 -f sources/vm.yaml
check "it has its volume" test "$(cat "$state/web1/data.img")" = precious
check "removed with its volumes" m --remove web1 --volumes
check "nothing is left" test "$(count "$state")" = 0

# ---- roots ----
m -c gone -f sources/vm.yaml
ln -s "$test_dir/other/vms/x/current" "$roots/x"
rm -rf "${state:?}/gone"
"$microvm" --state-dir "$state" -l >"$log" 2>&1
expect "a dangling root is named" "$log" "^$roots/gone protects nothing"
check "all of them as JSON, none of another state directory" \
	test "$("$microvm" --state-dir "$state" -l --json | jq -r '.danglingRoots[]' | sort | xargs -n 1 basename | xargs)" = "gone booted-gone gone old-gone"
rm -rf "$roots"

# ---- flakes ----
# It records what it is asked, and builds the runner of the reference that $test_dir/next names.
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
check "a VM of a flake" m -c flaked -f git+https://example.org/vms
check "Nix was asked as the reference asks it" grep -Eq '^--extra-experimental-features nix-command flakes build -o .*/.result git\+https://example.org/vms#nixosConfigurations.flaked.config.microvm.declaredRunner$' asked
check "the flake is remembered" test "$(cat "$state/flaked/flake")" = git+https://example.org/vms
check "current is Nix's result itself" test "$(target flaked current)" = "$test_dir/one"
check "it is all there is" test "$(find "$state/flaked" -mindepth 1 -printf '%f\n' | sort | xargs)" = "current flake"
check "the list says current" is_listed flaked .state current
check "Nix evaluates for it" grep -Eqx -e '--extra-experimental-features nix-command flakes --option narinfo-cache-negative-ttl 10 eval --raw git\+https://example.org/vms#nixosConfigurations.flaked.config.system.build.toplevel' asked
echo two >next
check "outdated when the flake says so" is_listed flaked .current.system "/nix/store/$fixture_hash-nixos-system-one"
"$microvm" --state-dir "$state" -l >"$log" 2>&1
expect "in the reference's words" "$log" '^flaked: outdated\(nixos-system-one\), rebuild\(nixos-system-two\) and reboot: microvm -Ru flaked'
touch broken
everything >before
check "a build that fails" fails m -u flaked
check "changes nothing" unchanged
"$microvm" --state-dir "$state" -l >"$log" 2>&1
expect "an evaluation that fails is on its line" "$log" '^flaked: unknown, .*no such attribute'
check "a creation that fails" fails m -c another -f git+https://example.org/vms
check "leaves nothing" unchanged
rm broken
check "an update" m -u flaked
check "the new one is current, the other one old" test "$(target flaked current) $(target flaked old)" = "$test_dir/two $test_dir/one"
check "what changed is asked of Nix" grep -qxe "--extra-experimental-features nix-command flakes store diff-closures $test_dir/one $test_dir/two" asked
"$microvm" --state-dir "$state" -r flaked >"$log" 2>&1
expect "it runs in its directory" "$log" "^two runs in $state/flaked$"
check "without -f it is the host's own flake" bash -c "'$microvm' -q --state-dir '$state' -c own && [ \"\$(cat '$state/own/flake')\" = git+file:///etc/nixos ]"
m --remove own

# ---- as the reference leaves them ----
mkdir "$state/declared" "$state/broken" "$state/named-by-hand"
ln -s "$test_dir/one" "$state/declared/current"
ln -s "/nix/store/$fixture_hash-nixos-system-one" "$state/declared/toplevel"
ln -s "$test_dir/three" "$state/broken/current"
echo 'git+https://example.org/vms' >"$state/broken/flake"
ln -s "$test_dir/two" "$state/named-by-hand/current"
check "a declared VM is current" is_listed declared .state current
check "and is not updated" fails m -u declared
expect "because it is declared" "$log" "declared by the host's configuration"
check "a broken one is named" is_listed broken .state broken
check "and stops nobody" is_listed named-by-hand .state current
"$microvm" --state-dir "$state" -l >"$log" 2>&1
check "every VM has its line" test "$(wc -l <"$log")" = 4
expect_no "no colours in a file" "$log" $'\033'
check "colours on a terminal" bash -c "env -u NO_COLOR script -qec \"'$microvm' --state-dir '$state' -l\" /dev/null </dev/null | grep -q \$'\\033\\[0;32mcurrent'"

# ---- ssh ----
printf '#!/bin/sh\nprintf "<%%s>" "$@" >%s/ssh-asked\n' "$test_dir" >bin/ssh
chmod +x bin/ssh
echo 42 >one/share/microvm/vsock-cid
echo qemu >one/share/microvm/hypervisor
check "ssh" m -s declared uname -a
common='<-o><StrictHostKeyChecking=no><-o><UserKnownHostsFile=/dev/null>'
check "by the guest's number" grep -qxF "$common<-o><ProxyCommand=$microvm --connect 42><-l><root><declared><uname><-a>" ssh-asked
echo cloud-hypervisor >one/share/microvm/hypervisor
check "ssh with options" m -s declared -- -l me -v
check "by the hypervisor's socket, the options before ours" \
	grep -qxF "<-l><me><-v>$common<-o><ProxyCommand=$microvm --connect $state/declared/notify.vsock><-l><root><declared>" ssh-asked
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
answered() { letters x | "$microvm" --connect "$state/declared/notify.vsock" | cmp - <(printf 'hello ' && letters X); }
check "what is sent arrives, and the answer comes back, to the end" answered
sleep 3000 | "$microvm" --connect "$state/declared/notify.vsock" >hello 2>log.connect &
connected=$!
wait_until test -s hello
kill -HUP $connected
wait $connected
check "ssh ends it by a signal, without a word" test $? = 129 -a ! -s log.connect
kill $guest && wait $guest 2>/dev/null
check "nobody there is an error" fails m --connect "$state/declared/notify.vsock"
expect "that says so" "$log" 'cannot reach the guest by .*notify.vsock: Connection refused'
finish
