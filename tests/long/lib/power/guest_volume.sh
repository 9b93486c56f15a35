# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Writes files one after the other, each synced before the next one begins: a file that exists is
# complete, and so are those before it.
# shellcheck disable=SC2317,SC2154,SC2034 # ../power.sh calls the functions, and sets what they use

put() { seq "$1" $(($1 * 3000)) >"$1.new" && sync "$1.new" && mv "$1.new" "$1" && sync .; }
is_whole() { cmp -s "$1" <(seq "$1" $(($1 * 3000))); }

prepare() {
	local i
	for i in $(seq 10); do put "$i"; done
}

act() {
	local i
	for i in $(seq 11 40); do
		put "$i"
		[ $((i % 5)) != 0 ] || rm $((i - 10))
	done
}

# Every fifth file is removed some time later.
judge() {
	local i last=10
	for i in $(seq 11 40); do
		if [ -e "$i" ]; then last=$i; fi
	done
	note "up to $((last / 10 * 10))"
	for i in $(seq 40); do
		if [ -e "$i" ]; then is_whole "$i" || bad "the file $i is not whole"; fi
		[ "$i" -gt "$last" ] || [ -e "$i" ] || [ $((i % 5)) = 0 ] ||
			bad "the file $i is lost, and $last is there"
	done
	# The next boot goes on with the growth.
	grow_step "$data"
	put 41 || bad "it cannot be written"
	rm -f ./*.new
}
