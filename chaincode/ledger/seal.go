package ledger

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
)

// A version can be sealed again: under another policy, which changes only its wrapped
// key, or with another record key, which makes another payload too. The first seal of a
// version is number 0. Each transaction that seals a version again purges the wrapped key
// of the seal before.

// A SealNumber names a seal of a version.
type SealNumber struct {
	Version int `json:"version"`
	Seal    int `json:"seal"`
}

const sealNumberSize = 8

// PackSeals gives the bytes of [TransientSeals] and of a [SealsKey]: version and seal in
// 4 bytes each, big endian.
func PackSeals(seals []SealNumber) []byte {
	packed := make([]byte, 0, len(seals)*sealNumberSize)
	for _, s := range seals {
		packed = binary.BigEndian.AppendUint32(packed, uint32(s.Version))
		packed = binary.BigEndian.AppendUint32(packed, uint32(s.Seal))
	}
	return packed
}

// UnpackSeals reads the bytes of [PackSeals].
//
// Errors:
//   - ErrInvalid if they end within a number.
func UnpackSeals(packed []byte) ([]SealNumber, error) {
	if len(packed)%sealNumberSize != 0 {
		return nil, Errorf(ErrInvalid, "%d bytes of seals: each has %d", len(packed), sealNumberSize)
	}
	seals := make([]SealNumber, 0, len(packed)/sealNumberSize)
	for ; len(packed) > 0; packed = packed[sealNumberSize:] {
		seals = append(seals, SealNumber{int(binary.BigEndian.Uint32(packed)), int(binary.BigEndian.Uint32(packed[4:]))})
	}
	return seals, nil
}

// SealNumbers are the newest seals of a record's versions, in the order of versions.
// Those that were sealed once are left out.
type SealNumbers []SealNumber

// Of gives the newest seal of a version.
func (n SealNumbers) Of(version int) int {
	if i, found := n.find(version); found {
		return n[i].Seal
	}
	return 0
}

// With gives the numbers after another seal of a version.
func (n SealNumbers) With(version, seal int) SealNumbers {
	i, found := n.find(version)
	if n = slices.Clone(n); found {
		n[i].Seal = seal
		return n
	}
	return slices.Insert(n, i, SealNumber{version, seal})
}

func (n SealNumbers) find(version int) (int, bool) {
	return slices.BinarySearchFunc(n, version, func(s SealNumber, v int) int { return s.Version - v })
}

// SealValue gives the value of a [SealKey]: that of a version with the seal's payload,
// commitment, size and time, whose author is who sealed it again.
func SealValue(v RecordVersion) []byte {
	return VersionValue(RecordVersion{CID: v.CID, Commitment: v.Commitment, Size: v.Size, Author: v.SealedBy, Time: v.SealTime, Tx: v.SealTx})
}

// A Seal is what a [SealKey] says.
type Seal struct {
	ID         string
	Version    int
	Seal       int
	Home       string
	CID        string
	Commitment string
	Size       int64
	Actor      string
	Time       string
	Tx         string
}

// ReadSeal reads a seal from its [SealKey] and [SealValue]. Any other key or value is an
// error.
func ReadSeal(key string, value []byte) (Seal, error) {
	id, version, number, err := ParseSealKey(key)
	if err != nil {
		return Seal{}, err
	}
	v, err := ReadVersion(RecordKey(id, version), value)
	if err != nil {
		return Seal{}, fmt.Errorf("read %q: %w", key, err)
	}
	return Seal{ID: id, Version: version, Seal: number, Home: v.Home, CID: v.CID, Commitment: v.Commitment, Size: v.Size,
		Actor: v.Author, Time: v.Time, Tx: v.Tx}, nil
}

// Again gives a version as it is after a seal of it.
func (v RecordVersion) Again(s Seal) RecordVersion {
	v.CID, v.Commitment, v.Size = s.CID, s.Commitment, s.Size
	v.Seal, v.SealedBy, v.SealTime, v.SealTx = s.Seal, s.Actor, s.Time, s.Tx
	return v
}

// ErasureReasons are the codes of why a record was erased. A tombstone holds nothing else
// about it.
var ErasureReasons = map[string]string{
	"CONSENT":   "the patient has withdrawn consent",
	"REQUEST":   "the patient has asked for it (such as GDPR article 17)",
	"RETENTION": "the time for which it had to be kept is over",
	"ERROR":     "it was entered in error",
	"ORDER":     "a court or a supervisory authority has ordered it",
}

// A NewErasure is what a person who erases a record signs.
type NewErasure struct {
	ID        string `json:"id"`        // of the record
	Signature string `json:"signature"` // see [Signature]
}

// An Erasure is what the ledger keeps of the end of a record, beside what it said of the
// record before.
type Erasure struct {
	ID        string `json:"id"` // of the record
	Reason    string `json:"reason"`
	Actor     string `json:"actor"`
	Time      string `json:"time"`
	Tx        string `json:"tx"`
	Signature string `json:"signature"` // of the actor, see [Signature]

	// First is the erasure that another person asked for before, in a consortium that
	// wants two persons.
	First *Approval `json:"first,omitempty" metadata:"first,optional"`
}

// An Approval is the part of an [Erasure] that its first person has signed.
type Approval struct {
	Actor     string `json:"actor"`
	Time      string `json:"time"`
	Tx        string `json:"tx"`
	Signature string `json:"signature"`
}

// Approval gives the part that its person has signed.
func (e Erasure) Approval() *Approval {
	return &Approval{Actor: e.Actor, Time: e.Time, Tx: e.Tx, Signature: e.Signature}
}

// ErasureValue gives the value of an [ErasedKey] and of an [ErasingKey].
func ErasureValue(e Erasure) []byte { return mustMarshal(e) }

// ReadErasure reads an erasure from its [ErasedKey] and [ErasureValue]. Any other key or
// value is an error.
func ReadErasure(key string, value []byte) (e Erasure, err error) {
	if err = json.Unmarshal(value, &e); err == nil && key != ErasedKey(e.ID) {
		err = fmt.Errorf("it is of record %.64q", e.ID)
	}
	if err != nil {
		return Erasure{}, fmt.Errorf("read %q: %w", key, err)
	}
	return e, nil
}

// PackRecordIDs gives the value of an [ErasedTimeKey]: 16 bytes for each id, which must
// be valid.
func PackRecordIDs(ids []string) []byte {
	var packed []byte
	for _, text := range ids {
		if id, err := ParseRecordID(text); err == nil {
			packed = append(packed, id[:]...)
		}
	}
	return packed
}

// UnpackRecordIDs reads the bytes of [PackRecordIDs]. Another length is an error.
func UnpackRecordIDs(packed []byte) ([]string, error) {
	if len(packed)%RecordIDSize != 0 {
		return nil, fmt.Errorf("%d bytes are no record ids", len(packed))
	}
	var ids []string
	for ; len(packed) > 0; packed = packed[RecordIDSize:] {
		ids = append(ids, FormatRecordID([RecordIDSize]byte(packed)))
	}
	return ids, nil
}

// An End says that a version has a payload no more, but another one, or none.
type End struct {
	CID  string
	Next string // CID of the payload that it has now; empty if the record was erased
	Home string `json:",omitempty"` // MSP of the hospital that took it out; not in an EndedKey
}

// PackEnds gives the value of an [EndedKey]: for each end the bytes of both content
// identifiers, see [PackCID], zeros for none. A payload that several versions had has an
// end for each.
//
// Errors:
//   - ErrInvalid if an identifier is not in its one form.
func PackEnds(ends []End) ([]byte, error) {
	packed := make([]byte, 0, len(ends)*2*CIDSize)
	for _, e := range ends {
		cid, err := PackCID(e.CID)
		if err != nil {
			return nil, err
		}
		next := make([]byte, CIDSize)
		if e.Next != "" {
			if next, err = PackCID(e.Next); err != nil {
				return nil, err
			}
		}
		packed = append(append(packed, cid...), next...)
	}
	return packed, nil
}

// UnpackEnds reads the bytes of [PackEnds].
//
// Errors:
//   - ErrInvalid if they are any other bytes.
func UnpackEnds(packed []byte) (ends []End, err error) {
	if len(packed)%(2*CIDSize) != 0 {
		return nil, Errorf(ErrInvalid, "%d bytes of ends: each has %d", len(packed), 2*CIDSize)
	}
	for ; len(packed) > 0; packed = packed[2*CIDSize:] {
		var e End
		if e.CID, err = UnpackCID(packed[:CIDSize]); err != nil {
			return nil, err
		}
		if next := packed[CIDSize : 2*CIDSize]; next[0] != 0 {
			if e.Next, err = UnpackCID(next); err != nil {
				return nil, err
			}
		}
		ends = append(ends, e)
	}
	return ends, nil
}

// An ErasureQuery selects erasures by time.
type ErasureQuery struct {
	Since    string `json:"since" metadata:"since,optional"` // inclusive, see [FormatTime]
	Until    string `json:"until" metadata:"until,optional"` // exclusive
	PageSize int    `json:"pageSize" metadata:"pageSize,optional"`
	Bookmark string `json:"bookmark" metadata:"bookmark,optional"`
}

// An ErasurePage is one page of erasures, oldest first. Its bookmark is that of
// [RecordPage]. A page has all erasures of a transaction, so it may be longer than asked.
type ErasurePage struct {
	Erasures []Erasure `json:"erasures"`
	Bookmark string    `json:"bookmark"`
}
