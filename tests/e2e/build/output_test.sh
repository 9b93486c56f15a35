#!/bin/bash
# SPDX-License-Identifier: MIT
# Checks the output for other programs (standard output in a pipe, events, messages in all formats)
# and for terminals.
# shellcheck disable=SC2317 # functions that check calls
set -u
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/golden/lib/fixture.sh
. "$top/tests/golden/lib/fixture.sh"
build=$(realpath "${BUILD:-$top/build}")
mvmbuild=$build/mvmbuild
need_programs mkfifo jq python3 script
unset NIX_ATTRS_JSON_FILE NIX_BUILD_TOP SOURCE_DATE_EPOCH
cd "$test_dir" || exit
fixture_make "$test_dir"
mkfifo go

cat >vm.yaml <<END
hostName: vm
hypervisor: qemu
toplevel: $test_dir/store/$fixture_hash-system
storeDir: $test_dir/store
closure: $test_dir/registration
kernel: $test_dir/kernel
END

# ---- a reader that goes away, and a disk that is full ----

# unread PROGRAM...: runs it with an unread pipe as standard output. Its status is in $status, its
# standard error in the file "error".
unread() {
	{
		read -r <go
		"$@" 2>error
		echo $? >status
	} | {
		exec </dev/null
		echo >go
	}
	status=$(cat status)
}

unread "$mvmbuild" schema
check "mvmbuild ends by SIGPIPE when nobody reads its output" test "$status" = 141
check "mvmbuild prints nothing when nobody reads its output" test ! -s error
unread "$mvmbuild" -q vm.yaml -o unread --no-cache
check "a build whose path nobody reads ends by SIGPIPE" test "$status" = 141
check "a build whose path nobody reads is complete" test -x unread/bin/microvm-run
unread "$mvmbuild" no-such.yaml
check "an error has its own status when nobody reads the output" test "$status" = 4
unread "$build/microvm" --help
check "microvm ends by SIGPIPE when nobody reads its output" test "$status" = 141
check "microvm prints nothing when nobody reads its output" test ! -s error
unread "$build/mvm-host" --help
check "mvm-host ends by SIGPIPE when nobody reads its output" test "$status" = 141
check "mvm-host prints nothing when nobody reads its output" test ! -s error
unread "$build/mvm-nix-db" --help
check "mvm-nix-db ends by SIGPIPE when nobody reads its output" test "$status" = 141

# full PROGRAM...: prints the status of a program whose output does not fit on the disk.
full() {
	"$@" >/dev/full 2>error
	echo $?
}
for program in mvmbuild microvm mvm-host mvm-nix-db; do
	check "$program fails when its output cannot be written" \
		test "$(full "$build/$program" --help)" = 1
	expect "$program reports that its output cannot be written" error 'cannot write'
done

# ---- the output path ----

empty=$(mktemp -d -p "$test_dir")
check "a build replaces an empty directory of the user" \
	"$mvmbuild" -q vm.yaml --no-cache -o "$empty"
check "the runner is whole in the place of an empty directory" test -x "$empty/bin/microvm-run"
ln -s "$empty" link
"$mvmbuild" -q vm.yaml --no-cache -o link >printed 2>error
check "a build does not replace a link to a runner" test $? = 1
expect "the message names the link and the runner" error \
	"link is a link to a runner, and a build does not replace links; use $empty as the output"
check "the link to a runner is left alone" test "$(readlink link)" = "$empty"

# ---- events ----

# events ARGUMENT...: runs mvmbuild; the stream of events is in the file "events".
events() { "$mvmbuild" --no-cache "$@" >printed 2>events; }
# each FILTER: prints the value of jq's filter for the array of all events.
each() { jq -cs "$1" events; }
cat >documented.jq <<'E2'
# The members of each event in docs/pipelines.md.
{
	step: ["step"],
	path: ["path", "step"],
	bytes: ["bytes", "step", "total"],
	done: ["bytes", "contentBytes", "format", "imageBytes", "modules", "packed", "path",
		"paths", "reused", "rootHash", "sharedBytes", "source", "step", "version"],
	message: ["code", "column", "endColumn", "endLine", "file", "line", "message", "notes",
		"severity", "suggestion"],
	result: ["changed", "message", "path", "status"],
} as $known | [.[] | (keys - ["event"]) - $known[.event]] | add // []
E2
documented() { [ "$(jq -cs -f documented.jq events)" = '[]' ]; }

check "a build with --progress json succeeds" events vm.yaml -o out --progress json
check "all events and their members are documented" documented
wanted='stepclosure doneclosure donekernel stepstore-disk pathstore-disk pathstore-disk '
wanted+='donestore-disk donestage-1 result'
check "the events of a build come in their order" test "$(jq -rs \
	'[.[] | select(.event != "bytes") | .event + (.step // "")] | join(" ")' events)" = \
	"$wanted"
check "the paths of the events are the closure" \
	test "$(each '[.[] | select(.event == "path").path]')" = \
		"$(jq -c '[.closure[].path]' out/share/microvm/manifest.json)"
check "the last number of bytes is the total" \
	test "$(each '[.[] | select(.event == "bytes")] | last | .bytes == .total and .total > 0')" = \
		true
check "the result has the status and the path" test "$(each last)" = \
	"{\"event\":\"result\",\"status\":0,\"path\":\"$test_dir/out\",\"changed\":true}"
check "standard output has only the path" test "$(cat printed)" = "$test_dir/out"
check "a build with --format json succeeds" events vm.yaml -o out --format json
check "a build with --format json prints events" test "$(each last)" = \
	"{\"event\":\"result\",\"status\":0,\"path\":\"$test_dir/out\",\"changed\":false}"
sed '/^closure:/d' vm.yaml >scanned.yaml
check "a build whose closure is found by a scan succeeds" \
	events scanned.yaml -o scanned --progress json \
	--set storePaths="[$test_dir/store/$fixture_hash-data]"
check "a scan reports the paths that it reads" \
	test "$(each '[.[] | select(.event == "path" and .step == "closure").path] | sort')" = \
		"[\"$test_dir/store/$fixture_hash-data\",\"$test_dir/store/$fixture_hash-system\"]"
check "the events of a scan are documented" documented
events vm.yaml -o out --progress json --set vcpux=2
check "the result of a failed build is its status" test "$(each last)" = \
	'{"event":"result","status":3}'
check "messages are in the stream of events" test "$(each \
	'[.[] | select(.event == "message") | .code, .suggestion]')" = '["unknown-option","vcpu"]'
events vm.yaml -o out --progress json --set storeDisk.verity=true
check "the hash tree is in the events" \
	test "$(each '[.[] | select(.step == "hash-tree").rootHash | length]')" = '[64]'
check "the events of a hash tree are documented" documented
printf 'vms:\n  vm: {config: %s}\n' "$(python3 -c '
import json, yaml
print(json.dumps(yaml.safe_load(open("vm.yaml"))))')" >host.yaml
check "mvmbuild host with --progress json succeeds" events host host.yaml -o host --progress json
check "the last event of a host is its result" test "$(each last)" = \
	"{\"event\":\"result\",\"status\":0,\"path\":\"$test_dir/host\",\"changed\":true}"
check "the events of a host are documented" documented

# A description that never ends, so that the build is interrupted while it reads.
mkfifo endless
sleep 600 >endless &
writer=$!
"$mvmbuild" endless -o out --progress json 2>events &
reader=$!
wait_until grep -q '"step"' events
kill -TERM "$reader"
wait "$reader"
check "an interrupted build has status 130" test $? = 130
kill "$writer"
check "the last event of an interrupted build is its result" test "$(each last)" = \
	'{"event":"result","status":130,"message":"interrupted"}'
check "the events of an interrupted build are documented" documented

# ---- messages ----

cat >bad.yaml <<'E2'
hostNam: a
vcpu: 1
vcpu: 2
E2
"$mvmbuild" check bad.yaml --format json 2>events
check "messages in JSON have documented members" documented
check "a message in JSON has its place and a suggestion" test "$(each \
	'.[] | select(.code == "unknown-option")
		| [.line, .column, .endLine, .endColumn, .suggestion]')" = \
	'[1,1,1,8,"hostName"]'
check "a message in JSON has its notes" test "$(each \
	'.[] | select(.code == "duplicate-key") | [.line, .notes[].line]')" = '[3,2]'
"$mvmbuild" check bad.yaml --format github 2>annotations
expect "GitHub gets an annotation with its place" annotations \
	'^::error file=bad.yaml,line=1,col=1,endColumn=8,title=unknown-option::unknown option "hostNam"'
expect "an annotation of GitHub has its notes" annotations \
	'^::error file=bad.yaml,line=3,.*%0Anote: bad.yaml:2:1: first given here$'
cp bad.yaml 'odd,name:50%.yaml'
"$mvmbuild" check 'odd,name:50%.yaml' --format github 2>annotations
expect "the name of a file is escaped for GitHub" annotations \
	'^::error file=odd%2Cname%3A50%25.yaml,line='
"$mvmbuild" check 'odd,name:50%.yaml' --format sarif 2>sarif.json
cat >sarif.py <<'E2'
# The part of SARIF 2.1.0 that mvmbuild uses; anything else is refused.
import json, sys
import jsonschema
text = {"type": "object", "required": ["text"], "additionalProperties": False,
	"properties": {"text": {"type": "string"}}}
def obj(required, **properties):
	return {"type": "object", "required": required, "additionalProperties": False,
		"properties": properties}
def array(items, **more):
	return {"type": "array", "items": items, **more}
one = {"type": "integer", "minimum": 1}
uri = {"type": "string", "pattern": "^[A-Za-z0-9._~:/%-]+$"}
artifact = obj(["uri"], uri=uri)
region = obj(["startLine", "startColumn", "endLine", "endColumn"], startLine=one,
	startColumn=one, endLine=one, endColumn=one)
place = obj(["artifactLocation"], artifactLocation=artifact, region=region)
argument = obj(["fullyQualifiedName"], fullyQualifiedName={"type": "string"}, kind={"type": "string"})
location = obj([], message=text, physicalLocation=place, logicalLocations=array(argument))
replacement = obj(["deletedRegion"], deletedRegion=region, insertedContent=text)
fix = obj(["artifactChanges"], description=text, artifactChanges=array(
	obj(["artifactLocation", "replacements"], artifactLocation=artifact,
		replacements=array(replacement, minItems=1)), minItems=1))
result = obj(["message", "ruleId"], ruleId={"type": "string"}, ruleIndex={"type": "integer"},
	level={"enum": ["none", "note", "warning", "error"]}, message=text,
	locations=array(location), relatedLocations=array(location), fixes=array(fix))
driver = obj(["name"], name={"type": "string"}, version={"type": "string"},
	rules=array(obj(["id"], id={"type": "string"}), uniqueItems=True))
run = obj(["tool", "results"], tool=obj(["driver"], driver=driver), results=array(result),
	columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]})
schema = obj(["version", "runs"], version={"const": "2.1.0"}, runs=array(run),
	**{"$schema": {"type": "string", "format": "uri"}})
document = json.load(open(sys.argv[1]))
jsonschema.validate(document, schema)
(run,) = document["runs"]
for result in run["results"]:
	assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
E2
if python3 -c 'import jsonschema' 2>/dev/null; then
	check "a document in SARIF is valid" python3 sarif.py sarif.json
	"$mvmbuild" check vm.yaml --format sarif 2>sound
	check "a document in SARIF without results is valid" python3 sarif.py sound
	"$mvmbuild" -q vm.yaml --no-cache -o out --format sarif 2>built >printed
	check "a build prints one document in SARIF" python3 sarif.py built
	"$mvmbuild" check /nowhere.yaml --format sarif 2>missing
	check "a document in SARIF about no place is valid" python3 sarif.py missing
else
	skip "SARIF" "needs python3-jsonschema"
fi
check "SARIF has a fix" test "$(jq -c '[.runs[].results[] | .fixes // empty
	| .[].artifactChanges[].replacements[] | .insertedContent.text, .deletedRegion.endColumn]' \
	sarif.json)" = '["hostName",8]'
check "SARIF has notes as related locations" test "$(jq -c \
	'[.runs[].results[].relatedLocations // empty | .[].physicalLocation.region.startLine]' \
	sarif.json)" = '[2]'
check "SARIF has the name of a file as a URI" test "$(jq -r \
	'[.runs[].results[].locations[].physicalLocation.artifactLocation.uri] | unique[]' sarif.json)" = \
	'odd%2Cname%3A50%25.yaml'

# ---- a terminal ----

build_it="$mvmbuild --no-cache scanned.yaml -o out --force"
escape=$(printf '\033')
check "a build on a terminal succeeds" env TERM=xterm SHELL=/bin/sh \
	script -qec "stty cols 70; $build_it" screen </dev/null
expect "a terminal gets a bar and bytes" screen 'store disk \[#+\] 100 %  [0-9.]+ of [0-9.]+ MB'
expect "the line on a terminal is removed before the next" screen "$escape\[K"
check "a build on a dumb terminal succeeds" env TERM=dumb SHELL=/bin/sh \
	script -qec "$build_it && ! $mvmbuild check bad.yaml" screen </dev/null
expect_no "a dumb terminal gets no commands" screen "$escape"
expect "a dumb terminal gets the steps" screen '^store disk: '
check "a build on a narrow terminal succeeds" env TERM=xterm SHELL=/bin/sh \
	script -qec "stty cols 30; $build_it" screen </dev/null
expect "a narrow terminal gets the line without a bar" screen 'store disk 100 %'
check "a line that is rewritten is narrower than the terminal" \
	test "$(tr '\r' '\n' <screen | grep -c "^store disk [0-9 ]* %.\{16,\}$escape\[K")" = 0
CLICOLOR_FORCE=1 "$mvmbuild" check bad.yaml 2>screen
expect "CLICOLOR_FORCE demands colours" screen "$escape\[1;31m"
CLICOLOR_FORCE=1 NO_COLOR=1 "$mvmbuild" check bad.yaml 2>screen
expect_no "NO_COLOR forbids colours" screen "$escape"
finish
