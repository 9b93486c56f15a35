# SPDX-License-Identifier: MIT
# Bash completion for mvmbuild and microvm. It needs no other files: it gets all names from the help
# of the programs. The completions for zsh and fish run it as a program:
#   bash FILE PROGRAM WORD...    prints the completions of the last word, one in a line
# shellcheck shell=bash
# shellcheck disable=SC2016 # backquotes of Markdown

# Prints the entries of a section of a help text without their texts: "-o, --output PATH".
_mvm_heads() { # SECTION
	sed -n "/^$1:\$/,/^\$/{ s/^ \\{2,6\\}\\([^ ]\\)/\\1/; t head
		d
		:head
		s/  .*//; p; }"
}

_mvm_option_names() {
	grep -oE -- '(^|, )-[A-Za-z-]+' | sed 's/^, //'
}

# Sets the reply to those of the lines of standard input that begin with $word.
_mvm_reply() {
	local line
	COMPREPLY=()
	while IFS= read -r line; do
		case $line in "$word"*) COMPREPLY+=("$line") ;; esac
	done
	case ${#COMPREPLY[@]}${COMPREPLY[*]} in 1*[/=]) compopt -o nospace 2>/dev/null ;; esac
}

_mvm_descriptions() {
	compgen -d -S / -- "$word"
	local ending
	for ending in yaml yml json; do compgen -f -X "!*.$ending" -- "$word"; done
}

# Prints the known values of an option; for one that takes a file, the files.
_mvm_values() { # PROGRAM OPTION
	case $2 in
	--hypervisor) "$1" options | sed -n '/^### `hypervisor`$/,/;/{ /^#/d; s/;.*//; p; }' |
		grep -oE '`[a-z-]+`' | tr -d '`' ;;
	--set) "$1" options | sed -n 's/^### `\([A-Za-z0-9.-]*\)`$/\1=/p' ;;
	# The message about a wrong value lists the valid ones.
	--progress | --format) "$1" build "$2=?" 2>&1 |
		sed -n 's/.*: expected \(.*\), not "?".*/\1/p' | sed 's/, \| or /\n/g' ;;
	*) compgen -f -- "$word" ;;
	esac 2>/dev/null
}

# Whether an option of these entries takes a value, as "--output PATH" does.
_mvm_takes_value() { # HEADS OPTION
	grep -qE -- "(^|, )$2(, --[a-z-]+)? [A-Z]" <<<"$1"
}

# Prints the command among the words before the cursor.
_mvm_command() { # COMMANDS
	local i found=
	for ((i = 1; i < COMP_CWORD; i++)); do
		if grep -qxF -- "$found${COMP_WORDS[i]}" <<<"$1"; then
			echo "$found${COMP_WORDS[i]}"
			return
		fi
		case ${COMP_WORDS[i]} in cache) found='cache ' ;; esac
	done
	echo "${found% }"
}

_mvmbuild() {
	local program=$1 word=$2 before=$3 commands command heads
	commands=$("$program" --help 2>/dev/null | _mvm_heads commands | sed 's/ [^a-z].*//')
	command=$(_mvm_command "$commands")
	# shellcheck disable=SC2086 # "cache gc" is two words
	heads=$("$program" ${command:-build} --help 2>/dev/null | _mvm_heads options)
	if _mvm_takes_value "$heads" "$before"; then
		_mvm_reply < <(_mvm_values "$program" "$before")
		return
	fi
	case $word:$command in
	-*) _mvm_reply < <(_mvm_option_names <<<"$heads") ;;
	*:cache) _mvm_reply < <(sed -n 's/^cache //p' <<<"$commands") ;;
	*:init) _mvm_reply < <(printf '%s\n' vm hello nixos) ;;
	*:) _mvm_reply < <(cut -d ' ' -f 1 <<<"$commands" | uniq && _mvm_descriptions) ;;
	*) _mvm_reply < <(_mvm_descriptions) ;;
	esac
}

_microvm() {
	local program=$1 word=$2 before=$3 heads state=/var/lib/microvms i
	heads=$("$program" --help 2>/dev/null)
	heads=$(_mvm_heads actions <<<"$heads" && _mvm_heads options <<<"$heads")
	for ((i = 1; i + 1 < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in --state-dir) state=${COMP_WORDS[i + 1]} ;; esac
	done
	case $before:$word in
	-f:* | --source:* | --cache*:* | --state-dir:*) _mvm_reply < <(_mvm_descriptions) ;;
	*:-*) _mvm_reply < <(_mvm_option_names <<<"$heads") ;;
	*) _mvm_reply < <(ls -- "$state" 2>/dev/null) ;;
	esac
}

complete -F _mvmbuild mvmbuild
complete -F _microvm microvm

if [ "$0" = "${BASH_SOURCE[0]}" ] && [ $# -gt 1 ]; then
	COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
	"_${1##*/}" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
	[ "${#COMPREPLY[@]}" = 0 ] || printf '%s\n' "${COMPREPLY[@]}"
fi
