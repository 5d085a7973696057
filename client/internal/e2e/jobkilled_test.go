package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
)

// TestJobKilled kills a job that seals records again, and one that erases them, with
// SIGKILL, again and again, and lets each go on. Each record is changed once, and none is
// forgotten. The former wrapped keys are gone from every peer's files.
func TestJobKilled(t *testing.T) {
	const n = 240
	const ward, nurses = "HospitalA:department=cardiology", "HospitalC:role=nurse or HospitalA:role=doctor"
	patient := "killed-" + strings.ToLower(randomText(8))
	var ids []string
	var sample [][]byte // of wrapped keys, which no other has
	files := []string{"--policy", ward + " or HospitalB:role=doctor", "--patient", patient, "--index", "none"}
	content := func(i int) []byte { return fmt.Appendf(nil, "record %d of %s", i, patient) }
	for i := range n {
		files = append(files, write(t, fmt.Sprintf("%03d.txt", i), content(i)))
	}
	for _, r := range seal(t, doctorA, files...) {
		ids = append(ids, r.Record)
	}
	if len(ids) != n {
		t.Fatalf("%d records are sealed", len(ids))
	}
	take := func(who string) {
		sample = nil
		for _, i := range []int{0, n / 2, n - 1} {
			_, own := wrappedKey(t, who, ids[i], 1)
			sample = append(sample, own)
			if inState, inStore := holds(t, "HospitalB", own); !inState || !inStore {
				t.Fatal("HospitalB's peer has no such wrapped key: the test looks in the wrong place")
			}
		}
	}
	gone := func(what string) {
		for i, own := range sample {
			awaitGone(t, fmt.Sprintf("%s %d", what, i), own)
		}
	}
	records := func() (all []ledger.Record) {
		g := connect(t, doctorA)
		for i := 0; i < n; i += ledger.MaxRecordsPerCall {
			part, err := g.Records(t.Context(), ids[i:min(i+ledger.MaxRecordsPerCall, n)])
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, part...)
		}
		return all
	}

	take(doctorB)
	killJob(t, func() int {
		changed := 0
		for _, r := range records() {
			changed += r.Current().Seal
		}
		return changed
	}, ids, "reseal", "--sealed-to", ward, "--policy", nurses, "--yes", "--rate", "60")
	level(t)
	for i, r := range records() {
		if v := r.Current(); v.Seal != 1 || r.Erasure != nil || len(r.Versions) != 1 {
			t.Errorf("record %d was sealed again %d times", i, v.Seal)
		}
	}
	gone("resealed")
	for _, i := range []int{0, n / 3, n - 1} {
		expect(t, exitDenied, doctorB, "open", ids[i], "-o", filepath.Join(t.TempDir(), "out"))
		opens(t, nurseC, ids[i], content(i))
	}

	take(nurseC)
	killJob(t, func() int {
		erased := 0
		for _, r := range records() {
			if r.Erasure != nil {
				erased++
			}
		}
		return erased
	}, ids, "erase", "--patient", patient, "--reason", "REQUEST", "--yes", "--rate", "60")
	level(t)
	for i, r := range records() {
		if r.Erasure == nil {
			t.Errorf("record %d was forgotten", i)
		}
	}
	gone("erased")
	for _, i := range []int{0, n / 3, n - 1} {
		expect(t, exitNotFound, nurseC, "open", ids[i], "-o", filepath.Join(t.TempDir(), "out"))
	}
}

// killJob starts a job and kills it, lets it go on and kills it again, and lets it end.
// Changed counts the records that are changed. At least one kill has to come when
// some are, and others are not.
func killJob(t *testing.T, changed func() int, ids []string, args ...string) {
	t.Helper()
	before, n := jobs(t), len(ids)
	run := func(args ...string) (cmd *exec.Cmd, ended chan error) {
		cmd = exec.CommandContext(t.Context(), filepath.Join(consortium.Programs(), "chartseal"),
			append([]string{"--wallet", consortium.Wallet(), "--user", custodianA}, args...)...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "XDG_CONFIG_HOME=")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended = make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		return cmd, ended
	}
	id, within, kills := "", 0, 0
	for ; kills < 5; kills++ {
		last := changed()
		cmd, ended := run(args...)
		var result error
		done := false
		for deadline := time.Now().Add(30 * time.Second); !done && time.Now().Before(deadline) && changed() == last; {
			select {
			case result = <-ended:
				done = true
			case <-time.After(20 * time.Millisecond):
			}
		}
		if !done { // a moment after something has changed, and not always the same one
			time.Sleep(time.Duration(kills*170) * time.Millisecond)
			cmd.Process.Kill()
			result = <-ended
		}
		if id == "" {
			for _, j := range jobs(t) {
				if _, old := before[j.ID]; !old {
					id = j.ID
				}
			}
			if id == "" {
				t.Fatalf("%s: the killed job is not listed", args[0])
			}
			args = []string{"job", "resume", id}
		}
		now := changed()
		t.Logf("%v: %d of %d records are changed; %v", args, now, n, result)
		if now > 0 && now < n {
			within++
		}
		if result == nil {
			break // it ended before the kill
		}
	}
	if within == 0 {
		t.Errorf("%d kills, and none while the job was at work", kills)
	}
	var rows []client.Job
	r := expect(t, exitDone, custodianA, "job", "resume", id, "--json")
	if err := json.Unmarshal([]byte(r.stdout), &rows); err != nil || len(rows) != 1 || slices.ContainsFunc(ids, func(id string) bool { return slices.Contains(rows[0].Unopened, id) }) {
		t.Fatalf("the job could not open all: %s: %v", r.stdout, err) // other tests register what nobody opens
	}
	if left := strings.TrimSpace(expect(t, exitDone, custodianA, "job", "status", id, "--left").stdout); left != "" {
		t.Errorf("the job has left %s", left)
	}
}

// jobs lists the custodian's jobs.
func jobs(t *testing.T) map[string]client.Job {
	t.Helper()
	var rows []client.Job
	r := expect(t, exitDone, custodianA, "job", "status", "--json")
	if err := json.Unmarshal([]byte(r.stdout), &rows); err != nil {
		t.Fatalf("job status printed %q: %v", r.stdout, err)
	}
	all := make(map[string]client.Job)
	for _, j := range rows {
		all[j.ID] = j
	}
	return all
}
