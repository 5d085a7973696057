package emr

import (
	"encoding/xml"
	"slices"
	"strings"

	"github.com/chartseal/chartseal/client/index"
)

func isCDA(root xml.Name) bool { return root.Local == "ClinicalDocument" }

func newCDAWalker(b *builder, _ xml.Name) xmlWalker {
	b.doc.Kind = "ccda"
	return &cdaWalker{b: b}
}

// cdaWalker takes facts from HL7 CDA R2. Each act of an entry is a statement; see
// cdacontext.go for how it is meant.
type cdaWalker struct {
	b          *builder
	path       []string
	attributes cdaAttributes // of the present element
	acts       []cdaAct      // open ones, the innermost last

	label strings.Builder // of the open name, title or original text
	open  int             // depth at which it was opened; 0 when none is

	low, high string // of the open time

	valueAt int    // depth of the open value; 0 when none is
	value   string // its text

	section      cdaSection
	outer        []cdaSection
	relationship string // type of the last relationship between two acts
	narrative    cdaNarrative
	mentioned    int // bytes of narratives that were taken
}

// under reports whether the current element has an ancestor of that name.
func (w *cdaWalker) under(name string) bool {
	w.b.work.spend(len(w.path))
	return slices.Contains(w.path[:len(w.path)-1], name)
}

func (w *cdaWalker) parent() string { return w.ancestor(1) }

func (w *cdaWalker) ancestor(n int) string {
	if len(w.path) <= n {
		return ""
	}
	return w.path[len(w.path)-1-n]
}

func (w *cdaWalker) start(e xml.StartElement) {
	w.path = append(w.path, e.Name.Local)
	local := e.Name.Local
	a := &w.attributes
	a.read(e)
	switch local {
	case "section":
		w.outer = append(w.outer, w.section)
		w.section = cdaSection{depth: len(w.path), context: w.section.context, plan: w.section.plan}
	case "entry":
		w.section.entries = w.section.entries || w.parent() == "section"
	case "text":
		if w.section.depth > 0 && w.section.depth == len(w.path)-1 {
			w.section.inProse = len(w.path)
		}
	case "entryRelationship":
		w.relationship = a.typeCode
	case "act", "observation", "organizer", "procedure", "substanceAdministration", "supply", "encounter":
		if w.section.depth > 0 {
			w.begin(local, a)
		}
	}
	w.code(local, a)
	w.judge(local, a)
	switch local {
	case "id":
		if w.parent() == "patientRole" && w.under("recordTarget") {
			w.patient(e, a)
		}
	case "birthTime":
		if w.parent() == "patient" {
			w.b.born(a.value)
		}
	case "deceasedTime":
		w.b.open() // a date that goes with no code
		w.b.date(a.value)
		w.b.close()
	case "effectiveTime", "time":
		w.b.date(a.value)
	case "low", "high", "center":
		if w.isTime(w.parent()) {
			switch local {
			case "low":
				w.low = a.value
			case "high":
				w.high = a.value
			default:
				w.b.date(a.value)
			}
		}
	case "value":
		w.valueAt, w.value = len(w.path), ""
	case "name", "title", "originalText":
		if w.open == 0 {
			w.open = len(w.path)
			w.label.Reset()
		}
	case "reference":
		w.refer(a.value)
	}
	if a.id != "" && w.section.depth > 0 {
		w.narrative.begin(a.id, len(w.path))
	}
}

// isTime reports whether an element is a time. The time in which a name or an address was
// in use is none of the record.
func (w *cdaWalker) isTime(local string) bool {
	return len(local) >= 4 && strings.EqualFold(local[len(local)-4:], "time") && local != "validTime"
}

// cdaAttributes are the attributes that count.
type cdaAttributes struct {
	code, system, systemName, display, value string
	class, mood, typeCode                    string
	root, extension, authority, id           string
	negated                                  bool
}

func (a *cdaAttributes) read(e xml.StartElement) {
	*a = cdaAttributes{}
	for _, x := range e.Attr {
		if x.Name.Space != "" {
			continue
		}
		switch x.Name.Local {
		case "code":
			a.code = x.Value
		case "codeSystem":
			a.system = x.Value
		case "codeSystemName":
			a.systemName = x.Value
		case "displayName":
			a.display = x.Value
		case "value":
			a.value = x.Value
		case "classCode":
			a.class = x.Value
		case "moodCode":
			a.mood = x.Value
		case "negationInd", "actionNegationInd", "valueNegationInd":
			a.negated = a.negated || x.Value == "1" || strings.EqualFold(x.Value, "true")
		case "typeCode":
			a.typeCode = x.Value
		case "root":
			a.root = x.Value
		case "extension":
			a.extension = x.Value
		case "assigningAuthorityName":
			a.authority = x.Value
		case "ID":
			a.id = x.Value
		}
	}
}

// patient takes an identifier: its root and the name of its authority both count.
func (w *cdaWalker) patient(e xml.StartElement, a *cdaAttributes) {
	if _, ok := attr(e, "extension"); !ok {
		w.b.patient("", a.root)
		return
	}
	w.b.patient(a.root, a.extension)
	if a.authority != "" {
		w.b.patient(a.authority, a.extension)
	}
}

// code takes a code, and its display.
func (w *cdaWalker) code(local string, a *cdaAttributes) {
	system := a.system
	if system == "" {
		system = a.systemName
	}
	if system == "" && a.code == "" && local != "confidentialityCode" {
		return
	}
	if labels := labelSystemOf(system); labels != otherSystem || local == "confidentialityCode" {
		code := a.code
		if code == "" {
			code = a.display
		}
		w.b.confidentialityOf(labels, code)
	}
	concept := local == "code" || local == "value" || local == "translation"
	if a.code == "" || system == "" && !concept {
		return
	}
	if isCertainty(system) {
		w.qualify(certainty(strings.ToUpper(a.code)))
		return
	}
	if w.isStatus(local, a.code) {
		return
	}
	code, certain := germanCertainty(system, a.code)
	w.qualify(certain)
	if w.b.prefix(system) == index.SNOMED {
		w.qualify(snomedContext(a.code))
		if w.parent() == "qualifier" && local == "value" {
			w.qualify(snomedContexts[a.code])
		}
	}
	switch {
	case w.parent() == "criterion" || w.ancestor(2) == "criterion": // for which a thing is to be taken
		w.b.aside = index.Risk
		defer func() { w.b.aside = "" }()
	case w.parent() == "observationRange": // for whom a range of values is normal
		w.b.aside = index.Mentioned
		defer func() { w.b.aside = "" }()
	}
	at := w.b.code(system, code)
	if concept && a.display != "" {
		w.b.words(a.display)
	}
	w.finding(local, system, a.code, at)
}

func (w *cdaWalker) text(s string) {
	if strings.Contains(s, "confidentialityCode") { // its tag is broken
		w.b.inside()
	}
	if w.open > 0 && w.label.Len() < maxValue { // a cut one is as long as that
		w.label.WriteString(s)
		w.label.WriteByte(' ')
	}
	if w.valueAt == len(w.path) && w.valueAt > 0 {
		w.value = s
	}
	w.narrative.add(s)
	w.addProse(s)
}

func (w *cdaWalker) end() {
	depth := len(w.path)
	local := w.path[depth-1]
	if w.open == depth {
		w.open = 0
		w.named(local, w.label.String())
	}
	if (w.low != "" || w.high != "") && w.isTime(local) {
		w.b.period(w.low, w.high)
		w.ended(w.high)
		w.low, w.high = "", ""
	}
	if w.valueAt == depth {
		if act := w.act(); act != nil && act.depth == depth-1 {
			w.valueText(w.value)
		}
		w.valueAt = 0
	}
	w.narrative.end(depth)
	if n := len(w.acts); n > 0 && w.acts[n-1].depth == depth {
		w.finishAct()
	}
	if w.section.inProse == depth {
		w.section.inProse = 0
	}
	if w.section.depth == depth {
		w.mention()
		w.section = w.outer[len(w.outer)-1]
		w.outer = w.outer[:len(w.outer)-1]
	}
	w.path = w.path[:depth-1]
}

// named takes the text of a name, title or original text, by the elements around it.
func (w *cdaWalker) named(local, text string) {
	switch parent := w.parent(); {
	case local == "originalText":
		w.b.work.spend(2 * len(text))
		w.b.words(text)
		w.tells(text)
	case local == "title":
		if len(w.path) == 2 {
			w.b.title(text)
		}
	case parent == "location" && w.under("healthCareFacility"):
		w.b.department(text)
	case parent == "assignedPerson" && (w.under("author") || w.under("legalAuthenticator")):
		w.b.author(text)
	case parent == "representedOrganization", parent == "representedCustodianOrganization", parent == "providerOrganization",
		parent == "serviceProviderOrganization":
		w.b.organisation(text)
	}
}

// A cdaSection is an open section.
type cdaSection struct {
	depth   int // 0 outside all sections
	context index.Context
	plan    bool // of what is to be done

	entries  bool     // it has some
	prose    []string // its narrative
	proseLen int
	inProse  int // depth of its narrative, if that is open
}

// Bounds on the narrative of one section that is kept, and of all sections.
const (
	maxProse    = 4 << 10
	maxAllProse = 64 << 10
)

// addProse keeps the narrative of a section, which comes before the entries.
func (w *cdaWalker) addProse(text string) {
	s := &w.section
	if s.inProse == 0 || s.proseLen >= maxProse || strings.TrimSpace(text) == "" {
		return
	}
	text = firstRunes(text, maxProse-s.proseLen)
	s.prose, s.proseLen = append(s.prose, strings.Clone(text)), s.proseLen+len(text)
}

// mention takes the narrative of a section without entries.
func (w *cdaWalker) mention() {
	s := &w.section
	if s.entries || len(s.prose) == 0 || w.mentioned >= maxAllProse {
		return
	}
	w.mentioned += s.proseLen
	w.b.open()
	w.b.inContext(s.context)
	for _, text := range s.prose {
		w.b.mention(text)
	}
	w.b.close()
}

// cdaNarrative keeps the texts of elements with an ID in the narrative, to which entries
// refer.
type cdaNarrative struct {
	open  []cdaPassage
	texts map[string]string
}

type cdaPassage struct {
	id    string
	depth int
	text  []byte
}

// Bounds on the narrative that is kept.
const (
	maxPassages    = 4096
	maxPassage     = 200 // bytes of each
	maxOpenPassage = 4
)

func (n *cdaNarrative) begin(id string, depth int) {
	if len(n.texts) < maxPassages && len(n.open) < maxOpenPassage {
		n.open = append(n.open, cdaPassage{id: id, depth: depth})
	}
}

func (n *cdaNarrative) add(text string) {
	for i := range n.open {
		if p := &n.open[i]; len(p.text) < maxPassage {
			p.text = append(append(p.text, firstRunes(text, maxPassage)...), ' ')
		}
	}
}

func (n *cdaNarrative) end(depth int) {
	last := len(n.open) - 1
	if last < 0 || n.open[last].depth != depth {
		return
	}
	if p := n.open[last]; len(p.text) > 0 {
		if n.texts == nil {
			n.texts = make(map[string]string)
		}
		n.texts[p.id] = clean(string(p.text))
	}
	n.open = n.open[:last]
}

// of returns the text that a reference names, "#id".
func (n *cdaNarrative) of(reference string) string {
	return n.texts[strings.TrimPrefix(reference, "#")]
}
