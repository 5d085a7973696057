package contract

import "github.com/chartseal/chartseal/chaincode/ledger"

// checkTime refuses a transaction whose timestamp is far from this server's clock, if it
// has one. Endorsers read different clocks, and may disagree about a timestamp near the
// bound. Too few of them endorse it then, and nothing is written.
//
// The refusal is ErrUnavailable: the same call is accepted once the clocks agree, so a
// client may keep what it wants to write.
func (c consortium) checkTime(ctx *Context) error {
	if c.clock == nil {
		return nil
	}
	claimed, err := ctx.now()
	if err != nil {
		return err
	}
	if off := claimed.Sub(c.clock()); off.Abs() > ledger.MaxClockSkew {
		side := "ahead of"
		if off < 0 {
			side = "behind"
		}
		return refuse(ledger.ErrUnavailable, "the transaction's time %s is more than %v %s the clock of %s: check the clocks",
			ledger.FormatTime(claimed), ledger.MaxClockSkew, side, c.msp)
	}
	return nil
}
