package importer

import (
	"bytes"
	"context"
	"io"
	"path"
	"strings"

	"github.com/chartseal/chartseal/client/emr"
	"github.com/chartseal/chartseal/client/index"
)

// A directory of patients knows the identifiers of the patients of a source. A resource
// of FHIR names its patient by the id of a Patient resource, which people do not know:
// they ask for a medical record number. So a resource that is sealed alone is indexed by
// its patient's identifiers as well.
//
// The Patient of the same bundle counts, or else that of the same directory, such as a
// bulk export, or else the only one of the source with that id.
type patients struct {
	known map[patientKey]*identifiers
	left  int // Patients that were too many
}

// A patientKey is an id within a place: a bundle, a directory, or the whole source.
type patientKey struct{ place, id string }

type identifiers struct {
	all       []index.Identifier
	ambiguous bool // several Patients have the id there
}

// maxPatients bounds the Patients that are kept in memory.
const maxPatients = 500_000

const everywhere = "\x00"

// findPatients reads the Patient resources of a source.
func findPatients(ctx context.Context, w walker, source string) (*patients, error) {
	p := &patients{known: make(map[patientKey]*identifiers)}
	w.skip = func(string, error, bool) error { return nil } // reported when they are imported
	w.item = func(i *item) error {
		if !i.isResource() {
			return nil
		}
		d, err := i.patient(ctx)
		if err == nil && d != nil {
			p.learn(i, d)
		}
		return ctx.Err()
	}
	return p, w.walk(ctx, source)
}

// isResource reports whether an item is a resource of FHIR, by where it stands.
func (i *item) isResource() bool {
	switch {
	case i.bundle != nil:
		return i.bundle.key != ""
	case i.part > 0:
		return true
	}
	return strings.EqualFold(path.Ext(i.unpackedName()), ".json")
}

// patient extracts a part that is a Patient resource. It returns nil for others.
func (i *item) patient(ctx context.Context) (*emr.Document, error) {
	in, err := i.open()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	text, err := io.ReadAll(io.NewSectionReader(in, i.section.offset, min(i.section.length, 64<<10)))
	if err != nil || !bytes.Contains(text, []byte(`"Patient"`)) {
		return nil, err
	}
	d, err := emr.Extract(ctx, io.NewSectionReader(in, i.section.offset, i.section.length))
	if err != nil || d.Kind != "fhir:Patient" {
		return nil, err
	}
	return &d, nil
}

// places returns where a Patient of an item is known, the nearest first.
func (i *item) places() []string {
	var out []string
	if i.bundle != nil {
		out = append(out, i.bundle.key)
	}
	return append(out, path.Dir(i.name), everywhere)
}

func (p *patients) learn(i *item, d *emr.Document) {
	var id string
	var all []index.Identifier
	for _, other := range d.Patients {
		if other.System == "" && id == "" {
			id = other.Value // a Patient's own id comes first
		} else {
			all = append(all, other)
		}
	}
	if len(all) == 0 {
		return
	}
	if url, ok := strings.CutPrefix(i.url, "urn:uuid:"); ok && url != id && i.bundle != nil { // it counts within the bundle
		p.note(patientKey{i.bundle.key, url}, all)
	}
	if id == "" {
		return
	}
	if len(p.known) >= 3*maxPatients {
		p.left++
		return
	}
	for _, place := range i.places() {
		p.note(patientKey{place, id}, all)
	}
}

func (p *patients) note(key patientKey, all []index.Identifier) {
	if old, ok := p.known[key]; ok {
		old.ambiguous = old.ambiguous || !sameIdentifiers(old.all, all)
		return
	}
	p.known[key] = &identifiers{all: all}
}

func sameIdentifiers(a, b []index.Identifier) bool {
	for _, x := range a {
		for _, y := range b {
			if x == y {
				return true
			}
		}
	}
	return false
}

// of returns a function that gives the further identifiers of a patient whom an item
// names.
func (p *patients) of(i *item) func(index.Identifier) []index.Identifier {
	if p == nil || len(p.known) == 0 || !i.isResource() {
		return nil
	}
	places := i.places()
	return func(id index.Identifier) []index.Identifier {
		if id.System != "" {
			return nil
		}
		for _, place := range places {
			if found, ok := p.known[patientKey{place, id.Value}]; ok {
				if found.ambiguous {
					return nil
				}
				return found.all
			}
		}
		return nil
	}
}
