package emr

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// BenchmarkExtract reads a resource, and a bundle of about 1 MiB, as an import does.
func BenchmarkExtract(b *testing.B) {
	for _, c := range []struct{ name, text string }{
		{"resource", observation},
		{"bundle", `{"resourceType":"Bundle","type":"collection","entry":[{"resource":` + patient + `}` + strings.Repeat(`,{"resource":`+observation+`}`, 1500) + `]}`},
		{"ccda", cda},
		{"hl7v2", oru},
	} {
		b.Run("format="+c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.text)))
			for b.Loop() {
				if _, err := Extract(b.Context(), strings.NewReader(c.text)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSamples reads each set of sample records, and makes their terms.
func BenchmarkSamples(b *testing.B) {
	for set, pattern := range map[string]string{
		"fhir": "fhir/[A-C]*.json", "resource": "fhir-examples/resources/*.json", "ccda": "ccda/*.[xX][mM][lL]", "hl7v2": "hl7v2/*.hl7", "dicom": "dicom/*.dcm",
	} {
		var files [][]byte
		size := 0
		paths, _ := filepath.Glob(filepath.Join(shared, pattern))
		for _, path := range paths {
			content, err := os.ReadFile(path)
			if err != nil {
				b.Fatal(err)
			}
			files = append(files, content)
			size += len(content)
		}
		for _, terms := range []bool{false, true} {
			b.Run("set="+set+"/step="+map[bool]string{false: "extract", true: "terms"}[terms], func(b *testing.B) {
				if len(files) == 0 {
					b.Skip("no sample records here")
				}
				b.SetBytes(int64(size))
				n := 0
				for b.Loop() {
					n = 0
					for _, content := range files {
						doc, err := Extract(b.Context(), bytes.NewReader(content))
						if err != nil {
							b.Fatal(err)
						}
						if terms {
							n += len(doc.Facts().Expand().Terms)
						}
					}
				}
				if terms {
					b.ReportMetric(float64(n)/float64(len(files)), "terms/record")
				}
			})
		}
	}
}
