//go:build !race

package emr

// largeSize is more than is ever parsed.
const largeSize = MaxParsed + 8<<20
