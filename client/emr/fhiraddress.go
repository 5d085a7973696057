package emr

import (
	"slices"
	"strings"
)

// thing returns the key of a resource that is no patient, by its address.
func (w *fhirWalker) thing(ref string) string {
	if strings.HasPrefix(ref, "#") {
		return w.local(ref)
	}
	ref, _, _ = strings.Cut(ref, "/_history/")
	ref, _ = withinBundle(ref)
	return "\x00" + w.absolute(ref)
}

// withinBundle returns the id of a resource in an address that counts within a Bundle
// only. It returns other addresses as they are.
func withinBundle(ref string) (id string, ok bool) {
	if id, ok := strings.CutPrefix(ref, "urn:uuid:"); ok {
		return id, true
	}
	return strings.CutPrefix(ref, "urn:oid:")
}

// absolute returns the key of the resource that a reference TYPE/ID or an absolute one
// names: its address, or TYPE/ID if that is all there is. Two servers may have given the
// same id. A relative reference in a Bundle is meant as on the server of its entry.
func (w *fhirWalker) absolute(ref string) string {
	short := lastTwo(ref)
	if !strings.Contains(ref, "://") {
		if ref = w.base() + short; ref == short {
			return ref
		}
	}
	w.servers.add(short, ref)
	return ref
}

// lastTwo returns the last two parts of an address.
func lastTwo(ref string) string {
	if i := strings.LastIndexByte(ref, '/'); i > 0 {
		if j := strings.LastIndexByte(ref[:i], '/'); j >= 0 {
			return ref[j+1:]
		}
	}
	return ref
}

// base returns the address of the server of the present entry of a Bundle, with a slash
// at its end. It is empty if the entry does not tell it, or only later.
func (w *fhirWalker) base() string {
	for i := len(w.frames) - 1; i >= 0; i-- {
		full := w.frames[i].members[fhirFullURL]
		if w.frames[i].key != "entry" || full == "" {
			continue
		}
		if own := lastTwo(full); len(own) < len(full) && strings.Contains(full, "://") {
			return full[:len(full)-len(own)]
		}
		return ""
	}
	return ""
}

// unaddressed reports whether the present entry of a Bundle may still tell its address.
func (w *fhirWalker) unaddressed() bool {
	for i := len(w.frames) - 1; i >= 0; i-- {
		if f := &w.frames[i]; f.key == "entry" && !f.array {
			return f.members[fhirFullURL] == ""
		}
	}
	return false
}

// fhirServers are the addresses of resources by TYPE/ID.
type fhirServers map[string][]string

func (s *fhirServers) add(ref, address string) {
	if *s == nil {
		*s = make(fhirServers)
	}
	all := (*s)[ref]
	if len(*s) < maxPersons && len(all) < 2 && !slices.Contains(all, address) {
		(*s)[ref] = append(all, address)
	}
}

// join joins resources that were named with their server and without, unless there are
// several servers. It also joins encounters with their patients.
func (w *fhirWalker) join() {
	known := func(key string) bool {
		_, ok := w.b.people.keys[key]
		return ok
	}
	for short, all := range w.servers {
		if len(all) > 1 {
			continue
		}
		for _, kind := range []string{"", "\x00"} {
			if known(kind+short) && known(kind+all[0]) {
				w.b.samePerson(kind+short, kind+all[0])
			}
		}
		if patient, ok := w.encounters["\x00"+all[0]]; ok {
			w.encounters["\x00"+short] = patient
		} else if patient, ok := w.encounters["\x00"+short]; ok {
			w.encounters["\x00"+all[0]] = patient
		}
	}
	for encounter, patient := range w.encounters {
		if known(encounter) {
			w.b.samePerson(encounter, patient)
		}
	}
}

// encounter keeps whose an encounter is: some resources name no other patient.
func (w *fhirWalker) encounter(key, patient string) {
	if w.encounters == nil {
		w.encounters = make(map[string]string)
	}
	if len(w.encounters) < maxPersons {
		w.encounters[key] = patient
	}
}

// patientKey returns the key of a patient by the id.
func patientKey(id string) string { return "Patient/" + id }
