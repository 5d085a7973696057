package trust_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chartseal/chartseal/abe/authority"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/clienttest"
	"github.com/chartseal/chartseal/client/trust"
)

var update = flag.Bool("update", false, "write testdata anew")

// statements has one statement of each kind.
func statements() map[string]trust.Statement {
	return map[string]trust.Statement{
		"record-version": trust.Version{
			Record: "000102030405060708090a0b0c0d0e0f", Version: 2, CID: "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy",
			Commitment: strings.Repeat("ab", 32), Metadata: [32]byte{1, 2, 3}, Policy: "HospitalA:role=doctor or HospitalB:role=doctor",
		}.Statement("charts"),
		"record-seal": trust.Version{
			Record: "000102030405060708090a0b0c0d0e0f", Version: 2, CID: "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy",
			Commitment: strings.Repeat("ab", 32), Metadata: [32]byte{1, 2, 3}, Policy: "HospitalA:role=doctor", Seal: 1,
		}.Statement("charts"),
		"record-erasure": trust.ErasureStatement("charts", "000102030405060708090a0b0c0d0e0f", "CONSENT"),
		"erasure-receipt": trust.ReceiptStatement("charts", ledger.Receipt{Record: "000102030405060708090a0b0c0d0e0f", Keeper: "HospitalB",
			Keys: ledger.ReceiptGone, Payloads: ledger.ReceiptUnpinned}),
		"attribute-key": trust.KeyStatement("charts", ledger.AttributeKey{Name: "HospitalA:role=doctor", Version: 3, Key: "AAECAw=="}),
		"authority": trust.AuthorityStatement("charts", ledger.Authority{MSP: "HospitalA", URL: "https://a.example:7060",
			Custodian: "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"}),
		"scope-key":        trust.ScopeKeyStatement("charts", "hospitals", 4, [32]byte{9}, "HospitalA:role=doctor"),
		"scope-retirement": trust.RetirementStatement("charts", ledger.Retirement{Scope: "hospitals", MSP: "HospitalB", Epoch: 3}),
	}
}

// TestStatementVectors compares the text of each kind with the one in testdata. Other
// programs verify signatures over these bytes: they never change.
func TestStatementVectors(t *testing.T) {
	id := ledger.IDOfCertificate([]byte("certificate"))
	for kind, st := range statements() {
		text, err := st.Text(id)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", kind+".txt")
		if *update {
			if err := os.WriteFile(path, text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(text, want) {
			t.Errorf("%s: got\n%s\nwant\n%s", kind, text, want)
		}
	}
}

// TestStatementLines refuses fields that could pass for further lines.
func TestStatementLines(t *testing.T) {
	for _, bad := range []string{"a\nurl: b", "a\rb", "a\x00", "a\u2028b", "\xff"} {
		st := trust.AuthorityStatement("charts", ledger.Authority{MSP: "HospitalA", URL: bad})
		if _, err := st.Text(ledger.CertificateID{}); !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestVerify has a person sign a statement, and others verify it, whatever peers say.
func TestVerify(t *testing.T) {
	world := &clienttest.World{}
	author, reader := world.As("HospitalA", "doctor", "doctor"), world.As("HospitalB", "doctor", "doctor")
	other := world.As("HospitalA", "clerk", "clerk")
	st := statements()["record-version"]
	signature, err := author.Signer().Sign(st)
	if err != nil {
		t.Fatal(err)
	}
	d := &trust.Directory{Ledger: reader, Witnesses: []trust.Ledger{author}, Memory: trust.NewMemory()}
	if _, err := d.Verify(t.Context(), st, signature, time.Now()); !errors.Is(err, ledger.ErrUnavailable) {
		t.Errorf("the certificate is not on the ledger yet: %v", err)
	}
	memory := trust.NewMemory()
	for range 2 {
		if err := trust.Deposit(t.Context(), author, memory, author.Signer()); err != nil {
			t.Fatal(err)
		}
	}
	if err := trust.Deposit(t.Context(), other, trust.NewMemory(), other.Signer()); err != nil {
		t.Fatal(err)
	}
	holder, err := d.Verify(t.Context(), st, signature, time.Now())
	if err != nil || holder.GID() != author.Actor() || holder.Attributes[ledger.RoleAttribute] != "doctor" {
		t.Fatalf("%+v, %v", holder, err)
	}
	if _, err := d.Verify(t.Context(), st, signature, time.Time{}); err != nil {
		t.Errorf("as a statement that stands: %v", err)
	}

	changed := signature
	changed.Value = bytes.Clone(signature.Value)
	changed.Value[10] ^= 1
	swapped := signature
	swapped.Certificate = other.Signer().Certificate()
	for name, tc := range map[string]struct {
		st  trust.Statement
		sig ledger.Signature
		at  time.Time
	}{
		"another signature":      {st, changed, time.Now()},
		"another certificate":    {st, swapped, time.Now()},
		"another statement":      {statements()["scope-key"], signature, time.Now()},
		"before the certificate": {st, signature, time.Now().AddDate(-20, 0, 0)},
		"after the certificate":  {st, signature, time.Now().AddDate(40, 0, 0)},
	} {
		if _, err := d.Verify(t.Context(), tc.st, tc.sig, tc.at); !errors.Is(err, ledger.ErrTampered) {
			t.Errorf("%s: %v", name, err)
		}
	}
	short := ledger.Signature{Certificate: signature.Certificate, Value: signature.Value[:62]}
	if _, err := d.Verify(t.Context(), st, short, time.Now()); !errors.Is(err, ledger.ErrTampered) {
		t.Errorf("a short signature: %v", err)
	}

	// A revocation ends what stands, and leaves what was signed before.
	revoked := time.Now().Add(-time.Hour)
	world.Revoke(author, revoked)
	d = &trust.Directory{Ledger: reader, Memory: trust.NewMemory()}
	// The author's clock may be off by ledger.MaxClockSkew, and the list has whole
	// seconds.
	for name, at := range map[string]time.Time{"signed before the revocation": revoked.Add(-time.Minute), "in the same second": revoked.Truncate(time.Second).Add(999 * time.Millisecond),
		"by a clock that is fast": revoked.Add(ledger.MaxClockSkew - time.Second)} {
		if _, err := d.Verify(t.Context(), st, signature, at); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, at := range map[string]time.Time{"signed after the revocation": revoked.Add(ledger.MaxClockSkew + time.Second), "as a statement that stands": {}} {
		if _, err := d.Verify(t.Context(), st, signature, at); !errors.Is(err, ledger.ErrTampered) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A forger is a peer that gives a certificate of its own under another's id.
type forger struct {
	*clienttest.Person
	der []byte
}

func (f forger) Certificates(_ context.Context, ids []ledger.CertificateID) ([]ledger.Certificate, error) {
	return []ledger.Certificate{{ID: ids[0].String(), DER: base64.StdEncoding.EncodeToString(f.der)}}, nil
}

// TestForgedCertificate asks a peer that answers with another certificate.
func TestForgedCertificate(t *testing.T) {
	world := &clienttest.World{}
	author, clerk := world.As("HospitalA", "doctor", "doctor"), world.As("HospitalA", "clerk", "clerk")
	st := statements()["record-version"]
	signature, err := author.Signer().Sign(st)
	if err != nil {
		t.Fatal(err)
	}
	d := &trust.Directory{Ledger: forger{clerk, clerk.Certificate().Raw}, Memory: trust.NewMemory()}
	if _, err := d.Verify(t.Context(), st, signature, time.Now()); !errors.Is(err, ledger.ErrTampered) {
		t.Errorf("got %v", err)
	}
}

// TestChangedRoot is a member whose root changes. Nobody believes what the new root has
// certified until a person accepts it. What the old one has certified stays valid.
func TestChangedRoot(t *testing.T) {
	world := &clienttest.World{}
	author, reader := world.As("HospitalA", "doctor", "doctor"), world.As("HospitalB", "doctor", "doctor")
	st := statements()["record-version"]
	sign := func(p *clienttest.Person) ledger.Signature {
		if err := trust.Deposit(t.Context(), p, trust.NewMemory(), p.Signer()); err != nil {
			t.Fatal(err)
		}
		s, err := p.Signer().Sign(st)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	old := sign(author)
	memory := trust.NewMemory()
	d := &trust.Directory{Ledger: reader, Memory: memory}
	before, err := d.Members(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	world.ReplaceRoot("HospitalA")
	fresh := sign(author)
	_, err = d.Members(t.Context())
	var changed *trust.RootChangedError
	if !errors.As(err, &changed) || !errors.Is(err, ledger.ErrTampered) || changed.Member != "HospitalA" ||
		len(changed.Known) != 1 || changed.Known[0] != ledger.IDOfCertificate(before[0].Roots[0].Raw) {
		t.Fatalf("got %v", err)
	}
	if _, err := d.Verify(t.Context(), st, fresh, time.Now()); !errors.Is(err, ledger.ErrTampered) {
		t.Errorf("signed under the new root: %v", err)
	}
	if err := d.AcceptRoots(t.Context(), "HospitalA", changed.Known); !errors.Is(err, ledger.ErrTampered) {
		t.Errorf("other roots are accepted: %v", err)
	}
	if err := d.AcceptRoots(t.Context(), "HospitalX", changed.Now); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("roots of nobody are accepted: %v", err)
	}
	if err := d.AcceptRoots(t.Context(), "HospitalA", changed.Now); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]ledger.Signature{"new": fresh, "old": old} {
		if _, err := d.Verify(t.Context(), st, s, time.Now()); err != nil {
			t.Errorf("signed under the %s root: %v", name, err)
		}
	}

	// With the roots from elsewhere, not even the first list is believed.
	known := &trust.Directory{Ledger: reader, Memory: trust.NewMemory(), Roots: map[string][]ledger.CertificateID{"HospitalA": changed.Known}}
	if _, err := known.Members(t.Context()); !errors.As(err, &changed) {
		t.Errorf("other roots than the profile has: %v", err)
	}
}

// A leaver is a peer that leaves a member out.
type leaver struct {
	*clienttest.Person
	without string
}

func (l leaver) ChannelMSPs(ctx context.Context) ([]authority.MSP, error) {
	all, err := l.Person.ChannelMSPs(ctx)
	return slices.DeleteFunc(all, func(m authority.MSP) bool { return m.ID == l.without }), err
}

// TestMemberLeftOut: peers leave a member out of the list, and then list it with a root
// of their own. It is not believed as a first one.
func TestMemberLeftOut(t *testing.T) {
	world := &clienttest.World{}
	author, reader := world.As("HospitalA", "doctor", "doctor"), world.As("HospitalB", "doctor", "doctor")
	author.Signer()
	memory := trust.NewMemory()
	d := &trust.Directory{Ledger: reader, Memory: memory}
	if _, err := d.Members(t.Context()); err != nil {
		t.Fatal(err)
	}
	st := statements()["record-version"]
	signature, err := author.Signer().Sign(st)
	if err != nil {
		t.Fatal(err)
	}
	if err := trust.Deposit(t.Context(), author, trust.NewMemory(), author.Signer()); err != nil {
		t.Fatal(err)
	}
	without := &trust.Directory{Ledger: leaver{reader, "HospitalA"}, Memory: memory}
	if all, err := without.Members(t.Context()); err != nil || slices.ContainsFunc(all, func(m authority.MSP) bool { return m.ID == "HospitalA" }) {
		t.Fatalf("%v, %v", all, err)
	}
	if _, err := without.Verify(t.Context(), st, signature, time.Now()); !errors.Is(err, ledger.ErrTampered) {
		t.Errorf("a member that left vouches for its people: %v", err)
	}
	world.ReplaceRoot("HospitalA")
	author.Signer()
	var changed *trust.RootChangedError
	if _, err := d.Members(t.Context()); !errors.As(err, &changed) {
		t.Errorf("a member that comes back with another root: %v", err)
	}
}

func ExampleStatement_Text() {
	st := trust.RetirementStatement("charts", ledger.Retirement{Scope: "hospitals", MSP: "HospitalB", Epoch: 3})
	text, _ := st.Text(ledger.IDOfCertificate([]byte("certificate")))
	fmt.Print(string(text))
	// Output:
	// chartseal.org/v1/scope-retirement
	// channel: charts
	// scope: hospitals
	// member: HospitalB
	// epoch: 3
	// certificate: 03d66dd08835c1ca3f128cceacd1f31ac94163096b20f445ae84285bc0832d72
}
