# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Builds without waiting for the disk: whatever the cut destroyed must be noticed and built again.
# shellcheck disable=SC2317,SC2154,SC2034 # ../power.sh calls the functions, and sets what they use
scene_writeback=yes

build() { mvmbuild -q "$world/$1.yaml" -o "$data/$2" --cache "$data/cache" "${@:3}"; }

prepare() { build old out; }

act() {
	mark 1
	build new out --no-sync
	mark 2
	sleep 3
}

judge() {
	if same out "$world/ref/new"; then
		note "the new runner is there"
	elif same out "$world/ref/old"; then
		note "the old runner is there"
	else
		note "a runner with holes is there"
	fi
	must "a build" build new out
	same out "$world/ref/new" ||
		bad "a build says that all is well, and the runner is not the new one"
	must "a build elsewhere" build new elsewhere
	same elsewhere "$world/ref/new" || bad "what comes from the cache is wrong"
}
