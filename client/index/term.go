package index

import "strings"

// A Term is a searchable statement about a record, such as "icd10:I21.4", "date:2019-03",
// "patient:12345" or "word:fracture". Terms are compared through a PRF, so two spellings
// of one statement must have the same bytes. The functions of this package see to that.
//
// Some terms are composed of two, joined by the control character 0x1f, which no
// normalised value contains:
//
//	pair:patient:12345<1f>icd10:I21   the record is about that patient, has that code
//	pair:patient:12345<1f>*           overflow: that patient, and too many pairs
//	month:icd10:I21<1f>2019-03        the record has that code, a date in that month
//	month:icd10:I21<1f>*              overflow: that code, and too many months
//
// A record has all its pairs or the overflow term. So "patient and code" matches a record
// that has the pair, or has the overflow term and the code. See [Facts.Expand].
type Term string

const (
	join     = "\x1f"
	overflow = "*" // in place of the second part
)

func pairTerm(patient, code Term) Term { return "pair:" + patient + join + code }

func monthTerm(code Term, month string) Term { return "month:" + code + join + Term(month) }

// WordTerm returns the term of a keyword or phrase, which is found as a whole.
func WordTerm(text string) Term { return textTerm("word", text) }

// textTerm returns "" for text that normalises to nothing.
func textTerm(field, text string) Term {
	v := normalise(text)
	if v == "" {
		return ""
	}
	return Term(field + ":" + v)
}

// textTerms returns the terms by which a text is found: the whole text and its words,
// with the diacritical marks that they have, and without.
func textTerms(field, text string) []Term {
	var out []Term
	add := func(s string) {
		if s == "" {
			return
		}
		out = append(out, Term(field+":"+s))
		if plain := withoutMarks(s); plain != s {
			out = append(out, Term(field+":"+plain))
		}
	}
	add(normaliseText(text))
	for _, w := range words(text) {
		add(w)
	}
	return out
}

// textQuery returns the terms of a text in a query: as [textTerms] writes it, and as
// older entries of an index have it.
func textQuery(field, text string) []Term {
	old := normalise(text)
	if old == "" {
		return []Term{""}
	}
	out := []Term{Term(field + ":" + normaliseText(text))}
	if folded := out[0]; Term(field+":"+old) != folded {
		out = append(out, Term(field+":"+old))
	}
	return out
}

// An Identifier names a patient within a system.
type Identifier struct {
	System string // URI, OID or the name of an assigning authority; may be empty
	Value  string
}

// patientTerms returns the terms of an identifier: by value alone and, when it has a
// system, by system and value.
func patientTerms(id Identifier) []Term {
	value := normalise(id.Value)
	if value == "" {
		return nil
	}
	out := []Term{Term("patient:" + value)}
	if system := normaliseSystem(id.System); system != "" {
		out = append(out, Term("patient:"+system+"|"+value))
	}
	return out
}

// patientTerm returns the term of a patient in a query: VALUE or SYSTEM|VALUE.
func patientTerm(text string) Term {
	system, value, ok := cutLast(text, "|")
	if !ok {
		return textTerm("patient", text)
	}
	value = normalise(value)
	if value == "" {
		return ""
	}
	if system := normaliseSystem(system); system != "" {
		return Term("patient:" + system + "|" + value)
	}
	return Term("patient:" + value)
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return "", s, false
}
