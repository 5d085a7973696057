package emr

import (
	"cmp"
	"slices"
	"strings"

	"github.com/chartseal/chartseal/client/index"
)

// isHL7 looks for the header of a message, file or batch: MSH, FHS or BHS, the field
// separator, encoding characters.
func isHL7(head []byte) strength {
	start := trimHead(head)
	if len(start) < 8 || !isHL7Header(string(start[:3])) {
		return unlike
	}
	field, component := start[3], start[4]
	if !isPunctuation(field) || !isPunctuation(component) || field == component {
		return unlike
	}
	return signature
}

// isHL7Header reports whether a segment defines the separators.
func isHL7Header(segment string) bool {
	return segment == "MSH" || segment == "FHS" || segment == "BHS"
}

func isPunctuation(c byte) bool {
	return c > ' ' && c < 0x7f && !(c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z')
}

// hl7Dates are the fields that hold a date, by segment.
var hl7Dates = map[string][]int{
	"MSH": {7}, "EVN": {2, 6}, "PV1": {44, 45}, "PV2": {8, 9}, "OBR": {7, 8, 14, 22}, "OBX": {14, 19}, "DG1": {5}, "PR1": {5},
	"RXA": {3, 4}, "RXD": {3}, "RXG": {5}, "TXA": {4, 6, 7, 8}, "SPM": {17, 18}, "ORC": {9, 15}, "TQ1": {7, 8}, "AL1": {6}, "IAM": {11},
	"FT1": {4, 5}, "ACC": {1}, "SCH": {11}, "AIS": {4}, "PRB": {2, 7, 8}, "GOL": {2},
}

// hl7Codes are the fields whose codes are taken, of any system. Codes of systems with a
// prefix of their own are taken from every field.
var hl7Codes = map[string][]int{
	"OBR": {4, 44}, "OBX": {3}, "DG1": {3}, "AL1": {3}, "PR1": {3}, "RXA": {5}, "RXE": {2}, "RXO": {1}, "RXD": {2}, "RXG": {4}, "IAM": {3},
	"FT1": {7, 19, 25}, "SPM": {4}, "PRB": {3}, "GOL": {3}, "TXA": {2}, "PV2": {3},
}

// hl7Authors are the fields with a person (XCN) who is responsible for the content.
var hl7Authors = map[string][]int{"PV1": {7, 17}, "OBR": {16, 32}, "TXA": {5, 9}, "ORC": {12}, "RXA": {10}}

type hl7Reader struct {
	b       *builder
	header  bool            // a message header was read
	charset *charset        // of MSH-18; nil for none or an unknown one
	known   map[string]bool // cache of isKnown
	cut     []int           // fields of the current segment that were cut
	long    bool            // the current segment was cut
	expects map[string]int  // segments that must still come, by name

	fields, repetitions []string // of split and of repeats

	// Separators. Those that the header does not define are spaces.
	fieldSep, componentSep, repetitionSep, escape, subcomponentSep byte
}

// readHL7 reads HL7 v2 in the encoding with separators (ER7), segment by segment.
func readHL7(in *input, b *builder) error {
	h := &hl7Reader{b: b, expects: make(map[string]int)}
	for {
		segment, err := h.readSegment(in.Reader)
		h.segment(h.decode(segment), err != nil)
		if err != nil {
			break
		}
	}
	if !h.header {
		b.partial("HL7 v2: no message header could be read")
	}
	for name, n := range h.expects {
		if n > 0 {
			b.unread("HL7 v2: a segment %s is missing", name)
		}
	}
	return nil
}

// segment takes facts from a segment. The last one may have been cut off.
func (h *hl7Reader) segment(text string, last bool) {
	if text == "" {
		return
	}
	h.b.work.spend(priceToken)
	if !isSegmentName(text[:min(3, len(text))]) {
		h.b.partial("HL7 v2: a line is no segment")
		return
	}
	if len(text) == 3 {
		return
	}
	name := text[:3]
	header := isHL7Header(name)
	if header {
		h.fieldSep = text[3]
		// Fewer than four are legal. After them comes the next field.
		chars, _, _ := strings.Cut(text[4:], text[3:4])
		chars += "    "
		h.componentSep, h.repetitionSep, h.escape, h.subcomponentSep = chars[0], chars[1], chars[2], chars[3]
	}
	if h.fieldSep == 0 || text[3] != h.fieldSep {
		h.b.partial("HL7 v2: a line is no segment")
		return
	}
	fields := h.split(text)
	field := func(n int) string {
		if n < len(fields) {
			return fields[n]
		}
		return ""
	}
	h.b.work.spend(len(fields) * priceER7)
	if strings.IndexByte(text, h.componentSep) >= 0 {
		h.b.work.spend(len(fields) * priceER7)
	}
	h.cutFields(name, field)
	h.expect(name, field)
	if labels := hl7Confidentialities[name]; last && len(labels) > 0 && (header || len(fields) <= labels[0]+1) {
		h.b.unread("HL7 v2: the last segment may be cut off")
	}
	for _, n := range hl7Dates[name] {
		for _, rep := range h.repeats(field(n)) {
			h.b.date(h.part(rep, 0))
		}
	}
	for _, n := range hl7Authors[name] {
		for _, rep := range h.repeats(field(n)) {
			// XCN: id, family, given
			h.b.author(strings.TrimSpace(h.part(rep, 2) + " " + h.part(rep, 1)))
		}
	}
	h.codes(name, fields)
	for _, n := range hl7Confidentialities[name] {
		for _, rep := range h.repeats(field(n)) {
			h.confidentiality(rep)
		}
	}
	switch name {
	case "MSH":
		h.messageHeader(field)
	case "PID":
		h.patient(field)
	case "PV1": // assigned location, hospital service
		h.b.department(h.part(field(3), 0))
		h.b.department(h.part(field(10), 0))
	case "OBX":
		h.observation(field)
	case "PD1": // protection indicator
		h.protected(field(12))
	case "PV2": // visit protection indicator
		h.protected(field(22))
	case "ARV":
		h.accessRestriction(field)
	}
}

// isSegmentName accepts a capital letter and two more or digits.
func isSegmentName(s string) bool {
	for i := range len(s) {
		if c := s[i]; !(c >= 'A' && c <= 'Z' || i > 0 && c >= '0' && c <= '9') {
			return false
		}
	}
	return len(s) == 3
}

func (h *hl7Reader) messageHeader(field func(int) string) {
	h.b.organisation(h.part(field(4), 0))
	if h.header {
		return // the first message of a batch gives the kind
	}
	h.header = true
	if message := kindPart(h.part(field(9), 0)); message != "" {
		h.b.doc.Kind = "hl7v2:" + message
		if event := kindPart(h.part(field(9), 1)); event != "" {
			h.b.doc.Kind += "^" + event
		}
	}
}

// patient reads PID-2, 3 and 4 (external, internal and alternate identifiers), 7 (birth)
// and 19 (social security number).
func (h *hl7Reader) patient(field func(int) string) {
	for _, n := range []int{3, 2, 4} {
		for _, rep := range h.repeats(field(n)) {
			h.b.patient(h.authority(h.raw(rep, 3)), h.part(rep, 0))
		}
	}
	h.b.patient("", h.part(field(19), 0))
	h.b.born(h.part(field(7), 0))
}

// authority reads an HD: namespace & universal id & type of the universal id. It prefers
// the universal id.
func (h *hl7Reader) authority(hd string) string {
	if h.subcomponentSep <= ' ' {
		return h.unescape(hd)
	}
	namespace, rest, _ := cutByte(hd, h.subcomponentSep)
	id, _, _ := cutByte(rest, h.subcomponentSep)
	return h.unescape(cmp.Or(id, namespace))
}

// observation reads OBX-5 if OBX-2 makes it a code or a date.
func (h *hl7Reader) observation(field func(int) string) {
	switch h.part(field(2), 0) {
	case "CE", "CWE", "CNE", "CF":
		for _, rep := range h.repeats(field(5)) {
			h.coded(rep, true)
		}
	case "DT", "TS", "DTM":
		for _, rep := range h.repeats(field(5)) {
			h.b.date(h.part(rep, 0))
		}
	}
}

func (h *hl7Reader) codes(name string, fields []string) {
	coded := hl7Codes[name]
	for n, f := range fields {
		all := slices.Contains(coded, n)
		if !all {
			_, f, _ := cutByte(f, h.componentSep)
			if strings.IndexByte(f, h.componentSep) < 0 { // no system
				continue
			}
		}
		for _, rep := range h.repeats(f) {
			h.coded(rep, all)
		}
	}
}

// coded reads a CE or CWE: code, text, system, and the same again for an alternate code.
// Unless all is set, only codes of known systems are taken: elsewhere the third component
// may be a given name.
func (h *hl7Reader) coded(rep string, all bool) {
	for alternate := range 2 {
		var code, system string
		code, rep, _ = cutByte(rep, h.componentSep)
		_, rep, _ = cutByte(rep, h.componentSep)
		system, rep, _ = cutByte(rep, h.componentSep)
		code, system = h.value(code), h.value(system)
		if labels := labelSystemOf(system); labels != otherSystem {
			h.b.confidentialityOf(labels, code)
		}
		if code != "" && (h.isKnown(system) || all && system != "") {
			h.b.code(system, code)
		} else if all && alternate == 0 && code != "" && system == "" {
			h.b.code("", code)
		}
	}
}

// isKnown reports whether a code system has a prefix of its own.
func (h *hl7Reader) isKnown(system string) bool {
	if system == "" {
		return false
	}
	known, ok := h.known[system]
	if !ok {
		known = index.Prefix(system) != index.OtherCode
		if h.known == nil || len(h.known) > 1000 {
			h.known = make(map[string]bool)
		}
		if len(system) <= maxValue {
			h.known[strings.Clone(system)] = known
		}
	}
	return known
}
