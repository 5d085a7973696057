package trust

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// A Statement is what a person or a service says and signs. Its text is lines, the first
// of which names the kind, so that no statement can be taken for one of another kind:
//
//	chartseal.org/v1/record-version
//	channel: chartseal
//	record: 4c5d...
//	version: 1
//	...
//	certificate: 9f86...
//
// Each field is on one line, in a fixed order. The last line names the certificate of the
// signer, so that no other certificate verifies the signature. A line ends in one line
// feed. The text needs no library: `openssl dgst -sha256 -verify` checks it, see
// docs/verify.md. testdata/statements.txt has a vector of each kind.
type Statement struct {
	kind   string
	fields []field
}

type field struct{ name, value string }

const statementPrefix = "chartseal.org/v1/"

// Text gives the bytes that the holder of a certificate signs.
//
// Errors:
//   - ErrInvalid if a field has a character that cannot be printed.
func (s Statement) Text(certificate ledger.CertificateID) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintln(&b, statementPrefix+s.kind)
	for _, f := range s.fields {
		if strings.ContainsFunc(f.value, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) {
			return nil, ledger.Errorf(ledger.ErrInvalid, "the %s of a statement has characters that cannot be printed: %.80q", f.name, f.value)
		}
		fmt.Fprintf(&b, "%s: %s\n", f.name, f.value)
	}
	fmt.Fprintf(&b, "certificate: %s\n", certificate)
	return b.Bytes(), nil
}

// A Version is what an author says of one version of a record.
type Version struct {
	Record     string
	Version    int
	CID        string   // of the payload
	Commitment string   // as on the ledger
	Metadata   [32]byte // SHA-256 of the envelope's whole plaintext
	Policy     string   // canonical

	// Seal is not 0 in what somebody says who has sealed the version again.
	Seal int
}

// VersionOf is the version that its author, or the person who sealed it again, signs, but
// for the metadata.
func VersionOf(v ledger.RecordVersion, policy string) Version {
	return Version{Record: v.ID, Version: v.Version, CID: v.CID, Commitment: v.Commitment, Policy: policy, Seal: v.Seal}
}

// First is the version as its author sealed it, as far as the later seal tells.
func (v Version) First() Version {
	v.Seal = 0
	return v
}

// Statement gives the statement of an author, or of the person who sealed a version
// again.
func (v Version) Statement(channel string) Statement {
	kind, fields := "record-version", []field{{"channel", channel}, {"record", v.Record}, {"version", strconv.Itoa(v.Version)}}
	if v.Seal > 0 {
		kind, fields = "record-seal", append(fields, field{"seal", strconv.Itoa(v.Seal)})
	}
	return Statement{kind, append(fields, field{"cid", v.CID}, field{"commitment", v.Commitment},
		field{"metadata", hex.EncodeToString(v.Metadata[:])}, field{"policy", v.Policy})}
}

// ErasureStatement is what a person says who erases a record.
func ErasureStatement(channel, record, reason string) Statement {
	return Statement{"record-erasure", []field{{"channel", channel}, {"record", record}, {"reason", reason}}}
}

// ReceiptStatement is what a hospital's keeper says of an erased record.
func ReceiptStatement(channel string, r ledger.Receipt) Statement {
	return Statement{"erasure-receipt", []field{
		{"channel", channel}, {"record", r.Record}, {"keeper", r.Keeper}, {"keys", r.Keys}, {"payloads", r.Payloads},
	}}
}

// KeyStatement is what an authority says of a public key of one of its attributes.
func KeyStatement(channel string, k ledger.AttributeKey) Statement {
	return Statement{"attribute-key", []field{
		{"channel", channel}, {"attribute", k.Name}, {"version", strconv.Itoa(k.Version)}, {"key", k.Key},
	}}
}

// AuthorityStatement is what a hospital's authority says of its address and of the
// hospital's custodian.
func AuthorityStatement(channel string, a ledger.Authority) Statement {
	return Statement{"authority", []field{
		{"channel", channel}, {"member", a.MSP}, {"url", a.URL}, {"custodian", a.Custodian},
	}}
}

// ScopeKeyStatement is what a custodian says of the wrapped key of an epoch. The digest
// is the SHA-256 of its whole plaintext.
func ScopeKeyStatement(channel, scope string, epoch int, digest [32]byte, policy string) Statement {
	return Statement{"scope-key", []field{
		{"channel", channel}, {"scope", scope}, {"epoch", strconv.Itoa(epoch)}, {"key", hex.EncodeToString(digest[:])}, {"policy", policy},
	}}
}

// RetirementStatement is what a custodian says of the epochs that their hospital has
// retired.
func RetirementStatement(channel string, r ledger.Retirement) Statement {
	return Statement{"scope-retirement", []field{
		{"channel", channel}, {"scope", r.Scope}, {"member", r.MSP}, {"epoch", strconv.Itoa(r.Epoch)},
	}}
}
