package emr

import (
	"encoding/xml"
	"slices"
	"strings"
)

func isCDA(root xml.Name) bool { return root.Local == "ClinicalDocument" }

func newCDAWalker(b *builder, _ xml.Name) xmlWalker {
	b.doc.Kind = "ccda"
	return &cdaWalker{b: b}
}

// cdaWalker takes facts from HL7 CDA R2.
type cdaWalker struct {
	b    *builder
	path []string
	name strings.Builder // the text of the open name or title
	open int             // depth at which it was opened; 0 when none is
}

// under reports whether the current element has an ancestor of that name.
func (w *cdaWalker) under(name string) bool {
	w.b.work.spend(len(w.path))
	return slices.Contains(w.path[:len(w.path)-1], name)
}

func (w *cdaWalker) parent() string {
	if len(w.path) < 2 {
		return ""
	}
	return w.path[len(w.path)-2]
}

func (w *cdaWalker) start(e xml.StartElement) {
	w.path = append(w.path, e.Name.Local)
	local := e.Name.Local
	code, _ := attr(e, "code")
	system, ok := attr(e, "codeSystem")
	if ok && code != "" {
		w.b.code(system, code)
	}
	if labels := labelSystemOf(system); labels != otherSystem || local == "confidentialityCode" {
		if code == "" {
			code, _ = attr(e, "displayName")
		}
		w.b.confidentialityOf(labels, code)
	}
	value, _ := attr(e, "value")
	switch local {
	case "id":
		if w.parent() == "patientRole" && w.under("recordTarget") {
			root, _ := attr(e, "root")
			if ext, ok := attr(e, "extension"); ok {
				w.b.patient(root, ext)
			} else {
				w.b.patient("", root)
			}
		}
	case "birthTime":
		if w.parent() == "patient" {
			w.b.born(value)
		}
	case "effectiveTime", "time":
		w.b.date(value)
	case "low", "high", "center":
		if strings.HasSuffix(strings.ToLower(w.parent()), "time") {
			w.b.date(value)
		}
	case "name", "title":
		if w.open == 0 {
			w.open = len(w.path)
			w.name.Reset()
		}
	}
}

func (w *cdaWalker) text(s string) {
	if strings.Contains(s, "confidentialityCode") { // its tag is broken
		w.b.inside()
	}
	if w.open > 0 && w.name.Len() < maxValue { // a cut one is as long as that
		w.name.WriteString(s)
		w.name.WriteByte(' ')
	}
}

func (w *cdaWalker) end() {
	if w.open == len(w.path) {
		w.open = 0
		w.named(w.path[len(w.path)-1], w.name.String())
	}
	w.path = w.path[:len(w.path)-1]
}

// named takes the text of a name or title, by the elements around it.
func (w *cdaWalker) named(local, text string) {
	switch parent := w.parent(); {
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
