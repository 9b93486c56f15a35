# SPDX-License-Identifier: MIT
# Removes the values that plan/defaults.json has too from a plan's description, so that a new option
# does not change the expected plans of all cases. $defaults: that file's contents, in a list.

def is_list_of_maps: type == "array" and (.[0] | type) == "object";

# Keeps the values that differ from the defaults' description. A list of maps has one element there,
# and is empty by default.
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

# Required options of a list's element have no default: they are always printed.
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
