# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Builds a host again and installs it over the older one.
# shellcheck disable=SC2317,SC2154,SC2034 # ../power.sh calls the functions, and sets what they use

host() { mvmbuild -q host "$world/host-$1.yaml" -o "$data/host" --cache "$data/cache"; }
install() { host/bin/install-host --root "$data/root"; }
runner() { echo "root$world/vms/$1/current"; }

prepare() {
	mkdir root
	host one && install
}

act() {
	mark 1
	host two
	mark 2
	install
	mark 3
}

# Which of the two hosts' runners a VM has.
judge_vm() { # NAME WANTED
	local vm=root$world/vms/$1 link found=none one
	link=$(readlink "$vm/current")
	for one in one two; do
		if [ -n "$link" ] && same "$vm/$link" "$world/ref/host-$one/runners/$1"; then
			found=$one
		fi
	done
	case " $2 " in *" $found "*) ;; *) bad \
		"the VM $1 has ${found/none/no whole runner} (current is ${link:-not there}), not $2" ;; esac
}

judge() {
	local found=none one wanted
	for one in one two; do if same host "$world/ref/host-$one"; then found=$one; fi; done
	note "the build is $found's"
	case $mark in 0 | 1) wanted="one two" ;; *) wanted=two ;; esac
	case " $wanted " in *" $found "*) ;; *) bad "the build is $found's, not $wanted" ;; esac
	case $mark in 0 | 1) wanted=one ;; 2) wanted="one two" ;; *) wanted=two ;; esac
	judge_vm same "one two"
	judge_vm changed "$wanted"
	case $mark in 0 | 1) wanted=none ;; 2) wanted="none two" ;; *) wanted=two ;; esac
	judge_vm new "$wanted"
	must "a build" host two
	same host "$world/ref/host-two" ||
		bad "a build says that all is well, and it is not the second host"
	must "an installation" install
	for one in same changed new; do judge_vm "$one" two; done
	for one in host/share/systemd/*.service host/share/systemd/*.target; do
		cmp -s "$one" "root/usr/local/lib/systemd/system/${one##*/}" ||
			bad "the unit ${one##*/} is not the one of the host"
	done
	must "another installation has nothing to do" \
		test -z "$(install 2>&1 | grep -v 'no longer declared')"
}
