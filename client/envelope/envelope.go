// Package envelope implements the stored formats of Chartseal: payloads, envelopes and
// wrapped scope keys. All are age files (age-encryption.org/v1): age does the chunking,
// authentication and seeking, and this package defines the contents.
//
// Most callers seal a record with [NewSealer] and its [Metadata] with [Metadata.Seal],
// and open them with [Open] and [OpenPayload].
//
// # Payload
//
// A payload is an age file with one stanza, which wraps the age file key under a record
// key of 32 random bytes:
//
//	-> chartseal.org/record BASE64(salt)
//	BASE64(ChaCha20-Poly1305(HKDF-SHA256(ikm = record key, salt, info = "chartseal.org/v1/record"), nonce = 0, file key))
//
// The salt is 16 random bytes, so each key is used once with the nonce of zero. The
// plaintext is the record, followed by zero bytes up to [PaddedSize]. The stored size
// therefore reveals the record's size only to about one part in 2*log2(size). Sealing
// streams in constant memory and does not need the size beforehand. A record key opens
// exactly one payload.
//
// # Envelope
//
// An envelope is a small age file with the JSON of [Metadata], followed by spaces up to a
// bucket size. It holds the record key. Its recipients are the policy's ABE stanzas, the
// home hospital's custodian and, if there is one, the patient's own age recipient; see
// [Recipients]. A scope key is wrapped in the same way, see [ScopeKey].
//
// Only the facts, by which a record is indexed, are compressed. A patient with nothing
// but age can read the rest directly, including the record key. If all of it were
// compressed, 512 bytes would be enough instead of 768.
//
// Every hospital's peer sees the size of an envelope. The size depends on the policy,
// which is readable there anyway, on the number of other recipients, and on the bucket of
// the metadata: 768 bytes, twice that, and so on. The first bucket holds a text with up
// to about 20 keywords, or an observation with three codes and up to 7 keywords. The
// second holds either with up to about 100. Because facts are compressed, an attacker who
// could choose a part of them, and have the rest sealed with it many times, could learn
// from the bucket whether the two parts repeat each other. Each attempt is a record or
// version of its own on the ledger.
//
// # Why three hashes
//
// Opening a record hashes it three times, which is about half of a client's computation
// for a large record. Each hash proves more than age's tags, because every reader of a
// record holds its key and can make other tags. The CID, of the ciphertext, is on the
// ledger. The store compares it block by block, so it finds a fault before anything is
// decrypted. Only the CID binds a range to the ledger. The commitment binds the whole
// plaintext to the ledger. The digest in the metadata is shown to people. No hash follows
// from another: the salt of 32 bytes shifts the blocks of SHA-256, so digest and
// commitment share no work. Computing both in one pass of SHA-NI assembly took 0.62 s per
// GiB instead of 1.08 s, which is not worth a hash of our own.
//
// # Guarantees
//
// The metadata names the record, the version and the payload's CID. The reader compares
// them with the ledger: an envelope of another record, or another CID, is
// [ledger.ErrTampered]. The record key opens no other payload. The ledger's commitment is
// SHA-256(salt || plaintext), with a salt of exactly 32 bytes from the metadata.
// Revealing the salt later proves the content of the record. Until then the ledger
// reveals nothing, even about a record that can be guessed.
//
// Anyone can encrypt to a policy, but a peer cannot forge an envelope, because it has
// neither the record key nor the salt: a forged envelope fails at the payload or at the
// commitment.
//
// The author's signature, see [Signed], covers the whole metadata and what the ledger has
// of the version. Package client verifies it. Without it, in envelopes from before, a
// reader who also controls the peer that is asked can forge the descriptive metadata, and
// a peer that lies about a CID and a commitment can show a record that was never sealed.
package envelope

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"filippo.io/age"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

const (
	// KeySize is the size of record keys and scope keys.
	KeySize = 32
	// SaltSize is the size of a commitment's salt. It is fixed, so that no byte can count
	// as salt in one reading and as plaintext in another.
	SaltSize = 32

	recordFormat = 2 // format 1, with lists beside Facts, can be read
	scopeFormat  = 1
	typeRecord   = "record"
	typeScope    = "scope"
)

// Metadata is the content of an envelope.
type Metadata struct {
	Type   string `json:"type"`   // "record"
	Format int    `json:"format"` // 2; 1 can be read

	Record  string `json:"record"`  // id, as on the ledger
	Version int    `json:"version"` // as on the ledger
	CID     string `json:"cid"`     // of the payload

	Key    []byte `json:"key"`    // record key, KeySize bytes
	Salt   []byte `json:"salt"`   // of the commitment, SaltSize bytes
	Size   int64  `json:"size"`   // of the record in bytes
	SHA256 []byte `json:"sha256"` // of the record

	// PatientRecipient is the patient's own age recipient, so that those who seal the
	// version again seal it to the patient too.
	PatientRecipient string `json:"patientRecipient,omitempty"`

	// Origin is what the author sealed, if the payload is another one by now.
	Origin *Origin `json:"origin,omitempty"`

	Name      string    `json:"name,omitempty"` // file name, empty if there was none
	MediaType string    `json:"mediaType"`
	Kind      string    `json:"kind,omitempty"`
	Patient   string    `json:"patient,omitempty"`
	Partial   bool      `json:"partial,omitempty"` // facts, or some of dates, codes and keywords, were left out to keep the envelope small
	Author    string    `json:"author"`            // actor that sealed it, see ledger.Actor
	Sealed    time.Time `json:"sealed"`

	// Scope and Facts record how the version was indexed, so that its entries can be
	// deleted and made again. Facts is the JSON of index.Facts. An envelope holds it in
	// raw DEFLATE (RFC 1951) with a preset dictionary, in base64.
	Scope string          `json:"scope,omitempty"`
	Epoch int             `json:"epoch,omitempty"` // of the scope
	Facts json.RawMessage `json:"facts,omitempty"`

	// An opened envelope has these only if it has no Facts, which include them, or is of
	// format 1.
	Dates    []string `json:"dates,omitempty"`
	Codes    []string `json:"codes,omitempty"`
	Keywords []string `json:"keywords,omitempty"`

	// Digest is the SHA-256 of the whole plaintext of an opened envelope, see
	// [Draft.Digest].
	Digest [32]byte `json:"-"`

	plaintext []byte // of an opened envelope
}

// An Origin is what the author of a version signed, of a payload that was replaced. With
// it a reader still verifies the author: the salt proves that the record is the one of
// the commitment.
type Origin struct {
	CID        string `json:"cid"`
	Commitment string `json:"commitment"`
	Metadata   []byte `json:"metadata"` // SHA-256 of the plaintext of the author's envelope
	Salt       []byte `json:"salt"`     // of the commitment, SaltSize bytes
}

// Again returns the draft of an opened envelope, with the same plaintext.
func (m *Metadata) Again() Draft { return Draft{m.plaintext} }

// Seal wraps the metadata for the recipients. Facts that do not fit into an envelope are
// left out. As many dates, codes and keywords as fit then take their place, and Partial
// is set.
//
// Errors:
//   - ledger.ErrInvalid if the metadata or the policy is too long.
//   - an error if the metadata is incomplete.
//   - the error of a recipient.
func (m Metadata) Seal(recipients ...age.Recipient) ([]byte, error) {
	d, err := m.Draft()
	if err != nil {
		return nil, err
	}
	return d.Seal(recipients...)
}

// A Draft is the unencrypted text of an envelope, including the record key. Drafts are
// written one by one as their payloads are stored, and sealed together.
type Draft struct {
	text []byte // padded
}

// Draft returns the text that [Metadata.Seal] seals. Its errors are those of
// [Metadata.Seal].
func (m Metadata) Draft() (Draft, error) {
	m.Type, m.Format = typeRecord, recordFormat
	if err := m.valid(); err != nil {
		return Draft{}, fmt.Errorf("seal envelope: %w", err)
	}
	text, err := m.text()
	if err != nil {
		return Draft{}, fmt.Errorf("seal envelope: %w", err)
	}
	return Draft{pad(text)}, nil
}

// Digest is the SHA-256 of the whole plaintext, the spaces at its end included. The
// author signs it.
func (d Draft) Digest() [32]byte { return sha256.Sum256(d.text) }

// Seal wraps the draft for the recipients. Drafts that are sealed to one
// abe.SharedRecipient, before the others, make envelopes that begin with the same bytes.
func (d Draft) Seal(recipients ...age.Recipient) ([]byte, error) { return wrap(d.text, recipients) }

// errLong is the error of a text that does not fit into an envelope.
var errLong = fmt.Errorf("it is over what an envelope holds: %w", ledger.ErrInvalid)

// text encodes the metadata, or as much of it as an envelope holds.
func (m Metadata) text() ([]byte, error) {
	if m.Facts != nil {
		if text, err := m.factual(); !errors.Is(err, errLong) {
			return text, err
		}
		m.Facts, m.Partial = nil, true // the record still has them
	}
	for {
		text, err := marshal(m)
		if !errors.Is(err, errLong) || !m.halve() {
			return text, err
		}
	}
}

// factual encodes the metadata with the facts, and without the lists that repeat them.
func (m Metadata) factual() (text []byte, err error) {
	m.Dates, m.Codes, m.Keywords = nil, nil, nil
	if m.Facts, err = packFacts(m.Facts); err != nil {
		return nil, err
	}
	return marshal(m)
}

func marshal(m Metadata) ([]byte, error) {
	text, err := json.Marshal(m)
	if err == nil && len(text) > maxText {
		err = errLong
	}
	return text, err
}

// halve drops the second half of the longest list. It returns false if every list is
// empty.
func (m *Metadata) halve() bool {
	longest := &m.Keywords
	for _, l := range []*[]string{&m.Codes, &m.Dates} {
		if len(*l) > len(*longest) {
			longest = l
		}
	}
	if len(*longest) == 0 {
		return false
	}
	*longest = (*longest)[:len(*longest)/2]
	m.Partial = true
	return true
}

func (m *Metadata) valid() error {
	switch {
	case m.Type != typeRecord:
		return fmt.Errorf("type %q, not %q", m.Type, typeRecord)
	case len(m.Key) != KeySize:
		return errors.New("record key has the wrong size")
	case len(m.Salt) != SaltSize:
		return errors.New("salt has the wrong size")
	case len(m.SHA256) != 32:
		return errors.New("digest has the wrong size")
	case m.Size < 0:
		return errors.New("size is negative")
	case m.Record == "" || m.Version < 1 || m.CID == "":
		return errors.New("no record, version or CID")
	case m.Origin != nil && (len(m.Origin.Salt) != SaltSize || len(m.Origin.Metadata) != 32):
		return errors.New("the salt or the digest of what the author sealed has the wrong size")
	}
	return nil
}

// Open unwraps an envelope and checks that it belongs to a version of a record on the
// ledger.
//
// Errors:
//   - age.ErrIncorrectIdentity, and the errors of the identities, such as
//     abe.ErrNotSatisfied, if no identity unwraps it.
//   - ledger.ErrTampered if it is damaged, no envelope, or of another record.
func Open(data []byte, v ledger.RecordVersion, identities ...age.Identity) (*Metadata, error) {
	text, err := unwrap(data, identities)
	if err != nil {
		return nil, err
	}
	m, err := ParseMetadata(text)
	if err != nil {
		return nil, err
	}
	m.Digest, m.plaintext = sha256.Sum256(text), text
	if m.Record != v.ID || m.Version != v.Version || m.CID != v.CID {
		return nil, tampered("envelope belongs to record %s version %d with payload %s, not to record %s version %d with payload %s",
			m.Record, m.Version, m.CID, v.ID, v.Version, v.CID)
	}
	return m, nil
}

// decode reads one strict JSON object with nothing but spaces after it.
func decode(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return tampered("envelope does not hold what it should: %v", err)
	}
	rest := text[d.InputOffset():]
	if len(bytes.Trim(rest, " ")) > 0 {
		return tampered("envelope is followed by more data")
	}
	return nil
}

func tampered(format string, args ...any) error {
	return ledger.Errorf(ledger.ErrTampered, format, args...)
}
