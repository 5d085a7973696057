package client

import (
	"errors"
	"strings"
	"testing"
)

// TestGivenWords: what nobody could search for is refused before anything is sealed.
func TestGivenWords(t *testing.T) {
	for name, r := range map[string]SealRequest{
		"empty keyword":           {Keywords: []string{" "}},
		"long keyword":            {Keywords: []string{strings.Repeat("x", maxWords+1)}},
		"keyword not UTF-8":       {Keywords: []string{"\xff\xfe"}},
		"keyword with a control":  {Keywords: []string{"a\x07b"}},
		"kind of two lines":       {Kind: "x\ny"},
		"patient with an escape":  {Patient: "\x1b[2J"},
		"date that is not a date": {Keywords: []string{"date:2019-13-45"}},
	} {
		if _, err := givenFacts(r); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: got %v, want %v", name, err, ErrInvalid)
		}
	}
	if f, err := givenFacts(SealRequest{Keywords: []string{"çà et là", "icd10:I21.4"}, Patient: "mrn|1"}); err != nil || len(f.Codes) != 1 {
		t.Errorf("got %+v, %v", f, err)
	}
}
