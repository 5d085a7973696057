package contract

import (
	"encoding/base64"
	"strings"

	"github.com/hyperledger/fabric-contract-api-go/v2/contractapi"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// Index keeps encrypted keyword entries. A label and a value are pseudorandom to all who
// lack the scope's key; the contract sees sizes, and who wrote when.
type Index struct {
	contractapi.Contract
	consortium
}

// GetEvaluateTransactions names the reads, for the metadata.
func (*Index) GetEvaluateTransactions() []string { return []string{"Get", "Search"} }

// Put writes the entries in the transient map under the caller's MSP, each
// ledger.LabelSize bytes of label and ledger.EntryValueSize bytes of value: all of them
// are written or none.
//
// As arguments they would be in the block a second time, in an order of the client's; the
// write set has all of them, in the order of their keys, and the client that sent them
// signs that.
//
// Labels are written once. That keeps a writer from replacing what others find, and two
// writers with different labels never conflict; two with the same one do, and the later
// has to choose another.
//
// Errors: ErrDenied unless the caller is a clinical user or custodian of a hospital,
// ErrExists when labels are taken, ErrInvalid.
func (c *Index) Put(ctx *Context) error {
	who, err := c.admit(ctx, clinicians)
	if err != nil {
		return err
	}
	entries, err := ctx.entries()
	if err != nil {
		return err
	}
	at := make([]string, len(entries))
	seen := make(map[string]bool, len(entries))
	for i, entry := range entries {
		at[i] = ledger.IndexKey(who.msp, entry[:ledger.LabelSize])
		if seen[at[i]] {
			return refuse(ledger.ErrInvalid, "label %s is given twice", labelText(entry))
		}
		seen[at[i]] = true
	}
	values, err := ctx.many(at)
	if err != nil {
		return err
	}
	var taken []string
	var b batch
	for i, entry := range entries {
		if len(values[i]) > 0 {
			taken = append(taken, labelText(entry))
		}
		b.raw(at[i], entry[ledger.LabelSize:])
	}
	if len(taken) > 0 {
		return refuse(ledger.ErrExists, "%d of %d labels are taken: %s", len(taken), len(entries), some(taken))
	}
	return ctx.write(&b)
}

// Get gives the values of labels, batch by batch and in their order, in padded base64;
// one that does not exist is empty. It is open to every member of the channel, whose
// peers have it all. Errors: ErrInvalid.
func (c *Index) Get(ctx *Context, batches []ledger.LabelBatch) ([][]string, error) {
	if err := count("batches of labels", len(batches), ledger.MaxEntriesPerCall); err != nil {
		return nil, err
	}
	at, sizes, err := ctx.labelKeys(batches)
	if err != nil {
		return nil, err
	}
	values, err := ctx.many(at)
	if err != nil {
		return nil, err
	}
	return texts(values, sizes), nil
}

// labelKeys gives the keys of all labels in their order, and how many each batch has.
func (ctx *Context) labelKeys(batches []ledger.LabelBatch) (at []string, sizes []int, err error) {
	sizes = make([]int, len(batches))
	for i, lb := range batches {
		if !isWord(lb.MSP) {
			return nil, nil, refuse(ledger.ErrInvalid, "%.64q is not an MSP ID", lb.MSP)
		}
		labels, err := unpack("labels", lb.Labels, ledger.LabelSize)
		if err != nil {
			return nil, nil, err
		}
		sizes[i] = len(labels)
		for _, label := range labels {
			at = append(at, ledger.IndexKey(lb.MSP, label))
		}
		if err := count("labels", len(at), ledger.MaxEntriesPerCall); err != nil {
			return nil, nil, err
		}
	}
	return at, sizes, nil
}

// texts puts values into padded base64, batch by batch.
func texts(values [][]byte, sizes []int) [][]string {
	out := make([][]string, len(sizes))
	for i, n := range sizes {
		out[i] = make([]string, n)
		for j, v := range values[:n] {
			out[i][j] = base64.StdEncoding.EncodeToString(v)
		}
		values = values[n:]
	}
	return out
}

// unpack splits padded base64 of items that have one size, of which there are at least
// one.
func unpack(what, text string, size int) ([][]byte, error) {
	if base64.StdEncoding.DecodedLen(len(text)) > ledger.MaxEntriesPerCall*size+2 {
		return nil, refuse(ledger.ErrInvalid, "more than %d %s", ledger.MaxEntriesPerCall, what)
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, refuse(ledger.ErrInvalid, "the %s are not padded base64", what)
	}
	return split(what, raw, size)
}

// labelText is the label of an entry as errors name it.
func labelText(entry []byte) string {
	return base64.RawURLEncoding.EncodeToString(entry[:ledger.LabelSize])
}

// some gives the first few of a list.
func some(list []string) string {
	const few = 16
	if len(list) > few {
		return strings.Join(list[:few], " ") + " ..."
	}
	return strings.Join(list, " ")
}
