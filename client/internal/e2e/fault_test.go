package e2e

import (
	"crypto/rand"
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestFullDisk opens and seals on a full disk. The commands fail and leave no partial
// files.
func TestFullDisk(t *testing.T) {
	content := make([]byte, 1<<20)
	rand.Read(content)
	rows := seal(t, doctorA, write(t, "big.bin", content), "--policy", twoDoctors)
	dir := smallDisk(t, 256<<10)
	out := filepath.Join(dir, "out")
	r := expect(t, exitOther, doctorA, "open", rows[0].Record, "-o", out)
	if !strings.Contains(r.stderr, "no space left") || !strings.Contains(r.stderr, "chartseal: hint:") {
		t.Errorf("not a clear message: %s", r.stderr)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind on the full disk: %v", left)
	}
}

// smallDisk mounts a file system of the given size. This needs root, as in CI and
// containers.
func smallDisk(t *testing.T, size int) string {
	t.Helper()
	dir := t.TempDir()
	if os.Geteuid() != 0 {
		t.Skip("mounting a small file system takes root")
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+strconv.Itoa(size)); err != nil {
		t.Skipf("mount a small file system: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

// TestLargeRecord streams a record that is larger than the memory limit of the program.
func TestLargeRecord(t *testing.T) {
	size, limit := int64(256<<20), int64(150<<20)
	if testing.Short() {
		size = 128 << 20 // with the program, still more than the limit
	}
	path := filepath.Join(t.TempDir(), "study.bin")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(f, h), rand.Reader, size); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	r := start(t, f, doctorA, "seal", "-", "--policy", twoDoctors, "--keyword", "large-study")
	if r.code != exitDone {
		t.Fatal(r.stderr)
	}
	t.Logf("sealing took %d MiB of memory", r.memory>>20)
	if r.memory > limit {
		t.Errorf("sealing took %d MiB of memory", r.memory>>20)
	}
	ids := found(t, doctorB, "large-study")
	if len(ids) != 1 {
		t.Fatalf("found %d records", len(ids))
	}
	out := filepath.Join(t.TempDir(), "opened.bin")
	r = expect(t, exitDone, doctorB, "open", ids[0], "-o", out)
	t.Logf("opening took %d MiB of memory", r.memory>>20)
	if r.memory > limit {
		t.Errorf("opening took %d MiB of memory", r.memory>>20)
	}
	opened, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	g := sha256.New()
	if n, err := io.Copy(g, opened); err != nil || n != size || !slices.Equal(g.Sum(nil), h.Sum(nil)) {
		t.Errorf("opened %d bytes that differ (%v)", n, err)
	}
}

// TestOddRecords: an empty file and files with odd names survive seal and open unchanged.
func TestOddRecords(t *testing.T) {
	for name, content := range map[string]string{
		"empty":                      "",
		"-starts-with-a-dash":        "x",
		"ünïcode ☃ \t\n\"quoted\".é": "y",
		"$(touch owned);`id`":        "z",
	} {
		rows := seal(t, doctorA, "--policy", twoDoctors, "--", write(t, name, []byte(content)))
		opens(t, doctorB, rows[0].Record, []byte(content))
	}
}

// TestFailedSealLeavesNothing: if IPFS fails in the middle of several files, the ledger
// has no record of them.
func TestFailedSealLeavesNothing(t *testing.T) {
	level(t)
	before := strings.Count(expect(t, exitDone, auditor, "audit", "records", "--json").stdout, `"record"`)
	kill(t, "ipfs", "HospitalC", syscall.SIGSTOP)
	r := chartseal(t, "custodian@HospitalC", "--timeout", "8s", "seal", "--policy", "HospitalC:role=nurse", "--no-index",
		write(t, "a.txt", []byte("a")), write(t, "b.txt", []byte("b")))
	kill(t, "ipfs", "HospitalC", syscall.SIGCONT)
	if r.code != exitUnavailable {
		t.Errorf("exit code %d, want %d: %s", r.code, exitUnavailable, r.stderr)
	}
	level(t)
	after := strings.Count(expect(t, exitDone, auditor, "audit", "records", "--json").stdout, `"record"`)
	if before != after {
		t.Errorf("%d records before and %d after a seal that failed", before, after)
	}
}

// TestStoppedAuthority: a request to a stopped authority fails with a clear message.
func TestStoppedAuthority(t *testing.T) {
	kill(t, "authority", "HospitalC", syscall.SIGKILL)
	r := expect(t, exitUnavailable, nurseC, "keys", "request", "--authority", "HospitalC")
	if !strings.Contains(r.stderr, "HospitalC") || !strings.Contains(r.stderr, "chartseal: hint:") {
		t.Errorf("not a clear message: %s", r.stderr)
	}
	if err := consortium.Start(t.Context(), "HospitalC"); err != nil {
		t.Fatal(err)
	}
	expect(t, exitDone, nurseC, "keys", "request", "--authority", "HospitalC")
}

// kill sends a signal to one server of the network.
func kill(t *testing.T, process, organisation string, signal syscall.Signal) {
	t.Helper()
	for _, s := range consortium.Status(t.Context()) {
		if s.Process == process && s.Organisation == organisation && s.PID != 0 {
			if err := syscall.Kill(s.PID, signal); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("%s/%s does not run", organisation, process)
}

// TestHospitalDown stops each hospital in turn. The others still seal, search and open,
// also records of the stopped hospital. After its restart it catches up.
func TestHospitalDown(t *testing.T) {
	content := []byte("sealed while all were up")
	rows := seal(t, doctorA, write(t, "before.txt", content), "--policy", twoDoctors, "--keyword", "before-the-outage")
	awaitPinned(t, rows[0].CID, "HospitalB")
	if err := consortium.Stop(t.Context(), "HospitalA"); err != nil {
		t.Fatal(err)
	}
	up := false
	defer func() {
		if !up {
			consortium.Start(t.Context(), "HospitalA")
		}
	}()
	opens(t, doctorB, rows[0].Record, content)
	during := []byte("sealed while HospitalA was down")
	missed := seal(t, doctorB, write(t, "during.txt", during), "--policy", twoDoctors, "--keyword", "during-the-outage")
	if ids := found(t, doctorB, "during-the-outage"); !slices.Equal(ids, []string{missed[0].Record}) {
		t.Errorf("found %v, want %s", ids, missed[0].Record)
	}
	opens(t, doctorB, missed[0].Record, during)
	expect(t, exitUnavailable, doctorA, "search", "before-the-outage")

	if err := consortium.Start(t.Context(), "HospitalA"); err != nil {
		t.Fatal(err)
	}
	up = true
	if ids := found(t, doctorA, "during-the-outage"); !slices.Equal(ids, []string{missed[0].Record}) {
		t.Errorf("HospitalA found %v after its return, want %s", ids, missed[0].Record)
	}
	opens(t, doctorA, missed[0].Record, during)
}

// awaitPinned waits until a hospital's IPFS node has its own copy of a payload.
func awaitPinned(t *testing.T, cid, hospital string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if slices.Contains(pins(t, hospital), cid) {
			return
		}
	}
	t.Fatalf("%s has not pinned %s", hospital, cid)
}
