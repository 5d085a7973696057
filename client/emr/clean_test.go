package emr

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// A value is cleaned in one pass as the library would in several.
func TestClean(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"a", "é", " ", "  ", "\t", "\u00a0", "\u2028", "\x00", "\xff", "\xc3", "\xe2\x80", "�", "日本", ""}
	for range 20000 {
		var b strings.Builder
		for range r.IntN(12) {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		s := b.String()
		want := strings.Join(strings.Fields(strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", " "), "")), " ")
		if got := clean(s); got != want {
			t.Fatalf("%q is cleaned to %q, want %q", s, got, want)
		}
	}
}
