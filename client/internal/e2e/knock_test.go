package e2e

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	gateway "github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-gateway/pkg/hash"
	"github.com/hyperledger/fabric-gateway/pkg/identity"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/discovery"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/chartseal/chartseal/client/fabric/block"
	"github.com/chartseal/chartseal/network/fabricca"
)

// The knocks of the table in doors_test.go. None of them uses the client of Chartseal.

const channel = "chartseal"

var errSilent = errors.New("no answer")

// config does not verify the server: the caller is the attacker.
func (k *knocker) config() *tls.Config {
	c := &tls.Config{InsecureSkipVerify: true}
	if k.tls != nil {
		c.Certificates = []tls.Certificate{*k.tls}
	}
	return c
}

func (k *knocker) dial() *grpc.ClientConn {
	conn, err := grpc.NewClient("passthrough:///"+k.address, grpc.WithTransportCredentials(credentials.NewTLS(k.config())))
	if err != nil {
		k.Fatal(err)
	}
	k.Cleanup(func() { conn.Close() })
	return conn
}

func (k *knocker) request(method, path, body string) ([]byte, error) {
	return k.send(k.config(), method, path, body, nil)
}

func (k *knocker) send(config *tls.Config, method, path, body string, header http.Header) ([]byte, error) {
	ctx, cancel := context.WithTimeout(k.ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "https://"+k.address+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, values := range header {
		req.Header[name] = values
	}
	resp, err := (&http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err == nil && resp.StatusCode/100 != 2 {
		err = httpError{resp.StatusCode, fmt.Sprintf("%s: %.300s", resp.Status, data)}
	}
	return data, err
}

// certificateRefusal returns the server's refusal of a certificate. In TLS 1.3 that comes
// after the caller's part of the handshake. A request that is under way then may fail
// with an error that does not name it.
func (k *knocker) certificateRefusal() error {
	ctx, cancel := context.WithTimeout(k.ctx, 10*time.Second)
	defer cancel()
	conn, err := (&tls.Dialer{Config: k.config()}).DialContext(ctx, "tcp", k.address)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	_, err = conn.Read(make([]byte, 1)) // a server that takes the certificate waits for a request
	return err
}

// An httpError is an answer that is no success.
type httpError struct {
	status int
	text   string
}

func (e httpError) Error() string { return e.text }

func get(path string) func(*knocker) error {
	return func(k *knocker) error {
		_, err := k.request(http.MethodGet, path, "")
		return err
	}
}

func setLogLevel(k *knocker) error {
	_, err := k.request(http.MethodPut, "/logspec", `{"spec":"info"}`)
	return err
}

// caToken is Fabric CA's proof of a certificate.
func caToken(path, body string, certificate []byte, sign func([]byte) ([]byte, error)) (string, error) {
	b64 := base64.StdEncoding.EncodeToString
	digest := sha256.Sum256([]byte("POST." + b64([]byte(path)) + "." + b64([]byte(body)) + "." + b64(certificate)))
	signature, err := sign(digest[:])
	return b64(certificate) + "." + b64(signature), err
}

func (k *knocker) caPost(endpoint, body string, tlsIdentity bool) ([]byte, error) {
	path, header := "/api/v1/"+endpoint, http.Header{}
	if k.user != nil {
		raw, sign := k.user.Certificate.Raw, k.user.Sign
		if tlsIdentity {
			id, err := tlsSigner(*k.tls)
			if err != nil {
				return nil, err
			}
			raw, sign = k.tls.Certificate[0], id
		}
		token, err := caToken(path, body, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}), sign)
		if err != nil {
			return nil, err
		}
		header.Set("Authorization", token)
	}
	return k.send(k.config(), http.MethodPost, path, body, header)
}

func tlsSigner(pair tls.Certificate) (func([]byte) ([]byte, error), error) {
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("a %T", pair.PrivateKey)
	}
	return func(digest []byte) ([]byte, error) { return fabricca.SignLowS(key, digest) }, nil
}

func caCall(endpoint, body string) func(*knocker) error {
	return func(k *knocker) error {
		_, err := k.caPost(endpoint, body, false)
		return err
	}
}

// certificate re-enrols at a CA of the server. Hosts go into the request itself, extra
// into Fabric CA's wrapper of it.
func (k *knocker) certificate(ca, profile, extra string, hosts []string) (*x509.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.CertificateRequest{Subject: pkix.Name{CommonName: k.user.Name, OrganizationalUnit: []string{"admin", "peer"}}}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		return nil, err
	}
	csr, err := json.Marshal(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})))
	if err != nil {
		return nil, err
	}
	answer, err := k.caPost("reenroll", fmt.Sprintf(`{"certificate_request":%s,"caname":%q,"profile":%q,%s}`, csr, ca, profile, extra), ca == "tlsca")
	if err != nil {
		return nil, err
	}
	var out struct{ Result struct{ Cert []byte } }
	if err := json.Unmarshal(answer, &out); err != nil {
		return nil, err
	}
	block, _ := pem.Decode(out.Result.Cert)
	if block == nil {
		return nil, fmt.Errorf("no certificate: %s", answer)
	}
	return x509.ParseCertificate(block.Bytes)
}

func reenroll(k *knocker) error {
	if k.user == nil {
		_, err := k.caPost("reenroll", `{"caname":"ca"}`, false)
		return err
	}
	_, err := k.certificate("ca", "", `"hosts":[]`, nil)
	return err
}

func (k *knocker) network() (*gateway.Network, error) {
	if k.user == nil {
		return nil, k.handshake()
	}
	id, err := identity.NewX509Identity(k.org, k.user.Certificate)
	if err != nil {
		return nil, err
	}
	tlsHash := sha256.Sum256(k.tls.Certificate[0])
	gw, err := gateway.Connect(id, gateway.WithSign(k.user.Sign), gateway.WithHash(hash.SHA256),
		gateway.WithClientConnection(k.dial()), gateway.WithTLSClientCertificateHash(tlsHash[:]))
	if err != nil {
		return nil, err
	}
	k.Cleanup(func() { gw.Close() })
	return gw.GetNetwork(channel), nil
}

// handshake is what is left to somebody without an enrolment certificate. Under TLS 1.3 a
// refusal arrives with the first answer.
func (k *knocker) handshake() error {
	stream, err := peer.NewDeliverClient(k.dial()).DeliverFiltered(k.ctx)
	if err == nil {
		err = stream.Send(&common.Envelope{})
	}
	if err == nil || errors.Is(err, io.EOF) {
		_, err = stream.Recv()
	}
	if err == nil {
		return errors.New("the handshake succeeds, and there is nothing to sign with")
	}
	return err
}

func evaluate(k *knocker) error {
	network, err := k.network()
	if err != nil {
		return err
	}
	_, err = network.GetContract(channel).EvaluateWithContext(k.ctx, "scope:List", gateway.WithEndorsingOrganizations(k.at))
	return err
}

func first[T any](items <-chan T, err error) error {
	if err != nil {
		return err
	}
	if _, ok := <-items; !ok {
		return errSilent
	}
	return nil
}

func chaincodeEvents(k *knocker) error {
	network, err := k.network()
	if err != nil {
		return err
	}
	return first(network.ChaincodeEvents(k.ctx, channel, gateway.WithStartBlock(0)))
}

func deliverBlocks(k *knocker) error {
	network, err := k.network()
	if err != nil {
		return err
	}
	return first(network.BlockEvents(k.ctx, gateway.WithStartBlock(0)))
}

func deliverPrivateData(k *knocker) error {
	network, err := k.network()
	if err != nil {
		return err
	}
	return first(network.BlockAndPrivateDataEvents(k.ctx, gateway.WithStartBlock(0)))
}

func deliverFiltered(k *knocker) error {
	network, err := k.network()
	if err != nil {
		return err
	}
	return first(network.FilteredBlockEvents(k.ctx, gateway.WithStartBlock(0)))
}

// header makes the two headers of a signed message of the channel.
func (k *knocker) header(kind common.HeaderType, chaincode string) (*common.Header, string) {
	nonce := make([]byte, 24)
	rand.Read(nonce)
	creator := marshal(k.T, k.identity())
	digest := sha256.Sum256(append(bytes.Clone(nonce), creator...))
	id := fmt.Sprintf("%x", digest)
	h := &common.ChannelHeader{Type: int32(kind), Timestamp: timestamppb.Now(), ChannelId: channel, TxId: id}
	if chaincode != "" {
		h.Extension = marshal(k.T, &peer.ChaincodeHeaderExtension{ChaincodeId: &peer.ChaincodeID{Name: chaincode}})
	}
	if k.tls != nil {
		tlsHash := sha256.Sum256(k.tls.Certificate[0])
		h.TlsCertHash = tlsHash[:]
	}
	return &common.Header{
		ChannelHeader:   marshal(k.T, h),
		SignatureHeader: marshal(k.T, &common.SignatureHeader{Creator: creator, Nonce: nonce}),
	}, id
}

func (k *knocker) identity() *msp.SerializedIdentity {
	return &msp.SerializedIdentity{Mspid: k.org, IdBytes: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: k.user.Certificate.Raw})}
}

func (k *knocker) sign(data []byte) []byte {
	digest := sha256.Sum256(data)
	signature, err := k.user.Sign(digest[:])
	if err != nil {
		k.Fatal(err)
	}
	return signature
}

// propose asks the endorser. An answer that is an error, but no refusal, means that the
// chaincode ran.
func propose(chaincode string, args ...string) func(*knocker) error {
	return func(k *knocker) error {
		if k.user == nil {
			return k.handshake()
		}
		var input [][]byte
		for _, a := range args {
			input = append(input, []byte(a))
		}
		header, _ := k.header(common.HeaderType_ENDORSER_TRANSACTION, chaincode)
		if chaincode == "cscc" && args[0] != "GetConfigBlock" || chaincode == "_lifecycle" && args[0] == "InstallChaincode" {
			k.withoutChannel(header)
		}
		proposal := marshal(k.T, &peer.Proposal{Header: marshal(k.T, header), Payload: marshal(k.T, &peer.ChaincodeProposalPayload{
			Input: marshal(k.T, &peer.ChaincodeInvocationSpec{ChaincodeSpec: &peer.ChaincodeSpec{
				Type: peer.ChaincodeSpec_GOLANG, ChaincodeId: &peer.ChaincodeID{Name: chaincode}, Input: &peer.ChaincodeInput{Args: input},
			}}),
		})})
		response, err := peer.NewEndorserClient(k.dial()).ProcessProposal(k.ctx, &peer.SignedProposal{ProposalBytes: proposal, Signature: k.sign(proposal)})
		text := ""
		switch {
		case err != nil:
			text = err.Error()
		case response.Response.Status >= 400:
			text = response.Response.Message
		}
		for _, refusal := range []string{"denied", "Failed authorization", "not valid", "policy", "tls:", "unauthenticated", "certificate"} {
			if strings.Contains(text, refusal) {
				return errors.New(text)
			}
		}
		return nil
	}
}

// withoutChannel makes a proposal one to the peer itself.
func (k *knocker) withoutChannel(header *common.Header) {
	var h common.ChannelHeader
	if err := proto.Unmarshal(header.ChannelHeader, &h); err != nil {
		k.Fatal(err)
	}
	h.ChannelId = ""
	header.ChannelHeader = marshal(k.T, &h)
}

func gossipPrivateData(k *knocker) error {
	if k.user == nil {
		return k.handshake()
	}
	tx := anyRegistration(k.T)
	elements := pullPrivateData(k.T, k.user.String(), k.at, tx)
	if len(elements) == 0 {
		return errSilent
	}
	return nil
}

// sealedBefore is a transaction that wrote private data.
var sealedBefore *block.Transaction

func anyRegistration(t *testing.T) *block.Transaction {
	if sealedBefore == nil {
		rows := seal(t, doctorA, write(t, "a.txt", []byte("a")), "--policy", twoDoctors)
		level(t)
		sealedBefore = registered(t, rows[0].Record)
	}
	return sealedBefore
}

func discoverPeers(k *knocker) error {
	if k.user == nil {
		return k.handshake()
	}
	tlsHash := sha256.Sum256(k.tls.Certificate[0])
	payload := marshal(k.T, &discovery.Request{
		Authentication: &discovery.AuthInfo{ClientIdentity: marshal(k.T, k.identity()), ClientTlsCertHash: tlsHash[:]},
		Queries:        []*discovery.Query{{Channel: channel, Query: &discovery.Query_PeerQuery{PeerQuery: &discovery.PeerMembershipQuery{}}}},
	})
	response, err := discovery.NewDiscoveryClient(k.dial()).Discover(k.ctx, &discovery.SignedRequest{Payload: payload, Signature: k.sign(payload)})
	if err != nil {
		return err
	}
	for _, r := range response.Results {
		if e := r.GetError(); e != nil {
			return errors.New(e.Content)
		}
	}
	return nil
}

func snapshots(k *knocker) error {
	if k.user == nil {
		return k.handshake()
	}
	header, _ := k.header(0, "")
	var signature common.SignatureHeader
	if err := proto.Unmarshal(header.SignatureHeader, &signature); err != nil {
		return err
	}
	request := marshal(k.T, &peer.SnapshotQuery{SignatureHeader: &signature, ChannelId: channel})
	_, err := peer.NewSnapshotClient(k.dial()).QueryPendings(k.ctx, &peer.SignedSnapshotRequest{Request: request, Signature: k.sign(request)})
	return err
}

func registerChaincode(k *knocker) error {
	stream, err := peer.NewChaincodeSupportClient(k.dial()).Register(k.ctx)
	if err != nil {
		return err
	}
	stream.Send(&peer.ChaincodeMessage{Type: peer.ChaincodeMessage_REGISTER, Payload: marshal(k.T, &peer.ChaincodeID{Name: channel})})
	_, err = stream.Recv()
	return err
}

func connectChaincode(k *knocker) error {
	stream, err := peer.NewChaincodeClient(k.dial()).Connect(k.ctx)
	if err != nil {
		return err
	}
	_, err = stream.Recv()
	return err
}

func (k *knocker) envelope(kind common.HeaderType, data []byte) *common.Envelope {
	header, _ := k.header(kind, "")
	payload := marshal(k.T, &common.Payload{Header: header, Data: data})
	return &common.Envelope{Payload: payload, Signature: k.sign(payload)}
}

// broadcast sends an update of the channel's configuration that says nothing. The orderer
// calls it a bad request, once the sender may write.
func broadcast(k *knocker) error {
	if k.user == nil {
		return k.handshake()
	}
	stream, err := orderer.NewAtomicBroadcastClient(k.dial()).Broadcast(k.ctx)
	if err != nil {
		return err
	}
	stream.Send(k.envelope(common.HeaderType_CONFIG_UPDATE, nil))
	answer, err := stream.Recv()
	if err == nil && answer.Status != common.Status_BAD_REQUEST {
		err = fmt.Errorf("%v: %s", answer.Status, answer.Info)
	}
	return err
}

func ordererDeliver(k *knocker) error {
	if k.user == nil {
		return k.handshake()
	}
	stream, err := orderer.NewAtomicBroadcastClient(k.dial()).Deliver(k.ctx)
	if err != nil {
		return err
	}
	newest := &orderer.SeekPosition{Type: &orderer.SeekPosition_Newest{Newest: &orderer.SeekNewest{}}}
	stream.Send(k.envelope(common.HeaderType_DELIVER_SEEK_INFO, marshal(k.T, &orderer.SeekInfo{
		Start: newest, Stop: &orderer.SeekPosition{Type: &orderer.SeekPosition_Specified{Specified: &orderer.SeekSpecified{Number: math.MaxUint64}}},
	})))
	answer, err := stream.Recv()
	if err == nil && answer.GetBlock() == nil {
		err = fmt.Errorf("%v", answer.GetStatus())
	}
	return err
}

// clusterStep plays a consenter. BFT consenters speak ClusterNodeService, others Cluster.
func clusterStep(k *knocker) error {
	ctx, cancel := context.WithTimeout(k.ctx, 30*time.Second) // a refusal comes sooner, on a busy machine too
	defer cancel()
	conn := k.dial()
	node, err := orderer.NewClusterNodeServiceClient(conn).Step(ctx)
	if err == nil {
		node.Send(&orderer.ClusterNodeServiceStepRequest{Payload: &orderer.ClusterNodeServiceStepRequest_NodeAuthrequest{
			NodeAuthrequest: &orderer.NodeAuthRequest{FromId: 1, ToId: 2, Channel: channel, Timestamp: timestamppb.Now()}}})
		_, err = node.Recv()
	}
	if err == nil || status.Code(err) == codes.DeadlineExceeded {
		return nil
	}
	old, err := orderer.NewClusterClient(conn).Step(ctx)
	if err == nil {
		old.Send(&orderer.StepRequest{Payload: &orderer.StepRequest_ConsensusRequest{
			ConsensusRequest: &orderer.ConsensusRequest{Channel: channel, Payload: []byte("knock")}}})
		_, err = old.Recv()
	}
	if status.Code(err) == codes.DeadlineExceeded {
		return nil
	}
	return err
}

// attributeKeys shows the enrolment certificate, as the authority asks.
func attributeKeys(k *knocker) error {
	config := &tls.Config{InsecureSkipVerify: true}
	if k.user != nil {
		config.Certificates = []tls.Certificate{{Certificate: [][]byte{k.user.Certificate.Raw}, PrivateKey: k.user.Signer()}}
	}
	_, err := k.send(config, http.MethodPost, "/v1/keys", "", nil)
	return err
}

// libp2p reads the greeting of a node that is not in a private swarm.
func libp2p(k *knocker) error {
	conn, err := net.DialTimeout("tcp", k.address, 5*time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(3 * time.Second))
	if _, err := conn.Write([]byte("\x13/multistream/1.0.0\n")); err != nil {
		return err
	}
	greeting, err := io.ReadAll(io.LimitReader(conn, 20))
	if bytes.Contains(greeting, []byte("multistream")) {
		return nil
	}
	return errors.Join(errSilent, err)
}

// proxied asks for a call of kubo's API.
func proxied(call string) func(*knocker) error {
	return func(k *knocker) error {
		_, err := k.request(http.MethodPost, "/api/v0/"+call, "")
		return unlessCarriedOut(err)
	}
}

func kuboDebug(k *knocker) error {
	_, err := k.request(http.MethodGet, "/debug/metrics/prometheus", "")
	return unlessCarriedOut(err)
}

// unlessCarriedOut drops the error of a request that kubo has carried out, and failed at.
// Whoever gets no answer has been refused, or shows nothing.
func unlessCarriedOut(err error) error {
	var answer httpError
	if errors.As(err, &answer) && answer.status != http.StatusForbidden {
		return nil
	}
	return err
}

// pinPayload stores a block, and pins it in a second call.
func pinPayload(k *knocker) error {
	form := http.Header{"Content-Type": {"multipart/form-data; boundary=x"}}
	const body = "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"file\"\r\n\r\nknock\r\n--x--\r\n"
	data, err := k.send(k.config(), http.MethodPost, "/api/v0/block/put?pin=false", body, form)
	if err != nil {
		return err
	}
	var stored struct{ Key string }
	if err := json.Unmarshal(data, &stored); err != nil {
		return err
	}
	_, err = k.request(http.MethodPost, "/api/v0/pin/add?arg="+stored.Key, "")
	return err
}

// withoutTLS calls a port in clear text, with a token as wallets of earlier releases had.
func withoutTLS(k *knocker) error {
	req, err := http.NewRequestWithContext(k.ctx, http.MethodPost, "http://"+k.address+"/api/v0/pin/ls", nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer anything")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}
