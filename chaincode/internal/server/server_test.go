package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/proto"

	"github.com/chartseal/chartseal/chaincode/contract"
	"github.com/chartseal/chartseal/chaincode/ledger"
)

// A fakePeer implements the peer's side of the chaincode protocol.
type fakePeer struct {
	t      *testing.T
	stream peer.Chaincode_ConnectClient
}

// startServer runs serve with mutual TLS until the test ends or calls stop. It sends
// serve's error to done.
func startServer(t *testing.T, ca *authority, cc shim.Chaincode) (address string, stop func(), done chan error) {
	t.Helper()
	cert, key := ca.issue("chaincode")
	secured, err := serverTLS(cert, key, ca.pem)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done = make(chan error, 1)
	go func() {
		done <- serve(ctx, listener, config{packageID: "chartseal:abc", tls: secured}, cc, slog.New(slog.DiscardHandler))
	}()
	return listener.Addr().String(), stop, done
}

func dial(t *testing.T, ca *authority, address string, certificates ...tls.Certificate) (*fakePeer, error) {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(ca.cert)
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: roots, Certificates: certificates})))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	stream, err := peer.NewChaincodeClient(conn).Connect(ctx)
	if err != nil {
		return nil, err
	}
	p := &fakePeer{t, stream}
	hello, err := stream.Recv()
	if err != nil {
		return nil, err
	}
	if id := new(peer.ChaincodeID); proto.Unmarshal(hello.GetPayload(), id) != nil || id.GetName() != "chartseal:abc" {
		t.Errorf("registered as %q", id.GetName())
	}
	p.send(peer.ChaincodeMessage_REGISTERED, "", nil)
	p.send(peer.ChaincodeMessage_READY, "", mustMarshal(t, &peer.ChaincodeAdditionalParams{
		UseWriteBatch: true, MaxSizeWriteBatch: 1000, UseGetMultipleKeys: true, MaxSizeGetMultipleKeys: 1000}))
	return p, nil
}

func (p *fakePeer) send(kind peer.ChaincodeMessage_Type, tx string, payload []byte) {
	p.t.Helper()
	if err := p.stream.Send(&peer.ChaincodeMessage{Type: kind, Txid: tx, ChannelId: "chartseal", Payload: payload}); err != nil {
		p.t.Fatal(err)
	}
}

// invoke sends a transaction without a creator.
func (p *fakePeer) invoke(tx string, args ...string) {
	p.t.Helper()
	p.invokeAs(nil, tx, nil, args...)
}

func mustMarshal(t *testing.T, m proto.Message) []byte {
	t.Helper()
	out, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (p *fakePeer) answer() *peer.Response {
	p.t.Helper()
	msg, err := p.stream.Recv()
	if err != nil {
		p.t.Fatal(err)
	}
	r := &peer.Response{}
	if err := proto.Unmarshal(msg.GetPayload(), r); err != nil || msg.GetType() != peer.ChaincodeMessage_COMPLETED {
		p.t.Fatalf("%v: %v", msg, err)
	}
	return r
}

func pair(t *testing.T, ca *authority) tls.Certificate {
	t.Helper()
	cert, key := ca.issue("peer0")
	p, err := tls.X509KeyPair([]byte(cert), []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestServer(t *testing.T) {
	ca := newAuthority(t)
	chaincode, err := contract.New(contract.Config{MSP: "HospitalA", Hospitals: []string{"HospitalA", "HospitalB"}})
	if err != nil {
		t.Fatal(err)
	}
	address, stop, done := startServer(t, ca, chaincode)
	p, err := dial(t, ca, address, pair(t, ca))
	if err != nil {
		t.Fatal(err)
	}
	p.invoke("1", "org.hyperledger.fabric:GetMetadata")
	if r := p.answer(); r.GetStatus() != shim.OK || !strings.Contains(string(r.GetPayload()), "Chartseal") {
		t.Errorf("got %v", r)
	}
	p.invoke("2", ledger.AccessRequest, "[]", "TREAT")
	if r := p.answer(); !strings.HasPrefix(r.GetMessage(), "[chartseal/denied] ") {
		t.Errorf("got %v", r)
	}
	p.invoke("3", "record:Purge")
	if r := p.answer(); !strings.HasPrefix(r.GetMessage(), "[chartseal/invalid] ") {
		t.Errorf("got %v", r)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestServerWantsAPeersCertificate(t *testing.T) {
	ca, stranger := newAuthority(t), newAuthority(t)
	address, _, _ := startServer(t, ca, &slow{})
	if _, err := dial(t, ca, address); err == nil {
		t.Error("a client without a certificate was served")
	}
	if _, err := dial(t, ca, address, pair(t, stranger)); err == nil {
		t.Error("a client of another authority was served")
	}
	if _, err := dial(t, ca, address, pair(t, ca)); err != nil {
		t.Error(err)
	}
}

// slow is a chaincode with slow transactions.
type slow struct {
	started chan struct{}
	once    sync.Once
}

func (*slow) Init(shim.ChaincodeStubInterface) *peer.Response { return shim.Success(nil) }
func (s *slow) Invoke(shim.ChaincodeStubInterface) *peer.Response {
	s.once.Do(func() { close(s.started) })
	time.Sleep(300 * time.Millisecond)
	return shim.Success([]byte("done"))
}

func TestServerLetsTransactionsEnd(t *testing.T) {
	ca, cc := newAuthority(t), &slow{started: make(chan struct{})}
	address, stop, done := startServer(t, ca, cc)
	p, err := dial(t, ca, address, pair(t, ca))
	if err != nil {
		t.Fatal(err)
	}
	p.invoke("1", "x")
	<-cc.started
	stop()
	if r := p.answer(); string(r.GetPayload()) != "done" {
		t.Errorf("got %v", r)
	}
	began := time.Now()
	if err := <-done; err != nil || time.Since(began) > drainTime {
		t.Errorf("stopped after %v: %v", time.Since(began), err)
	}
}

func contracts(c contract.Config) (shim.Chaincode, error) { return contract.New(c) }

func TestRun(t *testing.T) {
	env := map[string]string{envAddress: "127.0.0.1:0", envPackage: "chartseal:abc", envMSP: "HospitalA", envHospitals: "HospitalA,HospitalB"}
	getenv := func(name string) string { return env[name] }
	var log bytes.Buffer
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run(ctx, getenv, slog.New(slog.NewTextHandler(&log, nil)), contracts); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "serving chaincode") || !strings.Contains(log.String(), "stopping") {
		t.Errorf("log: %s", log.String())
	}
	env[envMSP] = "Hospital A"
	if err := run(ctx, getenv, slog.New(slog.DiscardHandler), contracts); err == nil {
		t.Error("an MSP ID with a space was taken")
	}
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	env[envMSP], env[envAddress] = "HospitalA", busy.Addr().String()
	if err := run(ctx, getenv, slog.New(slog.DiscardHandler), contracts); err == nil || !strings.Contains(err.Error(), busy.Addr().String()) {
		t.Errorf("a port in use: %v", err)
	}
}
