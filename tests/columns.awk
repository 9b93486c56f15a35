# SPDX-License-Identifier: MIT
# Prints lines of shell, Nix and make that are wider than 100 columns and could be broken: awk -f
# tests/columns.awk FILES. A line can be broken at a blank outside of quotations and here-documents.
# Exempt is a line that has none, and one with a word or a quotation of more than 70 columns.

function top() { return substr(quotes, length(quotes)) }
function push(quote) { quotes = quotes quote }
function pop() { quotes = substr(quotes, 1, length(quotes) - 1) }

# Goes over a line in what `quotes` says: "c" code, "s" '...', "d" "...", "n" ''...'' of Nix; a $( )
# or ${ } in a quotation is code again. Leaves the places of blanks in code in blank[1..blanks].
function scan(line,    i, c, two, start, code) {
	blanks = 0
	start = match(line, /[^ \t]/)
	for (i = 1; i <= length(line); i++) {
		c = substr(line, i, 1)
		two = substr(line, i, 2)
		if (top() == "s") {
			if (c == "'")
				pop()
		} else if (top() == "n") {
			if (two == "''" && substr(line, i + 2, 1) !~ /[$'\\]/)
				pop()
			if (two == "''")
				i += substr(line, i + 2, 1) ~ /[$'\\]/ ? 2 : 1
			else if (two == "${") {
				push("c")
				i++
			}
		} else if (top() == "p") {
			if (c == "}")
				pop()
			else if (two == "$(") {
				push("c")
				i++
			}
		} else if (top() == "a") {
			if (c == "(")
				depth[length(quotes)]++
			else if (c == ")" && depth[length(quotes)])
				depth[length(quotes)]--
			else if (c == ")") {
				pop()
				i++
			}
		} else if (c == "\\") {
			i++
		} else if (substr(line, i, 3) == "$((") {
			push("a")
			i += 2
		} else if (two == "$(" || two == "${" && top() == "d") {
			push(two == "$(" || nix ? "c" : "p")
			i++
		} else if (c == "\"") {
			if (top() == "d")
				pop()
			else
				push("d")
		} else if (top() == "c" && length(quotes) > 1 && c ~ /[)}]/ && depth[length(quotes)] == 0) {
			pop()
		} else if (top() == "c") {
			if (c ~ /[({]/ && length(quotes) > 1)
				depth[length(quotes)]++
			else if (c ~ /[)}]/ && length(quotes) > 1)
				depth[length(quotes)]--
			else if (nix && two == "''") {
				push("n")
				i++
			} else if (!nix && !make && c == "'")
				push("s")
			else if (c == "#" && (i == start || substr(line, i - 1, 1) ~ /[ \t]/)) {
				# an example in a comment stands as it is
				for (code = substr(line, i, 3) != "#  "; i <= length(line); i++)
					if (code && substr(line, i, 1) == " ")
						blank[++blanks] = i
			} else if (c == " " && i > start && (!nix || length(quotes) == 1))
				blank[++blanks] = i
		}
	}
}

function widest_piece(line,    i, last, most) {
	last = match(line, /[^ \t]/) - 1
	blank[blanks + 1] = length(line) + 1
	for (i = 1; i <= blanks + 1; i++) {
		if (blank[i] - last - 1 > most)
			most = blank[i] - last - 1
		last = blank[i]
	}
	return most
}

# Columns: a tab goes to the next multiple of 8.
function columns(line,    i, n) {
	n = gsub(/\303[\200-\277]|\342[\200-\277][\200-\277]/, "x", line) * 0
	for (i = 1; i <= length(line); i++)
		n = substr(line, i, 1) == "\t" ? n + 8 - n % 8 : n + 1
	return n
}

FNR == 1 {
	quotes = "c"
	here = ""
	nix = FILENAME ~ /\.nix$/
	make = FILENAME ~ /Makefile$|\.mk$/
}
here != "" {
	if ($0 ~ "^\t*" here "$")
		here = ""
	next
}
{
	scan($0)
	if (columns($0) > 100 && blanks && widest_piece($0) <= 70)
		print FILENAME ":" FNR ": " $0
	if (!nix && !make && top() == "c" && match($0, /<<-?['"\\]?[A-Z][A-Z0-9]*/)) {
		here = substr($0, RSTART, RLENGTH)
		gsub(/[^A-Z0-9]/, "", here)
	}
}
