package fault

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// TestChoose: a seed gives the same faults again, one organisation is hit at a time, and
// in the long run everything everywhere.
func TestChoose(t *testing.T) {
	var all []process
	for _, org := range []string{"HospitalA", "HospitalB", "Regulator"} {
		for _, kind := range []string{"ca", "ipfs", "orderer", "peer"} {
			all = append(all, process{Process: kind, Organisation: org})
		}
	}
	all = append(all, process{Process: "watch"})
	kinds := []kind{killed, frozen, kept, full, starved, mistimed, cutOff, flipped}
	play := func(seed uint64) (text string, seen, places map[string]bool) {
		seen, places = map[string]bool{}, map[string]bool{}
		choice := rand.New(rand.NewPCG(seed, 0))
		for range 300 {
			faults := choose(choice, kinds, all)
			if len(faults) < 1 || len(faults) > 2 || faults[0].organisation != faults[len(faults)-1].organisation {
				t.Fatalf("faults %v", faults)
			}
			for _, f := range faults {
				if f.kind == flipped && (f.organisation != spoiled || f.process != "ipfs") {
					t.Fatalf("blocks of two nodes may be spoiled: %v", f)
				}
				if f.offset.Abs() < time.Minute || f.offset.Abs() > maxOffset {
					t.Errorf("offset %v", f.offset)
				}
				seen[string(f.kind)] = true
				places[f.organisation+"/"+f.process] = true
			}
			text += fmt.Sprintln(faults)
		}
		return text, seen, places
	}
	one, seen, places := play(1)
	if again, _, _ := play(1); again != one {
		t.Error("the same seed gives other faults")
	}
	if other, _, _ := play(2); other == one {
		t.Error("another seed gives the same faults")
	}
	if len(seen) != len(kinds) || len(places) != 15 || places["/watch"] {
		t.Errorf("kinds %v, places %v", seen, places)
	}
}
