package replica

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

var began = time.Date(2026, 3, 14, 9, 0, 0, 0, time.UTC)

// hospitals makes a consortium of n hospitals, all of which were just heard of.
func hospitals(n int) ledger.Consortium {
	c := ledger.Consortium{Rules: ledger.DefaultCopyRules}
	for i := range n {
		c.Keepers = append(c.Keepers, ledger.Keeper{MSP: fmt.Sprintf("Hospital%02d", i), Time: ledger.FormatTime(began)})
	}
	return c
}

func markOf(i int) ledger.PayloadMark { return ledger.MarkOf(fmt.Sprint("payload ", i)) }

const trials = 20000

// TestPlacementOrder: the same answer whatever the order in which the ledger lists
// keepers, home first, and as many as the rule says.
func TestPlacementOrder(t *testing.T) {
	c := hospitals(7)
	other := hospitals(7)
	slices.Reverse(other.Keepers)
	a, b := NewPlacement(c, began, nil, false), NewPlacement(other, began, nil, false)
	for i := range 1000 {
		home := c.Keepers[i%7].MSP
		one, copies := a.Holders(markOf(i), home, 1)
		two, _ := b.Holders(markOf(i), home, 1)
		if !slices.Equal(one, two) || len(one) != 3 || copies != 3 || one[0] != home {
			t.Fatalf("payload %d of %s: %v and %v, %d copies", i, home, one, two, copies)
		}
	}
}

// TestPlacementShares: hospitals keep equal shares of the payloads of another.
func TestPlacementShares(t *testing.T) {
	p := NewPlacement(hospitals(9), began, nil, false)
	shares := map[string]int{}
	for i := range trials {
		holders, _ := p.Holders(markOf(i), "Hospital00", 1)
		for _, h := range holders {
			shares[h]++
		}
	}
	const expected = trials * 2 / 8 // two of the eight others
	for h, n := range shares {
		if h != "Hospital00" && math.Abs(float64(n-expected)) > 6*math.Sqrt(expected) {
			t.Errorf("%s keeps %d payloads, and not about %d", h, n, expected)
		}
	}
	if shares["Hospital00"] != trials {
		t.Errorf("home keeps %d of %d", shares["Hospital00"], trials)
	}
}

// TestPlacementJoin: a hospital that joins moves its share and nothing else. Of n others
// beside the home it takes the place of one of two in 2/(n+1) of the payloads.
func TestPlacementJoin(t *testing.T) {
	for _, n := range []int{3, 4, 8, 30} {
		before, after := NewPlacement(hospitals(n), began, nil, false), NewPlacement(hospitals(n+1), began, nil, false)
		joined := fmt.Sprintf("Hospital%02d", n)
		moved := 0
		for i := range trials {
			was, _ := before.Holders(markOf(i), "Hospital00", 1)
			is, _ := after.Holders(markOf(i), "Hospital00", 1)
			if slices.Equal(was, is) {
				continue
			}
			moved++
			gone, came := difference(was, is), difference(is, was)
			if !slices.Equal(came, []string{joined}) || len(gone) != 1 {
				t.Fatalf("%d hospitals, payload %d: %v before, %v after", n, i, was, is)
			}
		}
		expected := trials * 2 / float64(n)
		if bound := expected + 6*math.Sqrt(expected); float64(moved) > bound {
			t.Errorf("%d hospitals: one more moves %d payloads, above %.0f", n, moved, bound)
		}
	}
}

// TestPlacementLeave: a hospital that is lost is made up for where it was, by one other,
// and nothing else moves. When it comes back, all is as before.
func TestPlacementLeave(t *testing.T) {
	c := hospitals(5)
	before := NewPlacement(c, began, nil, false)
	c.Keepers[2].Time = ledger.FormatTime(began.Add(-24*time.Hour - time.Second))
	after := NewPlacement(c, began, nil, false)
	for i := range trials {
		for _, home := range []string{"Hospital00", "Hospital02"} {
			was, _ := before.Holders(markOf(i), home, 1)
			is, _ := after.Holders(markOf(i), home, 1)
			gone, came := difference(was, is), difference(is, was)
			switch {
			case home == "Hospital02": // keeps its own, and one more does
				if len(gone) > 0 || len(came) != 1 || is[0] != home {
					t.Fatalf("payload %d of the lost: %v before, %v after", i, was, is)
				}
			case slices.Contains(was, "Hospital02"):
				if !slices.Equal(gone, []string{"Hospital02"}) || len(came) != 1 {
					t.Fatalf("payload %d: %v before, %v after", i, was, is)
				}
			case !slices.Equal(was, is):
				t.Fatalf("payload %d moves from %v to %v", i, was, is)
			}
		}
	}
}

// TestPlacementLeeway: an absence up to the leeway moves nothing; fewer than min that
// answer let others step in at once; patience moves nothing at all.
func TestPlacementLeeway(t *testing.T) {
	all := NewPlacement(hospitals(6), began, nil, false)
	absent := func(d time.Duration, which ...int) ledger.Consortium {
		c := hospitals(6)
		for _, i := range which {
			c.Keepers[i].Time = ledger.FormatTime(began.Add(-d))
		}
		return c
	}
	short, two := NewPlacement(absent(24*time.Hour, 1), began, nil, false), NewPlacement(absent(4*time.Hour, 1, 2), began, nil, false)
	patient := NewPlacement(absent(72*time.Hour, 1, 2, 3), began, nil, true)
	doubted := NewPlacement(hospitals(6), began, func(msp string) bool { return msp != "Hospital01" }, false)
	steppedIn, replaced := 0, 0
	for i := range trials {
		home := "Hospital00"
		want, _ := all.Holders(markOf(i), home, 1)
		for name, p := range map[string]Placement{"a day": short, "an outage of many, with patience": patient} {
			if got, _ := p.Holders(markOf(i), home, 1); !slices.Equal(got, want) {
				t.Fatalf("%s moves payload %d from %v to %v", name, i, want, got)
			}
		}
		got, _ := two.Holders(markOf(i), home, 1)
		if both := slices.Contains(want, "Hospital01") && slices.Contains(want, "Hospital02"); both != (len(got) == 4) || len(difference(want, got)) > 0 {
			t.Fatalf("payload %d with two away: %v, and with all %v", i, got, want)
		} else if both {
			steppedIn++
		}
		got, _ = doubted.Holders(markOf(i), home, 1)
		if slices.Contains(got, "Hospital01") || len(got) != 3 {
			t.Fatalf("payload %d with a hospital that is not believed: %v", i, got)
		}
		if slices.Contains(want, "Hospital01") {
			replaced++
		}
	}
	if steppedIn == 0 || replaced == 0 {
		t.Error("the test shows nothing")
	}
}

// TestPlacementThree: three copies among three hospitals is what it was before keepers.
func TestPlacementThree(t *testing.T) {
	for _, n := range []int{2, 3} {
		c := hospitals(n)
		c.Keepers[1].Time = ledger.FormatTime(began.Add(-time.Hour))
		p := NewPlacement(c, began, nil, false)
		for i := range 1000 {
			if holders, copies := p.Holders(markOf(i), "Hospital00", 1<<40); len(holders) != n || copies != n {
				t.Fatalf("%d hospitals: payload %d at %v, %d copies", n, i, holders, copies)
			}
		}
	}
}

// TestPlacementSizes: large payloads have a rule of their own.
func TestPlacementSizes(t *testing.T) {
	c := hospitals(5)
	c.Rules.Sizes = []ledger.SizeRule{{Above: 1 << 20, Min: 1, Max: 2}, {Above: 1 << 30, Min: 1, Max: 1}}
	p := NewPlacement(c, began, nil, false)
	for size, want := range map[int64]int{0: 3, 1 << 20: 3, 1<<20 + 1: 2, 1 << 30: 2, 1 << 31: 1} {
		if holders, copies := p.Holders(markOf(1), "Hospital00", size); len(holders) != want || copies != want {
			t.Errorf("%d bytes: %v, %d copies", size, holders, copies)
		}
	}
}

func difference(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}
