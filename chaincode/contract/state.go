package contract

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/hyperledger/fabric-contract-api-go/v2/contractapi"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// Context is the context of one transaction. Contracts call the peer through its methods.
type Context struct{ contractapi.TransactionContext }

// time gives the timestamp of the proposal, a claim of the client, as text.
func (ctx *Context) time() (string, error) {
	t, err := ctx.now()
	if err != nil {
		return "", err
	}
	return ledger.FormatTime(t), nil
}

func (ctx *Context) now() (time.Time, error) {
	stamp, err := ctx.GetStub().GetTxTimestamp()
	if err != nil {
		return time.Time{}, broken("read the transaction's time", err)
	}
	// Years before 1 or after 9999 do not fit the fixed width of times in keys.
	if err := stamp.CheckValid(); err != nil {
		return time.Time{}, refuse(ledger.ErrInvalid, "the transaction's time is out of range")
	}
	return stamp.AsTime(), nil
}

// get reads the JSON value of a key into out, and tells whether the key exists.
func (ctx *Context) get(key string, out any) (bool, error) {
	value, err := ctx.GetStub().GetState(key)
	if err != nil {
		return false, broken("read the ledger", err)
	}
	if len(value) == 0 {
		return false, nil
	}
	return true, decode(value, out)
}

// many reads the values of keys in their order. The value of a missing key is empty.
func (ctx *Context) many(keys []string) ([][]byte, error) {
	values, err := ctx.GetStub().GetMultipleStates(keys...)
	if err == nil && len(values) != len(keys) {
		err = errors.New("the peer answered with too few values")
	}
	if err != nil {
		return nil, broken("read the ledger", err)
	}
	return values, nil
}

// readVersion and readAccess read a key and its value.
func readVersion(key string, value []byte) (ledger.RecordVersion, error) {
	v, err := ledger.ReadVersion(key, value)
	if err != nil {
		return v, broken("read the ledger", err)
	}
	return v, nil
}

func readAccess(key string, value []byte) (ledger.AccessEntry, error) {
	e, err := ledger.ReadAccess(key, value)
	if err != nil {
		return e, broken("read the ledger", err)
	}
	return e, nil
}

func decode(value []byte, out any) error {
	if err := json.Unmarshal(value, out); err != nil {
		return broken("read the ledger: a value is malformed", err)
	}
	return nil
}

// A batch collects the writes of a transaction. They go to the peer in few messages,
// after all checks.
type batch struct {
	writes []write
	err    error
}

type write struct {
	collection string // empty for the public state
	key        string
	value      []byte
	owner      string // hospital, see ownerPolicy; empty if the key has none
	purge      bool   // of private data, with its history
}

// put adds v as JSON.
func (b *batch) put(key string, v any) {
	value, err := json.Marshal(v)
	b.err = errors.Join(b.err, err)
	b.raw(key, value)
}

// own gives the key of the last write to a hospital.
func (b *batch) own(hospital string) { b.writes[len(b.writes)-1].owner = hospital }

func (b *batch) mark(key string) { b.raw(key, ledger.Mark) }
func (b *batch) raw(key string, value []byte) {
	b.writes = append(b.writes, write{key: key, value: value})
}

// changeSearchable starts a new generation of searchable things. It must not read the
// former one, see [ledger.SearchableKey].
func (b *batch) changeSearchable(ctx *Context) {
	b.raw(ledger.SearchableKey, []byte(ctx.GetStub().GetTxID()))
}

// wrapped adds a wrapped key to the hospitals' private data.
func (b *batch) wrapped(key string, value []byte) {
	b.writes = append(b.writes, write{collection: ledger.HospitalKeys, key: key, value: value})
}

// purge removes a wrapped key from the hospitals' private data, with its history.
func (b *batch) purge(key string) {
	b.writes = append(b.writes, write{collection: ledger.HospitalKeys, key: key, purge: true})
}

// end notes payloads that are in a version no more. Keepers read it from the block.
func (b *batch) end(now, tx string, ends []ledger.End) {
	if len(ends) == 0 {
		return
	}
	packed, err := ledger.PackEnds(ends)
	b.err = errors.Join(b.err, err)
	b.raw(ledger.EndedKey(now, tx), packed)
}

// delete removes a key from the public state.
func (b *batch) delete(key string) { b.writes = append(b.writes, write{key: key}) }

// write sends the batch to the peer. It is the only way to write, so that no transaction
// escapes the check of its time.
func (c consortium) write(ctx *Context, b *batch) error {
	if b.err != nil {
		return broken("encode a value", b.err)
	}
	if err := c.checkTime(ctx); err != nil {
		return err
	}
	stub := ctx.GetStub()
	stub.StartWriteBatch()
	for _, w := range b.writes {
		var err error
		switch {
		case w.purge:
			err = stub.PurgePrivateData(w.collection, w.key)
		case w.collection != "":
			err = stub.PutPrivateData(w.collection, w.key, w.value)
		case w.value == nil:
			err = stub.DelState(w.key)
		default:
			err = stub.PutState(w.key, w.value)
		}
		if err == nil && w.owner != "" {
			var policy []byte
			if policy, err = c.ownerPolicy(w.owner); err == nil {
				err = stub.SetStateValidationParameter(w.key, policy)
			}
		}
		if err != nil {
			return broken("write the ledger", err)
		}
	}
	if err := stub.FinishWriteBatch(); err != nil {
		return broken("write the ledger", err)
	}
	return nil
}
