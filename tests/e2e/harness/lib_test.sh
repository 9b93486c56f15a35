#!/bin/bash
# SPDX-License-Identifier: MIT
# Tests the tests' own library, with programs that behave like VMs.
set -u
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"

# guest TEXT...: a program that stands for a VM; its Nth start prints the Nth text.
cat >"$test_dir/guest" <<'E'
#!/bin/bash
echo x >>"$0.starts"
n=$(wc -l <"$0.starts")
printf "${!n}"
[[ ${!n} != *hang* ]] || exec sleep 60
exit 3
E
chmod +x "$test_dir/guest"
starts() { wc -l <"$test_dir/guest.starts"; }
console=$test_dir/console

vm() {
	rm -f "$test_dir/guest.starts"
	vm_run 2 "$console" '^guest: ' "$test_dir/guest" "$@" >"$test_dir/said"
	status=$?
}

vm 'guest: done\r\n' 'guest: again\n'
check "a VM that answers runs once" test "$(starts)" = 1
check "a VM's exit status is passed on" test "$status" = 3
check "carriage returns are removed from the console" test "$(cat "$console")" = "guest: done"

vm 'guest: FAILED\n' 'guest: fine\n'
check "a VM with a wrong result is not tried again" test "$(starts)" = 1

vm 'SeaBIOS\n' 'guest: done\n'
check "a VM that printed nothing of its test is tried again" test "$(starts)" = 2
expect "a second try is reported" "$test_dir/said" '^# one more try'
expect "the console is that of the second try" "$console" '^guest: done'

vm 'guest: a\n[ 1.0] Oops: 0002 [#1]\n' 'guest: done\n'
check "a VM with an oops is tried again" test "$(starts)" = 2

vm 'SeaBIOS\n' 'SeaBIOS\n' 'guest: done\n'
check "a VM is not tried a third time" test "$(starts)" = 2

vm 'guest: hang\n' 'guest: hang\n' 'guest: done\n'
check "a VM that hangs twice is ended" test "$status$(starts)" = 1242

vm 'guest: hang\n' 'guest: done\n'
check "a VM that hangs is tried again" test "$status$(starts)" = 32

# These programs need longer than their limit of 2 seconds, but make progress.
cat >"$test_dir/talker" <<'E'
#!/bin/bash
for i in 1 2 3 4 5 6; do
	echo "guest: $i"
	sleep 1
done
E
cat >"$test_dir/worker" <<'E'
#!/bin/bash
echo "guest: works"
for ((i = 0; i < 200000; i++)); do :; done
echo "guest: done"
E
chmod +x "$test_dir/talker" "$test_dir/worker"
vm_run 2 "$console" '^guest: ' "$test_dir/talker"
check "a VM that prints something now and then is not ended" test $? = 0
busy=()
for ((i = 0; i < 6 * $(nproc); i++)); do
	(while :; do :; done) &
	busy+=($!)
done
since=$SECONDS
vm_run 2 "$console" '^guest: ' "$test_dir/worker"
check "a VM that waits for a processor is not ended" test $? = 0
kill "${busy[@]}"
wait "${busy[@]}" 2>/dev/null
echo "# it took $((SECONDS - since)) s"

count=0
# shellcheck disable=SC2317 # vm_run calls it
reset() { count=$((count + 1)); }
vm_before=reset
vm '\n' 'guest: done\n'
unset vm_before
check "vm_before runs before each try" test "$count" = 2

rm -f "$test_dir/guest.starts"
vm_start 20 "$console" "$test_dir/guest" 'guest: up, hang\n'
check "vm_wait_for waits for a line of a running VM" vm_wait_for '^guest: up'
vm_kill
check "vm_kill leaves no process of the VM" test -z "$(pgrep -f "$test_dir/guest")"
vm_start 20 "$console" "$test_dir/guest" 'x' 'x' 'x'
since=$SECONDS
vm_wait_for never
check "vm_wait_for fails when the VM has ended" test $? = 1
check "vm_wait_for returns soon when the VM has ended" test $((SECONDS - since)) -lt 5
vm_wait

said=$(top=$top bash -c '. "$top/tests/e2e/lib/lib.sh"; ok a; not_ok b; skip c "no root"; finish')
check "a failed check fails the whole test" test $? = 1
check "results are printed as TAP" \
	test "$said" = "$(printf 'ok 1 - a\nnot ok 2 - b\nok 3 - c # SKIP no root\n1..3')"
said=$(top=$top bash -c '. "$top/tests/e2e/lib/lib.sh"; need_programs no-such-program; ok a; finish')
check "a missing program skips the whole test" test "$?$said" = "01..0 # SKIP needs no-such-program"

finish
