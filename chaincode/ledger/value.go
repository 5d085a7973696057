package ledger

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
)

// A storedVersion is the value of a [RecordKey]: what the key does not say. The home of a
// version is its author's organisation, as nobody else may write it.
type storedVersion struct {
	CID        string `json:"cid"`
	Commitment string `json:"commitment"`
	Author     string `json:"author"`
	Time       string `json:"time"`
	Tx         string `json:"tx"`
}

// A storedAccess is the value of an [AccessKey]: what the key does not say. The key has
// the target and the access id, and that has the time and the transaction.
type storedAccess struct {
	Actor   string `json:"actor"`
	Purpose string `json:"purpose"`
}

// VersionValue is the value of a version's [RecordKey].
func VersionValue(v RecordVersion) []byte {
	return mustMarshal(storedVersion{CID: v.CID, Commitment: v.Commitment, Author: v.Author, Time: v.Time, Tx: v.Tx})
}

// ReadVersion reads a version from its [RecordKey] and [VersionValue].
func ReadVersion(key string, value []byte) (RecordVersion, error) {
	var s storedVersion
	id, version, err := ParseRecordKey(key)
	if err == nil {
		err = json.Unmarshal(value, &s)
	}
	if err != nil {
		return RecordVersion{}, fmt.Errorf("read %q: %w", key, err)
	}
	return RecordVersion{ID: id, Version: version, Home: Organisation(s.Author), CID: s.CID, Commitment: s.Commitment,
		Author: s.Author, Time: s.Time, Tx: s.Tx}, nil
}

// AccessValue is the value of an entry's [AccessKey].
func AccessValue(e AccessEntry) []byte {
	return mustMarshal(storedAccess{Actor: e.Actor, Purpose: e.Purpose})
}

// ReadAccess reads an entry from its [AccessKey] and [AccessValue].
func ReadAccess(key string, value []byte) (AccessEntry, error) {
	var s storedAccess
	target, id, err := ParseAnyAccessKey(key)
	if err == nil {
		err = json.Unmarshal(value, &s)
	}
	if err != nil {
		return AccessEntry{}, fmt.Errorf("read %q: %w", key, err)
	}
	e := AccessEntry{ID: id, Target: target, Actor: s.Actor, Purpose: s.Purpose}
	var found bool
	if e.Time, e.Tx, found = strings.Cut(id, "Z-"); !found {
		return AccessEntry{}, fmt.Errorf("read %q: no access id", key)
	}
	e.Time += "Z"
	return e, nil
}

// ScopeValue is the value of a [ScopeStateKey] and of a [ScopeEpochKey].
func ScopeValue(s Scope) []byte { return mustMarshal(s) }

// A VersionName says which version of which record.
type VersionName struct {
	ID      string
	Version int
}

const versionNameSize = RecordIDSize + 4

// VersionNames is the value of a [RecordTimeKey]: each id in 16 bytes and version in 4,
// big endian. The ids have been checked.
func VersionNames(versions []RecordVersion) []byte {
	packed := make([]byte, 0, len(versions)*versionNameSize)
	for _, v := range versions {
		packed, _ = hex.AppendDecode(packed, []byte(v.ID))
		packed = binary.BigEndian.AppendUint32(packed, uint32(v.Version))
	}
	return packed
}

// ReadVersionNames reads what [VersionNames] made.
func ReadVersionNames(packed []byte) ([]VersionName, error) {
	if len(packed)%versionNameSize != 0 {
		return nil, fmt.Errorf("%d bytes are no names of versions", len(packed))
	}
	names := make([]VersionName, 0, len(packed)/versionNameSize)
	for ; len(packed) > 0; packed = packed[versionNameSize:] {
		names = append(names, VersionName{FormatRecordID([RecordIDSize]byte(packed)), int(binary.BigEndian.Uint32(packed[RecordIDSize:]))})
	}
	return names, nil
}

// mustMarshal encodes a struct of texts, which never fails.
func mustMarshal(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}
