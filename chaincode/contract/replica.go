package contract

import (
	"slices"

	"github.com/hyperledger/fabric-contract-api-go/v2/contractapi"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// Replica says who keeps which payloads, which ones hospitals refuse each other, and what
// hospitals confirm of records that were erased. Every member of the channel may
// read it.
type Replica struct {
	contractapi.Contract
	consortium
}

// GetEvaluateTransactions lists the reads for the metadata.
func (*Replica) GetEvaluateTransactions() []string {
	return []string{"Reports", "Receipts", "Purged", "Keepers", "Pins"}
}

// Report sets what the caller's hospital keeps of another's payloads. Each pair of
// hospitals has a key of its own, which only the keeper writes.
//
// Errors:
//   - ErrDenied unless the caller is an admin or authority of a hospital.
//   - ErrInvalid if the home is not another hospital, a number is negative, or a refusal
//     is malformed.
func (c *Replica) Report(ctx *Context, k ledger.Keeping) error {
	who, err := c.admit(ctx, keepers)
	if err != nil {
		return err
	}
	if k.Home == who.msp || !slices.Contains(c.hospitals, k.Home) {
		return refuse(ledger.ErrInvalid, "%.64q is not another hospital", k.Home)
	}
	if k.Kept < 0 || k.Budget < 0 || k.Refused < len(k.Newest) || k.RefusedBytes < 0 || len(k.Newest) > ledger.MaxRefusals {
		return refuse(ledger.ErrInvalid, "a number is negative, or more than %d refusals are named", ledger.MaxRefusals)
	}
	for _, f := range k.Newest {
		if err := checkRefusal(f); err != nil {
			return err
		}
	}
	if k.Time, err = ctx.time(); err != nil {
		return err
	}
	k.Keeper = who.msp
	var b batch
	b.put(ledger.KeepingKey(k.Home, k.Keeper), k)
	return c.write(ctx, &b)
}

func checkRefusal(f ledger.Refusal) error {
	if _, err := ledger.PackCID(f.CID); err != nil {
		return refuse(ledger.ErrInvalid, "%v", err)
	}
	if f.Size < 0 || f.Size > ledger.MaxPayload {
		return refuse(ledger.ErrInvalid, "a refused payload of %d bytes", f.Size)
	}
	switch f.Reason {
	case ledger.RefusedBudget, ledger.RefusedSize, ledger.RefusedMissing:
		return nil
	}
	return refuse(ledger.ErrInvalid, "%.40q is no reason of a refusal", f.Reason)
}

// Reports gives the last report of each hospital about each other.
func (c *Replica) Reports(ctx *Context) ([]ledger.Keeping, error) {
	return list[ledger.Keeping](ctx, ledger.KeepingPrefix)
}
