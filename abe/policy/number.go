package policy

import (
	"fmt"
	"strconv"
	"strings"
)

// MaxNumber is the largest number in a comparison.
const MaxNumber = 1<<numberBits - 1

const numberBits = 16

// longestInterval is the longest value that a number adds to its attribute's name.
const longestInterval = "=[32768..65535]"

// An interval is an aligned interval of numbers. Its size is a power of two that divides
// low.
type interval struct{ low, size uint32 }

func (v interval) String() string {
	if v.size == 1 {
		return fmt.Sprintf("[%d]", v.low)
	}
	return fmt.Sprintf("[%d..%d]", v.low, v.low+v.size-1)
}

// parseInterval parses the value of a number's attribute. It accepts the canonical form
// only.
func parseInterval(value string) (interval, bool) {
	inner, ok := strings.CutPrefix(value, "[")
	inner, ok2 := strings.CutSuffix(inner, "]")
	if !ok || !ok2 {
		return interval{}, false
	}
	from, to, isRange := strings.Cut(inner, "..")
	if !isRange {
		to = from
	}
	low, err := strconv.ParseUint(from, 10, numberBits)
	high, err2 := strconv.ParseUint(to, 10, numberBits)
	if err != nil || err2 != nil || high < low {
		return interval{}, false
	}
	v := interval{uint32(low), uint32(high-low) + 1}
	ok = v.size&(v.size-1) == 0 && v.low%v.size == 0 && v.String() == value
	return v, ok
}

// cover lists the aligned intervals that together make up low to high, in ascending
// order. There are at most two of each size.
func cover(low, high uint32) []interval {
	var out []interval
	for low <= high {
		size := uint32(1)
		for low%(size*2) == 0 && low+size*2-1 <= high && size <= MaxNumber {
			size *= 2
		}
		out = append(out, interval{low, size})
		low += size
	}
	return out
}

// NumberAttributes names the attributes for the number v: one for each aligned interval
// that contains v, from [v] to [0..65535]. An authority issues all of them to the holder
// of the number. Together they satisfy exactly the comparisons that v satisfies. Two
// numbers' attributes, of two people or two years, together satisfy no comparison that
// neither number satisfies alone.
func NumberAttributes(authority, name string, v uint16) []string {
	out := make([]string, 0, numberBits+1)
	for size := uint32(1); size <= MaxNumber+1; size *= 2 {
		i := interval{uint32(v) / size * size, size}
		out = append(out, Attribute{authority, name, i.String()}.String())
	}
	return out
}

// NumberUniverse names all attributes that must be published before anyone can seal to
// comparisons with numbers up to most. There are about 2*most + 32 of them.
func NumberUniverse(authority, name string, most uint16) []string {
	var out []string
	for size := uint32(1); size <= MaxNumber+1; size *= 2 {
		for low := uint32(0); low <= MaxNumber; low += size {
			// Beyond most, the cover of "k and up" with k <= most+1 uses only the first
			// interval of each size.
			if low > uint32(most) && (low/size)%2 == 0 || low > uint32(most)+size {
				break
			}
			out = append(out, Attribute{authority, name, interval{low, size}.String()}.String())
		}
	}
	return out
}
