package block

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

var update = flag.Bool("update", false, "write testdata/*.json anew")

// frozen reads the blocks of testdata. They come from a development network, see
// TestFollowBlocks of client/internal/e2e.
func frozen(t testing.TB) map[string]*common.Block {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.block")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no blocks: %v", err)
	}
	blocks := make(map[string]*common.Block)
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var b common.Block
		if err := proto.Unmarshal(data, &b); err != nil {
			t.Fatal(err)
		}
		blocks[strings.TrimSuffix(filepath.Base(path), ".block")] = &b
	}
	return blocks
}

// TestFrozen decodes blocks of a real network, which every later version must read alike.
func TestFrozen(t *testing.T) {
	for name, raw := range frozen(t) {
		b, err := Decode(raw, "chartseal")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		type transaction struct { // as it is in testdata
			Position int
			Valid    bool
			Code     string
			Type     string
			ID       string
			Time     time.Time
			MSP      string
			Writes   int
			Private  int
			Contents Contents
		}
		var shown []transaction
		for _, tx := range b.Transactions {
			if !bytes.HasPrefix(tx.Certificate, []byte("-----BEGIN CERTIFICATE-----")) || tx.Block != b.Number {
				t.Errorf("%s: transaction %d of block %d has the certificate %.40q", name, tx.Position, tx.Block, tx.Certificate)
			}
			shown = append(shown, transaction{tx.Position, tx.Valid(), tx.Code.String(), tx.Type.String(), tx.ID, tx.Time, tx.MSP,
				len(tx.Writes), len(tx.Private), tx.Contents})
		}
		got, err := json.MarshalIndent(map[string]any{"number": b.Number, "transactions": shown}, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", name+".json")
		if *update {
			if err := os.WriteFile(path, append(got, '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil || string(want) != string(got)+"\n" {
			t.Errorf("%s: %v\n%s", name, err, got)
		}
	}
}

// TestDamaged: a block with a damaged transaction is refused if that one is said to be
// valid; if not, the rest is still read.
func TestDamaged(t *testing.T) {
	for name, raw := range frozen(t) {
		for i := range raw.GetData().GetData() {
			b := proto.CloneOf(raw)
			b.Data.Data[i] = b.Data.Data[i][:len(b.Data.Data[i])/2]
			b.Metadata.Metadata[common.BlockMetadataIndex_TRANSACTIONS_FILTER][i] = byte(peer.TxValidationCode_VALID)
			if _, err := Decode(b, "chartseal"); !errors.Is(err, ledger.ErrTampered) {
				t.Errorf("%s: transaction %d is cut off: %v", name, i, err)
			}
			b.Metadata.Metadata[common.BlockMetadataIndex_TRANSACTIONS_FILTER][i] = byte(peer.TxValidationCode_BAD_PAYLOAD)
			read, err := Decode(b, "chartseal")
			if err != nil || len(read.Transactions) != len(raw.Data.Data) || read.Transactions[i].Valid() || read.Transactions[i].Position != i {
				t.Errorf("%s: transaction %d is cut off and invalid: %v", name, i, err)
			}
		}
		b := proto.CloneOf(raw)
		b.Metadata.Metadata[common.BlockMetadataIndex_TRANSACTIONS_FILTER] = nil // as orderers have it
		if _, err := Decode(b, "chartseal"); !errors.Is(err, ledger.ErrTampered) {
			t.Errorf("%s: no validation codes: %v", name, err)
		}
	}
	for name, b := range map[string]*common.Block{"nil": nil, "empty": {}} {
		if _, err := Decode(b, "chartseal"); !errors.Is(err, ledger.ErrTampered) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestContents: each kind of key, and keys and values that are not of this version.
func TestContents(t *testing.T) {
	marshal := func(v any) []byte {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	const id, when = "0a0b0c0d0e0f000102030405060708ff", "2026-03-14T09:00:00.000000000Z"
	retired := ledger.Retirement{Scope: "a/b", MSP: "HospitalA", Epoch: 2, Actor: "HospitalA/custodian", Time: when}
	scope := ledger.Scope{Name: "a/b", Epoch: 3, Owner: "HospitalA", Time: when}
	entry := ledger.IndexKey("HospitalA", make([]byte, ledger.LabelSize))
	known := []Write{
		{"chartseal", ledger.ScopeRetiredKey("a/b", "HospitalA"), marshal(retired), false},
		{"chartseal", ledger.ScopeEpochKey("a/b", 3), ledger.ScopeValue(scope), false},
		{"chartseal", ledger.ScopeStateKey("a/b"), ledger.ScopeValue(scope), false},
		{"chartseal", ledger.SearchableKey, []byte("tx"), false},
		{"chartseal", entry, make([]byte, ledger.EntryValueSize), false},
		{"chartseal", ledger.CertificateKey(ledger.IDOfCertificate([]byte("DER"))), []byte("DER"), false},
		{"chartseal", ledger.PinsKey("aa", "HospitalA"), make([]byte, ledger.MarkSize), false},
		{"chartseal", ledger.PinsKey("bb", "HospitalA"), nil, false}, // the end of one
	}
	c := contentsOf(known, "chartseal")
	if len(c.Other) > 0 || len(c.Retirements) != 1 || c.Retirements[0] != retired || len(c.Scopes) != 1 || c.Scopes[0] != scope || len(c.Entries) != 1 ||
		len(c.Certificates) != 1 || string(c.Certificates[0]) != "DER" ||
		len(c.Pins) != 2 || c.Pins[0].Tx != "aa" || c.Pins[0].Payloads == "" || c.Pins[1] != (ledger.PinReceipt{Tx: "bb", Keeper: "HospitalA"}) {
		t.Errorf("contents %+v", c)
	}
	if c := contentsOf(known, "another"); len(c.Scopes)+len(c.Entries)+len(c.Other) > 0 {
		t.Errorf("contents of another chaincode: %+v", c)
	}
	other := []Write{
		{"chartseal", entry, nil, false},                                 // deleted
		{"chartseal", entry, nil, true},                                  // an endorsement policy
		{"chartseal", entry, make([]byte, 7), false},                     // another size
		{"chartseal", "erased/" + id, []byte("{}"), false},               // a kind of later versions
		{"chartseal", ledger.RecordKey(id, 1), []byte("rubbish"), false}, // another layout
		{"chartseal", "record/" + id + "/1", ledger.VersionValue(ledger.RecordVersion{Author: "HospitalA/x"}), false}, // a key with two forms
		{"chartseal", ledger.ScopeEpochKey("a", 3), ledger.ScopeValue(scope), false},                                  // under the key of another
		{"chartseal", ledger.AuthorityKey("HospitalB"), marshal(ledger.Authority{MSP: "HospitalA"}), false},
		{"chartseal", ledger.CertificateKey(ledger.IDOfCertificate([]byte("DER"))), []byte("another"), false},
		{"chartseal", ledger.PinsKey("aa", "HospitalA"), make([]byte, 7), false},
		{"chartseal", ledger.KeeperKey("HospitalB"), marshal(ledger.Keeper{MSP: "HospitalA"}), false},
		{"chartseal", "", []byte{1}, false},
	}
	if c := contentsOf(other, "chartseal"); len(c.Other) != len(other) {
		t.Errorf("%d of %d writes are unknown: %+v", len(c.Other), len(other), c)
	}
}

// FuzzDecode: no block makes it panic, and what is read has the shape that is promised.
func FuzzDecode(f *testing.F) {
	for _, b := range frozen(f) {
		data, err := proto.Marshal(b)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var raw common.Block
		if proto.Unmarshal(data, &raw) != nil {
			return
		}
		b, err := Decode(&raw, "chartseal")
		if err != nil {
			return
		}
		for i, tx := range b.Transactions {
			if tx.Position != i || tx.Block != b.Number {
				t.Errorf("transaction %d is at %d of block %d", i, tx.Position, tx.Block)
			}
		}
	})
}
