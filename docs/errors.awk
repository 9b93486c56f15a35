# SPDX-License-Identifier: MIT
# Makes docs/errors.md: awk -F '\t' -f docs/errors.awk CODES EXAMPLES docs/errors.in. CODES has lines
# "CODE STATUS", EXAMPLES "CODE NAME-OF-CASE MESSAGE", separated by tabs.

BEGIN {
	number["STATUS_FAILED"] = 1
	number["STATUS_USAGE"] = 2
	number["STATUS_DESCRIPTION"] = 3
	number["STATUS_INPUT"] = 4
	print "# Error codes\n"
	print "Every message ends with a code in brackets, which stays the same when the text of the message"
	print "improves. `--format json` prints one object for each message, with the code in `code`. The exit"
	print "status of the program is that of the first error; warnings and notes do not change it.\n"
	print "| exit status | meaning |\n|---|---|"
	print "| 0 | success |"
	print "| 1 | the build or the action failed; for `diff`, the runners differ |"
	print "| 2 | the command line is wrong |"
	print "| 3 | the description is wrong |"
	print "| 4 | an input is missing or broken |"
	print "| 130 | interrupted by a signal |\n"
	print "`make docs` generates this file from the sources."
}
FNR == 1 { file++ }

file == 1 {
	if ($2 == "warning")
		warns[$1] = 1
	else if ($2 == "note")
		notes[$1] = 1
	else if ($2 in number)
		has[$1, number[$2]] = 1
	else
		other[$1] = 1
}

# The case that has the code's own name is the best example, and an error better than a note.
file == 2 {
	rank = ($2 == $1 ? 2 : index($2, $1) == 1 ? 1 : 0) + ($3 ~ /: note: / ? 0 : 3)
	if (!($1 in example) || rank > best[$1]) {
		example[$1] = $3
		best[$1] = rank
	}
}

function severity(code,    n, i, text) {
	for (i = 1; i <= 4; i++)
		if ((code, i) in has)
			text = text (n++ ? ", " : "Exit status ") i
	if (other[code])
		text = text (n++ ? ", " : "Exit status: ") "that of the error that the message repeats"
	if (warns[code])
		text = n ? text ", or a warning" : "A warning"
	return text == "" ? "A note." : text "."
}

function end_code() {
	if (code in example)
		print "\n    " example[code] " [" code "]"
	code = ""
}

file == 3 && /^# / { next }
file == 3 && /^## / { end_code(); print "\n" $0; next }
file == 3 && /^$/ { end_code(); next }
file == 3 && code == "" {
	code = $0
	print "\n### `" code "`\n\n" severity(code) "\n"
	next
}
file == 3 { print }
END { end_code() }
