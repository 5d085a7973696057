package contract

import (
	"encoding/base64"

	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/queryresult"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// maxScan bounds the keys that a page reads when its query skips rows.
const maxScan = 10 * ledger.MaxPageSize

// A span is a range of keys: from start, inclusive, to end, exclusive.
type span struct{ start, end string }

// timeSpan gives the span of the keys under a prefix whose next part, a time, is in
// [since, until). Either bound may be empty.
func timeSpan(prefix, since, until string) span {
	s := span{start: prefix + since, end: prefix + until}
	if until == "" {
		s.end = ledger.PrefixEnd(prefix)
	}
	return s
}

// checkTimes checks the bounds of a query.
func checkTimes(since, until string) error {
	for _, t := range [...]string{since, until} {
		if t != "" && !isTime(t) {
			return refuse(ledger.ErrInvalid, "time %.40q: needs the form 2006-01-02T15:04:05.000000000Z", t)
		}
	}
	if since != "" && until != "" && since > until {
		return refuse(ledger.ErrInvalid, "since %s is after until %s", since, until)
	}
	return nil
}

// within tells whether a time is in [since, until). Times have a fixed width, so the
// order of texts is the order of times.
func within(t, since, until string) bool { return t >= since && (until == "" || t < until) }

// page reads up to size rows of a span. It begins at the bookmark of the page before, and
// gives the bookmark of the next page, which is empty if there is none. The function keep
// selects rows; nil keeps all.
//
// A bookmark is the next key in base64. One outside the span is refused, so that it leads
// a query to no other keys.
func (ctx *Context) page(s span, size int, bookmark string, keep func(key string, value []byte) (bool, error)) ([]*queryresult.KV, string, error) {
	if size == 0 {
		size = ledger.DefaultPageSize
	}
	if size < 1 || size > ledger.MaxPageSize {
		return nil, "", refuse(ledger.ErrInvalid, "page size %d: needs 1 to %d", size, ledger.MaxPageSize)
	}
	next, err := openBookmark(bookmark, s)
	if err != nil {
		return nil, "", err
	}
	if s.start >= s.end {
		return nil, "", nil
	}
	var rows []*queryresult.KV
	for scanned := 0; next != "" && scanned < maxScan; {
		var chunk []*queryresult.KV
		if chunk, next, err = ctx.chunk(span{next, s.end}, size); err != nil {
			return nil, "", err
		}
		scanned += len(chunk)
		for i, kv := range chunk {
			if len(rows) == size {
				return rows, sealBookmark(chunk[i].Key), nil
			}
			kept := true
			if keep != nil {
				if kept, err = keep(kv.Key, kv.Value); err != nil {
					return nil, "", err
				}
			}
			if kept {
				rows = append(rows, kv)
			}
		}
		if len(rows) == size {
			break
		}
	}
	return rows, sealBookmark(next), nil
}

// chunk reads up to size rows of a span, and gives the key after them. It is empty if
// there is none.
func (ctx *Context) chunk(s span, size int) (rows []*queryresult.KV, next string, err error) {
	iter, meta, err := ctx.GetStub().GetStateByRangeWithPagination(s.start, s.end, int32(size), "")
	if err != nil {
		return nil, "", broken("read a range of the ledger", err)
	}
	for iter.HasNext() {
		kv, err := iter.Next()
		if err != nil {
			iter.Close()
			return nil, "", broken("read a range of the ledger", err)
		}
		rows = append(rows, kv)
	}
	// The peer closes a range after its last row. Close would cost one more round trip,
	// which is much of the time of a short list.
	return rows, meta.GetBookmark(), nil
}

func sealBookmark(key string) string { return base64.RawURLEncoding.EncodeToString([]byte(key)) }

func openBookmark(bookmark string, s span) (string, error) {
	if bookmark == "" {
		return s.start, nil
	}
	key, err := base64.RawURLEncoding.Strict().DecodeString(bookmark)
	if err != nil || string(key) < s.start || string(key) >= s.end {
		return "", refuse(ledger.ErrInvalid, "bookmark %.80q does not belong to this query", bookmark)
	}
	return string(key), nil
}
