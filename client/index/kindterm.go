package index

import (
	"slices"
	"strings"
)

// kindTerms returns the terms of a kind and of its parts. "hl7v2:ORU^R01" gives
// kind:hl7v2, kind:hl7v2:oru and itself. People often leave out the first part, so
// oru^r01 and oru find it too: kindQuery puts the first part back where [kindFamily]
// knows it, and otherwise the second part is a term of its own.
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

// kindQuery returns the terms of a kind, or of a part of one, in a query. A record of
// that kind has at least one of them.
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

// checkKind decides a query for a kind by the kind in a posting, unless that was cut.
func checkKind(terms []Term) func(Hit) verdict {
	return func(h Hit) verdict {
		if slices.ContainsFunc(kindTerms(h.Kind), func(t Term) bool { return slices.Contains(terms, t) }) {
			return yes
		}
		if isClipped(h.Kind) {
			return unsure
		}
		return no
	}
}
