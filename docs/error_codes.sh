#!/bin/bash
# SPDX-License-Identifier: MIT
# Prints every error code of the C sources: "CODE KIND FILE:LINE", as docs/error_codes.awk says.
set -euo pipefail
cd "$(dirname "$0")/.."
rooms=(base imaging backends compiler)
# diag.c passes codes on and has none of its own but "internal", which others have too.
mapfile -t files < <(find "${rooms[@]}" -name '*.h' | sort &&
	find "${rooms[@]}" -name '*.c' ! -path base/diag.c | sort)
awk -f docs/error_codes.awk "${files[@]}" "${files[@]}"
