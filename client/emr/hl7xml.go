package emr

import (
	"encoding/xml"
	"strings"
)

// isHL7XML recognises a message of HL7 v2 in XML by its namespace, or by the name of its
// structure.
func isHL7XML(root xml.Name) bool {
	if root.Space == "urn:hl7-org:v2xml" {
		return true
	}
	name := root.Local
	return root.Space == "" && len(name) >= 7 && len(name) <= 8 && name[3] == '_' && isSegmentName(name[:3]) && name[4] >= 'A' && name[4] <= 'Z'
}

func newHL7XMLWalker(b *builder, _ xml.Name) xmlWalker {
	b.doc.MediaType, b.doc.Kind = "text/xml", "hl7v2"
	return &hl7XMLWalker{h: hl7Reader{b: b, expects: make(map[string]int)}}
}

// hl7XMLWalker turns HL7 v2 in XML into the segments that its reader knows. An element
// named as a segment has fields named after it, such as PID.3; these have components,
// named after their types, such as CX.4; and these have subcomponents.
type hl7XMLWalker struct {
	h       hl7Reader
	path    []string
	segment int // depth of the open segment; 0 for none
	fields  []string
	value   strings.Builder // of the open field
	begun   [2]int          // separators of components and subcomponents in it
	size    int             // of the segment
}

// The separators of the segments that are made.
const hl7XMLSeparators = `|^~\&`

func (w *hl7XMLWalker) start(e xml.StartElement) {
	w.path = append(w.path, e.Name.Local)
	name, depth := e.Name.Local, len(w.path)
	switch {
	case w.segment == 0:
		if isSegmentName(name) {
			w.segment, w.fields, w.size = depth, w.fields[:0], 0
		}
	case depth == w.segment+1: // a field, perhaps a repetition of the last one
		w.value.Reset()
		w.begun = [2]int{}
	case depth == w.segment+2:
		w.separate(0, hl7XMLNumber(name))
		w.begun[1] = 0
	case depth == w.segment+3:
		w.separate(1, hl7XMLNumber(name))
	}
}

// separate writes the separators before a component, or a subcomponent, of a number.
func (w *hl7XMLWalker) separate(level, number int) {
	for w.begun[level] < number-1 && w.begun[level] < 64 && w.value.Len() < maxField {
		w.value.WriteByte("^&"[level])
		w.begun[level]++
	}
}

// hl7XMLNumber returns the number at the end of a name such as "CX.4", 1 without one.
func hl7XMLNumber(name string) int {
	_, digits, _ := strings.Cut(name, ".")
	n := 0
	for _, c := range []byte(digits) {
		if c < '0' || c > '9' || n > 1000 {
			return 1
		}
		n = 10*n + int(c-'0')
	}
	return max(1, n)
}

var hl7XMLEscapes = strings.NewReplacer("|", `\F\`, "^", `\S\`, "~", `\R\`, `\`, `\E\`, "&", `\T\`, "\r", " ", "\n", " ")

func (w *hl7XMLWalker) text(s string) {
	if w.segment > 0 && len(w.path) > w.segment && w.value.Len() < maxField {
		w.value.WriteString(hl7XMLEscapes.Replace(strings.TrimSpace(s)))
	}
}

func (w *hl7XMLWalker) end() {
	depth := len(w.path)
	name := w.path[depth-1]
	w.path = w.path[:depth-1]
	switch {
	case w.segment == 0:
	case depth == w.segment+1:
		w.field(hl7XMLNumber(name))
	case depth == w.segment:
		w.segment = 0
		w.emit(name)
	}
}

// field adds a field, or a repetition of it.
func (w *hl7XMLWalker) field(number int) {
	if w.size += w.value.Len(); number > 256 || w.size > maxSegment {
		w.h.b.partial("HL7 v2: a segment is longer than %d KiB: the rest was not read", maxSegment>>10)
		return
	}
	for len(w.fields) < number {
		w.fields = append(w.fields, "")
	}
	if f := &w.fields[number-1]; *f == "" {
		*f = w.value.String()
	} else if len(*f) < maxField {
		*f += "~" + w.value.String()
	}
}

// emit hands a segment on. The separators of a header are those that are written here.
func (w *hl7XMLWalker) emit(name string) {
	w.h.b.work.spend(priceToken)
	fields := w.fields
	text := name + "|" + strings.Join(fields, "|")
	if isHL7Header(name) {
		for len(fields) < 2 {
			fields = append(fields, "")
		}
		text = name + hl7XMLSeparators + "|" + strings.Join(fields[2:], "|")
	} else if w.h.fieldSep == 0 { // no header yet
		w.h.fieldSep, w.h.componentSep, w.h.repetitionSep, w.h.escape, w.h.subcomponentSep = '|', '^', '~', '\\', '&'
	}
	w.h.segment(text, false)
}

func (w *hl7XMLWalker) finish() {
	w.h.endMessage()
	if !w.h.header {
		w.h.b.partial("HL7 v2: no message header could be read")
	}
}
