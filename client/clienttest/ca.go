package clienttest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"time"

	"github.com/chartseal/chartseal/abe/authority"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/trust"
)

// A ca is the CA of a member.
type ca struct {
	key     *ecdsa.PrivateKey
	root    *x509.Certificate
	serial  int64
	revoked []x509.RevocationListEntry
	crls    []*x509.RevocationList
}

// A signer is an enrolled person's certificate and key.
type signer struct {
	key         *ecdsa.PrivateKey
	certificate *x509.Certificate
}

// must ends a test that could not have gone wrong.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newCA(msp string) *ca {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca." + msp}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().AddDate(-1, 0, 0), NotAfter: time.Now().AddDate(50, 0, 0), KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		SubjectKeyId: []byte(msp),
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key))
	return &ca{key: key, root: must(x509.ParseCertificate(der)), serial: 1}
}

func (c *ca) enrol(id, role string) *signer {
	c.serial++
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(c.serial), Subject: pkix.Name{CommonName: id, OrganizationalUnit: []string{"client"}},
		NotBefore: time.Now().AddDate(-1, 0, 0), NotAfter: time.Now().AddDate(10, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{{
			Id:    asn1.ObjectIdentifier{1, 2, 3, 4, 5, 6, 7, 8, 1}, // Fabric CA's attributes
			Value: fmt.Appendf(nil, `{"attrs":{"hf.EnrollmentID":%q,"role":%q}}`, id, role),
		}},
	}
	der := must(x509.CreateCertificate(rand.Reader, template, c.root, &key.PublicKey, c.key))
	return &signer{key, must(x509.ParseCertificate(der))}
}

// ca returns the CA of a member. The caller holds the lock.
func (w *World) ca(msp string) *ca {
	if w.cas[msp] == nil {
		put(&w.cas, msp, newCA(msp))
	}
	return w.cas[msp]
}

// enrolled returns the certificate and the key of the person.
func (p *Person) enrolled() *signer {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	return p.enrolledLocked()
}

func (p *Person) enrolledLocked() *signer {
	if p.w.persons[*p] == nil {
		put(&p.w.persons, *p, p.w.ca(p.msp).enrol(p.id, p.role))
	}
	return p.w.persons[*p]
}

// Signer returns the person's signer.
func (p *Person) Signer() *trust.Signer {
	s := p.enrolled()
	return must(trust.NewSigner(s.key, s.certificate))
}

// CertificateID names the person's enrolment certificate.
func (p *Person) CertificateID() ledger.CertificateID {
	return ledger.IDOfCertificate(p.Certificate().Raw)
}

// SignerOf returns the signer of the person that [World.As] returned last for the actor.
func (w *World) SignerOf(actor string) *trust.Signer {
	w.mu.Lock()
	p := w.actors[actor]
	w.mu.Unlock()
	return p.Signer()
}

// Certificate returns the person's enrolment certificate.
func (p *Person) Certificate() *x509.Certificate { return p.enrolled().certificate }

// Revoke puts the person's certificate on the revocation list of their member.
func (w *World) Revoke(p *Person, at time.Time) {
	certificate := p.enrolled().certificate
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.ca(p.msp)
	c.revoked = append(c.revoked, x509.RevocationListEntry{SerialNumber: certificate.SerialNumber, RevocationTime: at})
	list := &x509.RevocationList{Number: big.NewInt(int64(len(c.revoked))), ThisUpdate: time.Now(), NextUpdate: time.Now().AddDate(1, 0, 0), RevokedCertificateEntries: c.revoked}
	der := must(x509.CreateRevocationList(rand.Reader, list, c.root, c.key))
	c.crls = []*x509.RevocationList{must(x509.ParseRevocationList(der))}
}

// ReplaceRoot gives a member another CA. Certificates of the one before are of nobody
// any more.
func (w *World) ReplaceRoot(msp string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	put(&w.cas, msp, newCA(msp))
	maps.DeleteFunc(w.persons, func(p Person, _ *signer) bool { return p.msp == msp })
}

// Channel implements client.Ledger.
func (p *Person) Channel() string { return "channel" }

// ChannelMSPs implements client.Ledger.
func (p *Person) ChannelMSPs(ctx context.Context) (all []authority.MSP, err error) {
	err = p.evaluate(ctx, "cscc:GetChannelConfig", "", func() error {
		for _, msp := range slices.Sorted(maps.Keys(p.w.cas)) {
			c := p.w.cas[msp]
			all = append(all, authority.MSP{ID: msp, Roots: []*x509.Certificate{c.root}, CRLs: c.crls})
		}
		return nil
	})
	return all, err
}

// DepositCertificate implements trust.Depositor.
func (p *Person) DepositCertificate(ctx context.Context) error {
	return p.submit(ctx, ledger.CertificateDeposit, "", func(_, _ string) error {
		der := p.enrolledLocked().certificate.Raw
		put(&p.w.deposited, ledger.IDOfCertificate(der), der)
		return nil
	})
}

// Certificates implements client.Ledger.
func (p *Person) Certificates(ctx context.Context, ids []ledger.CertificateID) (found []ledger.Certificate, err error) {
	err = p.evaluate(ctx, ledger.CertificateGet, "", func() error {
		for _, id := range ids {
			if der := p.w.deposited[id]; der != nil {
				found = append(found, ledger.Certificate{ID: id.String(), DER: base64.StdEncoding.EncodeToString(der)})
			}
		}
		return nil
	})
	return found, err
}
