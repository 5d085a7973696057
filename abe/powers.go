package abe

import (
	"sync"
	"sync/atomic"

	"github.com/chartseal/chartseal/abe/internal/pairing"
)

// tables make the powers of one public key about twice as fast. They are made after as
// many uses as pay for them, and may take some hundred KiB.
type tables struct {
	uses atomic.Int32
	once sync.Once
	egg  pairing.PowerGT
	gy   pairing.PowerG2
}

// tableUses is the number of uses that cost as much as making the tables.
const tableUses = 10

// powers counts a use. It returns the powers of e(g1,g2)^α and of g2^y.
func (k *PublicKey) powers() (egg pairing.PowerGT, gy pairing.PowerG2) {
	t := k.tables
	if t.uses.Load() < tableUses {
		t.uses.Add(1)
		return k.egg, k.gy
	}
	t.once.Do(func() { t.egg, t.gy = k.egg.Table(), k.gy.Table() })
	return t.egg, t.gy
}
