# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Builds a runner over another one, then cleans up the cache.
# shellcheck disable=SC2317,SC2154,SC2034 # ../power.sh calls the functions, and sets what they use

build() { mvmbuild -q "$world/$1.yaml" -o "$data/$2" --cache "$data/cache" "${@:3}"; }

prepare() { build old out; }

act() {
	mark 1
	build new out
	mark 2
	sleep 3
	mvmbuild cache gc --max-size 3M --cache "$data/cache"
	mark 3
}

judge() {
	local litter
	if same out "$world/ref/new"; then
		note "the new runner is there"
	elif same out "$world/ref/old"; then
		[ "$mark" -lt 2 ] || bad "the build had returned, and the old runner is there"
	else
		bad "neither the old runner nor the new one"
	fi
	must "a build" build new out
	same out "$world/ref/new" ||
		bad "a build says that all is well, and the runner is not the new one"
	must "a build elsewhere" build new elsewhere
	same elsewhere "$world/ref/new" || bad "what comes from the cache is wrong"
	rm -rf elsewhere
	must "a build of the old one" build old elsewhere
	same elsewhere "$world/ref/old" || bad "what comes from the cache is wrong, of the old one"
	rm -rf elsewhere
	litter=$(find . -mindepth 1 -maxdepth 1 ! -name out ! -name cache ! -name lost+found |
		head -n 3)
	[ -z "$litter" ] || bad "litter: $litter"
}
