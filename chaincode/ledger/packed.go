package ledger

import (
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
)

// A block has the write set of a transaction, its arguments and its response. New data
// must be in the write set, so it stays out of the other two: it travels to the endorsers
// in the transient map, which no block has. It travels in packed bytes, which have one
// form only. A text has several (case, spaces, order of fields), and endorsers would have
// to refuse all but one.

// Names in the transient map.
const (
	TransientRecords   = "records"   // new versions, see [PackRecords]
	TransientEnvelopes = "envelopes" // of the records, in their order, or of a scope, see [Envelopes.Pack]
	TransientSeals     = "seals"     // which versions the records are and which seal of them, see [PackSeals]
	TransientEntries   = "entries"   // joined index entries: label and value, PackedEntrySize bytes each
)

// Sizes of a packed record: id, CID, commitment and size.
const (
	CIDSize          = 36
	PackedRecordSize = sizelessRecordSize + payloadSize

	payloadSize        = 8 // bytes of a payload's size, big endian
	sizelessRecordSize = RecordIDSize + CIDSize + CommitmentSize
)

// PackRecords gives the bytes of [TransientRecords].
//
// Errors:
//   - ErrInvalid if an id, a content identifier or a commitment is not in its one form.
//   - ErrInvalid if a size is not from 1 to MaxPayload.
func PackRecords(records []NewRecord) ([]byte, error) {
	packed := make([]byte, 0, len(records)*PackedRecordSize)
	for _, r := range records {
		id, err := ParseRecordID(r.ID)
		if err != nil {
			return nil, err
		}
		commitment, err := hex.DecodeString(r.Commitment)
		if err != nil || len(commitment) != CommitmentSize || hex.EncodeToString(commitment) != r.Commitment {
			return nil, Errorf(ErrInvalid, "commitment %.80q: needs %d lower-case hexadecimal digits", r.Commitment, 2*CommitmentSize)
		}
		cid, err := PackCID(r.CID)
		if err != nil {
			return nil, err
		}
		if err := checkSize(r.Size); err != nil {
			return nil, err
		}
		packed = append(append(append(packed, id[:]...), cid...), commitment...)
		packed = binary.BigEndian.AppendUint64(packed, uint64(r.Size))
	}
	return packed, nil
}

func checkSize(size int64) error {
	if size < 1 || size > MaxPayload {
		return Errorf(ErrInvalid, "a payload of %d bytes: needs 1 to %d", size, int64(MaxPayload))
	}
	return nil
}

// UnpackRecords reads the bytes of [PackRecords].
//
// Errors:
//   - ErrInvalid if they are any other bytes.
func UnpackRecords(packed []byte) ([]NewRecord, error) {
	if len(packed)%PackedRecordSize != 0 {
		if len(packed)%sizelessRecordSize == 0 {
			return nil, Errorf(ErrInvalid, "the records have no sizes: this client is older than the chaincode, upgrade it")
		}
		return nil, Errorf(ErrInvalid, "%d bytes of records: each has %d", len(packed), PackedRecordSize)
	}
	records := make([]NewRecord, 0, len(packed)/PackedRecordSize)
	for ; len(packed) > 0; packed = packed[PackedRecordSize:] {
		id, cid, commitment := packed[:RecordIDSize], packed[RecordIDSize:][:CIDSize], packed[RecordIDSize+CIDSize:][:CommitmentSize]
		text, err := UnpackCID(cid)
		if err != nil {
			return nil, err
		}
		size := int64(binary.BigEndian.Uint64(packed[sizelessRecordSize:]))
		if err := checkSize(size); err != nil {
			return nil, err
		}
		records = append(records, NewRecord{ID: FormatRecordID([RecordIDSize]byte(id)), CID: text, Commitment: hex.EncodeToString(commitment), Size: size})
	}
	return records, nil
}

var lowerBase32 = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// PackCID gives the bytes of a content identifier. It takes CIDv1 of the codec raw or
// dag-pb, with SHA2-256, in lower-case base32. An identity hash would put data on the
// ledger, and two texts of one payload would hide that they are the same.
//
// Errors:
//   - ErrInvalid if the text is any other identifier.
func PackCID(text string) ([]byte, error) {
	if len(text) > 0 && text[0] == 'b' {
		raw, err := lowerBase32.DecodeString(text[1:])
		if err == nil && lowerBase32.EncodeToString(raw) == text[1:] {
			if _, err := UnpackCID(raw); err == nil {
				return raw, nil
			}
		}
	}
	return nil, Errorf(ErrInvalid, "content identifier %.80q: needs CIDv1 of the codec raw or dag-pb, with SHA2-256, in lower-case base32", text)
}

// UnpackCID gives the text of a content identifier from the bytes of [PackCID].
//
// Errors:
//   - ErrInvalid if they are any other bytes.
func UnpackCID(raw []byte) (string, error) {
	const version, codecRaw, codecDAG, sha256, digest = 1, 0x55, 0x70, 0x12, 32
	if len(raw) != CIDSize || raw[0] != version || raw[1] != codecRaw && raw[1] != codecDAG || raw[2] != sha256 || raw[3] != digest {
		return "", Errorf(ErrInvalid, "content identifier %.80x: needs version 1, the codec raw or dag-pb, and SHA2-256", raw)
	}
	return "b" + lowerBase32.EncodeToString(raw), nil
}

// PackList joins items of any size. Each follows its length in 4 bytes, big endian.
func PackList(items [][]byte) []byte {
	size := 0
	for _, item := range items {
		size += 4 + len(item)
	}
	packed := make([]byte, 0, size)
	for _, item := range items {
		packed = append(binary.BigEndian.AppendUint32(packed, uint32(len(item))), item...)
	}
	return packed
}

// UnpackList splits a list of [PackList]. The items share its memory.
//
// Errors:
//   - ErrInvalid if the list ends within an item.
func UnpackList(packed []byte) ([][]byte, error) {
	var items [][]byte
	for len(packed) > 0 {
		if len(packed) < 4 || uint64(binary.BigEndian.Uint32(packed)) > uint64(len(packed)-4) {
			return nil, Errorf(ErrInvalid, "a packed list ends within an item")
		}
		end := 4 + int(binary.BigEndian.Uint32(packed))
		items = append(items, packed[4:end:end])
		packed = packed[end:]
	}
	return items, nil
}
