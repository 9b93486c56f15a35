#!/bin/bash
# SPDX-License-Identifier: MIT
# Golden tests: tests/golden/run.sh [--update]. Prints TAP.
#   plan/NAME/vm.yaml  is compiled. Its plan and its scripts are compared with the files beside it;
#                      the description in the plan has what was given, and plan/defaults.json the
#                      rest. microvm-run is started with a hypervisor that records its arguments,
#                      which must be those of the plan. Where all shares are below /F or in the
#                      state directory, virtiofsd-run is started with each kind of daemon, and what
#                      it would run is compared with virtiofsd.txt.
#   errors/CODE*.yaml  Messages and exit status are compared with the .txt; CODE is among them.
#                      "# args: ..." has arguments, "# environment: ..." variables, "# command: ..."
#                      another command than check --syntax, "# subject: ..." what it is given instead
#                      of the description, "# file NAME: ..." a file beside it (as printf %b takes
#                      it), "# link NAME: ..." a symbolic link.
#                      Lines "# microvm: ..." are calls of microvm instead, which end with the first
#                      that fails.
#   reports/NAME.yaml  The same for commands that print something.
# The fixture's directory is written as /F.
set -u
cd "$(dirname "$0")/../.." || exit 1
mvmbuild=$(realpath "${MVMBUILD:-build/mvmbuild}")
microvm=$(dirname "$mvmbuild")/microvm
update=${1:-}
work=$(mktemp -d -t mvm-golden.XXXXXX)
trap 'rm -rf "$work"' EXIT
# shellcheck source=tests/golden/lib/fixture.sh
. tests/golden/lib/fixture.sh
fixture_make "$work"
mkdir "$work/state"
unset NIX_ATTRS_JSON_FILE NIX_BUILD_TOP SOURCE_DATE_EPOCH
n=0 bad=0

result() { # STATUS DESCRIPTION
	n=$((n + 1))
	if [ "$1" = 0 ]; then echo "ok $n - $2"; else bad=1; echo "not ok $n - $2"; fi
}

# The caret's position depends on the length of the path above it, and the name of a root file
# system on the user who runs the test.
normalise() {
	awk -v work="$work" '
		{ shorter = 0; line = $0 }
		above && line ~ /^ *[|] *\^~+$/ { shorter = above * (length(work) - 2) }
		{
			above = gsub(work, "/F", line)
			gsub(/[0-9a-z]+-debian-12/, "HASH-debian-12", line)
			print substr(line, 1, length(line) - shorter)
		}'
}

# compare EXPECTED ACTUAL
compare() {
	if [ "$update" = --update ]; then
		mkdir -p "$(dirname "$1")"
		cp "$2" "$1"
	fi
	diff -u "$1" "$2"
}

common=(--set storeDir="$work/store" --set toplevel="$work/store/$fixture_hash-system"
	--set closure="$work/registration" --set kernel="$work/kernel")

arguments_of() { # FILE
	read -r -a args < <(sed -n "s|^# args: ||p" "$1" | sed "s|/F|$work|g")
}

# Prints the hypervisor's arguments of the plan, each followed by a 0 byte. Commas in names are
# doubled in the values of -drive and -object.
planned_arguments() { # ACCELERATOR RUNNER PARAMETERS PLAN
	local bytes=0 disk=$2/share/microvm/stage1.erofs
	[ ! -e "$disk" ] || bytes=$(stat -c %s "$disk")
	jq -j --arg accel "$1" --arg runner "$2" --arg parameters "$3" --argjson bytes "$bytes" '
		[.command[1:][]
			| if startswith("{kvm}") then select($accel == "kvm")[5:]
				elif startswith("{tcg}") then select($accel == "tcg")[5:]
				else . end] as $all
		| range($all | length) as $i
		| (if $i > 0 and any("-drive", "-object"; . == $all[$i - 1])
			then $runner | gsub(","; ",,") else $runner end) as $path
		| ($all[$i] | split("{runner}") | join($path) | split("{parameters}") | join($parameters)
			| split("{-run-with or -runas}")
			| join(if $accel == "kvm" then "-runas" else "-run-with" end)
			| split("{user=}") | join(if $accel == "kvm" then "" else "user=" end)
			| split("{bytes of the store disk}") | join($bytes | tostring)
			| gsub("\\{(?<mib>[0-9]+) MiB \\+ store disk\\}";
				(.mib | tonumber) + $bytes / 1048576 | tostring)
			| split("{aio}") | join(if $accel == "kvm" then "io_uring" else "threads" end)), "\u0000"' "$4"
}

# Makes the files that the description expects in the current directory.
make_state() { # PLAN
	local file
	jq -r '.description | .credentialFiles[], (.volumes[] | select(.autoCreate | not).image)' \
		"$1" |
		while read -r file; do
		mkdir -p "$(dirname "$file")" && echo >"$file"
	done
	jq -r '.description.volumes[].image | select(startswith("/"))' "$1" | while read -r file
	do mkdir -p "$(dirname "$file")"
	done
	printf '#!/bin/sh\necho "-more args"\n' >more-args
	chmod +x more-args
}

check_volumes() { # PLAN
	local size image status=0
	while IFS=: read -r size image; do
		if [ "$(stat -c %s -- "$image")" != $((size * 1048576)) ]; then
			echo "$image is not of $size MiB"
			status=1
		fi
	done < <(jq -r '.description.volumes[] | select(.autoCreate) | "\(.size):\(.image)"' "$1")
	return $status
}

# Starts a runner with a hostile name in an empty state directory. Its mvm-host finds both
# accelerators, but no io_uring with TCG, and the QEMU for KVM is an old one.
start_case() { # NAME ACCELERATOR PLAN
	local runner="$work/a, 'runner' \$(touch pwned)/$1" state="$work/state/$1-$2" \
		parameters=" x='y z'"
	rm -rf "$runner"
	mkdir -p "$(dirname "$runner")" "$state" "$work/qemu/bin"
	cp -a "$work/$1" "$runner"
	mv "$runner/libexec/mvm-host" "$runner/libexec/real-mvm-host"
	cat >"$runner/libexec/mvm-host" <<'E2'
#!/bin/sh
case $1 in
accel) echo "$MICROVM_ACCEL" ;;
tsc-khz) echo 2000000 ;;
aio) if [ "$MICROVM_ACCEL" = kvm ]; then echo io_uring; else echo threads; fi ;;
notify | port) ;;
volume) exec "${0%/*}/real-mvm-host" "$@" ;;
*) exit 1 ;;
esac
E2
	cat >"$work/qemu/bin/qemu-system-x86_64" <<'E2'
#!/bin/sh
if [ "$*" != -help ]; then
	printf "%s\0" "$@" >"$RECORD"
elif [ "$MICROVM_ACCEL" = tcg ]; then
	echo "-run-with [async-teardown=on|off][,chroot=dir][user=username|uid:gid]" # of 9.1
else
	echo "-runas user     change to user id user just before starting the VM" # of 7.2
fi
E2
	chmod +x "$runner/libexec/mvm-host" "$work/qemu/bin/qemu-system-x86_64"
	ln -sf "$mvmbuild" "$work/qemu/bin/mvmbuild" # links store disks
	# the host has no database
	if [ -e "$runner/libexec/mvm-nix-db" ]; then
		ln -sf "$(type -P true)" "$runner/libexec/mvm-nix-db"
	fi
	(cd "$state" && make_state "$3") || return 1
	(
		cd "$state" || exit
		PATH=$work/qemu/bin:$PATH RECORD=$work/argv MICROVM_ACCEL=$2 \
			MICROVM_DISKS=$work/disks MICROVM_KERNEL_PARAMS="x='y z'" \
			"$runner/bin/microvm-run" >"$work/out"
	) || return 1
	if [ "$2" = tcg ]; then parameters+=" tsc_early_khz=2000000"; fi
	{
		planned_arguments "$2" "$runner" "$parameters" "$3"
		if jq -e .description.extraArgsScript "$3" >/dev/null; then
			printf -- '-more\0args\0'
		fi
	} >"$work/expected"
	cmp "$work/expected" "$work/argv" || { diff <(tr '\0' '\n' <"$work/expected") \
		<(tr '\0' '\n' <"$work/argv"); return 1; }
	(cd "$state" && check_volumes "$3") || return 1
	if [ -e pwned ] ||
		[ -n "$(find "$work" \( -name pwned -o -name '.mvm-new-*' \) -print -quit)" ]; then
		echo "a value was executed, or litter is left"
		return 1
	fi
}

# The recorder replaces only QEMU: there are no taps and virtiofsds.
can_start() { # PLAN
	jq -e '.hypervisor == "qemu" and (.description | (.hugepageMem | not)
		and (.hostSystem // "native" | endswith("darwin") | not)
		and all(.interfaces[]; .type == "user"))
		and all(.shares[]; .proto != "virtiofs")' "$1" >/dev/null
}

# The runner has all files that the hypervisor's arguments name.
check_named() { # PLAN RUNNER
	local file status=0
	while read -r file; do
		if [ ! -e "$2/$file" ]; then echo "there is no $file in the runner"; status=1; fi
	done < <(jq -r '.command[], (.config.text // empty)
		| scan("\\{runner\\}/([A-Za-z0-9_./-]+)")[]' "$1")
	return $status
}

# Runs virtiofsd-run with the help texts of a daemon and a recorder instead of mvm-host; prints its
# messages and the commands that it starts. The host has two CPUs and a low limit of open files, and
# every directory is on ZFS, with the group 16.
serve_case() { # NAME KIND USER PLAN
	local runner=$work/$1 tools=$work/tools state=$work/state/$1-serve
	mkdir -p "$tools" "$state"
	cp "tests/golden/lib/virtiofsd-$2.help" "$tools/help"
	# shellcheck disable=SC2016 # the scripts' own
	printf '#!/bin/sh\ncat "${0%%/*}/help"\n' >"$tools/virtiofsd"
	printf '#!/bin/sh\necho 2\n' >"$tools/nproc"
	# shellcheck disable=SC2016 # the script's own
	printf '#!/bin/sh\ncase $1 in -f) echo 2fc12fc1 ;; *) echo 0 16 1775 ;; esac\n' \
		>"$tools/stat"
	printf '#!/bin/sh\necho %s\n' "$3" >"$tools/id"
	rm -f "$runner/libexec/mvm-host"
	# shellcheck disable=SC2016 # the script's own
	printf '#!/bin/sh\nfor word; do case $word in --share | --run) echo; printf "  " ;; esac; printf "{%%s} " "$word"; done\necho\n' >"$runner/libexec/mvm-host"
	chmod +x "$tools"/* "$runner/libexec/mvm-host"
	echo "## $2, user $3"
	(
		cd "$state" || exit 1
		ulimit -n 4000
		jq -r '.shares[].source | select(startswith("missing") | not)' "$4" |
			while read -r source; do mkdir -p "$source"; done
		PATH=$tools:$PATH "$runner/bin/virtiofsd-run" 2>&1 || echo "status $?"
	)
}

serve_cases() { # DIRECTORY NAME PLAN
	local kind
	{
		for kind in rust rust-old qemu; do serve_case "$2" $kind 0 "$3"; done
		for kind in rust qemu; do serve_case "$2" $kind 1000 "$3"; done
	} | normalise >"$work/served"
	compare "$1/virtiofsd.txt" "$work/served"
}

plan_of() { # DESCRIPTION [ARGUMENT]...
	sed "s|/F|$work|g" "$1" >"$work/vm.yaml"
	"$mvmbuild" plan --json "$work/vm.yaml" "${common[@]}" "${@:2}" 2>"$work/err"
}

test_defaults() {
	plan_of tests/golden/plan/defaults.yaml >"$work/plan.json" || cat "$work/err"
	jq .description "$work/plan.json" >"$work/defaults-here.json"
	normalise <"$work/defaults-here.json" >"$work/defaults.json"
	compare tests/golden/plan/defaults.json "$work/defaults.json"
	result $? "the defaults of all options are as expected"
}

test_case() { # DIRECTORY
	local name status=0 script accel args=()
	name=$(basename "$1")
	arguments_of "$1/vm.yaml"
	if ! plan_of "$1/vm.yaml" "${args[@]}" >"$work/plan-$name.json"; then
		cat "$work/err"
		result 1 "$name: mvmbuild plan succeeds"
		return
	fi
	jq -f tests/golden/lib/given.jq --slurpfile defaults "$work/defaults-here.json" \
		"$work/plan-$name.json" |
		normalise >"$work/plan.json"
	compare "$1/plan.json" "$work/plan.json" || status=1
	if ! "$mvmbuild" -q --no-cache "$work/vm.yaml" "${common[@]}" "${args[@]}" \
		-o "$work/$name" >/dev/null 2>"$work/err"; then
		cat "$work/err"
		result 1 "$name: a build succeeds"
		return
	fi
	for script in "$work/$name"/bin/*; do
		normalise <"$script" >"$work/script"
		compare "$1/bin/$(basename "$script")" "$work/script" || status=1
		shellcheck -e SC2016 "$script" || status=1 # quoted values stay as they are
		bash -n "$script" || status=1
	done
	diff <(ls "$work/$name/bin") <(ls "$1/bin") || status=1
	check_named "$work/plan-$name.json" "$work/$name" || status=1
	if [ -x "$work/$name/bin/microvm-shutdown" ] &&
		(cd "$work/state" && "$work/$name/bin/microvm-shutdown" 2>/dev/null); then
		echo "microvm-shutdown succeeds though no VM is running"
		status=1
	fi
	result $status "$name: the plan and the scripts are as expected"
	if [ -x "$work/$name/bin/virtiofsd-run" ] &&
		jq -e --arg work "$work" \
			'all(.shares[].source; (startswith("/") | not) or startswith($work))' \
			"$work/plan-$name.json" >/dev/null
		then
		serve_cases "${1%/}" "$name" "$work/plan-$name.json"
		result $? "$name: virtiofsd-run starts the expected daemons"
	fi
	if ! can_start "$work/plan-$name.json"; then return; fi
	for accel in tcg kvm; do
		start_case "$name" $accel "$work/plan-$name.json"
		result $? "$name: microvm-run starts the planned command, with $accel"
	done
}

run_microvm() { # FILE
	local args
	rm -rf "$work/vms"
	while read -r -a args; do
		(
			cd "$work" || exit
			NIX_STATE_DIR=$work/no-nix XDG_CACHE_HOME=$work/xdg \
				"$microvm" -q --state-dir "$work/vms" "${args[@]}"
		) || return
	done < <(sed -n "s|^# microvm: ||p" "$1" | sed "s|/F|$work|g")
}

test_messages() { # KIND FILE
	local kind=$1 status=0 args=() environment=() subject=() command=() name file text
	shift
	name=$(basename "$1" .yaml)
	read -r -a command < <(sed -n "s|^# command: ||p" "$1")
	if [ "${#command[@]}" = 0 ]; then command=(check --syntax); fi
	arguments_of "$1"
	read -r -a subject < <(sed -n "s|^# subject: ||p" "$1")
	read -r -a environment < <(sed -n "s|^# environment: ||p" "$1" | sed "s|/F|$work|g")
	sed "s|/F|$work|g" "$1" >"$work/vm.yaml"
	for file in "${subject[@]}"; do rm -rf "${work:?}/$file"; done
	while IFS=: read -r file text; do
		mkdir -p "$(dirname "$work/$file")"
		printf '%b' "${text# }" >"$work/$file"
	done < <(sed -n 's|^# file ||p' "$work/vm.yaml")
	while IFS=: read -r file text; do
		ln -sfn "${text# }" "$work/$file"
	done < <(sed -n 's|^# link ||p' "$work/vm.yaml")
	if grep -q '^# microvm: ' "$1"; then
		run_microvm "$1" >"$work/out" 2>&1 || status=$?
	else
		(
			cd "$work" || exit
			env "${environment[@]}" "$mvmbuild" "${command[@]}" \
				"${subject[@]:-vm.yaml}" "${args[@]}"
		) >"$work/out" 2>&1 || status=$?
	fi
	{
		echo "status $status"
		normalise <"$work/out"
	} >"$work/actual"
	compare "${1%.yaml}.txt" "$work/actual"
	result $? "$kind $name: the output and the status are as expected"
}

test_defaults
for directory in tests/golden/plan/*/; do test_case "${directory%/}"; done
for file in tests/golden/errors/*.yaml; do test_messages error "$file"; done
for file in tests/golden/reports/*.yaml; do test_messages report "$file"; done
echo "1..$n"
exit $bad
