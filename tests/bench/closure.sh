#!/bin/bash
# SPDX-License-Identifier: MIT
# Makes the closures for the benchmarks from Debian packages with real Nix:
# tests/bench/closure.sh DIR. The results are links to toplevels in their own store, DIR/store:
# DIR/base has 1 GB in 185 store paths; DIR/small differs from it in one small path, DIR/large in a
# package of 40 MB. The first call needs the network (260 MB) and 2 GB of disk; a second one has
# nothing to do. Use the results with: . tests/e2e/lib/nix.sh; nix_env_setup DIR
set -euo pipefail

[ $# = 1 ] || {
	echo "usage: tests/bench/closure.sh DIR" >&2
	exit 2
}
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/e2e/lib/nix.sh
. "$here/../e2e/lib/nix.sh"
nix_env_setup "$1"
cd "$1"
NIX_CONFIG+=$'\nmax-jobs = auto'

# The packages resemble a server: many small files, big libraries, text that compresses well, and
# data that does not.
leaves=(systemd git vim g++-12 postgresql-15 python3-numpy locales golang-1.19-src fonts-noto-cjk)

# apt-cache follows all alternatives of a dependency; choose() takes the first one.
all_dependencies() {
	apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks \
		--no-replaces --no-enhances "${leaves[@]}" |
		grep '^[a-z0-9]' | grep -v : | sort -u
}

# Converts package records to lines of: name version leaf dependency...
choose() {
	awk -v leaves="${leaves[*]}" '
		/^Package: / { name = $2; known[name] }
		/^Version: / { version[name] = $2; gsub(/[^A-Za-z0-9+._=-]/, "-", version[name]) }
		/^(Pre-)?Depends: / {
			sub(/^[^:]*: /, "")
			n = split($0, wish, / *, */)
			for (i = 1; i <= n; i++) {
				sub(/[ :(|].*/, "", wish[i])
				depends[name] = depends[name] " " wish[i]
			}
		}
		END {
			n = split(leaves, queue, " ")
			for (i = 1; i <= n; i++) taken[queue[i]]
			m = n
			for (i = 1; i <= n; i++) {
				line = queue[i] " " version[queue[i]] " " (i <= m ? "true" : "false")
				k = split(depends[queue[i]], wish, " ")
				for (j = 1; j <= k; j++) {
					if (!(wish[j] in known)) continue # virtual
					line = line " " wish[j]
					if (!(wish[j] in taken)) { taken[wish[j]]; queue[++n] = wish[j] }
				}
				print line
			}
		}'
}

# Makes the list that closure.nix reads, from those lines and the files debs/*. Store paths cannot
# refer to each other in cycles, so a package keeps only the dependencies that tsort puts before it.
# (tsort reports a failure for a cycle, but goes on.)
to_json() {
	awk '{ print $1, $1; for (i = 4; i <= NF; i++) print $i, $1 }' chosen |
		{ tsort 2>/dev/null || true; } |
		awk -v debs="$PWD/debs" '
			FILENAME == "files" { file = $0; sub(/_.*/, ""); deb[$0] = debs "/" file; next }
			FILENAME == "-" { place[$1] = FNR; next }
			{
				printf "%s{\"name\":\"%s\",\"version\":\"%s\",\"deb\":\"%s\",\"leaf\":%s,\"dependsOn\":[", comma, $1, $2, deb[$1], $3
				comma = ",\n"; inner = ""
				delete seen
				for (i = 4; i <= NF; i++)
					if (place[$i] < place[$1] && !($i in seen)) { printf "%s\"%s\"", inner, $i; inner = ","; seen[$i] }
				printf "]}"
			}
			BEGIN { print "[" }
			END { print "]" }' files - chosen
}

if [ ! -f packages.json ]; then
	mapfile -t names < <(all_dependencies)
	apt-cache show --no-all-versions "${names[@]}" 2>/dev/null | choose >chosen
	mkdir -p debs
	echo "closure: downloading $(wc -l <chosen) packages" >&2
	(cd debs && cut -d ' ' -f 1 ../chosen |
		xargs apt-get -o APT::Sandbox::User="$(id -un)" download -q) >download.log 2>&1 || {
		cat download.log >&2
		exit 1
	}
	find debs -name '*.deb' -printf '%f\n' | sort >files
	to_json >packages.json.tmp
	mv packages.json.tmp packages.json
fi

build() { # NAME [CHANGED NAME]
	nix_roots=$PWD/roots-$1
	mkdir -p "$nix_roots"
	ln -sfn \
		"$(nix_build "$here/closure.nix" toplevel --argstr packages "$PWD/packages.json" \
			"${@:2}")" "$1"
}
build base
build small --argstr small git
build large --argstr large git

mapfile -t paths < <(nix-store -qR ./base)
find "${paths[@]}" -printf '%y %s\n' | awk -v paths="${#paths[@]}" '
	$1 == "f" { files++; bytes += $2; if ($2 < 131072) small++ }
	$1 == "l" { links++ }
	$1 == "d" { directories++ }
	END {
		printf "%d store paths, %d files (%d under 128 KiB), %d links, %d directories, %d bytes\n",
			paths, files, small, links, directories, bytes
	}'
for name in small large; do
	echo "$name: $(comm -13 <(nix-store -qR ./base | sort) <(nix-store -qR "./$name" | sort) |
		wc -l) store paths are others"
done
