package wallet

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chartseal/chartseal/client/index"
)

// TestHints: what was saved is read by the next process; what is damaged, or of another
// process, does no harm.
func TestHints(t *testing.T) {
	u := &User{dir: t.TempDir()}
	id := func(n byte) index.HintID { return index.HintID{n} }
	a, b := u.Hints(), u.Hints()
	a.Store(id(1), 7)
	b.Store(id(2), 8)
	for _, h := range []*Hints{a, b} {
		if err := h.Save(); err != nil {
			t.Fatal(err)
		}
	}
	c := u.Hints()
	for n, want := range map[byte]uint64{1: 7, 2: 8} {
		if got, ok := c.Load(id(n)); !ok || got != want {
			t.Errorf("hint %d: %d, %v", n, got, ok)
		}
	}
	path := filepath.Join(u.dir, "state", "hints")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for what, bad := range map[string][]byte{"empty": nil, "cut": data[:len(data)-1], "one byte": data[:1], "flipped": append([]byte{data[0] ^ 1}, data[1:]...)} {
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		h := u.Hints()
		if _, ok := h.Load(id(1)); ok {
			t.Errorf("%s: believed", what)
		}
		h.Store(id(3), 1)
		if err := h.Save(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	many := u.Hints()
	for n := range maxHints + 100 {
		many.Store(index.HintID{byte(n), byte(n >> 8), byte(n >> 16), 1}, 1)
	}
	if err := many.Save(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() != 4+24*maxHints {
		t.Errorf("%d bytes, %v", info.Size(), err)
	}
}
