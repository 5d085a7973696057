package importer

import (
	"fmt"
	"slices"
	"strings"

	"github.com/chartseal/chartseal/client/emr"
)

// An incompleteError tells that a record was not read in full, so that its rule is not
// sure.
type incompleteError struct{ rule, reason string }

func (e *incompleteError) Error() string {
	return fmt.Sprintf("it was not read in full (%s), so its rule is not sure; with 'incomplete: true', %s would take it", e.reason, e.rule)
}

// maxReasons bounds the reasons that a record inherits.
const maxReasons = 16

// inherit gives a part of a container the container's confidentiality, if that is
// stricter than the part's own. If the container's could not be read, neither was the
// part in full.
func inherit(part, container *emr.Document, name string) {
	if len(container.Confidentiality) > 0 {
		part.Confidentiality = strictest(append(slices.Clone(container.Confidentiality), part.Confidentiality...))
	}
	for _, reason := range container.Incomplete {
		if reason = name + ": " + reason; len(part.Incomplete) < maxReasons && !slices.Contains(part.Incomplete, reason) {
			part.Incomplete = append(part.Incomplete, reason)
		}
	}
}

// strictest keeps the strictest label, and some of unknown rank.
func strictest(labels []string) []string {
	var out []string
	top := -1
	for _, l := range labels {
		if rank := slices.Index(Confidentialities[:len(Confidentialities)-1], l); rank >= 0 { // without "none"
			top = max(top, rank)
		} else if len(out) < maxReasons && !slices.Contains(out, l) {
			out = append(out, l)
		}
	}
	if top >= 0 {
		out = append(out, Confidentialities[top])
	}
	return out
}

// certain reports whether a match would stand, whatever the unread part says. A value
// that was found stays; that there is none, or the kind, may be wrong.
func (m *Match) certain(d emr.Document) bool {
	if len(m.Confidentiality) > 0 && len(d.Confidentiality) == 0 { // it matched "none"
		return false
	}
	kinds, any := kindsOf(d)
	return len(m.kind) == 0 || !any && !slices.ContainsFunc(kinds, func(k string) bool { return !m.kind.any(k) })
}

// possible reports whether the unread part of a record could make it match.
func (m *Match) possible(paths []string, d emr.Document) bool {
	kinds, any := kindsOf(d)
	return m.path.any(paths...) && (any || m.kind.any(kinds...))
}

// kindsOf gives the kinds that an incomplete record may have. It may be of any kind if
// its format was not recognised, or its message or modality was not read.
func kindsOf(d emr.Document) (kinds []string, any bool) {
	family, detail, _ := strings.Cut(d.Kind, ":")
	switch {
	case family == "fhir": // a second resource makes it a list
		return []string{d.Kind, "fhir:ndjson"}, false
	case detail != "", family == "ccda", family == "pdf":
		return []string{d.Kind}, false
	}
	return []string{d.Kind}, true
}
