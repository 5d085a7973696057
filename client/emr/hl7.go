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
