package emr

import (
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
