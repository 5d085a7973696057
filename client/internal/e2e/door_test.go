package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/pem"
	"testing"
	"time"

	gateway "github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/gossip"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"google.golang.org/protobuf/proto"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/fabric/block"
)

// insiders are people with valid certificates of every kind. They use programs of their
// own.
var insiders = []string{doctorA, nurseC, "authority@HospitalA", "custodian@HospitalB", "admin@HospitalA", "admin@Regulator", auditor}

// members are the organisations whose peers an insider speaks to.
var members = []string{"HospitalA", "HospitalB", "HospitalC", "Regulator"}

// TestNoStreamOfPrivateData asks Fabric's deliver service for whole blocks from the
// beginning, with and without private data. An answer would contain wrapped keys without
// an access entry.
func TestNoStreamOfPrivateData(t *testing.T) {
	seal(t, doctorA, write(t, "a.txt", []byte("a")), "--policy", twoDoctors)
	for _, who := range insiders {
		for _, where := range members {
			t.Run(who+" at "+where, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				network, _ := dialPeer(t, who, where)
				full, err := network.BlockAndPrivateDataEvents(ctx, gateway.WithStartBlock(0))
				if err != nil {
					t.Fatal(err)
				}
				blocks, err := network.BlockEvents(ctx, gateway.WithStartBlock(0))
				if err != nil {
					t.Fatal(err)
				}
				for range full {
					t.Error("the peer streams blocks with private data")
					break
				}
				for range blocks {
					t.Error("the peer streams whole blocks")
					break
				}
				if ctx.Err() != nil {
					t.Error("the peer did not refuse the streams")
				}
			})
		}
	}
}

// TestNoGossipOfPrivateData speaks gossip to peers with people's certificates. It asks
// for the wrapped key of a record, like a peer that has missed private data.
func TestNoGossipOfPrivateData(t *testing.T) {
	record := seal(t, doctorA, write(t, "a.txt", []byte("a")), "--policy", twoDoctors)[0].Record
	level(t)
	tx := registered(t, record)
	for _, who := range insiders {
		for _, where := range members[:3] {
			t.Run(who+" at "+where, func(t *testing.T) {
				if elements := pullPrivateData(t, who, where, tx); len(elements) > 0 {
					t.Errorf("the peer gave %d values of private data", len(elements[0].Payload))
				}
			})
		}
	}
}

// registered finds the transaction that registered a record.
func registered(t *testing.T, record string) *block.Transaction {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for raw, err := range connect(t, doctorA).Blocks(ctx, 0) {
		if err != nil {
			t.Fatal(err)
		}
		b, err := block.Decode(raw, consortium.Topology().Chaincode)
		if err != nil {
			t.Fatal(err)
		}
		for i := range b.Transactions {
			tx := &b.Transactions[i]
			for _, r := range tx.Records {
				if r.ID == record {
					return tx
				}
			}
		}
	}
	t.Fatalf("no block registers %s", record)
	return nil
}

// pullPrivateData asks a peer by gossip for the private data of a transaction.
func pullPrivateData(t *testing.T, who, where string, tx *block.Transaction) []*gossip.PvtDataElement {
	t.Helper()
	u := user(t, who)
	_, conn := dialPeer(t, who, where)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	stream, err := gossip.NewGossipClient(conn).GossipStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	send := func(m *gossip.GossipMessage) {
		payload := marshal(t, m)
		digest := sha256.Sum256(payload)
		signature, err := u.Sign(digest[:])
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Send(&gossip.Envelope{Payload: payload, Signature: signature}); err != nil {
			t.Logf("send: %v", err) // the refusal comes with Recv
		}
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: u.Certificate.Raw})
	id := sha256.Sum256(append([]byte(u.Profile.MSP), certificate...))
	tlsHash := sha256.Sum256(u.TLS.Certificate[0])
	send(&gossip.GossipMessage{Tag: gossip.GossipMessage_EMPTY, Content: &gossip.GossipMessage_Conn{Conn: &gossip.ConnEstablish{
		PkiId: id[:], Identity: marshal(t, &msp.SerializedIdentity{Mspid: u.Profile.MSP, IdBytes: certificate}), TlsCertHash: tlsHash[:],
	}}})
	send(&gossip.GossipMessage{Tag: gossip.GossipMessage_CHAN_ONLY, Channel: []byte(u.Profile.Channel), Nonce: 1,
		Content: &gossip.GossipMessage_PrivateReq{PrivateReq: &gossip.RemotePvtDataRequest{Digests: []*gossip.PvtDataDigest{{
			TxId: tx.ID, Namespace: u.Profile.Chaincode, Collection: ledger.HospitalKeys, BlockSeq: tx.Block, SeqInBlock: uint64(tx.Position),
		}}}}})
	for {
		envelope, err := stream.Recv()
		if err != nil {
			t.Logf("the peer ended the stream: %v", err)
			return nil
		}
		var m gossip.GossipMessage
		if err := proto.Unmarshal(envelope.Payload, &m); err != nil {
			t.Fatal(err)
		}
		if answer := m.GetPrivateRes(); answer != nil {
			return answer.Elements
		}
	}
}

func marshal(t *testing.T, m proto.Message) []byte {
	t.Helper()
	data, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
