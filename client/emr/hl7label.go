package emr

import (
	"cmp"
	"strings"
)

// hl7LabelField returns the field that labels a message, an order or a document, or 0.
func hl7LabelField(segment string) int {
	for _, f := range hl7Table[segment] {
		if f.use == hl7Label && f.kind == plainKind && (segment != "ARV" || f.number == 7) {
			return f.number
		}
	}
	return 0
}

// confidentiality takes a label as text, or as a coded element.
func (h *hl7Reader) confidentiality(rep string) {
	if label := cmp.Or(h.part(rep, 0), h.part(rep, 1)); label != "" { // its code or its name
		h.b.confidentialityOf(cmp.Or(labelSystemOf(h.part(rep, 2)), v2System), label)
	}
}

func (h *hl7Reader) protected(indicator string) {
	if h.part(indicator, 0) == "Y" {
		h.b.confidentiality("R")
	}
}

// accessRestriction reads ARV. Without a classification in ARV-7 the restrictions of
// ARV-3 count: each but "NO" makes the message restricted at least.
func (h *hl7Reader) accessRestriction(field func(int) string) {
	if h.part(field(2), 0) == "D" { // taken back, from elsewhere perhaps
		return
	}
	if h.part(field(7), 0) != "" {
		return
	}
	for _, rep := range h.repeats(field(3)) {
		switch value := h.part(rep, 0); {
		case value == "" || value == "NO":
		case isConfidentialityCode(value) || confidentialities[strings.ToUpper(value)] != "":
			h.confidentiality(rep)
		default:
			h.b.confidentiality("R")
			h.b.unread("HL7 v2: an access restriction says more than a confidentiality")
		}
	}
}

// expect counts segments without which a file or a message is cut off.
func (h *hl7Reader) expect(name string, field func(int) string) {
	switch name {
	case "FHS":
		h.expects["FTS"]++
	case "BHS":
		h.expects["BTS"]++
	case "MSH":
		if h.part(field(9), 0) == "MDM" {
			h.expects["TXA"]++
		}
	case "FTS", "BTS", "TXA":
		h.expects[name]--
	}
}

// cutFields notes what was cut. The value of an observation has codes only if OBX-2 makes
// it one.
func (h *hl7Reader) cutFields(name string, field func(int) string) {
	if h.long {
		h.b.partial("HL7 v2: a segment is longer than %d KiB: the rest was not read", maxSegment>>10)
	}
	for _, n := range h.cut {
		if name == "OBX" && n == 5 {
			switch h.part(field(2), 0) {
			case "ED", "RP", "TX", "FT", "ST":
				continue
			}
		}
		h.b.partial("HL7 v2: a field is longer than %d KiB: the rest was not read", maxField>>10)
	}
}
