package server

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"testing"

	"github.com/hyperledger/fabric-chaincode-go/v2/pkg/attrmgr"
	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"

	"github.com/chartseal/chartseal/chaincode/contract"
	"github.com/chartseal/chartseal/chaincode/ledger"
)

// doctor returns the creator of a proposal by a clinical user.
func doctor(t *testing.T, ca *authority) []byte {
	t.Helper()
	attrs, err := json.Marshal(attrmgr.Attributes{Attrs: map[string]string{"hf.EnrollmentID": "doctor", "role": "doctor"}})
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(3), Subject: pkix.Name{CommonName: "doctor"}, NotBefore: ca.cert.NotBefore,
		NotAfter: ca.cert.NotAfter, ExtraExtensions: []pkix.Extension{{Id: attrmgr.AttrOID, Value: attrs}}}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, newKey(t).Public(), ca.key)
	if err != nil {
		t.Fatal(err)
	}
	return mustMarshal(t, &msp.SerializedIdentity{Mspid: "HospitalA", IdBytes: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})})
}

// A peer with batching, as in Fabric 3.1, receives all reads in one message and all
// writes in one. Round trips dominate the cost of a call.
func TestEntriesTravelInBatches(t *testing.T) {
	ca := newAuthority(t)
	chaincode, err := contract.New(contract.Config{MSP: "HospitalA", Hospitals: []string{"HospitalA"}})
	if err != nil {
		t.Fatal(err)
	}
	address, _, _ := startServer(t, ca, chaincode)
	p, err := dial(t, ca, address, pair(t, ca))
	if err != nil {
		t.Fatal(err)
	}
	const entries = 900
	var packed []byte
	for i := range entries {
		packed = append(packed, byte(i>>8), byte(i))
		packed = append(packed, bytes.Repeat([]byte{1}, ledger.PackedEntrySize-2)...)
	}
	p.invokeAs(doctor(t, ca), "1", map[string][]byte{ledger.TransientEntries: packed}, ledger.IndexPut)

	read, written, messages := 0, map[string]bool{}, 0
	for {
		msg, err := p.stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		switch messages++; msg.GetType() {
		case peer.ChaincodeMessage_GET_STATE_MULTIPLE:
			ask := &peer.GetStateMultiple{}
			if err := proto.Unmarshal(msg.GetPayload(), ask); err != nil {
				t.Fatal(err)
			}
			read += len(ask.GetKeys())
			p.send(peer.ChaincodeMessage_RESPONSE, "1", mustMarshal(t, &peer.GetStateMultipleResult{Values: make([][]byte, len(ask.GetKeys()))}))
			continue
		case peer.ChaincodeMessage_WRITE_BATCH_STATE:
			batch := &peer.WriteBatchState{}
			if err := proto.Unmarshal(msg.GetPayload(), batch); err != nil {
				t.Fatal(err)
			}
			for _, w := range batch.GetRec() {
				written[w.GetKey()] = len(w.GetValue()) == ledger.EntryValueSize
			}
			p.send(peer.ChaincodeMessage_RESPONSE, "1", nil)
			continue
		case peer.ChaincodeMessage_COMPLETED:
			r := &peer.Response{}
			if err := proto.Unmarshal(msg.GetPayload(), r); err != nil || r.GetStatus() != shim.OK || len(r.GetPayload()) > 0 {
				t.Errorf("got %v, %v", r, err)
			}
		default:
			t.Fatalf("got %v", msg.GetType())
		}
		break
	}
	if read != entries || len(written) != entries || messages != 3 {
		t.Errorf("read %d, wrote %d in %d messages", read, len(written), messages)
	}
}

func (p *fakePeer) invokeAs(creator []byte, tx string, transient map[string][]byte, args ...string) {
	p.t.Helper()
	input := &peer.ChaincodeInput{}
	for _, a := range args {
		input.Args = append(input.Args, []byte(a))
	}
	proposal := &peer.Proposal{Header: mustMarshal(p.t, &common.Header{
		ChannelHeader:   mustMarshal(p.t, &common.ChannelHeader{Type: int32(common.HeaderType_ENDORSER_TRANSACTION)}),
		SignatureHeader: mustMarshal(p.t, &common.SignatureHeader{Creator: creator}),
	}), Payload: mustMarshal(p.t, &peer.ChaincodeProposalPayload{TransientMap: transient})}
	err := p.stream.Send(&peer.ChaincodeMessage{Type: peer.ChaincodeMessage_TRANSACTION, Txid: tx, ChannelId: "chartseal", Payload: mustMarshal(p.t, input),
		Proposal: &peer.SignedProposal{ProposalBytes: mustMarshal(p.t, proposal)}})
	if err != nil {
		p.t.Fatal(err)
	}
}
