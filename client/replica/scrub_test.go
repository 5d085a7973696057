package replica

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// disk is a Checker with payloads of two blocks.
type disk struct {
	payloads []string
	damaged  map[string]error // nil if another node has a good copy
	fails    error
	read     []string
	saved    [][][]byte // blocks that CheckPinsets was given
}

func (d *disk) CheckPinsets(_ context.Context, saved [][]byte) (pinsets [][]byte, damaged []string, replaced int, err error) {
	d.saved = append(d.saved, saved)
	return [][]byte{[]byte("pinset")}, []string{"p"}, 1, d.fails
}

func (d *disk) Pinned(context.Context) ([]string, error) { return slices.Clone(d.payloads), d.fails }

func (d *disk) Unpinned(_ context.Context, blocks int) (int, error) { return 1000 - blocks, d.fails }

func (d *disk) Check(ctx context.Context, cid string, pace func(context.Context, int) error) (blocks, replaced int, err error) {
	if d.fails != nil {
		return 0, 0, d.fails
	}
	d.read = append(d.read, cid)
	if err, bad := d.damaged[cid]; bad {
		if err != nil {
			return 1, 0, err
		}
		delete(d.damaged, cid)
		replaced = 1
	}
	for _, size := range []int{1 << 20, 100} {
		if err := pace(ctx, size); err != nil {
			return blocks, replaced, err
		}
		blocks++
	}
	return blocks, replaced, nil
}

// TestScrub: every payload is read once a day, at the stated rate; a damaged one holds up
// nothing; a stop, a failure of the store and the next day begin where they should.
func TestScrub(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := ledger.Errorf(ledger.ErrTampered, "no good copy")
		d := &disk{damaged: map[string]error{"c": nil, "e": lost}}
		for _, c := range "hgfedcba" {
			d.payloads = append(d.payloads, string(c))
		}
		memory := &memory{}
		run := func(during time.Duration) {
			s, err := NewScrubber(ScrubConfig{Store: d, Memory: memory, Rate: 1 << 20})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), during)
			defer cancel()
			s.Run(ctx)
		}
		want := func(what, read string) {
			t.Helper()
			got := ""
			for _, cid := range d.read {
				got += cid
			}
			if got != read {
				t.Errorf("%s: %s were read, want %s", what, got, read)
			}
		}
		if _, _, err := LoadScrub(memory); !errors.Is(err, ledger.ErrNotFound) {
			t.Error(err)
		}
		run(3 * time.Second) // a payload takes 1.25 s
		want("stopped in the third", "abc")
		run(2 * time.Second)
		want("a second time", "abccd")
		d.fails = errors.New("away")
		run(time.Hour)
		d.fails = nil
		run(time.Hour)
		want("after a failure", "abccddefgh")
		last, now, err := LoadScrub(memory)
		if err != nil || last == nil || now.Ended.IsZero() || !slices.Equal(last.Damaged, []string{"p", "e"}) || last.Replaced != 2 {
			t.Errorf("the result is %+v, %v", last, err)
		}
		run(24 * time.Hour)
		want("the next day", "abccddefghabcdefgh")
		day := int(24 * time.Hour / pinsetsPause)
		if len(d.saved) < day || d.saved[0] != nil {
			t.Errorf("pinsets were checked %d times, at first with %q", len(d.saved), d.saved[0])
		}
		for _, saved := range d.saved[1:] {
			if len(saved) != 1 || string(saved[0]) != "pinset" {
				t.Fatalf("saved pinsets are %q", saved)
			}
		}
		if last, _, err := LoadScrub(memory); err != nil || last.Payloads != 8 || last.Blocks != 15 || last.Replaced != 1 || last.Unpinned != 985 {
			t.Errorf("the next result is %+v, %v", fmt.Sprintf("%+v", last), err)
		}
	})
}
