//go:build race

package emr

// largeSize is small under the race detector, which makes parsing thirty times slower and
// looks for other things.
const largeSize = 4 << 20
