package ledger

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// A storedVersion is the value of a [RecordKey] in JSON, as earlier releases wrote it.
// The value lacks what the key has. The home of a version is its author's organisation:
// nobody else may write it.
type storedVersion struct {
	CID        string `json:"cid"`
	Commitment string `json:"commitment"`
	Size       int64  `json:"size,omitempty"`
	Author     string `json:"author"`
	Time       string `json:"time"`
	Tx         string `json:"tx"`
}

const (
	// versionMark is the first byte of a packed version. No JSON begins with it.
	versionMark = 1

	txSize            = 32
	packedVersionSize = 1 + CIDSize + CommitmentSize + payloadSize + 8 + txSize
)

// VersionValue gives the value of a version's [RecordKey]: the mark 01, the CID, the
// commitment, the payload's size and the time in nanoseconds since 1970 in 8 bytes each,
// big endian, the transaction id, and the author. It is half of the JSON that ledgers of
// earlier releases have. A version with a field that has another form is JSON too.
func VersionValue(v RecordVersion) []byte {
	cid, err := PackCID(v.CID)
	commitment, err2 := hex.DecodeString(v.Commitment)
	at, err3 := ParseTime(v.Time)
	tx, err4 := hex.DecodeString(v.Tx)
	if errors.Join(err, err2, err3, err4) == nil {
		packed := append([]byte{versionMark}, cid...)
		packed = append(packed, commitment...)
		packed = binary.BigEndian.AppendUint64(packed, uint64(v.Size))
		packed = binary.BigEndian.AppendUint64(packed, uint64(at.UnixNano()))
		packed = append(append(packed, tx...), v.Author...)
		if s, err := unpackVersion(packed); err == nil && s == v.stored() {
			return packed
		}
	}
	return mustMarshal(v.stored())
}

func (v RecordVersion) stored() storedVersion {
	return storedVersion{CID: v.CID, Commitment: v.Commitment, Size: v.Size, Author: v.Author, Time: v.Time, Tx: v.Tx}
}

func unpackVersion(packed []byte) (storedVersion, error) {
	if len(packed) < packedVersionSize {
		return storedVersion{}, fmt.Errorf("%d bytes are no version of a record", len(packed))
	}
	next := func(n int) (field []byte) {
		field, packed = packed[:n], packed[n:]
		return field
	}
	next(1) // the mark
	cid, err := UnpackCID(next(CIDSize))
	if err != nil {
		return storedVersion{}, err
	}
	s := storedVersion{CID: cid, Commitment: hex.EncodeToString(next(CommitmentSize))}
	s.Size = int64(binary.BigEndian.Uint64(next(payloadSize)))
	s.Time = FormatTime(time.Unix(0, int64(binary.BigEndian.Uint64(next(8)))))
	s.Tx, s.Author = hex.EncodeToString(next(txSize)), string(packed)
	return s, nil
}

// ReadVersion reads a version from its [RecordKey] and [VersionValue]. Any other key or
// value is an error.
func ReadVersion(key string, value []byte) (RecordVersion, error) {
	var s storedVersion
	id, version, err := ParseRecordKey(key)
	switch {
	case err != nil:
	case len(value) > 0 && value[0] == versionMark:
		s, err = unpackVersion(value)
	default:
		err = json.Unmarshal(value, &s)
	}
	if err != nil {
		return RecordVersion{}, fmt.Errorf("read %q: %w", key, err)
	}
	return RecordVersion{ID: id, Version: version, Home: Organisation(s.Author), CID: s.CID, Commitment: s.Commitment,
		Size: s.Size, Author: s.Author, Time: s.Time, Tx: s.Tx}, nil
}
