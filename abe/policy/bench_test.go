package policy

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkParse parses policies of different sizes. Each is an "or" of pairs of
// attributes.
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
