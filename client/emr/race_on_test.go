//go:build race

package emr

import "time"

// The race detector makes parsing thirty times slower and looks for other things: small
// files suffice.
const (
	largeSize   = 4 << 20
	longSize    = 1 << 20
	hostileSize = 256 << 10
	hostileTime = 30 * time.Second
	bombSize    = 4 << 20
	budgetSize  = 4 << 20
	sharedSize  = 1 << 20 // of the largest shared record that is read
)
