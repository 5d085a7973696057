package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"filippo.io/age"
	gateway "github.com/hyperledger/fabric-gateway/pkg/client"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/abe/policy"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/envelope"
	"github.com/chartseal/chartseal/client/trust"
)

// freshWallet copies the wallet for a user who has seen nothing yet, and whose witnesses
// are only those of the named hospitals.
func freshWallet(t *testing.T, who string, witnesses ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "wallet")
	if err := os.CopyFS(dir, os.DirFS(consortium.Wallet())); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, who, "state")); err != nil {
		t.Fatal(err)
	}
	for _, o := range consortium.Topology().Organisations() {
		if !strings.HasSuffix(who, "@"+o.Name) && !slices.Contains(witnesses, o.Name) {
			if err := os.Remove(filepath.Join(dir, o.Name+".yaml")); err != nil {
				t.Fatal(err)
			}
		}
	}
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		if info.IsDir() {
			return os.Chmod(path, 0o700)
		}
		return os.Chmod(path, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestTwoLyingPeers: the peer of a doctor's own hospital and that of the only witness
// tell the same lie. It would let their administrators read what the doctor seals and
// indexes. The doctor sees that the hospitals' authorities and custodians have not signed
// it.
func TestTwoLyingPeers(t *testing.T) {
	const key = "HospitalB:role=doctor"
	attacker, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	master, err := abe.NewMasterKey("HospitalB", rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	stolen, err := master.Issue("HospitalA/attacker", key, 1)
	if err != nil {
		t.Fatal(err)
	}
	attributes, err := abe.NewIdentity([]*abe.UserKey{stolen})
	if err != nil {
		t.Fatal(err)
	}
	var lie atomic.Pointer[func(function string, answer []byte) []byte] // of both peers
	tell := func(f func(function string, answer []byte) []byte) { lie.Store(&f) }
	for _, hospital := range []string{"HospitalA", "HospitalB"} {
		takeOver(t, hospital, func(function string, answer []byte) []byte {
			if f := lie.Load(); f != nil {
				return (*f)(function, answer)
			}
			return answer
		})
	}
	for name, tc := range map[string]struct {
		lie      func(function string, answer []byte) []byte
		identity age.Identity
	}{
		"a public key": {changed(ledger.AuthorityKeys, func(keys []map[string]any) {
			for _, k := range keys {
				if k["name"] == key {
					public, err := master.PublicKey(key, int(k["version"].(float64)))
					if err != nil {
						t.Error(err)
						return
					}
					raw, _ := public.MarshalBinary()
					k["key"] = base64.StdEncoding.EncodeToString(raw)
				}
			}
		}), attributes},
		"the custodian": {changed(ledger.AuthorityList, func(all []map[string]any) {
			for _, a := range all {
				a["custodian"] = attacker.Recipient().String()
			}
		}), attacker},
	} {
		t.Run(name, func(t *testing.T) {
			wallet := freshWallet(t, doctorA, "HospitalB")
			file := write(t, "secret.txt", []byte("the secret of the patient"))
			lie.Store(nil)
			expect(t, exitDone, doctorA, "seal", file, "--policy", key, "--wallet", freshWallet(t, doctorA, "HospitalB"))
			tell(tc.lie)
			r := chartseal(t, doctorA, "seal", "--json", file, "--policy", key, "--wallet", wallet)
			lie.Store(nil)
			if r.code == exitTampered {
				t.Logf("refused: %s", r.stderr)
				return
			}
			t.Errorf("sealed although two peers lie: exit code %d, %s", r.code, r.stderr)
			var rows []sealed
			if err := json.Unmarshal([]byte(r.stdout), &rows); err != nil || len(rows) != 1 {
				t.Fatalf("%q: %v", r.stdout, err)
			}
			level(t)
			data, err := raw(t, doctorA, "HospitalA").EvaluateTransaction(attackKey, ledger.EnvelopeKey(rows[0].Record, 1))
			if err != nil {
				t.Fatal(err)
			}
			data, err = ledger.JoinEnvelope(data, func(name string) ([]byte, error) {
				return raw(t, doctorA, "HospitalA").EvaluateTransaction(attackKey, name)
			})
			if err != nil {
				t.Fatal(err)
			}
			m, err := envelope.Open(data, ledger.RecordVersion{ID: rows[0].Record, Version: 1, CID: rows[0].CID}, tc.identity)
			if err != nil {
				t.Fatalf("the attacker cannot open the envelope: %v", err)
			}
			t.Errorf("the attacker has the record's key, and reads its name: %q", m.Name)
		})
	}
	t.Run("a scope key", func(t *testing.T) {
		// The doctor has searched before, and no longer has the key.
		wallet := freshWallet(t, doctorA, "HospitalB")
		expect(t, exitDone, doctorA, "search", "anything", "--wallet", wallet)
		if err := os.Remove(filepath.Join(wallet, doctorA, "state", "scope", "consortium.json")); err != nil {
			t.Fatal(err)
		}
		forged := forgeScopeKey(t)
		tell(changed(ledger.ScopeKey, func(e map[string]any) { e["data"] = base64.StdEncoding.EncodeToString(forged) }))
		defer func() { lie.Store(nil) }()
		r := chartseal(t, doctorA, "search", "anything", "--wallet", wallet)
		if r.code != exitTampered {
			t.Errorf("searched under the scope key of an attacker, who learns every word: exit code %d, %s%s", r.code, r.stdout, r.stderr)
		} else {
			t.Logf("refused: %s", r.stderr)
		}
	})
}

// TestTwoPeersOverwrite: the changed peers of two hospitals endorse that keys of a third
// are overwritten, and a nurse's program submits it. The third hospital would be cut off.
// Its keys need its own peer's endorsement, so the transaction has no effect.
func TestTwoPeersOverwrite(t *testing.T) {
	for _, hospital := range []string{"HospitalB", "HospitalC"} {
		takeOver(t, hospital, nil)
	}
	for _, key := range []string{
		ledger.AuthorityKey("HospitalA"),
		ledger.AttributeCurrentKey("HospitalA:role=doctor"),
		ledger.AttributeVersionKey("HospitalA:role=doctor", 1),
		ledger.ScopeStateKey("consortium"),
		ledger.ScopeEpochKey("consortium", 1),
	} {
		_, commit, err := raw(t, nurseC, "HospitalC").SubmitAsync(attackPut, gateway.WithArguments(key, "{}"),
			gateway.WithEndorsingOrganizations("HospitalB", "HospitalC"))
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		status, err := commit.Status()
		if err != nil {
			t.Fatal(err)
		}
		if status.Successful {
			t.Errorf("%s was overwritten by the peers of HospitalB and HospitalC", key)
		} else {
			t.Logf("%s: %s", key, status.Code)
		}
	}
	level(t)
	seal(t, doctorA, write(t, "a.txt", []byte("a")), "--policy", "HospitalA:role=doctor")
}

// TestChangedRoot: a member has another root than the doctor's wallet knows. Commands
// that need it stop and name both. The doctor accepts exactly the one that the member
// names.
func TestChangedRoot(t *testing.T) {
	wallet := freshWallet(t, doctorA, "HospitalB", "HospitalC", "Regulator")
	profile := filepath.Join(wallet, "HospitalA.yaml")
	text, err := os.ReadFile(profile)
	if err != nil {
		t.Fatal(err)
	}
	roots := user(t, doctorA).Profile.Members["HospitalB"]
	if len(roots) != 1 {
		t.Fatalf("the profile names %d roots of HospitalB", len(roots))
	}
	known := strings.Repeat("ab", 32)
	if err := os.WriteFile(profile, bytes.ReplaceAll(text, []byte(roots[0].String()), []byte(known)), 0o600); err != nil {
		t.Fatal(err)
	}
	file := write(t, "a.txt", []byte("a"))
	run := func(code int, args ...string) result {
		t.Helper()
		return expect(t, code, doctorA, append(args, "--wallet", wallet)...)
	}
	r := run(exitTampered, "seal", file, "--policy", "HospitalB:role=doctor")
	for _, want := range []string{"trusted: " + known, "now:     " + roots[0].String(), "chartseal members accept HospitalB --root " + roots[0].String()} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("no %q in %s", want, r.stderr)
		}
	}
	run(exitTampered, "search", "anything")
	run(exitTampered, "members")
	run(exitTampered, "members", "accept", "HospitalB", "--root", known)
	run(exitNotFound, "members", "accept", "HospitalX", "--root", roots[0].String())
	run(exitTampered, "seal", file, "--policy", "HospitalB:role=doctor")
	run(exitDone, "members", "accept", "HospitalB", "--root", roots[0].String())
	run(exitDone, "seal", file, "--policy", "HospitalB:role=doctor")
	if r := run(exitDone, "members"); !strings.Contains(r.stdout, roots[0].String()) || strings.Count(r.stdout, "yes") != 3 {
		t.Errorf("members: %s", r.stdout)
	}
}

// changed makes a lie about the answer of one function.
func changed[T any](function string, change func(T)) func(string, []byte) []byte {
	return func(f string, answer []byte) []byte {
		var value T
		if f != function || json.Unmarshal(answer, &value) != nil {
			return answer
		}
		change(value)
		text, err := json.Marshal(value)
		if err != nil {
			return answer
		}
		return text
	}
}

// forgeScopeKey makes a scope key that the attacker knows, wrapped for HospitalA's
// doctors.
func forgeScopeKey(t *testing.T) []byte {
	t.Helper()
	scopes, err := connect(t, doctorA).Scopes(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	const policyText = "HospitalA:role=doctor"
	epoch := 1
	for _, s := range scopes {
		if s.Name == "consortium" {
			epoch = s.Epoch
		}
	}
	public, err := connect(t, doctorA).AttributeKeys(t.Context(), []string{policyText})
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := trust.ParseKey(public[0])
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Parse(policyText)
	if err != nil {
		t.Fatal(err)
	}
	recipient, err := abe.NewRecipient(p, func(string) (*abe.PublicKey, error) { return trusted, nil })
	if err != nil {
		t.Fatal(err)
	}
	key := make([]byte, envelope.KeySize)
	rand.Read(key)
	data, err := envelope.ScopeKey{Scope: "consortium", Epoch: epoch, Key: key, Policy: policyText, Author: "HospitalA/custodian"}.Seal(recipient)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
