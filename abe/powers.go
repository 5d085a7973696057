package abe

import (
	"math/big"
	"sync"
	"sync/atomic"

	"github.com/chartseal/chartseal/abe/internal/group"
)

// powers raises the elements of one public key to powers. A key that is used often gets
// tables, which make that about twice as fast; they take about 300 KiB.
type powers struct {
	baseT *group.GT
	base2 *group.G2
	uses  atomic.Int32
	once  sync.Once
	tabT  *group.TableT
	tab2  *group.Table2
}

// tableUses is how many uses cost as much as making the tables.
const tableUses = 10

func newPowers(egg *group.GT, gy *group.G2) *powers { return &powers{baseT: egg, base2: gy} }

// powers counts a use, and makes the tables when they begin to pay.
func (k *PublicKey) powers() *powers {
	p := k.fast
	if p.uses.Load() < tableUses {
		p.uses.Add(1)
		return &powers{baseT: p.baseT, base2: p.base2}
	}
	p.once.Do(func() { p.tabT, p.tab2 = group.NewTableT(p.baseT), group.NewTable2(p.base2) })
	return p
}

// egg is e(g1,g2)^(α k).
func (p *powers) egg(k *big.Int) *group.GT {
	if p.tabT != nil {
		return p.tabT.Exp(k)
	}
	return group.ExpT(p.baseT, k)
}

// gy is g2^(y k).
func (p *powers) gy(k *big.Int) *group.G2 {
	if p.tab2 != nil {
		return p.tab2.Mul(k)
	}
	return group.Mul2(p.base2, k)
}
