// Package envelope is the format of what Chartseal stores: payloads, envelopes and
// wrapped scope keys. All are age files (age-encryption.org/v1), so their chunking,
// authentication and seeking are age's; this package adds what is inside.
//
// # Payload
//
// A payload is an age file with one stanza, which wraps the age file key under a record
// key of 32 random bytes:
//
//	-> chartseal.org/record BASE64(salt)
//	BASE64(ChaCha20-Poly1305(HKDF-SHA256(ikm = record key, salt, info = "chartseal.org/v1/record"), nonce = 0, file key))
//
// with a salt of 16 random bytes, so that the nonce of zero is used once a key. The
// plaintext is the record and then zero bytes up to [PaddedSize], so that the stored size
// tells the record's size only to about one part in 2*log2(size). Sealing streams in
// constant memory and does not need the size beforehand. A record key opens exactly one
// payload.
//
// # Envelope
//
// An envelope is a small age file with the JSON of [Metadata], followed by spaces up to a
// bucket size. It holds the record key. Its recipients are the policy's ABE stanzas, the
// home hospital's custodian and, if there is one, the patient's own age recipient; see
// [Recipients]. A scope key is wrapped in the same way, see [ScopeKey].
//
// Only the facts, by which a record was indexed, are compressed: a patient who has age
// and nothing else reads the rest as it is, the record key included. With all of it
// compressed, 512 bytes would do where 768 are taken now.
//
// Every hospital's peer sees the size of an envelope. It tells the policy, which stands
// there in clear text anyway, how many others can open it, and the bucket of the
// metadata: 768 bytes, twice that, and so on. In the first are a text with up to about 20
// keywords and an observation with three codes and up to 7; in the second, both with up
// to about 100. Because facts are compressed, whoever could choose a part of them and
// have the rest sealed with it again and again could learn from the bucket whether the
// two repeat each other; each attempt is a record or version of its own on the ledger.
//
// # Why three hashes
//
// Opening a record hashes it three times, about half of what a client computes for a
// large one. Each says something that the tags of age do not, because whoever may open a
// record holds its key and can make other tags. The CID, of the ciphertext, is what the
// ledger names: the store compares it block by block, so it finds a fault before anything
// is decrypted, and it alone ties a range to the ledger. The commitment ties the whole
// plaintext to the ledger. The digest in the metadata is what people are shown. None
// follows from another: a salt of 32 bytes shifts the blocks of SHA-256, so that digest
// and commitment share no work. Both in one pass of assembly for SHA-NI took 0.62 s a GiB
// instead of 1.08 s; that is not worth a hash of our own.
//
// # What is bound to what
//
// The metadata names the record, the version and the payload's CID, which the reader
// compares with the ledger: an envelope served for another record, or a CID put in place
// of another, is [ledger.ErrTampered]. The record key opens no other payload. The
// ledger's commitment is SHA-256(salt || plaintext) with a salt of exactly 32 bytes from
// the metadata, so revealing the salt later proves what the record said, and until then
// the ledger tells nothing about a record that can be guessed.
//
// Anyone can encrypt to a policy. What keeps a peer from forging an envelope is that it
// lacks the record key and the salt: a forged one fails at the payload or at the
// commitment. Somebody who may open the record and also controls the peer that is asked
// can forge the descriptive metadata (name, patient, codes), not the record.
//
// All of this measures an envelope against what the caller says is on the ledger. A peer
// that lies about the ledger itself, about a CID and a commitment, can show its own
// people a record that was never sealed, and no check here can tell.
package envelope

import (
	"bytes"
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
	// SaltSize is the size of a commitment's salt. It is fixed, so that salt and
	// plaintext cannot trade bytes.
	SaltSize = 32

	recordFormat = 2 // 1 can be read: its metadata had lists beside Facts
	scopeFormat  = 1
	typeRecord   = "record"
	typeScope    = "scope"
)

// Metadata is what an envelope holds.
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

	Name      string    `json:"name,omitempty"` // file name, empty if there was none
	MediaType string    `json:"mediaType"`
	Kind      string    `json:"kind,omitempty"`
	Patient   string    `json:"patient,omitempty"`
	Partial   bool      `json:"partial,omitempty"` // facts, or some of dates, codes and keywords, were left out to keep the envelope small
	Author    string    `json:"author"`            // actor that sealed it, see ledger.Actor
	Sealed    time.Time `json:"sealed"`

	// Scope and Facts say where and by what the version was indexed, so that its entries
	// can be deleted and made anew. Facts is the JSON of index.Facts; an envelope has it
	// in raw DEFLATE (RFC 1951) after a dictionary of ours, and base64.
	Scope string          `json:"scope,omitempty"`
	Epoch int             `json:"epoch,omitempty"` // of the scope
	Facts json.RawMessage `json:"facts,omitempty"`

	// An opened envelope has these only when it has no Facts, which say the same and
	// more, or is of format 1.
	Dates    []string `json:"dates,omitempty"`
	Codes    []string `json:"codes,omitempty"`
	Keywords []string `json:"keywords,omitempty"`
}

// Seal wraps the metadata for the recipients. Facts that would make it larger than an
// envelope may be are left out; dates, codes and keywords then take their place, as many
// as fit. Partial is set.
func (m Metadata) Seal(recipients ...age.Recipient) ([]byte, error) {
	d, err := m.Draft()
	if err != nil {
		return nil, err
	}
	return d.Seal(recipients...)
}

// A Draft is an envelope that is written and not sealed yet: its text in clear, record
// key and all. Many are written one by one, as their payloads are stored, and sealed
// together.
type Draft struct {
	text []byte // padded
}

// Draft writes what [Metadata.Seal] seals.
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

// Seal wraps the draft for the recipients. Drafts that are sealed to one
// abe.SharedRecipient, before the others, make envelopes that begin with the same bytes.
func (d Draft) Seal(recipients ...age.Recipient) ([]byte, error) { return wrap(d.text, recipients) }

// errLong says that something does not fit into an envelope.
var errLong = fmt.Errorf("it is over what an envelope holds: %w", ledger.ErrInvalid)

// text is the metadata, or as much of it as an envelope holds.
func (m Metadata) text() ([]byte, error) {
	if m.Facts != nil {
		if text, err := m.factual(); !errors.Is(err, errLong) {
			return text, err
		}
		m.Facts, m.Partial = nil, true // they can be found again in the record
	}
	for {
		text, err := marshal(m)
		if !errors.Is(err, errLong) || !m.halve() {
			return text, err
		}
	}
}

// factual is the metadata with the facts, and so without what they say.
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

// halve drops the second half of the longest list. It returns false when nothing is left
// to drop.
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
	}
	return nil
}

// Open unwraps an envelope and checks that it belongs to the version of the record that
// the ledger told of.
//
// When no identity unwraps it the error wraps [age.ErrIncorrectIdentity] and what the
// identities said, such as abe.ErrNotSatisfied. When it is damaged, not an envelope, or
// of another record, it wraps [ledger.ErrTampered].
func Open(data []byte, v ledger.RecordVersion, identities ...age.Identity) (*Metadata, error) {
	text, err := unwrap(data, identities)
	if err != nil {
		return nil, err
	}
	m, err := ParseMetadata(text)
	if err != nil {
		return nil, err
	}
	if m.Record != v.ID || m.Version != v.Version || m.CID != v.CID {
		return nil, tampered("envelope belongs to record %s version %d with payload %s, not to record %s version %d with payload %s",
			m.Record, m.Version, m.CID, v.ID, v.Version, v.CID)
	}
	return m, nil
}

// decode reads one strict JSON object followed by nothing but spaces.
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
