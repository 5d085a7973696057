package e2e

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"filippo.io/age"
	gateway "github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/envelope"
)

// TestReplicationFlood: a doctor of HospitalA registers 300 payloads with a program of
// their own. Some do not exist, some are said to be huge, and some are larger than
// stated. Other hospitals keep on copying each other's records, and HospitalA's true
// ones. They keep nothing of what they refuse, and HospitalA sees it.
func TestReplicationFlood(t *testing.T) {
	random := func(n int) []byte {
		data := make([]byte, n)
		rand.Read(data)
		return data
	}
	nowhere := func() string { return absentRecord(t).CID }
	put := func(n int) string {
		id, err := store(t, "HospitalA", 0).Put(t.Context(), bytes.NewReader(random(n)))
		if err != nil {
			t.Fatal(err)
		}
		return id
	}

	var records []ledger.NewRecord
	add := func(cid string, size int64) {
		records = append(records, ledger.NewRecord{ID: hex.EncodeToString(random(ledger.RecordIDSize)), CID: cid,
			Commitment: hex.EncodeToString(random(ledger.CommitmentSize)), Size: size})
	}
	var refused []string
	for range 8 { // larger than stated: of one block and of several
		refused = append(refused, put(1000), put(3<<20))
		add(refused[len(refused)-2], 999)
		add(refused[len(refused)-1], 3<<20-1)
	}
	huge := 142
	if testing.Short() {
		huge = 8
	}
	for range huge {
		add(nowhere(), 60<<30)
		add(nowhere(), 1<<20)
	}
	beyond := put(2000)
	refused = append(refused, beyond)
	add(beyond, 60<<30)
	for batch := range slices.Chunk(records, ledger.MaxNewRecords) {
		registerRaw(t, doctorA, batch)
	}

	began := time.Now()
	for _, who := range []string{doctorB, nurseC, doctorA} {
		row := seal(t, who, write(t, "true.txt", random(3000)), "--policy", twoDoctors, "--index", "none")[0]
		for _, hospital := range members[:3] {
			awaitPinned(t, row.CID, hospital)
		}
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("true records were copied after %v", took)
	}

	for _, keeper := range []string{"HospitalB", "HospitalC"} {
		// The last report may be a minute old when something else is refused.
		for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(time.Second) {
			k := keeping(t, doctorA, keeper, "HospitalA")
			if k.Refused >= huge+len(refused) {
				t.Logf("%s keeps %d bytes of HospitalA and refuses %d payloads of %d bytes", keeper, k.Kept, k.Refused, k.RefusedBytes)
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s reports %+v, want %d refusals", keeper, k, huge+len(refused))
			}
		}
		pinned := pins(t, keeper)
		for _, cid := range refused {
			if slices.Contains(pinned, cid) {
				t.Errorf("%s has pinned %s, which it refuses", keeper, cid)
			}
		}
	}
}

// absentRecord makes a record whose payload is nowhere.
func absentRecord(t *testing.T) ledger.NewRecord {
	t.Helper()
	random := make([]byte, sha256.Size+ledger.RecordIDSize+ledger.CommitmentSize)
	rand.Read(random)
	hash, err := multihash.Encode(random[:sha256.Size], multihash.SHA2_256)
	if err != nil {
		t.Fatal(err)
	}
	random = random[sha256.Size:]
	return ledger.NewRecord{ID: hex.EncodeToString(random[:ledger.RecordIDSize]), CID: cid.NewCidV1(cid.Raw, hash).String(),
		Commitment: hex.EncodeToString(random[ledger.RecordIDSize:]), Size: 1}
}

// registerRaw puts records on the ledger without our client.
func registerRaw(t *testing.T, who string, records []ledger.NewRecord) {
	t.Helper()
	if err := submitRaw(t, who, records); err != nil {
		t.Fatal(err)
	}
}

func submitRaw(t *testing.T, who string, records []ledger.NewRecord) error {
	t.Helper()
	u := user(t, who)
	signature, err := ledger.NewSignature(ledger.IDOfCertificate(u.Certificate.Raw), make([]byte, 64))
	if err != nil {
		t.Fatal(err)
	}
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	var wrapped bytes.Buffer
	w, err := age.Encrypt(&wrapped, id.Recipient(), envelope.Signed(signature))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	packed, err := ledger.PackRecords(records)
	if err != nil {
		t.Fatal(err)
	}
	keys := ledger.PackList(slices.Repeat([][]byte{wrapped.Bytes()}, len(records)))
	_, err = raw(t, who, u.Profile.MSP).Submit(ledger.RecordCreate, gateway.WithEndorsingOrganizations("HospitalA", "HospitalB"),
		gateway.WithTransient(map[string][]byte{ledger.TransientRecords: packed, ledger.TransientEnvelopes: keys}))
	return err
}

// keeping returns what a hospital reports about another's payloads.
func keeping(t *testing.T, who, keeper, home string) ledger.Keeping {
	t.Helper()
	var all []ledger.Keeping
	r := expect(t, exitDone, who, "replicate", "status", "--json")
	if err := json.Unmarshal([]byte(r.stdout), &all); err != nil {
		t.Fatalf("replicate status --json printed %q: %v", r.stdout, err)
	}
	for _, k := range all {
		if k.Keeper == keeper && k.Home == home {
			return k
		}
	}
	return ledger.Keeping{}
}
