package contract

import (
	"encoding/base64"
	"strings"

	"github.com/hyperledger/fabric-contract-api-go/v2/contractapi"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// Index keeps encrypted keyword entries. Labels and values are pseudorandom without the
// scope's key. The contract sees sizes, authors and times.
type Index struct {
	contractapi.Contract
	consortium
}

// GetEvaluateTransactions lists the reads for the metadata.
func (*Index) GetEvaluateTransactions() []string { return []string{"Get", "Search"} }

// Put writes the entries of the transient map under the caller's MSP. An entry has
// ledger.LabelSize bytes of label and ledger.EntryValueSize bytes of value.
//
// As arguments, the entries would be in the block a second time, and in the client's
// order. The write set has them in the order of their keys, and the client signs it.
//
// A label is written once, so no writer replaces an entry. Writers of different labels
// never conflict. Of two writers of the same label the later one must choose another.
//
// Errors:
//   - ErrDenied unless the caller is a clinical user or custodian of a hospital.
//   - ErrExists if labels are taken. The text lists some of them.
//   - ErrInvalid if an entry is malformed, a label is given twice, or there are none or
//     too many.
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
	return c.write(ctx, &b)
}

// Get gives the values of labels in padded base64, batch by batch, in the order of the
// labels. The value of an unknown label is empty. Every member of the channel may call
// it, since every peer has the whole index.
//
// Errors:
//   - ErrInvalid if an MSP ID or a label is malformed, or there are none or too many.
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

// labelKeys gives the keys of all labels in their order, and the size of each batch.
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

// unpack splits padded base64 into items of one size. There must be at least one.
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

// labelText gives the label of an entry for errors.
func labelText(entry []byte) string {
	return base64.RawURLEncoding.EncodeToString(entry[:ledger.LabelSize])
}

// some gives the first few items of a list.
func some(list []string) string {
	const few = 16
	if len(list) > few {
		return strings.Join(list[:few], " ") + " ..."
	}
	return strings.Join(list, " ")
}
