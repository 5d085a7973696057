package emr

import (
	"strings"

	"github.com/chartseal/chartseal/client/index"
)

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
