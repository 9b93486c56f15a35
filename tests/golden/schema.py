# SPDX-License-Identifier: MIT
"""Compares the JSON Schemas with what mvmbuild accepts. Prints TAP.

python3 tests/golden/schema.py MVMBUILD, in the top directory. Needs jsonschema and yaml; without
them it skips. Everything that mvmbuild accepts must be valid: the descriptions of the golden
tests, the templates, the examples in the documents. A mistake that concerns one option alone must
be invalid. Then every option is given the same values in mvmbuild and in its schema. Both ways,
tests/golden/lib/schema_accepts has the exceptions.
"""

import glob
import json
import os
import re
import subprocess
import sys
import tempfile

try:
    import jsonschema
    import yaml
except ImportError as error:
    print(f"1..0 # SKIP {error}")
    sys.exit()

MVMBUILD = sys.argv[1]
count = 0
bad = False


def result(problems, description):
    global count, bad
    count += 1
    for problem in problems:
        print(f"# {problem}")
    print(f"{'not ok' if problems else 'ok'} {count} - {description}")
    bad |= bool(problems)


# ---- YAML's core schema, in which `yes` is a string and 010 is ten ----


class Loader(yaml.SafeLoader):
    yaml_implicit_resolvers = {}


WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}
Loader.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"^<<$"), ["<"])
Loader.add_implicit_resolver(
    "!word", re.compile(r"^(true|True|TRUE|false|False|FALSE|null|Null|NULL|~|)$"),
    list("tTfFnN~") + [""])
Loader.add_implicit_resolver("!int", re.compile(r"^[-+]?[0-9]+$"), list("-+0123456789"))
Loader.add_implicit_resolver(
    "!float", re.compile(r"^[-+]?(\.[0-9]+|[0-9]+\.[0-9]*)$"), list("-+.0123456789"))
Loader.add_constructor("!word", lambda loader, node: WORDS[node.value.lower()])
Loader.add_constructor("!int", lambda loader, node: int(node.value))
Loader.add_constructor("!float", lambda loader, node: float(node.value))


def documents(text):
    return list(yaml.load_all(text, Loader))


def read(path):
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


# ---- the schemas ----


def schema_of(*arguments):
    text = subprocess.run([MVMBUILD, "schema", *arguments], check=True, stdout=subprocess.PIPE)
    return json.loads(text.stdout)


schemas = {"vm": schema_of(), "part": schema_of("--part"), "host": schema_of("--host")}
validators = {}
for name, schema in schemas.items():
    validator = jsonschema.validators.validator_for(schema)
    try:
        validator.check_schema(schema)
        problems = []
    except jsonschema.SchemaError as error:
        problems = [error.message]
    result(problems, f"the schema {name} is a JSON Schema")
    validators[name] = validator(schema)

both = subprocess.run([MVMBUILD, "schema", "--host", "--part"], stdout=subprocess.DEVNULL,
                      stderr=subprocess.DEVNULL, check=False)
result([] if both.returncode == 2 else [both.returncode], "--host and --part exclude each other")


def faults(name, instance):
    errors = validators[name].iter_errors(instance)
    return [f"{'.'.join(map(str, e.absolute_path))}: {e.message[:200]}" for e in errors]


# ---- what is valid ----

TOPLEVEL = "/nix/store/00000000000000000000000000000000-system"


def faults_of_description(text):
    """Of each document as a part, and of a single one as a whole, with a system."""
    parts = documents(text)
    found = [fault for part in parts for fault in faults("part", part)]
    if len(parts) == 1 and isinstance(parts[0], dict):
        found += faults("vm", {"toplevel": TOPLEVEL, **parts[0]})
    return found


for path in sorted(glob.glob("tests/golden/plan/*/vm.yaml")):
    result(faults_of_description(read(path)), f"{path} is valid")

for template in sorted(map(os.path.basename, glob.glob("templates/starter/*"))):
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run([MVMBUILD, "init", template, directory], check=True,
                       stdout=subprocess.DEVNULL)
        for path in glob.glob(f"{directory}/*.yaml"):
            result(faults_of_description(read(path)),
                   f"{os.path.basename(path)} of mvmbuild init {template} is valid")

result(faults("vm", {"hostName": "a"}) == [] and ["it is valid"] or [],
       "a description without toplevel is not valid as a whole")


def examples(path):
    """The indented blocks of a document that are maps of options."""
    options = schemas["vm"]["properties"].keys() | schemas["host"]["properties"].keys()
    for block in re.findall(r"(?:^(?: {4}.*)?\n)+", read(path), re.M):
        text = re.sub(r"^ {4}", "", block, flags=re.M)
        try:
            parts = documents(text)
        except yaml.YAMLError:
            continue
        for part in parts:
            if isinstance(part, dict) and part.keys() & options:
                yield part


seen = 0
for path in sorted(glob.glob("*.md") + glob.glob("docs/*.md")):
    for example in examples(path):
        seen += 1
        result(faults("host" if "vms" in example else "part", example),
               f"{path}: the example with {', '.join(map(str, example))} is valid")
result([] if seen >= 4 else [f"only {seen} were found"], "the documents have examples")

# ---- golden errors ----

# These concern the text, files of this machine, or the command line.
ELSEWHERE = set("""alias ambiguous-path duplicate-key empty-description merge-key no-such-element
syntax too-deep too-many-nodes unknown-tag usage zero-byte""".split())
# Codes of mistakes that concern one option alone.
ALONE = set("""bad-address bad-host bad-mac bad-machine-id bad-name bad-path bad-serial bad-socket
bad-version bad-virtiofsd missing-option removed-option unknown-option unknown-value wrong-size
wrong-type""".split())
accepts = [line.split()[0] for line in read("tests/golden/lib/schema_accepts").splitlines()
           if line and not line.startswith("#")]
used = set()


def codes(text):
    return set(re.findall(r"error: .* \[([a-z0-9.-]+)\]$", text, re.M))


def judge_error(path):
    """Problems of a golden error, or None if the schemas have no opinion about it."""
    text, expected = read(path), read(path[:-5] + ".txt")
    command = (re.findall("^# command: (.*)$", text, re.M) or ["check"])[0]
    if command not in ("check", "plan", "build", "host"):
        return None
    if re.search("^# (subject:|microvm:|args:.*(--set|--hypervisor))", text, re.M):
        return None
    found = codes(expected)
    status = expected.split(None, 2)[1]
    if status == "2" or found & ELSEWHERE:
        return None
    text = text.replace("/F/", "/srv/")
    if command == "host" or re.search("^vms:", text, re.M):
        invalid = [fault for part in documents(text) for fault in faults("host", part)]
    else:
        parts = documents(text)
        if len(parts) > 1 or "missing-option" not in found:
            invalid = faults_of_description(text)
        else:
            invalid = faults("vm", parts[0])
    name = os.path.basename(path)[:-5]
    if status == "3" and found & ALONE and not invalid:
        used.add(name)
        return [] if name in accepts else [f"{' '.join(sorted(found))}, but it is valid"]
    if status != "3" and invalid:
        return invalid
    return []


for path in sorted(glob.glob("tests/golden/errors/*.yaml")):
    problems = judge_error(path)
    if problems is not None:
        result(problems, f"{path}: the schema agrees with the check")
# ---- each option with each value ----

VALUES = [None, "", "a", "a b", "/a", "/a/", "a" * 64, "64", "2G", "02:00:00:00:00:01", "-1", True,
          -1, 0, 1, 64, 1.5, 70000, [], ["a"], [None], [[]], {}, {"a": "b"}, {"a": None}]
# The elements that lists need.
NEEDED = {
    "volumes": {"image": "v.img", "size": 64},
    "shares": {"tag": "t", "source": "s", "mountPoint": "/m"},
    "interfaces": {"type": "user", "id": "i"},
    "forwardPorts": {"host": {"port": 1}, "guest": {"port": 2}},
    "devices": {"bus": "pci", "path": "0000:01:00.0"},
    "pcieRootPorts": {"id": "p"},
}
def inner(schema):
    """What an option that may be null is otherwise."""
    return schema["anyOf"][0] if "anyOf" in schema else schema


def options(schema, path=()):
    """Every option, as (KEYS, SCHEMA); the 0 among the keys is a list's first element."""
    for key, option in schema["properties"].items():
        value = inner(option)
        if key == "microvm":
            continue
        yield (*path, key), option
        if "properties" in value:
            yield from options(value, (*path, key))
        elif "properties" in value.get("items", {}):
            yield from options(value["items"], (*path, key, 0))


def put(top, path, value):
    """Gives the option a value; the lists above it have one element."""
    at = top
    for key, after in zip(path, path[1:]):
        if key == 0:
            at = at[0]
        elif after == 0:
            at = at.setdefault(key, [json.loads(json.dumps(NEEDED[key]))])
        else:
            at = at.setdefault(key, {})
    at[path[-1]] = value


def errors_of(description):
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        json.dump(description, file)
        file.flush()
        syntax = [] if "vms" in description else ["--syntax"]
        run = subprocess.run([MVMBUILD, "check", *syntax, file.name, "--format", "json"], text=True,
                             check=False, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    messages = [json.loads(line) for line in run.stderr.splitlines()]
    return [m for m in messages if m["severity"] == "error"]


def name_of(path):
    return ".".join(map(str, path)).replace(".0", "[0]")


def concerns(message, name):
    """Whether it begins with the option, or one inside it: "a.b: expected", "a.b[0] is missing"."""
    text = re.sub(r'^unknown option "', "", message["message"])
    return text.startswith(name) and text[len(name):len(name) + 1] in tuple(':[. "')


def compare(paths, value, kind="vm"):
    """Gives all options the value; what mvmbuild and the schema say of each must agree."""
    config = {"toplevel": TOPLEVEL}
    top = {"hostName": "a", **config} if kind == "vm" else {"vms": {"a": {"config": config}}}
    for path in paths:
        put(top, path, value)
    errors = errors_of(top)
    problems = []
    for path, schema in paths.items():
        name = name_of(path)
        valid = validators[kind].evolve(schema=schema).is_valid(value)
        said = [m for m in errors if concerns(m, name)]
        alone = [m for m in said if m["code"] in ALONE]
        key = f"{name}:{json.dumps(value)}"
        if valid != (not alone) and not (not valid and said):
            used.add(key)
            if key not in accepts:
                problems.append(f"{key} is {'valid' if valid else 'invalid'}, but mvmbuild says "
                                f"{[m['message'] for m in said] or 'nothing'}")
    return problems


by_depth = {}
for path, schema in options(schemas["vm"]):
    by_depth.setdefault(len(path), {})[path] = schema
tried = sum(map(len, by_depth.values()))
result([] if tried > 150 else [f"only {tried}"], f"the schema has {tried} options")
for value in VALUES:
    result([problem for paths in by_depth.values() for problem in compare(paths, value)],
           f"mvmbuild and the schema agree about {json.dumps(value)[:30]} in every option")

host_options = {(key,): option for key, option in schemas["host"]["properties"].items()}
host_options.update({("vms", "a", key): option for key, option in
                     inner(host_options[("vms",)])["additionalProperties"]["properties"].items()
                     if key not in ("config", "source")})
for value in VALUES:
    problems = []
    for path, schema in host_options.items():
        problems += compare({path: schema}, value, "host")
    result(problems, f"they agree about {json.dumps(value)[:30]} in every option of host files")

# ---- what must be given, and where ----

WHOLE = [{}, {"toplevel": TOPLEVEL}, {"toplevel": None}, {"toplevel": None, "rootfs": "r"},
         {"rootfs": "r"}, {"rootfs": None}, {"rootfs": None, "toplevel": TOPLEVEL},
         {"microvm": {"toplevel": TOPLEVEL}}, {"microvm": {"toplevel": None}},
         {"microvm": {"rootfs": "r"}, "mem": 64}, {"microvm": None}, {"microvm": {}},
         {"microvm": None, "toplevel": TOPLEVEL},
         {"microvm": {"no-such-option": 1}, "toplevel": TOPLEVEL}]
for given in WHOLE:
    for host_name in ({}, {"hostName": "a"}, {"hostName": None}):
        instance = {**host_name, **given}
        valid, errors = not faults("vm", instance), errors_of(instance)
        result([] if valid == (not errors) else [f"valid: {valid}, but {errors}"],
               f"mvmbuild and the schema agree about {json.dumps(instance)}")

result([f"{name}: the schema agrees, or it is gone" for name in accepts if name not in used],
       "tests/golden/lib/schema_accepts has nothing without need")
print(f"1..{count}")
sys.exit(bad)
