package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/client/session"
	"github.com/chartseal/chartseal/client/wallet"
)

// TestStolenMaster: a doctor of another hospital has stolen HospitalC's master secret,
// and makes keys with it. The secret is replaced; the replacement is killed on the way.
func TestStolenMaster(t *testing.T) {
	const nurse, thief, operator = "HospitalC:role=nurse", doctorB, "authority@HospitalC"
	dir := filepath.Join(filepath.Dir(consortium.Wallet()), "orgs", "HospitalC", "authority")
	file := filepath.Join(dir, "master", "master.age")
	stolen := openMaster(t, file, filepath.Join(dir, "identity.txt"))
	thiefs := freshWallet(t, thief, "HospitalA")
	open := func(record string) result {
		return chartseal(t, thief, "open", record, "-o", filepath.Join(t.TempDir(), "out"), "--skip-policy-check", "--wallet", thiefs)
	}
	replace := []string{"authority", "replace", "--dir", filepath.Join(dir, "master"), "--identity", filepath.Join(dir, "identity.txt")}

	before := seal(t, nurseC, write(t, "before.txt", []byte("before")), "--policy", nurse, "--index", "none")[0].Record
	if r := open(before); r.code != exitDenied {
		t.Fatalf("the thief without keys: exit code %d, %s", r.code, r.stderr)
	}
	forge(t, thiefs, thief, stolen, nurse, 3)
	if r := open(before); r.code != exitDone {
		t.Fatalf("the thief with the stolen secret: exit code %d, %s", r.code, r.stderr)
	}

	killReplacing(t, operator, file, replace)
	expect(t, exitDone, nurseC, "keys", "request", "--authority", "HospitalC")
	if m := openMaster(t, file, filepath.Join(dir, "identity.txt")); !m.Unfinished() {
		t.Error("the replacement was not killed on its way")
	}
	r := expect(t, exitDone, operator, append(replace, "--json")...)
	var rows []struct {
		Attribute string `json:"attribute"`
		Version   int    `json:"version"`
	}
	if err := json.Unmarshal([]byte(r.stdout), &rows); err != nil {
		t.Fatalf("%q: %v", r.stdout, err)
	}
	t.Logf("published after the kill: %v; %s", rows, r.stderr)
	level(t)
	r = expect(t, exitDone, nurseC, "keys", "request", "--authority", "HospitalC")
	for version := 1; version <= 2; version++ {
		if !strings.Contains(r.stdout, fmt.Sprintf("%s  %d ", nurse, version)) {
			t.Errorf("the nurse has no version %d:\n%s", version, r.stdout)
		}
	}
	after := seal(t, nurseC, write(t, "after.txt", []byte("after")), "--policy", nurse, "--index", "none")[0].Record
	opens(t, nurseC, before, []byte("before"))
	opens(t, nurseC, after, []byte("after"))
	if r := open(after); r.code != exitDenied && r.code != exitTampered {
		t.Errorf("the thief opens what was sealed after the replacement: exit code %d, %s", r.code, r.stderr)
	}
	if r := open(before); r.code != exitDone {
		t.Errorf("what was sealed before is open to the thief, as docs/authority.md says: exit code %d, %s", r.code, r.stderr)
	}

	// The stolen secret no longer passes for the authority's, and the new one does, from
	// a backup too.
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := abe.SealMaster(stolen, id.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	identity := write(t, "identity.txt", []byte(id.String()))
	old := filepath.Dir(write(t, "master.age", sealed))
	expect(t, exitTampered, operator, "authority", "rotate", "--dir", old, "--identity", identity, "--attribute", nurse)

	backup := filepath.Join(t.TempDir(), "backup.age")
	expect(t, exitDone, operator, "authority", "backup", "--dir", filepath.Join(dir, "master"), "--identity", filepath.Join(dir, "identity.txt"),
		"--recipient", id.Recipient().String(), "-o", backup)
	again := filepath.Join(t.TempDir(), "again")
	expect(t, exitDone, operator, "authority", "restore", backup, "--backup-identity", identity, "--dir", again, "--identity", identity)
	expect(t, exitDone, operator, "authority", "rotate", "--dir", again, "--identity", identity, "--attribute", nurse)
	expect(t, exitDone, nurseC, "keys", "request", "--authority", "HospitalC")
	level(t)

	// Once more, as the thief could have the identity too: with another one, killed on
	// its way, and gone on with by the same command. The server takes it up.
	fresh := filepath.Join(dir, "new.txt")
	replace = append(replace, "--new-identity", fresh)
	killReplacing(t, operator, file, replace)
	r = expect(t, exitDone, operator, replace...)
	if !strings.Contains(r.stderr, "goes on") {
		t.Errorf("it did not go on: %s", r.stderr)
	}
	expect(t, exitDenied, operator, "authority", "rotate", "--dir", filepath.Join(dir, "master"), "--identity", filepath.Join(dir, "identity.txt"), "--attribute", nurse)
	if err := os.Rename(fresh, filepath.Join(dir, "identity.txt")); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Second) {
		r := chartseal(t, nurseC, "keys", "request", "--authority", "HospitalC")
		if r.code == exitDone && strings.Contains(r.stdout, nurse+"  4 ") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server does not take the new secret up: exit code %d, %s%s", r.code, r.stdout, r.stderr)
		}
	}
	opens(t, nurseC, before, []byte("before"))
	opens(t, nurseC, after, []byte("after"))
	level(t)
}

func openMaster(t *testing.T, file, identity string) *abe.MasterKey {
	t.Helper()
	sealed, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(identity)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	with, err := age.ParseIdentities(f)
	if err != nil {
		t.Fatal(err)
	}
	m, err := abe.OpenMaster(sealed, with...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// forge puts keys of an attribute into a wallet, made from a stolen master secret: all
// versions up to most.
func forge(t *testing.T, dir, who string, stolen *abe.MasterKey, attribute string, most int) {
	t.Helper()
	w, err := wallet.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	u, err := w.User(who)
	if err != nil {
		t.Fatal(err)
	}
	gid, err := session.Actor(u)
	if err != nil {
		t.Fatal(err)
	}
	var forged []*abe.UserKey
	for v := 1; v <= most; v++ {
		key, err := stolen.Issue(gid, attribute, v)
		if err != nil {
			t.Fatal(err)
		}
		forged = append(forged, key)
	}
	if err := session.StoreAttributeKeys(u, stolen.Authority(), forged); err != nil {
		t.Fatal(err)
	}
}

// killReplacing runs a replacement and kills it as soon as the new secret is on disk,
// while its first transaction is under way.
func killReplacing(t *testing.T, operator, file string, args []string) {
	t.Helper()
	old, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(consortium.Programs(), "chartseal"),
		append([]string{"--wallet", consortium.Wallet(), "--user", operator}, args...)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		now, err := os.Stat(file)
		if err == nil && !os.SameFile(old, now) {
			break
		}
		if time.Now().After(deadline) {
			t.Error("the new secret does not get on disk")
			break
		}
	}
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
}
