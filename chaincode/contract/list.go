package contract

import "github.com/chartseal/chartseal/chaincode/ledger"

// list reads every value under a prefix, in the order of keys. Only evaluated calls use
// it, for short lists.
func list[T any](ctx *Context, prefix string) ([]T, error) {
	iter, err := ctx.GetStub().GetStateByRange(prefix, ledger.PrefixEnd(prefix))
	if err != nil {
		return nil, broken("read a range of the ledger", err)
	}
	var values [][]byte
	for iter.HasNext() {
		kv, err := iter.Next()
		if err != nil {
			iter.Close()
			return nil, broken("read a range of the ledger", err)
		}
		values = append(values, kv.Value)
	}
	// The peer closes a range after its last row. Close would cost one more round trip,
	// which is much of the time of a short list.
	return decodeAll[T](values)
}

// readAll reads the values of keys and leaves out missing ones.
func readAll[T any](keys []string, values [][]byte, read func(key string, value []byte) (T, error)) ([]T, error) {
	all := make([]T, 0, len(values))
	for i, v := range values {
		if len(v) == 0 {
			continue
		}
		t, err := read(keys[i], v)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}

// decodeAll reads JSON values and leaves out missing ones.
func decodeAll[T any](values [][]byte) ([]T, error) {
	return readAll(make([]string, len(values)), values, func(_ string, value []byte) (t T, err error) {
		err = decode(value, &t)
		return t, err
	})
}
