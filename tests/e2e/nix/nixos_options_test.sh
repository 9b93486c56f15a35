#!/bin/bash
# SPDX-License-Identifier: MIT
# The declarations of the NixOS module are those of the table, and the module's files are Nix. Needs
# no nixpkgs; nixos_module_test.sh evaluates the module with a real one.
set -u
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
need_programs jq nix-instantiate
mvmbuild=$(realpath "${MVMBUILD:-$top/build/mvmbuild}")
export NIX_STATE_DIR=$test_dir/state NIX_STORE_DIR=$test_dir/store

check "options --nix works" "$mvmbuild" options --nix
"$mvmbuild" options --nix >"$test_dir/options.nix"
check "templates/nix/options.nix is current" diff "$test_dir/options.nix" \
	"$top/templates/nix/options.nix"
for more in --host mem; do
	"$mvmbuild" options --nix "$more" >"$test_dir/out" 2>&1
	check "options --nix $more is a mistake in the command line" test $? = 2
done
while read -r file; do
	check "${file#"$top/"} is Nix" nix-instantiate --parse "$file"
done < <(find "$top/templates/nix" -name '*.nix')

nix-instantiate --eval --strict --json "$top/tests/e2e/lib/nix/options-table.nix" |
	jq -r '.[]' | LC_ALL=C sort >"$test_dir/declared"
"$mvmbuild" schema | jq -r '
	def rows($prefix): to_entries[] | select(.value.deprecated or .key == "microvm" | not) |
		"\($prefix)\(.key)" as $name | .value |
		([.anyOf[0]?, .] | map(.properties // .items.properties // empty) | .[0]) as $inner |
		([.anyOf[0]?, .] | map(select(.items.properties)) | length > 0) as $isList |
		(if $inner == null or $isList
			then $name + (if has("default") and .default != null then " \(.default | tojson)"
				else "" end)
			else empty end),
		(if $inner then $inner | rows($name + ".") else empty end);
	.properties | rows("")' | LC_ALL=C sort >"$test_dir/described"
check "the table is not empty" test "$(wc -l <"$test_dir/described")" -gt 100
check "the module declares what the schema describes, with the same defaults" \
	diff "$test_dir/described" "$test_dir/declared"
finish
