package demo

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// patients are invented people; each becomes one small FHIR R4 bundle.
var patients = []struct {
	id, family, given, birth string
	code, display            string // ICD-10-CM
	loinc, measure           string
	value                    float64
	unit, date               string
}{
	{"cs-1001", "Okonkwo", "Ada", "1951-04-17", "I21.4", "Non-ST elevation myocardial infarction", "89579-7", "Troponin I", 412, "ng/L", "2025-03-02"},
	{"cs-1002", "Lindqvist", "Maja", "1988-11-30", "E11.9", "Type 2 diabetes mellitus without complications", "4548-4", "Haemoglobin A1c", 7.9, "%", "2025-04-11"},
	{"cs-1003", "Haddad", "Youssef", "1964-01-09", "C50.911", "Malignant neoplasm of unspecified site of right female breast", "6875-9", "Cancer Ag 15-3", 38, "U/mL", "2025-05-20"},
	{"cs-1004", "Moreau", "Luc", "2003-07-22", "J45.40", "Moderate persistent asthma, uncomplicated", "20150-9", "FEV1", 2.4, "L", "2025-05-28"},
	{"cs-1005", "Tanaka", "Hana", "1977-09-03", "I21.4", "Non-ST elevation myocardial infarction", "89579-7", "Troponin I", 96, "ng/L", "2025-06-14"},
}

// largeSize is the size in bytes of the one large record: a stand-in for an imaging
// study.
const largeSize = 48 << 20

// writeSamples writes the demonstration's own records into dir and returns their paths.
func writeSamples(dir string) ([]string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	var paths []string
	for _, p := range patients {
		type object = map[string]any
		subject := object{"reference": "Patient/" + p.id}
		coding := func(system, code, display string) object {
			return object{"coding": []object{{"system": system, "code": code, "display": display}}}
		}
		bundle := object{
			"resourceType": "Bundle", "type": "collection", "timestamp": p.date + "T09:30:00Z",
			"entry": []object{
				{"resource": object{"resourceType": "Patient", "id": p.id, "birthDate": p.birth,
					"identifier": []object{{"system": "urn:chartseal:demo", "value": p.id}},
					"name":       []object{{"family": p.family, "given": []string{p.given}}}}},
				{"resource": object{"resourceType": "Condition", "id": p.id + "-c", "subject": subject, "onsetDateTime": p.date,
					"code": coding("http://hl7.org/fhir/sid/icd-10-cm", p.code, p.display)}},
				{"resource": object{"resourceType": "Observation", "id": p.id + "-o", "status": "final", "subject": subject,
					"effectiveDateTime": p.date, "code": coding("http://loinc.org", p.loinc, p.measure),
					"valueQuantity": object{"value": p.value, "unit": p.unit}}},
			},
		}
		text, err := json.MarshalIndent(bundle, "", "  ")
		if err != nil {
			return nil, err
		}
		path := filepath.Join(dir, fmt.Sprintf("%s-%s.json", p.id, p.code))
		if err := os.WriteFile(path, append(text, '\n'), 0o600); err != nil {
			return nil, err
		}
		paths = append(paths, path)
	}
	large := filepath.Join(dir, "cs-1001-angiography.bin")
	if err := writeNoise(large, largeSize); err != nil {
		return nil, err
	}
	return append(paths, large), nil
}

// writeNoise writes size incompressible bytes, the same in each run.
func writeNoise(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	noise := rand.NewChaCha8([32]byte([]byte("chartseal demonstration: no cry.")))
	if _, err := io.CopyN(f, noise, size); err != nil {
		return err
	}
	return f.Close()
}
