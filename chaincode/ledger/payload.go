package ledger

import "encoding/binary"

// A Payload is what a keeper needs to know of a version's payload.
type Payload struct {
	CID  string `json:"cid"`
	Size int64  `json:"size,omitempty"` // see [RecordVersion]; 0 if it is not known
	Home string `json:"home,omitempty"` // MSP of the hospital that sealed it; empty if it is not known
	Tx   string `json:"tx,omitempty"`   // that registered it; empty if it is not known
}

// payloadMark is the first byte of the content of an [EventRecords]. Events from before
// sizes were kept are joined CIDs, and begin with the 1 of the first CID.
const payloadMark = 2

// PackPayloads gives the content of an [EventRecords]: the mark 02, the length of the
// home's MSP ID in 2 bytes, big endian, the ID, and for each version its CID and size.
// The home is that of all versions.
//
// Errors:
//   - ErrInvalid if a content identifier is not in its one form.
func PackPayloads(home string, versions []RecordVersion) ([]byte, error) {
	packed := binary.BigEndian.AppendUint16([]byte{payloadMark}, uint16(len(home)))
	packed = append(packed, home...)
	for _, v := range versions {
		cid, err := PackCID(v.CID)
		if err != nil {
			return nil, err
		}
		packed = binary.BigEndian.AppendUint64(append(packed, cid...), uint64(v.Size))
	}
	return packed, nil
}

// UnpackPayloads reads the content of an [EventRecords], also of an old one, which has
// neither home nor sizes.
//
// Errors:
//   - ErrInvalid if it is anything else.
func UnpackPayloads(packed []byte) ([]Payload, error) {
	home, size := "", CIDSize
	if len(packed) > 0 && packed[0] == payloadMark {
		end := 3
		if len(packed) >= end {
			end += int(binary.BigEndian.Uint16(packed[1:]))
		}
		if len(packed) < end {
			return nil, Errorf(ErrInvalid, "an event of payloads ends within its beginning")
		}
		home, size, packed = string(packed[3:end]), CIDSize+payloadSize, packed[end:]
	}
	if len(packed)%size != 0 {
		return nil, Errorf(ErrInvalid, "%d bytes of payloads: each has %d", len(packed), size)
	}
	payloads := make([]Payload, 0, len(packed)/size)
	for ; len(packed) > 0; packed = packed[size:] {
		cid, err := UnpackCID(packed[:CIDSize])
		if err != nil {
			return nil, err
		}
		p := Payload{CID: cid, Home: home}
		if size > CIDSize {
			p.Size = int64(binary.BigEndian.Uint64(packed[CIDSize:]))
			if err := checkSize(p.Size); err != nil {
				return nil, err
			}
		}
		payloads = append(payloads, p)
	}
	return payloads, nil
}
