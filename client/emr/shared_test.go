package emr

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const shared = "../../../shared/data"

// Every sample record is recognised, read to the end, and yields something to be found
// by.
func TestSharedRecords(t *testing.T) {
	if _, err := os.Stat(shared); err != nil {
		t.Skip("no sample records here; TestExtract has its own")
	}
	wants := map[string]string{"fhir": "fhir:Bundle", "ccda": "ccda", "dicom": "dicom:", "hl7v2": "hl7v2:", "fhir-examples": "fhir:"}
	counts := make(map[string]int)
	for dir, want := range wants {
		err := filepath.WalkDir(filepath.Join(shared, dir), func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.Contains(d.Name(), "LICENSE") {
				return err
			}
			file, err := os.Open(path)
			if err != nil {
				return err
			}
			defer file.Close()
			if info, err := d.Info(); err != nil || testing.Short() && info.Size() > sharedSize/4 {
				return err
			}
			doc, err := Extract(t.Context(), file)
			if err != nil {
				t.Errorf("%s: %v", path, err)
			}
			if !strings.HasPrefix(doc.Kind, want) || len(doc.Warnings) > 0 && !(dir == "fhir-examples" && doc.Bare()) { // a few examples have nothing
				t.Errorf("%s: kind %s, warnings %v", path, doc.Kind, doc.Warnings)
			}
			facts := doc.Facts()
			if e := facts.Expand(); e.Dropped > 0 || dir != "fhir-examples" && e.Facts < 2 {
				t.Errorf("%s: %+v", path, e)
			}
			if dir == "ccda" && (len(doc.Patients) == 0 || len(doc.Codes) == 0 || len(doc.Titles) == 0) {
				t.Errorf("%s: %s", path, show(doc))
			}
			counts[dir]++
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Log(counts)
}

// A decoder that holds the whole document finds the same codes, patients and references
// as the one that streams.
func TestFHIRAgreesWithDecodedTree(t *testing.T) {
	files, _ := filepath.Glob(shared + "/fhir*/*.json")
	more, _ := filepath.Glob(shared + "/fhir-examples/*/*.json")
	if files = append(files, more...); len(files) == 0 {
		t.Skip("no sample records here; TestExtract has its own")
	}
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if len(data) > fileSize(t, sharedSize) {
			continue
		}
		var tree map[string]any
		if err := json.Unmarshal(data, &tree); err != nil {
			t.Fatal(err)
		}
		doc, err := Extract(t.Context(), strings.NewReader(string(data)))
		if err != nil {
			t.Fatal(err)
		}
		codes, patients := make(map[[2]string]bool), make(map[string]bool)
		var walk func(key string, contained bool, v any)
		walk = func(key string, contained bool, v any) {
			if key == "verificationStatus" || key == "clinicalStatus" { // which tell how the others are meant
				return
			}
			switch v := v.(type) {
			case []any:
				for _, x := range v {
					walk(key, contained, x)
				}
			case map[string]any:
				system, _ := v["system"].(string)
				code, _ := v["code"].(string)
				coding := system != "" || key == "coding" || key == "valueCoding"
				if _, resource := v["resourceType"]; !resource && coding && code != "" && system != "http://unitsofmeasure.org" {
					codes[[2]string{clean(system), clean(code)}] = true
				}
				if v["resourceType"] == "Patient" && !contained {
					if id, ok := v["id"].(string); ok {
						patients[id] = true
					}
				}
				if ref, ok := v["reference"].(string); ok && strings.HasPrefix(ref, "Patient/") {
					id, _, _ := strings.Cut(strings.TrimPrefix(ref, "Patient/"), "/")
					patients[id] = true
				}
				for k, x := range v {
					walk(k, contained || k == "contained", x)
				}
			}
		}
		walk("", false, tree)
		got := make(map[[2]string]bool)
		for _, c := range doc.Codes {
			got[[2]string{c.System, c.Code}] = true
		}
		for c := range codes {
			if !got[c] {
				t.Errorf("%s: no code %v", path, c)
			}
		}
		if len(got) != len(codes) {
			t.Errorf("%s: %d codes, want %d", path, len(got), len(codes))
		}
		text := show(doc)
		for id := range patients {
			if !strings.Contains(text, "patient |"+clean(id)+"\n") {
				t.Errorf("%s: no patient %s", path, id)
			}
		}
	}
}
