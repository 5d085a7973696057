package index

import "strings"

// A Term is one searchable statement about a record in its normal form, such as
// "icd10:I21.4", "date:2019-03", "patient:12345" or "word:fracture". Make terms with the
// functions of this package: two spellings of the same thing have to become the same
// bytes, since terms are only ever compared through a PRF.
//
// Some terms are composed of two, joined by the control character 0x1f, which no
// normalised value contains:
//
//	pair:patient:12345<1f>icd10:I21      the record is about that patient and has that code
//	pair:patient:12345<1f>*              the record is about that patient, and its pairs were too many to write
//	month:icd10:I21<1f>2019-03           the record has that code and a date in that month
//	month:icd10:I21<1f>*                 the record has that code and dates, and the months were too many to write
//
// So "patient and code" is exactly: the pair, or else the star and the code. See
// [Facts.Expand].
type Term string

const (
	join = "\x1f"
	star = "*"
)

func pairTerm(patient, code Term) Term { return "pair:" + patient + join + code }

func monthTerm(code Term, month string) Term { return "month:" + code + join + Term(month) }

// WordTerm is a free keyword or phrase, found as a whole.
func WordTerm(text string) Term { return textTerm("word", text) }

// textTerm returns "" for text in which nothing is left.
func textTerm(field, text string) Term {
	v := normalise(text)
	if v == "" {
		return ""
	}
	return Term(field + ":" + v)
}

// textTerms returns the term of the whole text and those of its words.
func textTerms(field, text string) []Term {
	var out []Term
	if t := textTerm(field, text); t != "" {
		out = append(out, t)
	}
	for _, w := range words(text) {
		out = append(out, Term(field+":"+w))
	}
	return out
}

// An Identifier names a patient within a system, which may be empty.
type Identifier struct {
	System string // URI, OID or the name of an assigning authority
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

// patientTerm reads what a query says of a patient: VALUE, or SYSTEM|VALUE.
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

// kindTerms returns the terms of a kind and of its parts. "hl7v2:ORU^R01" gives
// kind:hl7v2, kind:hl7v2:oru and itself. People often leave out the first part, so oru^r01
// and oru find it too: kindQuery puts the first part back where [kindFamily] knows it, and
// otherwise the second part is a term of its own.
func kindTerms(kind string) []Term {
	k := normalise(kind)
	if k == "" {
		return nil
	}
	family, detail, ok := strings.Cut(k, ":")
	if !ok {
		return []Term{Term("kind:" + k)}
	}
	out := []Term{Term("kind:" + family), Term("kind:" + k)}
	alone := func(detail string) {
		if kindFamily(detail) != family {
			out = append(out, Term("kind:"+detail))
		}
	}
	alone(detail)
	if message, _, ok := strings.Cut(detail, "^"); ok {
		out = append(out, Term("kind:"+family+":"+message))
		alone(message)
	}
	return out
}

// kindQuery returns the terms of a kind, or of a part of one, in a query. A record of that
// kind has at least one of them.
func kindQuery(kind string) []Term {
	k := normalise(kind)
	out := []Term{Term("kind:" + k)}
	if family := kindFamily(k); family != "" {
		out = append(out, Term("kind:"+family+":"+k))
	}
	return out
}

// kindFamily returns the family of the normalised second part of a kind, if its form is
// enough to tell: "fhir" for a resource type, "hl7v2" for a message with or without an
// event, "" for others. Writers and searchers have to agree on it, so it belongs to the
// suite. Kinds that were added later have no family.
func kindFamily(detail string) string {
	if fhirTypes[detail] {
		return "fhir"
	}
	message, event, both := strings.Cut(detail, "^")
	if len(message) == 3 && (len(event) == 3 || !both) && strings.Trim(message+event, "abcdefghijklmnopqrstuvwxyz0123456789") == "" {
		return "hl7v2"
	}
	return ""
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return "", s, false
}
