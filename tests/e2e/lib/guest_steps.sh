# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# For tests whose guest has Nix (nix/guest-with-nix.nix): reads the output of its steps. Source it
# after guest.sh; $name is the boot in question.

# shellcheck source=tests/e2e/lib/guest.sh
[ -n "${mvmbuild:-}" ] || . "$(dirname "${BASH_SOURCE[0]}")/guest.sh"

# step NAME: writes the output of the guest's step to $test_dir/step-NAME.
step() {
	sed -n "/^BEGIN $1\$/,/^END $1 /p" "$console" | sed '1d;$d' >"$test_dir/step-$1"
}

# step_ok NAME: also checks that the step succeeded without complaints.
step_ok() {
	step "$1"
	expect "$name: $1 succeeds" "$console" "^END $1 0\$"
	expect_no "$name: $1 has nothing to complain about" "$test_dir/step-$1" \
		'error|warning|failed|cannot|invalid|disappeared|not writable|Read-only|modified'
}

# knows, forgot STORE PATH...: the guest's Nix knows the paths, or none of them, in its step
# `registered`.
knows() {
	local path
	step registered
	for path; do
		check "$name: ${path##*-} is known" grep -qx "$path" "$test_dir/step-registered"
	done
}
forgot() {
	local path
	step registered
	for path; do
		check "$name: ${path##*-} is not known" bash \
			-c "! grep -qx '$path' '$test_dir/step-registered'"
	done
}
