package index

import (
	"fmt"
	"slices"
	"strings"
)

// kindFamilies are the beginnings of the kinds that package emr gives.
var kindFamilies = []string{"fhir", "ccda", "hl7v2", "dicom", "pdf", "text", "json", "xml", "binary", "rtf", "html", "x12", "smart-health-card"}

// Advice tells why a query that found nothing may have found nothing, and what exists:
// hospitals, kinds. It looks at the query alone and never at the index.
func (q *Query) Advice(hospitals []string) []string {
	var out []string
	for _, name := range homes(q.root, nil) {
		if !slices.ContainsFunc(hospitals, func(h string) bool { return normalise(h) == name }) {
			out = append(out, fmt.Sprintf("there is no hospital %s; home: takes %s", squeezeControls(name), strings.Join(hospitals, ", ")))
		}
	}
	for _, l := range q.root.leaves(nil) {
		switch {
		case l.field == "kind" && !isKnownKind(l.text):
			out = append(out, fmt.Sprintf("kind:%s is no kind that records get from their content, which are %s and their types, such as fhir:Observation or hl7v2:ORU^R01",
				squeezeControls(l.text), strings.Join(kindFamilies, ", ")))
		case l.field == "kind" && isUnknownType(l.text):
			out = append(out, fmt.Sprintf("kind:%s is no resource type of FHIR, such as fhir:Condition", squeezeControls(l.text)))
		case l.field == ICD10 && len(l.terms) == 1 && !isICD10(l.text) && !icd10Block.MatchString(l.text):
			out = append(out, fmt.Sprintf("%s is no code of ICD-10, which has a letter and two digits first, such as I21.4", squeezeControls(l.text)))
		case l.field == OtherCode && isICD10(l.text):
			out = append(out, fmt.Sprintf("code: finds a code without a system; one of ICD-10 is found by icd10:%s", squeezeControls(l.text)))
		case strings.Contains(l.text, " ") && (l.field == "word" || l.field == "author" || l.field == "org"):
			out = append(out, fmt.Sprintf("a quoted phrase is found as a whole keyword, title, name or text of a code; without quotes, the words of %s are found in any place",
				quote(squeezeControls(l.text))))
		case l.field == OtherCode && strings.Contains(l.text, ":"):
			out = append(out, "a code of another system is code:SYSTEM|CODE, with the name of the system as the record has it")
		}
	}
	return unique(out)
}

func homes(n node, out []string) []string {
	switch n := n.(type) {
	case *homeNode:
		out = append(out, n.name)
	case *notNode:
		out = homes(n.child, out)
	case *andNode:
		for _, c := range n.children {
			out = homes(c, out)
		}
	case *orNode:
		for _, c := range n.children {
			out = homes(c, out)
		}
	}
	return out
}

func isKnownKind(kind string) bool {
	family, _, _ := strings.Cut(kind, ":")
	message, event, _ := strings.Cut(kind, "^")
	return slices.Contains(kindFamilies, family) || fhirTypes[kind] || kindFamily(kind) == "hl7v2" && (event != "" || slices.Contains(hl7Messages, message))
}

// isUnknownType reports whether a kind of FHIR is none of its resource types.
func isUnknownType(kind string) bool {
	kind, ok := strings.CutPrefix(kind, "fhir:")
	return ok && !fhirTypes[kind]
}

// hl7Messages are the usual messages of HL7 v2.
var hl7Messages = strings.Fields("ack adt bar bps brp dft mdm mfn omg oml omp oru orm orr oru pex ppr ras rde rds rgv rsp qbp siu srm vxu")
