#!/bin/bash
# SPDX-License-Identifier: MIT
# Checks which words bash's completion offers for a command line.
set -u
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=templates/completion/mvmbuild.bash
. "$top/templates/completion/mvmbuild.bash"
PATH=$(dirname "$(realpath "${MVMBUILD:-$top/build/mvmbuild}")"):$PATH
mkdir "$test_dir/files" "$test_dir/vms" "$test_dir/vms/web1" "$test_dir/vms/web2"
touch "$test_dir/files/vm.yaml" "$test_dir/files/notes.txt"
cd "$test_dir/files" || exit

# offers DESCRIPTION WANTED UNWANTED WORD...: completes the last word. Every wanted word must be
# offered, and no unwanted one.
offers() {
	local description=$1 wanted=$2 unwanted=$3 one status=0
	shift 3
	COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
	"_$1" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
	for one in $wanted; do
		case " ${COMPREPLY[*]} " in *" $one "*) ;; *) status=1 ;; esac
	done
	for one in $unwanted; do
		case " ${COMPREPLY[*]} " in *" $one "*) status=1 ;; esac
	done
	[ "$status" = 0 ] || echo "# offered: ${COMPREPLY[*]}" | head -c 300
	check "$description" test $status = 0
}

offers "commands and descriptions begin a command line" 'build check cache vm.yaml' \
	'notes.txt gc --force' mvmbuild ''
offers "commands are completed" 'check' 'build cache' mvmbuild ch
offers "a command has its own options" '--matrix --set' '--gcroot' mvmbuild check --
offers "options without a command are those of a build" '--gcroot -o' '--matrix' mvmbuild -
offers "the cache has actions" 'pack stats gc verify' 'vm.yaml' mvmbuild cache ''
offers "an action has its own options" '--max-age' '--matrix' mvmbuild cache gc --
offers "hypervisors are known" 'qemu vfkit' 'vm.yaml' mvmbuild plan --hypervisor ''
offers "formats are known" 'human json' 'vm.yaml' mvmbuild check --format ''
offers "styles of progress are known" 'none' 'auto json' mvmbuild --progress n
offers "keys are known" 'mem= qemu.machine=' 'volumes[].size=' mvmbuild vm.yaml --set ''
offers "the value of another option is a file" 'notes.txt' 'mem=' mvmbuild vm.yaml -o ''
offers "templates are known" 'vm hello nixos' 'vm.yaml' mvmbuild init ''
offers "microvm has options" '--create -l --rollback' '--matrix' microvm -
offers "microvm knows the VMs of a state directory" 'web1 web2' 'vm.yaml' \
	microvm --state-dir "$test_dir/vms" -u web
finish
