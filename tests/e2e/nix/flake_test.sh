#!/bin/bash
# SPDX-License-Identifier: MIT
# Manages VMs of a flake with the command microvm, a real Nix and a separate store: creates, lists,
# updates, restarts and rolls them back, shows them as outdated when the flake changes, and protects
# them from the garbage collector. It needs no network: the flake has no inputs, and busybox builds
# its runners.
# shellcheck disable=SC2317 # functions that check calls
set -u
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/e2e/lib/nix.sh
. "$top/tests/e2e/lib/nix.sh"
need_programs nix busybox jq
microvm=$(dirname "$(realpath "${MVMBUILD:-$top/build/mvmbuild}")")/microvm
nix_env_setup "$test_dir/nix"
export NO_COLOR=1
state=$test_dir/vms flake=$test_dir/flake log=$test_dir/log
mkdir -p "$flake/bin" "$test_dir/bin" "$NIX_STATE_DIR/gcroots"
cp -L "$(command -v busybox)" "$flake/bin/busybox"
# systemctl records its arguments, and reports each unit as running, with process 1.
cat >"$test_dir/bin/systemctl" <<E2
#!/bin/sh
echo "\$*" >>$test_dir/asked
if [ "\$1" = show ]; then printf '%s\n' LoadState=loaded ActiveState=active MainPID=1; fi
E2
chmod +x "$test_dir/bin/systemctl"
PATH=$test_dir/bin:$PATH

# Writes a flake with two VMs; TEXT is in web1's system.
describe() { # TEXT
	cat >"$flake/flake.nix" <<E2
{
  outputs = { self }:
    let
      run = name: script: derivation {
        inherit name;
        system = "$(uname -m)-linux";
        builder = "\${./bin}/busybox";
        args = [ "sh" "-euc" script ];
      };
      b = "\${./bin}/busybox";
      vm = name: text: rec {
        config.system.build.toplevel = run "nixos-system-\${name}-1.0" "\${b} mkdir \$out; echo '\${text}' >\$out/text";
        config.microvm.declaredRunner = run "microvm-\${name}" ''
          \${b} mkdir -p \$out/bin \$out/share/microvm
          echo "#!/bin/sh
          echo runs \${text} in \\\$PWD" >\$out/bin/microvm-run
          \${b} chmod +x \$out/bin/microvm-run
          echo qemu >\$out/share/microvm/hypervisor
          \${b} ln -s \${config.system.build.toplevel} \$out/share/microvm/system
        '';
      };
    in {
      nixosConfigurations.web1 = vm "web1" "$1";
      nixosConfigurations."web.two" = vm "web.two" "two";
    };
}
E2
}
m() { "$microvm" -q --state-dir "$state" "$@" >"$log" 2>&1; }
fails() { ! "$@"; }
is_listed() {
	[ "$("$microvm" --state-dir "$state" -l --json |
		jq -r ".vms[] | select(.name == \"$1\") | $2")" = "$3" ]
}
target() { readlink "$state/web1/$1"; }
runs() { (cd "$state/$1" && ./current/bin/microvm-run); }
collect() { nix-collect-garbage >/dev/null 2>&1; }

describe one
if m -c web1 -f "path:$flake"; then
	ok "a VM of a flake is created"
else
	not_ok "a VM of a flake is created" "$log"
	finish
fi
first=$(target current)
check "current leads to Nix's result" \
	test "${first%/*}" = "$NIX_STORE_DIR" -a -x "$first/bin/microvm-run"
check "the flake's VM runs" test "$(runs web1)" = "runs one in $state/web1"
check "the flake is remembered" test "$(cat "$state/web1/flake")" = "path:$flake"
check "the VM's directory has no other files" \
	test "$(find "$state/web1" -mindepth 1 -printf '%f\n' | sort | xargs)" = "current flake"
check "a VM whose name has a dot is created from a directory" m -c web.two -f "$flake"
check "that VM runs too" test "$(runs web.two)" = "runs two in $state/web.two"
check "the list shows the flake's VM as current" \
	is_listed web1 '"\(.state) \(.sourceKind)"' "current flake"
check "the list has the system of the flake's VM" \
	is_listed web1 '.current.system | endswith("-nixos-system-web1-1.0")' true
check "an update with nothing to do succeeds" m -u web1
check "it changes nothing" test "$(target current)" = "$first" -a ! -L "$state/web1/old"
collect
check "the runner survives a garbage collection" test -x "$first/bin/microvm-run"

ln -s "$first" "$state/web1/booted"
describe changed
check "the list shows the VM as outdated when the flake changed" is_listed web1 .state outdated
check "the list shows the other VM as current" is_listed web.two .state current
"$microvm" --state-dir "$state" -u web1 >"$log" 2>&1 # -q would not ask
check "an update from the changed flake succeeds" test $? = 0
expect "it asks for a restart" \
	"$log" 'Reboot MicroVM web1 for the new profile: systemctl restart microvm@web1.service'
second=$(target current)
check "it makes another runner current" \
	test "$(runs web1)" = "runs changed in $state/web1" -a "$(target old)" = "$first"
check "the list shows the VM as stale" is_listed web1 .state stale
check "an update without -R restarts nothing" fails grep -q restart "$test_dir/asked"
collect
check "the booted and the current runner survive a garbage collection" \
	test -x "$first/bin/microvm-run" -a -x "$second/bin/microvm-run"
describe again
check "an update with -R succeeds" m -Ru web1
check "-R restarts the VM" grep -qx 'restart microvm@web1.service' "$test_dir/asked"
check "a rollback succeeds" m --rollback web1
check "it makes the old runner current" test "$(target current)" = "$second"
check "the list shows the VM as outdated after a rollback" is_listed web1 .state outdated

echo 'this is no Nix' >"$flake/flake.nix"
check "an update from a broken flake fails" fails m -u web1
expect "the message has Nix's exit status" \
	"$log" 'microvm: error: nix cannot build the VM and returned status 1'
check "the failed update changes nothing" \
	test "$(target current)" = "$second" -a ! -e "$state/web1/.result"
check "the list shows the VM of a broken flake as unknown" is_listed web1 .state unknown
check "no VM is created from a broken flake" fails m -c web3 -f "path:$flake"
check "the failed creation leaves nothing" \
	test ! -e "$state/web3" -a -z "$(find "$NIX_STATE_DIR/gcroots/microvm" -name '*web3*')"
describe again
check "a VM that the flake lacks is not created" fails m -c web4 -f "path:$flake"
expect "Nix's message names the VM that the flake lacks" "$log" web4
rm "$state/web1/booted"
check "the VM is removed" m --remove web1
check "its garbage collector roots are removed" \
	test -z "$(find "$NIX_STATE_DIR/gcroots/microvm" -name '*web1*')"
collect
check "its runners can be collected" test ! -e "$first" -a ! -e "$second"
finish
