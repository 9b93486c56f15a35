# SPDX-License-Identifier: MIT
# Takes from the description in a plan what is like in plan/defaults.json, so that a new option does
# not change the expected plans of all cases. $defaults: that file's contents, in a list.

def is_list_of_maps: type == "array" and (.[0] | type) == "object";

# What differs from the value that the description of the defaults has in its place. A list of maps
# has one element there, and is empty by default.
def given($default):
	if type == "object" and ($default | type) == "object" then
		with_entries(
			.key as $key
			| select(.value != $default[$key] and (.value == [] and ($default[$key] | is_list_of_maps) | not))
			| .value |= given($default[$key]))
	elif is_list_of_maps and ($default | is_list_of_maps) then
		map(given($default[0]))
	else
		.
	end;

# Without what an element of a list must have: that is always printed.
def optional:
	del(.volumes[] | .image, .size)
	| del(.shares[] | .tag, .source, .mountPoint)
	| del(.interfaces[] | .type, .id)
	| del(.forwardPorts[] | .host.port, .guest.port)
	| del(.devices[] | .bus, .path);

# Some defaults contain the VM's name.
.description.hostName as $name
| ($defaults[0] | optional | walk(if type == "string" then gsub("the-defaults"; $name) else . end)) as $default
| .description |= {hostName} + given($default)
