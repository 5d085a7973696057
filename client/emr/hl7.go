package emr

import (
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

type hl7Reader struct {
	b       *builder
	header  bool              // a message header was read
	charset *charset          // of MSH-18; nil for none or an unknown one
	known   map[string]string // cache of the prefixes of code systems
	cut     []int             // fields of the current segment that were cut
	long    bool              // the current segment was cut
	expects map[string]int    // segments that must still come, by name

	fields, repetitions, components []string // of split, of repeats and of coded

	messages, patients int    // of the file, and of the message
	person             string // key of the patient
	event              string // of the message
	inMessage, inOrder bool
	order              hl7Order
	appointment        index.Context

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
	h.endMessage()
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
	if label := hl7LabelField(name); last && label > 0 && (header || len(fields) <= label+1) {
		h.b.unread("HL7 v2: the last segment may be cut off")
	}
	h.statement(name, fields, field)
}

// statement takes the facts of a segment, as the statement that it is or belongs to.
func (h *hl7Reader) statement(name string, fields []string, field func(int) string) {
	switch {
	case name == "MSH":
		h.newMessage(h.part(field(9), 1))
		h.messageHeader(field)
	case isHL7Header(name) || name == "BTS" || name == "FTS":
		h.endMessage()
	case name == "PID":
		h.newPatient()
	case hl7Orders[name]:
		h.newOrder(name)
	case name == "ARV":
		h.accessRestriction(field)
	}
	table := hl7Table[name]
	if hl7Statements[name] {
		h.b.open()
		h.b.inContext(h.context(name, field))
		h.facts(name, table, field, func(hl7Use) bool { return true })
		h.codes(name, fields, field)
		h.close()
		return
	}
	if !hl7Orders[name] && name != "RXC" {
		h.facts(name, table, field, func(hl7Use) bool { return true })
		h.codes(name, fields, field)
		return
	}
	// The dates of an order are those of all its segments. Its context is not.
	h.facts(name, table, field, func(u hl7Use) bool { return u != hl7Text })
	h.b.open()
	h.b.inContext(h.context(name, field))
	h.facts(name, table, field, func(u hl7Use) bool { return u == hl7Text })
	h.codes(name, fields, field)
	h.b.close()
}

// facts takes fields other than codes.
func (h *hl7Reader) facts(name string, table []hl7Field, field func(int) string, takes func(hl7Use) bool) {
	for _, f := range table {
		text := field(f.number)
		if text == "" || !takes(f.use) {
			continue
		}
		switch f.use {
		case hl7Code, hl7Value, hl7Context, hl7Message:
			continue
		}
		if f.use == hl7Label && name == "ARV" { // see accessRestriction
			if f.number == 3 {
				continue
			}
		}
		for _, rep := range h.repeats(text) {
			h.fact(name, f, rep, field)
		}
	}
}

func (h *hl7Reader) fact(name string, f hl7Field, rep string, field func(int) string) {
	switch f.use {
	case hl7Identifier:
		h.identifier(name, f.number, rep)
	case hl7Born:
		h.b.born(h.part(rep, 0))
	case hl7From:
		h.b.period(h.part(rep, 0), h.part(field(f.to), 0))
	case hl7Range: // and hl7Timing
		first := 0
		if f.kind == timingKind {
			first = 3
		}
		h.b.period(h.part(rep, first), h.part(rep, first+1))
	case hl7Date: // and hl7Died
		if f.kind == deathKind {
			h.b.open()
			defer h.close()
		}
		h.b.date(h.part(rep, 0))
	case hl7Text:
		h.b.words(h.part(rep, 0))
	case hl7Title:
		h.b.title(h.part(rep, 0))
	case hl7Person: // and hl7Interpreter
		if f.kind == interpreterKind {
			h.interpreter(rep)
			return
		}
		h.b.author(strings.TrimSpace(h.part(rep, 2) + " " + h.part(rep, 1))) // XCN: id, family, given
	case hl7Organisation:
		h.b.organisation(h.part(rep, 0))
	case hl7Department:
		h.b.department(h.part(rep, 0))
	case hl7Label: // and hl7Protection
		if f.kind == protectionKind {
			h.protected(rep)
			return
		}
		h.confidentiality(rep)
	}
}

// interpreter reads a NDL: id & family & given, then the times of the work.
func (h *hl7Reader) interpreter(rep string) {
	name := h.raw(rep, 0)
	part := func(n int) string {
		rest := name
		for ; n > 0; n-- {
			_, rest, _ = cutByte(rest, h.subcomponentSep)
		}
		return h.value(rest)
	}
	if h.subcomponentSep > ' ' && strings.IndexByte(name, h.subcomponentSep) >= 0 {
		h.b.author(strings.TrimSpace(part(2) + " " + part(1)))
		return
	}
	h.b.author(strings.TrimSpace(h.part(rep, 2) + " " + h.part(rep, 1))) // as a XCN, which many send
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

// identifier reads a CX: id, check digit, scheme, assigning authority, type. Both halves
// of the authority count. Without one its type does, such as MR, SS or NI. PID-19 is the
// number of social security.
func (h *hl7Reader) identifier(name string, number int, rep string) {
	id := h.part(rep, 0)
	if id == "" {
		return
	}
	space, universal := h.authority(h.raw(rep, 3))
	assigned := space != "" || universal != ""
	if !assigned {
		space = h.part(rep, 4)
	}
	if universal != "" {
		h.b.identify(h.person, universal, id)
	}
	if space != "" || universal == "" {
		h.b.identifyBy(h.person, space, id, assigned)
	}
	if name == "PID" && number == 19 {
		h.b.identifyBy(h.person, "SS", id, false)
	}
}

// authority reads an HD: namespace & universal id & type of the universal id.
func (h *hl7Reader) authority(hd string) (namespace, universal string) {
	if h.subcomponentSep <= ' ' {
		return h.unescape(hd), ""
	}
	namespace, rest, _ := cutByte(hd, h.subcomponentSep)
	universal, _, _ = cutByte(rest, h.subcomponentSep)
	return h.unescape(namespace), h.unescape(universal)
}

// codes takes the codes of a segment.
func (h *hl7Reader) codes(name string, fields []string, field func(int) string) {
	beside := ""
	if name == "DG1" || name == "PR1" { // the system of the next field, in old versions
		beside = h.part(field(2), 0)
	}
	coded := hl7Coded[name]
	var findings []int
	absent := name == "OBX" && isNegative(h.part(field(8), 0))
	for n, f := range fields {
		if f == "" {
			continue
		}
		use := byte(0)
		if coded != nil && n < len(coded) {
			use = coded[n]
		}
		switch use {
		case hl7IsValue:
			absent = h.observation(f, field) || absent
			continue
		case hl7IsContext:
			continue
		case hl7IsReason:
			h.b.aside = asReason
			for _, rep := range h.repeats(f) {
				h.coded(rep, true, "")
			}
			h.b.aside = ""
			continue
		case hl7IsCode:
			for _, rep := range h.repeats(f) {
				if n == 3 {
					at, system := h.coded(rep, true, beside)
					if name == "OBX" && at >= 0 && h.prefix(system) != index.LOINC { // a LOINC code names the question
						findings = append(findings, at)
					}
					continue
				}
				h.coded(rep, true, "")
			}
			continue
		}
		h.triples(f)
	}
	if absent {
		for _, at := range findings {
			h.b.restate(at, index.Refuted)
		}
	}
}

// observation reads OBX-5 if OBX-2 makes it a code or a date. It reports whether the
// finding is absent.
func (h *hl7Reader) observation(text string, field func(int) string) (absent bool) {
	if h.part(field(3), 0) == vaccinesDue {
		h.b.aside = index.Planned
		defer func() { h.b.aside = "" }()
	}
	switch h.part(field(2), 0) {
	case "CE", "CWE", "CNE", "CF":
		for _, rep := range h.repeats(text) {
			h.coded(rep, true, "")
			code, system := h.part(rep, 0), h.part(rep, 2)
			absent = absent || isAbsent(system, code) || system == "" && (isAbsentWord(code) || isAbsentWord(h.part(rep, 1)))
		}
	case "DT", "TS", "DTM":
		for _, rep := range h.repeats(text) {
			h.b.date(h.part(rep, 0))
		}
	case "ST", "TX", "FT", "ID", "IS":
		absent = isAbsentWord(h.part(text, 0))
		h.triples(text)
	default:
		h.triples(text)
	}
	return absent
}

// triples takes the codes of known systems from a field of any type: it has three
// components.
func (h *hl7Reader) triples(text string) {
	_, rest, _ := cutByte(text, h.componentSep)
	if strings.IndexByte(rest, h.componentSep) < 0 {
		return
	}
	for _, rep := range h.repeats(text) {
		h.coded(rep, false, "")
	}
}

// triplets are the places of code, text, system and its OID in a CWE. A CE has the first
// two.
var triplets = [3][4]int{{0, 1, 2, 13}, {3, 4, 5, 16}, {9, 10, 11, 19}}

// coded reads a CE or CWE. Unless all is set, only codes of known systems are taken:
// elsewhere the third component may be a given name. A code without a system has the one
// beside it, if any.
//
// It returns the position of the first code, or -1, and its system.
func (h *hl7Reader) coded(rep string, all bool, beside string) (first int, of string) {
	first = -1
	h.components = appendSplit(h.components[:0], rep, h.componentSep, 24)
	component := func(n int) string {
		if n < len(h.components) {
			return h.value(h.components[n])
		}
		return ""
	}
	for _, t := range triplets {
		if t[0] >= len(h.components) {
			break
		}
		code, text := component(t[0]), component(t[1])
		system, oid := component(t[2]), component(t[3])
		if code != "" && system == "" && oid == "" {
			system = beside
		}
		if labels := max(labelSystemOf(system), labelSystemOf(oid)); labels != otherSystem {
			h.b.confidentialityOf(labels, code)
		}
		if oid != "" && !h.isKnown(system) && (system == "" || h.isKnown(oid)) {
			system = oid
		}
		if all && text != "" {
			h.b.words(text)
		}
		if code == "" || !h.isKnown(system) && !(all && (system != "" || t[0] == 0)) {
			continue
		}
		if isCertainty(system) {
			h.b.inContext(certainty(strings.ToUpper(code)))
			continue
		}
		code, certain := germanCertainty(system, code)
		h.b.inContext(certain)
		if at := h.b.code(system, code); at >= 0 && first < 0 {
			first, of = at, system
		}
	}
	if all {
		h.b.words(component(8)) // original text
	}
	return first, of
}

// isKnown reports whether a code system has a prefix of its own.
func (h *hl7Reader) isKnown(system string) bool {
	return system != "" && h.prefix(system) != index.OtherCode
}

func (h *hl7Reader) prefix(system string) string {
	if len(system) > 256 {
		return index.OtherCode
	}
	p, ok := h.known[system]
	if !ok {
		p = index.Prefix(system)
		if h.known == nil || len(h.known) > 1000 {
			h.known = make(map[string]string)
		}
		h.known[strings.Clone(system)] = p
	}
	return p
}
