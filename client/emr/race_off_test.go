//go:build !race

package emr

import "time"

const (
	largeSize   = 72 << 20 // more than readers hold
	longSize    = 32 << 20
	hostileSize = 4 << 20 // enough to show work that grows faster than the size
	hostileTime = 2 * time.Second
	bombSize    = 128 << 20
	budgetSize  = 64 << 20
	sharedSize  = 1 << 30
)
