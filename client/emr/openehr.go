package emr

import (
	"bytes"
	"strings"

	"github.com/chartseal/chartseal/client/index"
)

// isOpenEHR looks for a class of the reference model of openEHR among the first members.
func isOpenEHR(head []byte) strength {
	start := trimHead(head)
	if len(start) == 0 || start[0] != '{' || bytes.Contains(start, []byte(`"resourceType"`)) {
		return unlike
	}
	_, class, ok := bytes.Cut(start, []byte(`"_type"`))
	if !ok || !bytes.Contains(start, []byte("archetype_node_id")) && !bytes.Contains(start, []byte("openEHR-EHR")) {
		return unlike
	}
	if class = bytes.TrimLeft(class, " \t\r\n:"); len(class) < 2 || class[0] != '"' {
		return unlike
	}
	return signature
}

// readOpenEHR reads a composition of openEHR in canonical JSON.
func readOpenEHR(in *input, b *builder) error {
	w := &openEHRWalker{b: b}
	s := &jsonScanner{in: in.Reader, events: w, work: in.work}
	err := s.run()
	for len(w.frames) > 0 { // elements that were open where the input broke off
		w.end()
	}
	return err
}

// An openEHRWalker takes facts from data values as they stream by. Every object may be a
// statement; those without dates belong to that around them.
type openEHRWalker struct {
	b      *builder
	frames []openEHRFrame
}

type openEHRFrame struct {
	key   string // own, or that of the array it is in
	array bool

	class, archetype, value, code, system, name, id, namespace string
}

func (w *openEHRWalker) top() *openEHRFrame { return &w.frames[len(w.frames)-1] }

func (w *openEHRWalker) begin(key string, array bool) {
	if key == "" && len(w.frames) > 0 {
		key = w.top().key
	}
	w.frames = append(w.frames, openEHRFrame{key: key, array: array})
	if !array {
		w.b.open()
	}
}

func (w *openEHRWalker) bare(string, byte) {}

func (w *openEHRWalker) scalar(key, text string) {
	if len(w.frames) == 0 {
		return
	}
	f := w.top()
	switch key {
	case "_type":
		f.class = text
		if len(w.frames) == 1 {
			w.b.doc.Kind = "openehr:" + kindPart(text)
		}
	case "archetype_node_id":
		f.archetype = text
		w.b.inContext(archetypeContext(text))
	case "value":
		f.value = text
	case "code_string":
		f.code = text
	case "name":
		f.name = text
	case "namespace":
		f.namespace = text
	}
}

// archetypeContext returns the context of what stands in an archetype.
func archetypeContext(id string) index.Context {
	switch {
	case strings.HasPrefix(id, "openEHR-EHR-EVALUATION.exclusion"), strings.HasPrefix(id, "openEHR-EHR-EVALUATION.absence"):
		return index.Refuted
	case strings.HasPrefix(id, "openEHR-EHR-EVALUATION.family_history"):
		return index.Family
	case strings.HasPrefix(id, "openEHR-EHR-EVALUATION.goal"), strings.HasPrefix(id, "openEHR-EHR-EVALUATION.recommendation"):
		return index.Planned
	case strings.HasPrefix(id, "openEHR-EHR-EVALUATION.health_risk"):
		return index.Risk
	case strings.HasPrefix(id, "openEHR-EHR-EVALUATION.differential_diagnos"):
		return index.Suspected
	}
	return ""
}

func (w *openEHRWalker) end() {
	f := *w.top()
	w.frames = w.frames[:len(w.frames)-1]
	if f.array {
		return
	}
	var outer *openEHRFrame
	if len(w.frames) > 0 {
		outer = w.top()
	}
	switch {
	case outer == nil:
		if f.value == "" {
			w.b.title(f.name)
		}
	case f.key == "name":
		outer.name = f.value
	case f.key == "terminology_id":
		outer.system = f.value
	case f.key == "defining_code" || f.class == "CODE_PHRASE":
		if f.key == "defining_code" && f.system != "openehr" && f.system != "local" {
			w.b.code(f.system, f.code)
		}
	case f.key == "id" && f.value != "":
		outer.id = f.value
	case f.key == "external_ref" && w.in("subject"):
		w.b.patient(f.namespace, f.id)
	case f.key == "composer":
		w.b.author(f.name)
	case f.key == "health_care_facility":
		w.b.organisation(f.name)
	case f.class == "DV_CODED_TEXT" || f.class == "DV_TEXT":
		w.b.words(f.value)
	default:
		w.b.date(f.value)
	}
	w.b.close()
}

// in reports whether the current object is within an element of that name.
func (w *openEHRWalker) in(name string) bool {
	for i := len(w.frames) - 1; i >= max(0, len(w.frames)-3); i-- {
		if w.frames[i].key == name {
			return true
		}
	}
	return false
}
