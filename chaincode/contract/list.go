package contract

import "github.com/chartseal/chartseal/chaincode/ledger"

// list reads every value under a prefix, in the order of keys. It is for evaluated calls
// and for what there are few of.
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
	// A peer lets go of a range when it has given the last of it. Closing it all the same
	// would be another message to the peer and back, which is a good part of what a short
	// list costs.
	return decodeAll[T](values)
}

// readAll reads the values of keys, leaving out those that were not there.
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

// decodeAll reads JSON values, leaving out those that were not there.
func decodeAll[T any](values [][]byte) ([]T, error) {
	all := make([]T, 0, len(values))
	for _, v := range values {
		if len(v) == 0 {
			continue
		}
		var t T
		if err := decode(v, &t); err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}
