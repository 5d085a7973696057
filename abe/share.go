package abe

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"filippo.io/age"
	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/secretsharing"
)

// A MasterShare is one of n parts of a master key. Any k of them give it back, and fewer
// do not (Shamir). It carries a commitment to all parts (Feldman), so that a damaged or
// made-up part is found and named.
//
// The field is that of P-384's order, which has room for the 32 bytes of the secret.
// Without the commitment, fewer than k parts would reveal nothing at all. The commitment
// reveals the secret times the generator, a discrete logarithm of 256 bits: 2^128 steps,
// and few for a quantum computer. So the commitment stands inside the sealed share, and
// only custodians see it.
//
// A share does not prove which master key was split: k custodians who plot can bring
// shares of a key of their own making. The public keys on the ledger tell (package
// client/keys compares them before it publishes).
type MasterShare struct {
	authority  string
	threshold  int
	index      int
	value      []byte   // scalar
	commitment [][]byte // threshold elements, compressed
	history    []byte   // sealed under the secret; nil if it was never replaced
}

// MaxShares bounds n.
const MaxShares = 64

const (
	shareKind         = "chartseal/abe/master-share/v1"
	shareKindReplaced = "chartseal/abe/master-share/v2" // with a history
)

type shareFile struct {
	Kind       string   `json:"kind"`
	Authority  string   `json:"authority"`
	Threshold  int      `json:"threshold"`
	Index      int      `json:"index"`
	Value      []byte   `json:"value"`
	Commitment [][]byte `json:"commitment"`
	History    []byte   `json:"history,omitempty"`
}

var shareGroup = group.P384

// SplitMaster splits a master key into n shares, any k of which give it back, for 2 <= k
// <= n <= [MaxShares].
func SplitMaster(m *MasterKey, k, n int, random io.Reader) ([]*MasterShare, error) {
	if k < 2 || k > n || n > MaxShares {
		return nil, fmt.Errorf("split master key: %d of %d: want 2 <= k <= n <= %d", k, n, MaxShares)
	}
	if err := m.usable(); err != nil {
		return nil, fmt.Errorf("split master key: %w", err)
	}
	params := shareGroup.Params()
	secret := shareGroup.NewScalar()
	wide := make([]byte, params.ScalarLength)
	defer clear(wide)
	copy(wide[len(wide)-masterSize:], m.secret[:])
	if err := secret.UnmarshalBinary(wide); err != nil {
		return nil, fmt.Errorf("split master key: %w", err)
	}
	sharing := secretsharing.New(random, uint(k-1), secret)
	var commitment [][]byte
	for _, e := range sharing.CommitSecret() {
		b, err := e.MarshalBinaryCompress()
		if err != nil {
			return nil, fmt.Errorf("split master key: %w", err)
		}
		commitment = append(commitment, b)
	}
	history, err := m.sealHistory()
	if err != nil {
		return nil, fmt.Errorf("split master key: %w", err)
	}
	var out []*MasterShare
	for i, s := range sharing.Share(uint(n)) {
		value, err := s.Value.MarshalBinary()
		if err != nil {
			return nil, fmt.Errorf("split master key: %w", err)
		}
		out = append(out, &MasterShare{m.authority, k, i + 1, value, commitment, history})
	}
	return out, nil
}

// CombineMaster restores a master key from shares of one split, at least as many as its
// threshold.
//
// Errors:
//   - ErrTampered if a share is damaged or of another split; the text names it.
//   - ErrMalformed if a share is not an encoding.
func CombineMaster(shares []*MasterShare) (*MasterKey, error) {
	fail := func(format string, args ...any) (*MasterKey, error) {
		return nil, fmt.Errorf("combine master key: "+format, args...)
	}
	if len(shares) == 0 {
		return fail("no shares")
	}
	first := shares[0]
	seen := map[int]bool{}
	var parts []secretsharing.Share
	for _, s := range shares {
		if s.authority != first.authority || s.threshold != first.threshold || !slices.EqualFunc(s.commitment, first.commitment, bytes.Equal) ||
			!bytes.Equal(s.history, first.history) {
			return fail("%w: %s is not of the same split as %s", ErrTampered, s, first)
		}
		part, err := s.part()
		if err != nil {
			return nil, err
		}
		if !seen[s.index] {
			seen[s.index] = true
			parts = append(parts, part)
		}
	}
	if len(parts) < first.threshold {
		return fail("have %d different shares, need %d", len(parts), first.threshold)
	}
	secret, err := secretsharing.Recover(uint(first.threshold-1), parts)
	if err != nil {
		return fail("%w", err)
	}
	wide, err := secret.MarshalBinary()
	defer clear(wide)
	if err != nil {
		return fail("%w", err)
	}
	padding := len(wide) - masterSize
	if bytes.Count(wide[:padding], []byte{0}) != padding {
		return fail("%w: the shares are not of a master key", ErrTampered)
	}
	m, err := NewMasterKey(first.authority, bytes.NewReader(wide[padding:]))
	if err == nil {
		err = m.openHistory(first.history)
	}
	if err != nil {
		return fail("%w", err)
	}
	return m, nil
}

// part checks the share against its commitment.
func (s *MasterShare) part() (secretsharing.Share, error) {
	out := secretsharing.Share{ID: shareGroup.NewScalar().SetUint64(uint64(s.index)), Value: shareGroup.NewScalar()}
	if err := out.Value.UnmarshalBinary(s.value); err != nil {
		return out, malformed("%s: value: %v", s, err)
	}
	var commitment secretsharing.SecretCommitment
	for _, b := range s.commitment {
		e := shareGroup.NewElement()
		if err := e.UnmarshalBinary(b); err != nil {
			return out, malformed("%s: commitment: %v", s, err)
		}
		commitment = append(commitment, e)
	}
	if !secretsharing.Verify(uint(s.threshold-1), out, commitment) {
		return out, fmt.Errorf("%w: %s does not fit its commitment", ErrTampered, s)
	}
	return out, nil
}

// Threshold is the number of shares that give the master key back.
func (s *MasterShare) Threshold() int { return s.threshold }

// String names the share without showing its secret.
func (s *MasterShare) String() string {
	return fmt.Sprintf("share %d of the master key of %s (any %d give it back)", s.index, s.authority, s.threshold)
}

// GoString does not show the secret either.
func (s *MasterShare) GoString() string { return s.String() }

// SealShare encrypts a share, usually to one custodian: an armored age file.
func SealShare(s *MasterShare, to ...age.Recipient) ([]byte, error) {
	kind := shareKind
	if s.history != nil {
		kind = shareKindReplaced
	}
	plain, err := json.Marshal(shareFile{kind, s.authority, s.threshold, s.index, s.value, s.commitment, s.history})
	if err != nil {
		return nil, fmt.Errorf("seal share: %w", err)
	}
	defer clear(plain)
	return sealArmored(plain, to)
}

// OpenShare decrypts a share that [SealShare] encrypted.
//
// Errors: as of [OpenMaster].
func OpenShare(sealed []byte, with ...age.Identity) (*MasterShare, error) {
	plain, err := openArmored(sealed, "share", with)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	var f shareFile
	if err := json.Unmarshal(plain, &f); err != nil || f.Kind != shareKind && f.Kind != shareKindReplaced ||
		(f.Kind == shareKindReplaced) != (len(f.History) > 0) || f.Index < 1 || f.Index > MaxShares ||
		f.Threshold < 2 || f.Threshold > MaxShares || len(f.Commitment) != f.Threshold {
		return nil, malformed("share: not a share of a master key")
	}
	return &MasterShare{f.Authority, f.Threshold, f.Index, f.Value, f.Commitment, f.History}, nil
}
