package client

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/chartseal/chartseal/abe/authority"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/trust"
)

// An ErasureCertificate proves that a record was erased, to somebody who has nothing but
// the root certificates of the members: the tombstone, the hospitals' receipts, and the
// certificates of those who have signed them.
type ErasureCertificate struct {
	Format   int              `json:"format"` // 1
	Channel  string           `json:"channel"`
	Home     string           `json:"home"` // MSP of the record's hospital
	Erasure  ledger.Erasure   `json:"erasure"`
	Receipts []ledger.Receipt `json:"receipts"`
	Missing  []string         `json:"missing"` // hospitals that have not confirmed it

	Members      []CertifiedMember    `json:"members"`
	Certificates []ledger.Certificate `json:"certificates"` // of the signers
}

// A CertifiedMember is a member of the channel with its certificates and revocation
// lists, each in padded base64 of its DER.
type CertifiedMember struct {
	MSP           string   `json:"msp"`
	Roots         []string `json:"roots"`
	Intermediates []string `json:"intermediates,omitempty"`
	Revocations   []string `json:"revocations,omitempty"`
}

// certificateFormat is that of an [ErasureCertificate].
const certificateFormat = 1

// CertifyErasure returns the certificate of a record's erasure, as far as hospitals have
// confirmed it. It verifies what it puts in.
//
// Errors:
//   - ErrNotFound if there is no such record, or it was not erased.
//   - ErrTampered if a signature does not verify.
//   - ErrUnavailable if the ledger does not answer.
func (c *Client) CertifyErasure(ctx context.Context, id string) (*ErasureCertificate, error) {
	e, err := c.certifyErasure(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("certify the erasure of record %s: %w", id, err)
	}
	return e, nil
}

func (c *Client) certifyErasure(ctx context.Context, id string) (*ErasureCertificate, error) {
	records, err := c.ledger.Records(ctx, []string{id})
	if err != nil {
		return nil, err
	}
	if len(records) != 1 || records[0].ID != id {
		return nil, ledger.Errorf(ErrNotFound, "there is no such record on the ledger")
	}
	r := records[0]
	if r.Erasure == nil {
		return nil, ledger.Errorf(ErrNotFound, "it was not erased")
	}
	cert := &ErasureCertificate{Format: certificateFormat, Channel: c.ledger.Channel(), Home: r.Home, Erasure: *r.Erasure, Missing: []string{}}
	if cert.Receipts, err = c.ledger.Receipts(ctx, []string{id}); err != nil {
		return nil, err
	}
	hospitals, err := c.ledger.Authorities(ctx)
	if err != nil {
		return nil, err
	}
	for _, h := range hospitals {
		if !slices.ContainsFunc(cert.Receipts, func(r ledger.Receipt) bool { return r.Keeper == h.MSP }) {
			cert.Missing = append(cert.Missing, h.MSP)
		}
	}
	members, err := c.trust.Members(ctx)
	if err != nil {
		return nil, err
	}
	for _, m := range members {
		cert.Members = append(cert.Members, certifiedMember(m))
	}
	signers, err := cert.signers()
	if err != nil {
		return nil, err
	}
	if cert.Certificates, err = c.ledger.Certificates(ctx, signers); err != nil {
		return nil, err
	}
	return cert, cert.verify(ctx, c.trust)
}

func certifiedMember(m authority.MSP) CertifiedMember {
	encode := func(all []*x509.Certificate) (texts []string) {
		for _, c := range all {
			texts = append(texts, base64.StdEncoding.EncodeToString(c.Raw))
		}
		return texts
	}
	out := CertifiedMember{MSP: m.ID, Roots: encode(m.Roots), Intermediates: encode(m.Intermediates)}
	for _, l := range m.CRLs {
		out.Revocations = append(out.Revocations, base64.StdEncoding.EncodeToString(l.Raw))
	}
	return out
}

// signers lists the certificates that have signed the tombstone and the receipts.
func (e *ErasureCertificate) signers() (ids []ledger.CertificateID, err error) {
	texts := []string{e.Erasure.Signature}
	if e.Erasure.First != nil {
		texts = append(texts, e.Erasure.First.Signature)
	}
	for _, r := range e.Receipts {
		texts = append(texts, r.Signature)
	}
	for _, text := range texts {
		s, err := ledger.ParseSignature(text)
		if err != nil {
			return nil, ledger.WithKind(err, ErrTampered)
		}
		if !slices.Contains(ids, s.Certificate) {
			ids = append(ids, s.Certificate)
		}
	}
	return ids, nil
}

// verify checks the tombstone and the receipts, which are all of the same record.
func (e *ErasureCertificate) verify(ctx context.Context, d *trust.Directory) error {
	if err := d.Erasure(ctx, e.Erasure, e.Home); err != nil {
		return fmt.Errorf("the tombstone: %w", err)
	}
	seen := make(map[string]bool)
	for _, r := range e.Receipts {
		if r.Record != e.Erasure.ID || seen[r.Keeper] {
			return ledger.Errorf(ErrTampered, "the receipt of %s is of another record, or is given twice", r.Keeper)
		}
		seen[r.Keeper] = true
		if err := d.Receipt(ctx, r); err != nil {
			return err
		}
	}
	for _, m := range e.Missing {
		if seen[m] {
			return ledger.Errorf(ErrTampered, "%s has confirmed it, and is listed as missing", m)
		}
	}
	return nil
}

// CheckErasure reads an [ErasureCertificate] and verifies it without a network. The roots
// are those of the members, by MSP ID, sorted, as a person knows them from elsewhere.
//
// Errors:
//   - ErrInvalid if it is no certificate, or the roots of a member that signed are not
//     known.
//   - ErrTampered if a signature does not verify, or a member has other roots.
func CheckErasure(ctx context.Context, text []byte, roots map[string][]ledger.CertificateID) (*ErasureCertificate, error) {
	var e ErasureCertificate
	if err := json.Unmarshal(text, &e); err != nil {
		return nil, ledger.Errorf(ErrInvalid, "this is no certificate of an erasure: %v", err)
	}
	if e.Format != certificateFormat || e.Erasure.ID == "" {
		return nil, ledger.Errorf(ErrInvalid, "this is no certificate of an erasure that this version can read (format %d)", e.Format)
	}
	signing := []string{e.Home}
	for _, r := range e.Receipts {
		signing = append(signing, r.Keeper)
	}
	for _, m := range signing {
		if len(roots[m]) == 0 {
			return nil, ledger.Errorf(ErrInvalid, "%s has signed it, and its root certificates are not known", m)
		}
	}
	from := &certified{certificate: &e, roots: roots}
	d := &trust.Directory{Ledger: from, Memory: trust.NewMemory(), Roots: roots}
	if err := e.verify(ctx, d); err != nil {
		return nil, err
	}
	return &e, nil
}

// A certified is what a certificate has of the ledger.
type certified struct {
	certificate *ErasureCertificate
	roots       map[string][]ledger.CertificateID
}

var _ trust.Ledger = (*certified)(nil)

// MSP implements trust.Ledger.
func (c *certified) MSP() string { return "" }

// Channel implements trust.Ledger.
func (c *certified) Channel() string { return c.certificate.Channel }

// ChannelMSPs implements trust.Ledger. It leaves out members whose roots are not known:
// their certificates are believed for nothing.
func (c *certified) ChannelMSPs(context.Context) (all []authority.MSP, err error) {
	for _, m := range c.certificate.Members {
		if len(c.roots[m.MSP]) == 0 {
			continue
		}
		msp := authority.MSP{ID: m.MSP}
		if msp.Roots, err = certificatesOf(m.Roots); err != nil {
			return nil, err
		}
		if msp.Intermediates, err = certificatesOf(m.Intermediates); err != nil {
			return nil, err
		}
		for _, text := range m.Revocations {
			der, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				return nil, ledger.WithKind(err, ErrTampered)
			}
			list, err := x509.ParseRevocationList(der)
			if err != nil {
				return nil, ledger.WithKind(err, ErrTampered)
			}
			msp.CRLs = append(msp.CRLs, list)
		}
		all = append(all, msp)
	}
	slices.SortFunc(all, func(a, b authority.MSP) int { return cmp.Compare(a.ID, b.ID) })
	return all, nil
}

func certificatesOf(texts []string) (all []*x509.Certificate, err error) {
	for _, text := range texts {
		der, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, ledger.WithKind(err, ErrTampered)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, ledger.WithKind(err, ErrTampered)
		}
		all = append(all, c)
	}
	return all, nil
}

// Certificates implements trust.Ledger.
func (c *certified) Certificates(_ context.Context, ids []ledger.CertificateID) (found []ledger.Certificate, err error) {
	for _, id := range ids {
		for _, known := range c.certificate.Certificates {
			if known.ID == id.String() {
				found = append(found, known)
				break
			}
		}
	}
	return found, nil
}

// errOffline is the error of everything that a certificate does not have.
var errOffline = errors.New("a certificate has nothing else of the ledger")

// Authorities implements trust.Ledger.
func (*certified) Authorities(context.Context) ([]ledger.Authority, error) { return nil, errOffline }

// AttributeKeys implements trust.Ledger.
func (*certified) AttributeKeys(context.Context, []string) ([]ledger.AttributeKey, error) {
	return nil, errOffline
}

// Attributes implements trust.Ledger.
func (*certified) Attributes(context.Context) ([]ledger.AttributeName, error) { return nil, errOffline }

// ScopeKey implements trust.Ledger.
func (*certified) ScopeKey(context.Context, string, int, string) ([]byte, error) {
	return nil, errOffline
}
