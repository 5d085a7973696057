package contract

import "github.com/chartseal/chartseal/chaincode/ledger"

// maxList bounds a list. Fabric cuts a range off at the peer's totalQueryLimit, 100,000
// rows by default, and says nothing. A list is far shorter, or refused.
const maxList = 50000

// list reads every value under a prefix, in the order of keys, page by page. Only
// evaluated calls use it.
//
// Errors:
//   - ErrUnavailable if there are more than maxList: a part of a list is never an answer.
func list[T any](ctx *Context, prefix string) ([]T, error) {
	all := span{prefix, ledger.PrefixEnd(prefix)}
	var values [][]byte
	for next := all.start; next != ""; {
		rows, after, err := ctx.chunk(span{next, all.end}, ledger.MaxPageSize)
		if err != nil {
			return nil, err
		}
		if len(values)+len(rows) > maxList {
			return nil, refuse(ledger.ErrUnavailable, "the ledger has more than %d entries of %q, too many for one answer", maxList, prefix)
		}
		for _, kv := range rows {
			values = append(values, kv.Value)
		}
		next = after
	}
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
