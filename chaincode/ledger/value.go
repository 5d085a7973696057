package ledger

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
)

// A storedAccess is the value of an [AccessKey], without what the key has: the target and
// the access id, which has the time and the transaction.
type storedAccess struct {
	Actor   string `json:"actor"`
	Purpose string `json:"purpose"`
}

// AccessValue gives the value of an entry's [AccessKey].
func AccessValue(e AccessEntry) []byte {
	return mustMarshal(storedAccess{Actor: e.Actor, Purpose: e.Purpose})
}

// ReadAccess reads an entry from its [AccessKey] and [AccessValue]. Any other key or
// value is an error.
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

// ScopeValue gives the value of a [ScopeStateKey] and of a [ScopeEpochKey].
func ScopeValue(s Scope) []byte { return mustMarshal(s) }

// A VersionName names a version of a record.
type VersionName struct {
	ID      string `json:"id"`
	Version int    `json:"version"`
}

const versionNameSize = RecordIDSize + 4

// VersionNames gives the value of a [RecordTimeKey]: ids of 16 bytes, each followed by
// the version in 4 bytes, big endian. The ids must be valid, see [ParseRecordID].
func VersionNames(versions []RecordVersion) []byte {
	packed := make([]byte, 0, len(versions)*versionNameSize)
	for _, v := range versions {
		packed, _ = hex.AppendDecode(packed, []byte(v.ID))
		packed = binary.BigEndian.AppendUint32(packed, uint32(v.Version))
	}
	return packed
}

// ReadVersionNames reads a value of [VersionNames]. Another length is an error.
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

// mustMarshal encodes a struct of texts and numbers, which never fails.
func mustMarshal(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}
