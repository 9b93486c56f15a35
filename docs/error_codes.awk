# SPDX-License-Identifier: MIT
# Finds every error code in the C sources: awk -f docs/error_codes.awk FILES. Prints, tab-separated,
# "CODE KIND FILE:LINE" for each; KIND is a status (STATUS_INPUT), "warning" or "note". A code is
# the argument `code` of a function or macro that has a parameter of that name, such as diag_error;
# the file's own helpers are found in the same way. A code that is not a literal is an error, except
# the member `code` of a table, whose rows are made by a macro.

# Called at the end of every parenthesis, in both rounds over the files: the first learns who has a
# parameter `code`, and which status its body gives; the second prints.
function end_call(    name, place, code) {
	name = called[depth]
	if (name == "")
		return
	if (defines()) {
		if (first_round)
			learn(name)
		return
	}
	place = (FILENAME, name) in position ? FILENAME SUBSEP name : name
	if (!position[place])
		return
	code = argument[depth, position[place]]
	if (code == "code")
		status[helper] = kind(name)
	else if (!first_round)
		print_codes(code, place in status ? status[place] : kind(name))
}

function defines(    k) {
	if (macro[depth] || argument[depth, 1] ~ /^(const )?struct [a-z_0-9]+ \*[a-z_]+$/)
		return 1
	for (k = 1; k <= arguments[depth]; k++)
		if (argument[depth, k] == "const char *code")
			return 1
	return 0
}

# A name of a header is everybody's; one of a .c file hides it there.
function learn(name,    k, place) {
	place = FILENAME ~ /\.h$/ || everywhere[name] ? name : FILENAME SUBSEP name
	for (k = 1; k <= arguments[depth]; k++)
		if (argument[depth, k] ~ /^(const char \*)?code$/) {
			position[place] = k
			helper = place
			if (FILENAME ~ /\.h$/ && !macro[depth])
				everywhere[name] = 1
			return
		}
	position[FILENAME, name] = 0
}

function kind(name,    k) {
	if (name ~ /warning$/)
		return "warning"
	if (name ~ /note$/)
		return "note"
	for (k = 1; k <= arguments[depth]; k++)
		if (match(argument[depth, k], /STATUS_[A-Z]+/))
			return substr(argument[depth, k], RSTART, RLENGTH)
	return "?"
}

function print_codes(code, status_name,    where) {
	where = FILENAME ":" FNR
	sub(/^[^"]*\?/, "", code)
	if (code ~ /->code$/)
		return
	if (code !~ /^ *"/) {
		print "error codes: " where ": the code is not a literal: " code >"/dev/stderr"
		failed = 1
	}
	while (match(code, /"[^"]*"/)) {
		print substr(code, RSTART + 1, RLENGTH - 2) "\t" status_name "\t" where
		code = substr(code, RSTART + RLENGTH)
	}
}

function token(text) {
	if (text == "(") {
		depth++
		called[depth] = last ~ /^[a-z_0-9]+$/ ? last : ""
		macro[depth] = before == "define"
		arguments[depth] = 1
		argument[depth, 1] = ""
	} else if (text == ")" && depth > 0) {
		end_call()
		depth--
		append(called[depth + 1] == "" ? argument[depth + 1, 1] : "()")
	} else if (text == "," && depth > 0) {
		argument[depth, ++arguments[depth]] = ""
	} else if (text == ";" || text == "{") {
		depth = 0
	} else {
		append(text)
	}
	before = last
	last = text
}

function append(text,    old) {
	if (depth < 1)
		return
	old = argument[depth, arguments[depth]]
	argument[depth, arguments[depth]] = old (old ~ /[a-z_0-9?:]$/ ? " " : "") text
}

FNR == 1 {
	first_round = !(FILENAME in seen)
	seen[FILENAME] = 1
	depth = comment = 0
	last = before = ""
}
{
	line = $0
	while (line != "") {
		if (comment) {
			if (!(at = index(line, "*/")))
				break
			line = substr(line, at + 2)
			comment = 0
		} else if (substr(line, 1, 2) == "/*") {
			comment = 1
			line = substr(line, 3)
		} else if (match(line, /^"([^"\\]|\\.)*"/) || match(line, /^'([^'\\]|\\.)*'/) ||
			match(line, /^[A-Za-z_][A-Za-z_0-9]*/) || match(line, /^[ \t\\]+/)) {
			word = substr(line, 1, RLENGTH)
			line = substr(line, RLENGTH + 1)
			if (word !~ /^[ \t\\]/)
				token(word)
		} else {
			word = substr(line, 1, 1)
			line = substr(line, 2)
			if (word != "#")
				token(word)
		}
	}
}
END { exit failed }
