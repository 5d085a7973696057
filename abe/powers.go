package abe

import (
	"sync"
	"sync/atomic"

	"github.com/chartseal/chartseal/abe/internal/pairing"
)

// A tables holds tables for the elements of one public key. They make its powers about
// twice as fast, and are made when the key has been used often enough to pay for them:
// those of bn256 take about 300 KiB.
type tables struct {
	uses atomic.Int32
	once sync.Once
	egg  pairing.PowerGT
	gy   pairing.PowerG2
}

// tableUses is how many uses cost as much as making the tables.
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
