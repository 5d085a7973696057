package ledger

import (
	"errors"
	"strings"
	"testing"
)

func TestRecordID(t *testing.T) {
	id := [RecordIDSize]byte{0x4f, 0x1a, 15: 0xff}
	const text = "4f1a00000000000000000000000000ff"
	if got := FormatRecordID(id); got != text {
		t.Errorf("formatted %s", got)
	}
	if got, err := ParseRecordID(text); err != nil || got != id {
		t.Errorf("parsed %x, %v", got, err)
	}
	for _, bad := range []string{"", text[2:], text[1:], text + "00", strings.ToUpper(text), " " + text, "x" + text[1:], strings.Repeat("é", 16)} {
		got, err := ParseRecordID(bad)
		if !errors.Is(err, ErrInvalid) || got != [RecordIDSize]byte{} {
			t.Errorf("ParseRecordID(%q) = %x, %v", bad, got, err)
		}
	}
}
