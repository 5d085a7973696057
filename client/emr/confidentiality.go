package emr

import (
	"strings"
	"unicode"
)

// confidentialityOID is HL7 v3 Confidentiality.
const confidentialityOID = "2.16.840.1.113883.5.25"

// confidentialities gives the codes of HL7 v3 Confidentiality for its codes and names,
// and for older ones: HL7 v2 tables 0177 and 0272, and the first release of CDA.
var confidentialities = map[string]string{
	"U": "U", "L": "L", "M": "M", "N": "N", "R": "R", "V": "V",
	"UNRESTRICTED": "U", "LOW": "L", "MODERATE": "M", "NORMAL": "N", "RESTRICTED": "R", "VERY RESTRICTED": "V",
	"USUAL CONTROL": "N",
	// A kind of information or of patient. Each is restricted at least.
	"S": "R", "T": "V", "C": "V", "VIP": "V", "SDV": "V",
	"EMP": "R", "UWM": "R", "PSY": "R", "AID": "R", "HIV": "R", "ETH": "R",
}

// A labelSystem tells whether a code system is one of confidentiality.
type labelSystem int

const (
	otherSystem labelSystem = iota
	v2System                // HL7 v2 tables 0177, 0272 and 0952
	v3System                // HL7 v3 Confidentiality, by its OID or any of its URIs
)

func labelSystemOf(system string) labelSystem {
	s, _, _ := strings.Cut(system, "|") // the version
	s = strings.TrimRightFunc(s, func(r rune) bool { return r == '/' || isBlank(r) })
	if s == "" || strings.IndexByte("257yY", s[len(s)-1]) < 0 { // most of them
		return otherSystem
	}
	if s = strings.TrimLeftFunc(s, isBlank); len(s) > 256 {
		return otherSystem
	}
	s = strings.TrimPrefix(strings.ToLower(s), "urn:oid:")
	if s == confidentialityOID || strings.HasSuffix(s, "confidentiality") {
		return v3System
	}
	for _, table := range []string{"0177", "0272", "0952"} {
		rest, ok := strings.CutSuffix(s, table)
		if ok && (rest == "hl7" || strings.HasSuffix(rest, "v2-") || strings.HasSuffix(rest, "v2/")) {
			return v2System
		}
	}
	return otherSystem
}

// isBlank reports whether nothing is to be seen of a rune.
func isBlank(r rune) bool { return unicode.IsSpace(r) || !unicode.IsGraphic(r) }

// isConfidentialityCode reports whether a text is a code of HL7 v3 Confidentiality.
func isConfidentialityCode(s string) bool {
	s = strings.ToUpper(clean(s))
	return len(s) == 1 && confidentialities[s] == s
}

// confidentiality takes a label. An unknown one is kept as it is, and its rank is unread.
// An empty one is a label that could not be read.
func (b *builder) confidentiality(label string) {
	b.work.spend(2 * priceFact)
	label = strings.ToUpper(b.clean(listConfidentiality, label))
	code, known := confidentialities[label]
	switch {
	case label == "":
		b.unread("a confidentiality has no code")
		return
	case !known:
		b.unread("a confidentiality is none of the codes U, L, M, N, R, V")
		code = label
	case len(label) > 1 && len(label) < 4 || len(label) == 1 && code != label:
		b.unread("a confidentiality is none of the codes U, L, M, N, R, V") // R at least, perhaps V
	}
	b.put(listConfidentiality, &b.doc.Confidentiality, code)
}

// confidentialityOf takes a label of a code system. In HL7 v2, U is usual control.
func (b *builder) confidentialityOf(system labelSystem, label string) {
	if system == v2System && strings.EqualFold(clean(label), "U") {
		label = "N"
	}
	b.confidentiality(label)
}
