package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// A CopyRules is the consortium's setting of how many hospitals keep each payload, and
// how long one may be absent. Every keeper follows it.
type CopyRules struct {
	Min    int        `json:"min"`    // with fewer keepers that answer, others step in at once
	Max    int        `json:"max"`    // hospitals that keep a payload, its home among them
	Leeway string     `json:"leeway"` // a duration, see [CopyRules.Absence]
	Sizes  []SizeRule `json:"sizes,omitempty" metadata:"sizes,optional"`
}

// A SizeRule is for payloads of more than a size. Of several, the largest size that a
// payload exceeds counts.
type SizeRule struct {
	Above int64 `json:"above"` // bytes
	Min   int   `json:"min"`
	Max   int   `json:"max"`
}

// DefaultCopyRules keep a payload at home and at two other hospitals. An absence of a day
// moves nothing.
var DefaultCopyRules = CopyRules{Min: 2, Max: 3, Leeway: "24h"}

// Bounds of the leeway. A keeper says 24 times in a leeway that it is there.
const (
	MinLeeway = 10 * time.Second
	MaxLeeway = 90 * 24 * time.Hour
)

// MaxSizeRules bounds the rules for sizes.
const MaxSizeRules = 10

// Check reports what is wrong with the rules.
//
// Errors:
//   - ErrInvalid.
func (r CopyRules) Check() error {
	d, err := time.ParseDuration(r.Leeway)
	if err != nil || d < MinLeeway || d > MaxLeeway {
		return Errorf(ErrInvalid, "leeway %.20q: needs a duration from %v to %v", r.Leeway, MinLeeway, MaxLeeway)
	}
	if len(r.Sizes) > MaxSizeRules {
		return Errorf(ErrInvalid, "%d rules for sizes: there may be %d", len(r.Sizes), MaxSizeRules)
	}
	for i, s := range append([]SizeRule{{Min: r.Min, Max: r.Max}}, r.Sizes...) {
		if s.Min < 1 || s.Max < s.Min || s.Max > MaxKeepers {
			return Errorf(ErrInvalid, "copies min %d, max %d: needs 1 <= min <= max <= %d", s.Min, s.Max, MaxKeepers)
		}
		if i > 0 && (s.Above < 1 || i > 1 && s.Above <= r.Sizes[i-2].Above) {
			return Errorf(ErrInvalid, "the rules for sizes need rising sizes above 0")
		}
	}
	return nil
}

// Of gives the rule for a payload of a size. A payload of unknown size, 0, has the rule
// of small ones.
func (r CopyRules) Of(size int64) (min, max int) {
	min, max = r.Min, r.Max
	for _, s := range r.Sizes {
		if size > s.Above {
			min, max = s.Min, s.Max
		}
	}
	return min, max
}

// Absence is the time without a word from a keeper after which others take its place.
func (r CopyRules) Absence() time.Duration {
	d, _ := time.ParseDuration(r.Leeway)
	return d
}

// A Keeper is a hospital's keeper. It says now and then that it is there.
type Keeper struct {
	MSP  string `json:"msp"`
	Node string `json:"node,omitempty" metadata:"node,optional"` // peer ID of its IPFS node, for those who check
	Time string `json:"time"`                                    // of its last word
}

// A Consortium is what the placement of payloads depends on.
type Consortium struct {
	Rules   CopyRules `json:"rules"`   // on the ledger; those of the chaincode server if there are none
	Own     CopyRules `json:"own"`     // of the chaincode server that answers
	Keepers []Keeper  `json:"keepers"` // in the order of MSP IDs
}

// A Presence is what a keeper puts on the ledger: that it is there, and the receipts that
// have changed.
type Presence struct {
	Node string       `json:"node,omitempty" metadata:"node,optional"`
	Pins []PinReceipt `json:"pins"`
}

// A PinReceipt says which payloads of a registering transaction a hospital's node has
// pinned. It replaces the one before. One without payloads ends it.
type PinReceipt struct {
	Tx       string `json:"tx"`                                          // that registered the payloads
	Keeper   string `json:"keeper,omitempty" metadata:"keeper,optional"` // MSP; the ledger sets it
	Payloads string `json:"payloads"`                                    // padded base64 of [PackMarks]
}

// Limits on a [Presence].
const (
	MaxPinReceipts  = 500   // receipts
	MaxPinReceipted = 1000  // payloads in a receipt
	MaxPinMarks     = 10000 // payloads in all receipts
	MaxNodeID       = 128   // bytes of a peer ID
	MaxKeepers      = 128   // hospitals that keep payloads
)

// MarkSize is the size of a [PayloadMark] in bytes.
const MarkSize = 16

// A PayloadMark stands for a content identifier in receipts. It is too long for somebody
// to find a payload with the mark of another.
type PayloadMark [MarkSize]byte

// MarkOf gives the mark of a content identifier: the beginning of its SHA-256.
func MarkOf(cid string) PayloadMark {
	sum := sha256.Sum256([]byte(cid))
	return PayloadMark(sum[:MarkSize])
}

// PackMarks sorts marks and joins them.
func PackMarks(marks []PayloadMark) []byte {
	marks = slices.Clone(marks)
	slices.SortFunc(marks, compareMarks)
	packed := make([]byte, 0, len(marks)*MarkSize)
	for _, m := range slices.Compact(marks) {
		packed = append(packed, m[:]...)
	}
	return packed
}

func compareMarks(a, b PayloadMark) int { return bytes.Compare(a[:], b[:]) }

// UnpackMarks reads the bytes of [PackMarks].
//
// Errors:
//   - ErrInvalid if they are any other bytes.
func UnpackMarks(packed []byte) ([]PayloadMark, error) {
	if len(packed)%MarkSize != 0 {
		return nil, Errorf(ErrInvalid, "%d bytes of marks: each has %d", len(packed), MarkSize)
	}
	marks := make([]PayloadMark, 0, len(packed)/MarkSize)
	for ; len(packed) > 0; packed = packed[MarkSize:] {
		m := PayloadMark(packed)
		if n := len(marks); n > 0 && compareMarks(marks[n-1], m) >= 0 {
			return nil, Errorf(ErrInvalid, "marks of payloads are not sorted, or one is given twice")
		}
		marks = append(marks, m)
	}
	return marks, nil
}

// CopyRulesKey has the [CopyRules].
const CopyRulesKey = "copies"

// KeeperPrefix begins the keys of keepers.
const KeeperPrefix = "keeper/"

func KeeperKey(msp string) string      { return KeeperPrefix + esc(msp) }
func PinsKey(tx, keeper string) string { return "pins/" + tx + "/" + esc(keeper) }

// ReadPinReceipt reads a receipt from its [PinsKey] and value, the marks. Any other key
// or value is an error.
func ReadPinReceipt(key string, value []byte) (PinReceipt, error) {
	parts, err := Parts(key)
	if err == nil && (len(parts) != 3 || parts[0] != "pins") {
		err = fmt.Errorf("no key of a receipt")
	}
	if err == nil {
		_, err = UnpackMarks(value)
	}
	if err != nil {
		return PinReceipt{}, fmt.Errorf("read %q: %w", key, err)
	}
	return PinReceipt{Tx: parts[1], Keeper: parts[2], Payloads: base64.StdEncoding.EncodeToString(value)}, nil
}

// Marks gives the payloads of a receipt.
//
// Errors:
//   - ErrInvalid if they are malformed.
func (r PinReceipt) Marks() ([]PayloadMark, error) {
	packed, err := base64.StdEncoding.DecodeString(r.Payloads)
	if err != nil {
		return nil, Errorf(ErrInvalid, "payloads are not base64: %v", err)
	}
	return UnpackMarks(packed)
}

// CopyRulesValue gives the value of [CopyRulesKey].
func CopyRulesValue(r CopyRules) []byte { return mustMarshal(r) }

// KeeperValue gives the value of a [KeeperKey].
func KeeperValue(k Keeper) []byte { return mustMarshal(k) }

// ReadCopyRules reads the value of [CopyRulesKey].
func ReadCopyRules(value []byte) (r CopyRules, err error) {
	if err = json.Unmarshal(value, &r); err == nil {
		err = r.Check()
	}
	return r, err
}
