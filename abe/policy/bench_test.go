package policy

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkParse reads policies of so many attributes, a pair of which satisfies each.
func BenchmarkParse(b *testing.B) {
	for _, n := range []int{2, 10, 50} {
		var pairs []string
		for i := range n / 2 {
			pairs = append(pairs, fmt.Sprintf("(HospitalA:role=r%d and HospitalB:department=d%d)", i, i))
		}
		text := strings.Join(pairs, " or ")
		b.Run(fmt.Sprintf("attributes=%d", n), func(b *testing.B) {
			for b.Loop() {
				if _, err := Parse(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
