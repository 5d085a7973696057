package fabric

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gwproto "github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/chartseal/chartseal/client/wallet"
)

// A smartCard keeps its private key to itself and signs. Its
// signatures have the higher of the two valid values of s, which Fabric refuses.
type smartCard struct {
	sign   func(digest []byte) (r, s *big.Int, err error)
	public *ecdsa.PublicKey
}

func newSmartCard(t *testing.T) *smartCard {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(digest []byte) (*big.Int, *big.Int, error) { return ecdsa.Sign(rand.Reader, key, digest) }
	return &smartCard{sign, &key.PublicKey}
}

func (k *smartCard) Public() crypto.PublicKey { return k.public }

func (k *smartCard) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if len(digest) != opts.HashFunc().Size() {
		return nil, fmt.Errorf("%d bytes are no digest", len(digest))
	}
	r, s, err := k.sign(digest)
	if err != nil {
		return nil, err
	}
	if !highS(s) {
		s.Sub(k.public.Params().N, s)
	}
	return asn1.Marshal(struct{ R, S *big.Int }{r, s})
}

func highS(s *big.Int) bool { return s.Cmp(new(big.Int).Rsh(elliptic.P256().Params().N, 1)) > 0 }

// A cardPeer evaluates nothing: it checks who connects and who signs, as a peer does.
type cardPeer struct {
	gwproto.UnimplementedGatewayServer
	creator *x509.Certificate
	proven  int
}

func (p *cardPeer) Evaluate(_ context.Context, r *gwproto.EvaluateRequest) (*gwproto.EvaluateResponse, error) {
	var rs struct{ R, S *big.Int }
	signature, digest := r.GetProposedTransaction().GetSignature(), sha256.Sum256(r.GetProposedTransaction().GetProposalBytes())
	if _, err := asn1.Unmarshal(signature, &rs); err != nil || highS(rs.S) {
		return nil, status.Errorf(codes.Unauthenticated, "the signature is not of low S (%v)", err)
	}
	if !ecdsa.VerifyASN1(p.creator.PublicKey.(*ecdsa.PublicKey), digest[:], signature) {
		return nil, status.Error(codes.Unauthenticated, "the signature does not verify under the certificate")
	}
	p.proven++
	return &gwproto.EvaluateResponse{Result: &peer.Response{Status: 200, Payload: []byte("[]")}}, nil
}

// TestKeysInToken: a user whose keys are in a token connects with mutual TLS, signs
// proposals that a peer accepts, and renews their certificates.
func TestKeysInToken(t *testing.T) {
	ca, profile := startCA(t)
	certificate := func(key *smartCard) tls.Certificate {
		return tls.Certificate{Certificate: [][]byte{ca.issue("doctor", key.Public())}, PrivateKey: key}
	}
	enrolment, client := certificate(newSmartCard(t)), certificate(newSmartCard(t))
	creator, err := x509.ParseCertificate(enrolment.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}

	// A peer that wants a certificate for the token's TLS key.
	server, roots := serverCertificate(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := &cardPeer{creator: creator}
	s := grpc.NewServer(grpc.Creds(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{server}, ClientAuth: tls.RequireAnyClientCert,
		VerifyPeerCertificate: func(raw [][]byte, _ [][]*x509.Certificate) error {
			if string(raw[0]) != string(client.Certificate[0]) {
				return fmt.Errorf("another certificate")
			}
			return nil
		},
	})))
	gwproto.RegisterGatewayServer(s, at)
	go s.Serve(listener)
	defer s.Stop()

	w, err := wallet.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	inline := func(pem []byte) string {
		return "|\n    " + strings.ReplaceAll(strings.TrimSpace(string(pem)), "\n", "\n    ")
	}
	text := fmt.Sprintf("msp: HospitalA\nchannel: chartseal\nchaincode: chartseal\npeer:\n  address: %q\n  tlsRoots: %s\nca:\n  url: %s\n  name: ca\n  tlsName: tlsca\n  tlsRoots: %s\n",
		listener.Addr(), inline(roots), profile.URL, inline(profile.TLSRoots))
	if err := os.WriteFile(filepath.Join(w.Dir(), "HospitalA.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	u, err := w.NewUser("doctor@HospitalA", enrolment, client)
	if err != nil {
		t.Fatal(err)
	}
	g, err := Connect(u, Timeouts{})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if _, err := g.Records(t.Context(), []string{"x"}); err != nil || at.proven != 1 {
		t.Errorf("a call: %v; the peer accepted %d signatures", err, at.proven)
	}
	if _, err := Renew(t.Context(), u); err != nil {
		t.Errorf("renewal: %v", err)
	}
}

// serverCertificate is a self-signed certificate of 127.0.0.1 and its PEM.
func serverCertificate(t *testing.T) (tls.Certificate, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "peer"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
