#!/bin/bash
# SPDX-License-Identifier: MIT
# Checks which words the completions for bash, zsh and fish offer for a command line.
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

# ---- zsh and fish, which ask the completion for bash ----

mkdir "$test_dir/shells"
for file in _mvmbuild:zsh mvmbuild.fish:fish; do
	sed "s|@bashcompletiondir@/mvmbuild|$top/templates/completion/mvmbuild.bash|" \
		"$top/templates/completion/mvmbuild.${file#*:}.in" >"$test_dir/shells/${file%:*}"
done

# The shell completes the line as at a terminal, after which the line is printed.
cat >"$test_dir/zsh.py" <<'E2'
import os, pty, re, select, sys
functions, line = sys.argv[1:]
process, terminal = pty.fork()
if process == 0:
	os.execvp("zsh", ["zsh", "-f", "-i"])
def wait_for(pattern):
	out = b""
	while not re.search(pattern, out):
		if not select.select([terminal], [], [], 60)[0]:
			sys.exit("no %r in %r" % (pattern, out))
		out += os.read(terminal, 65536)
	return re.search(pattern, out)
def send(text):
	os.write(terminal, text.encode())
send("fpath=('%s' $fpath); autoload -U compinit; compinit -u -D; PS1='re''ady> '\n" % functions)
wait_for(rb"ready> ")
send(line + "\t")
# Control-E and Control-A wait for the completion; the line is its own argument.
send("\x05'\x01print -r -- 'line: \n")
print(wait_for(rb"\nline: ([^\r\n]*)").group(1).decode().rstrip())
E2

zsh_completes() { # LINE COMPLETED
	check "zsh completes \"$1\"" \
		test "$(python3 "$test_dir/zsh.py" "$test_dir/shells" "$1")" = "$2"
}

fish_offers() { # LINE WORD...
	check "fish offers completions of \"$1\"" test "$(fish --no-config -c \
		"source '$test_dir/shells/mvmbuild.fish'; complete -C '$1'" | xargs)" = "${*:2}"
}

if type -P zsh >/dev/null; then
	zsh_completes 'mvmbuild che' 'mvmbuild check'
	zsh_completes 'mvmbuild check --ma' 'mvmbuild check --matrix'
	zsh_completes 'mvmbuild plan --hypervisor q' 'mvmbuild plan --hypervisor qemu'
	zsh_completes 'microvm --rollback-' 'microvm --rollback-on-failure'
else
	skip "zsh's completion" "needs zsh"
fi
if type -P fish >/dev/null; then
	fish_offers 'mvmbuild che' check
	fish_offers 'mvmbuild cache ' gc stats verify
	fish_offers 'mvmbuild plan --hypervisor q' qemu
	fish_offers 'microvm --rollb' --rollback --rollback-on-failure
else
	skip "fish's completion" "needs fish"
fi
finish
