package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/envelope"
	"github.com/chartseal/chartseal/client/session"
)

const custodianA = "custodian@HospitalA"

var hospitals = []string{"HospitalA", "HospitalB", "HospitalC"}

// wrappedKey returns the wrapped key of a version as a doctor keeps it who does not use
// our client, and what of it no other wrapped key has.
func wrappedKey(t *testing.T, who, record string, version int) (whole, own []byte) {
	t.Helper()
	g := connect(t, who)
	entries, err := g.RequestAccess(t.Context(), []string{record}, "TREAT")
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		whole, _, err = g.Envelope(t.Context(), record, version, entries[0].ID)
		if err == nil {
			return whole, whole[len(whole)-200:] // of the encrypted metadata
		}
		if !errors.Is(err, ledger.ErrUnavailable) || time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// holds reports whether the private data of a hospital's peer has some bytes: in the
// state, or in the store that has the private writes of each block.
func holds(t *testing.T, hospital string, data []byte) (inState, inStore bool) {
	t.Helper()
	dir := filepath.Join(consortium.LedgerDirectory(hospital), "ledgersData")
	return bytes.Contains(readLevelDB(t, filepath.Join(dir, "stateLeveldb")), data),
		bytes.Contains(readLevelDB(t, filepath.Join(dir, "pvtdataStore")), data)
}

// awaitGone waits until no hospital's peer has some bytes in its private data.
func awaitGone(t *testing.T, what string, data []byte) {
	t.Helper()
	for _, h := range hospitals {
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Second) {
			inState, inStore := holds(t, h, data)
			if !inState && !inStore {
				break
			}
			if time.Now().After(deadline) {
				t.Errorf("%s: the peer of %s still has it (state %v, private data store %v)", what, h, inState, inStore)
				break
			}
		}
	}
}

// TestTakenAway plays a doctor who kept the wrapped keys of records whose access is taken
// away, on every peer's files.
func TestTakenAway(t *testing.T) {
	content := []byte("the echo shows a vegetation")
	rows := seal(t, doctorA, write(t, "resealed.txt", content), write(t, "revoked.txt", content), write(t, "erased.txt", content),
		write(t, "neighbour.txt", content), "--policy", twoDoctors, "--keyword", "endocarditis-taken", "--index", "now")
	var own [4][]byte
	var kept [4][]byte
	for i, r := range rows {
		opens(t, doctorB, r.Record, content)
		kept[i], own[i] = wrappedKey(t, doctorB, r.Record, 1)
		for _, h := range hospitals {
			if inState, inStore := holds(t, h, own[i]); !inState || !inStore {
				t.Fatalf("the peer of %s has no wrapped key of %s: the test looks in the wrong place", h, r.File)
			}
		}
	}
	resealed, revoked, erased, neighbour := rows[0].Record, rows[1].Record, rows[2].Record, rows[3].Record
	const onlyC = "HospitalC:role=nurse"

	expect(t, exitDenied, doctorB, "reseal", resealed, "--policy", onlyC)
	expect(t, exitDone, custodianA, "reseal", resealed, "--policy", onlyC)
	expect(t, 2, custodianA, "revoke", revoked, "--policy", onlyC) // no terminal, and no --yes
	expect(t, exitDone, custodianA, "revoke", revoked, "--policy", onlyC, "--yes")
	expect(t, exitDenied, doctorA, "erase", erased, "--reason", "ERROR", "--yes")
	expect(t, exitDone, custodianA, "erase", erased, "--reason", "ERROR", "--yes")
	expect(t, exitNotFound, custodianA, "erase", erased, "--reason", "ERROR", "--yes")
	level(t)

	for _, r := range []string{resealed, revoked} {
		expect(t, exitDenied, doctorB, "open", r, "-o", filepath.Join(t.TempDir(), "out"))
		opens(t, nurseC, r, content)
	}
	if r := expect(t, exitNotFound, doctorB, "open", erased, "-o", filepath.Join(t.TempDir(), "out")); !strings.Contains(r.stderr, "was erased by HospitalA/custodian") {
		t.Errorf("open of an erased record says %s", r.stderr)
	}
	opens(t, doctorB, neighbour, content)
	expect(t, exitDone, custodianA, "index", "flush", "--all")
	level(t)
	ids := found(t, doctorB, "endocarditis-taken")
	slices.Sort(ids)
	want := []string{resealed, revoked, neighbour}
	slices.Sort(want)
	if !slices.Equal(ids, want) {
		t.Errorf("found %v, want %v", ids, want)
	}
	for i, r := range rows[:3] {
		awaitGone(t, r.File, own[i])
	}
	for _, h := range hospitals {
		if inState, inStore := holds(t, h, own[3]); !inState || !inStore {
			t.Errorf("the peer of %s has lost the neighbour's wrapped key", h)
		}
	}

	// What the doctor kept opens what was resealed, and of the revoked record only the
	// payload that is in no record any more.
	u := user(t, doctorB)
	keys, err := session.Identities(u)
	if err != nil {
		t.Fatal(err)
	}
	records, err := connect(t, doctorB).Records(t.Context(), []string{resealed, revoked})
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range records {
		v := r.Current()
		now := v.CID
		v.CID = rows[i].CID
		m, err := envelope.Open(kept[i], v, keys...)
		if err != nil {
			t.Fatal(err)
		}
		blob, err := storeOf(t, u, 0).Open(t.Context(), now)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		err = envelope.OpenPayload(&out, blob, m, v.Commitment)
		blob.Close()
		if opened := err == nil; opened != (i == 0) {
			t.Errorf("the kept key of %s: %v", rows[i].File, err)
		}
	}
	history := expect(t, exitDone, custodianA, "history", revoked).stdout
	if !strings.Contains(history, "HospitalA/doctor") || !strings.Contains(history, "verified") || !strings.Contains(history, "HospitalA/custodian") {
		t.Errorf("history says\n%s", history)
	}
	certified(t, rows[2])
	unpinned(t, []string{rows[1].CID, rows[2].CID}, []string{rows[0].CID, records[1].Current().CID, rows[3].CID})
	if log := expect(t, exitDone, auditor, "audit", "history", erased).stdout; !strings.Contains(log, "erased") {
		t.Errorf("the audit says\n%s", log)
	}
}

// TestPurgeWhileDown: a peer that was down while wrapped keys were purged has none of
// them after it has caught up, and does not stall.
func TestPurgeWhileDown(t *testing.T) {
	const away = "HospitalC"
	content := []byte("purged while a peer was down")
	var paths []string
	for range 10 {
		paths = append(paths, write(t, "record.txt", content))
	}
	rows := seal(t, doctorA, append(paths, "--policy", twoDoctors)...)
	var own [][]byte
	var args []string
	for _, r := range rows {
		_, data := wrappedKey(t, doctorB, r.Record, 1)
		own, args = append(own, data), append(args, r.Record)
	}
	if err := consortium.Stop(t.Context(), away); err != nil {
		t.Fatal(err)
	}
	up := false
	defer func() {
		if !up {
			consortium.Start(t.Context(), away)
		}
	}()
	// Sealed and purged while the peer is away: it never gets these.
	var during []sealed
	r := expect(t, exitDone, doctorA, "seal", "--json", paths[0], paths[1], "--policy", twoDoctors)
	if err := json.Unmarshal([]byte(r.stdout), &during); err != nil {
		t.Fatal(err)
	}
	expect(t, exitDone, custodianA, append(append([]string{"erase", "--reason", "ORDER", "--yes"}, args[:5]...), during[0].Record)...)
	expect(t, exitDone, custodianA, append(append([]string{"revoke", "--policy", twoDoctors, "--yes"}, args[5:]...), during[1].Record)...)
	begun := time.Now()
	if err := consortium.Start(t.Context(), away); err != nil {
		t.Fatal(err)
	}
	up = true
	level(t)
	t.Logf("level %v after the start", time.Since(begun).Round(100*time.Millisecond))
	if took := time.Since(begun); took > 100*time.Second {
		t.Errorf("the peer took %v to catch up", took)
	}
	for i, data := range own {
		awaitGone(t, rows[i].Record, data)
	}
	opens(t, doctorA, rows[7].Record, content)
	opens(t, doctorA, during[1].Record, content)
}

// TestErasedBackup puts back a peer's directory that was copied before an erasure. Once
// the peer has the blocks that it missed, it has none of the erased keys.
func TestErasedBackup(t *testing.T) {
	const away = "HospitalC"
	content := []byte("erased after a backup")
	rows := seal(t, doctorA, write(t, "erased.txt", content), write(t, "revoked.txt", content), "--policy", twoDoctors)
	var own [][]byte
	for _, r := range rows {
		_, data := wrappedKey(t, doctorB, r.Record, 1)
		own = append(own, data)
	}
	dir := consortium.LedgerDirectory(away)
	backup := filepath.Join(t.TempDir(), "backup")
	stop := func() {
		t.Helper()
		if err := consortium.Stop(t.Context(), away); err != nil {
			t.Fatal(err)
		}
	}
	start := func() {
		t.Helper()
		if err := consortium.Start(t.Context(), away); err != nil {
			t.Fatal(err)
		}
		level(t)
	}
	t.Cleanup(func() { consortium.Start(context.Background(), away) }) // also after a failure
	stop()
	if err := os.CopyFS(backup, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	start()
	expect(t, exitDone, custodianA, "erase", rows[0].Record, "--reason", "REQUEST", "--yes")
	expect(t, exitDone, custodianA, "revoke", rows[1].Record, "--policy", twoDoctors, "--yes")
	level(t)
	for i, r := range rows {
		awaitGone(t, r.File, own[i])
	}
	stop()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(dir, os.DirFS(backup)); err != nil {
		t.Fatal(err)
	}
	for i, r := range rows {
		if inState, _ := holds(t, away, own[i]); !inState {
			t.Errorf("the backup has no wrapped key of %s: the test looks in the wrong place", r.File)
		}
	}
	start()
	for i, r := range rows {
		awaitGone(t, "a restored peer, "+r.File, own[i])
	}
	opens(t, doctorB, rows[1].Record, content)
}

// certified waits for every hospital's receipt of an erased record, and checks the
// certificate, and forged ones, without a network.
func certified(t *testing.T, r sealed) {
	t.Helper()
	var certificate client.ErasureCertificate
	var path string
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(time.Second) {
		path = filepath.Join(t.TempDir(), "erased.json")
		expect(t, exitDone, auditor, "erase", r.Record, "--certificate", path)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &certificate); err != nil {
			t.Fatal(err)
		}
		if len(certificate.Missing) == 0 || time.Now().After(deadline) {
			break
		}
	}
	if len(certificate.Receipts) != len(hospitals) {
		t.Fatalf("receipts %+v, missing %v", certificate.Receipts, certificate.Missing)
	}
	if out := expect(t, exitDone, auditor, "erase", "check", path).stdout; strings.Count(out, ledger.ReceiptGone) < len(hospitals) {
		t.Errorf("the certificate says\n%s", out)
	}
	for what, forge := range map[string]func(*client.ErasureCertificate){
		"another reason":          func(c *client.ErasureCertificate) { c.Erasure.Reason = "CONSENT" },
		"another record":          func(c *client.ErasureCertificate) { c.Erasure.ID = strings.Repeat("0", 32) },
		"a better receipt":        func(c *client.ErasureCertificate) { c.Receipts[0].Payloads = ledger.ReceiptGone + "!" },
		"another keeper":          func(c *client.ErasureCertificate) { c.Receipts[0].Keeper = c.Receipts[1].Keeper },
		"a receipt in one's name": func(c *client.ErasureCertificate) { c.Receipts[0].Signature = c.Receipts[1].Signature },
		"another root":            func(c *client.ErasureCertificate) { c.Members[0].Roots = c.Members[1].Roots },
	} {
		var forged client.ErasureCertificate
		text, err := json.Marshal(certificate)
		if err == nil {
			err = json.Unmarshal(text, &forged)
		}
		if err != nil {
			t.Fatal(err)
		}
		forge(&forged)
		if text, err = json.Marshal(forged); err != nil {
			t.Fatal(err)
		}
		if r := chartseal(t, auditor, "erase", "check", write(t, "forged.json", text)); r.code != exitTampered {
			t.Errorf("%s: exit code %d\n%s%s", what, r.code, r.stdout, r.stderr)
		}
	}
}

// unpinned has every hospital unpin what is in no version any more, and checks that
// nothing else went.
func unpinned(t *testing.T, gone, kept []string) {
	t.Helper()
	for _, h := range hospitals {
		for _, cid := range kept {
			awaitPinned(t, cid, h)
		}
		sweeper := newSweeper(t, h, time.Nanosecond)
		for range 5 { // one sees what is in no version, 3 see it again, and then it is unpinned
			if err := sweeper.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		now := pins(t, h)
		for _, cid := range gone {
			if slices.Contains(now, cid) {
				t.Errorf("%s still has the payload %s pinned", h, cid)
			}
		}
		for _, cid := range kept {
			if !slices.Contains(now, cid) {
				t.Errorf("%s has unpinned the payload %s", h, cid)
			}
		}
	}
}
